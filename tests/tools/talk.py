"""A conversation in which a model calls tools: through the adapter, with its checks, and what is shown for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import event

from engine.conversations import service as conversations
from engine.conversations.events import Emitted
from engine.kit.identity import Identity
from engine.kit.ids import new_id
from icommerce_agents.adapter import call_tool
from icommerce_agents.context import TurnContext
from tests.shop import Shop
from tools.spec import ToolContext, load


class Kept:
    """A sink that keeps what was shown."""

    def __init__(self) -> None:
        self.events: list[Emitted] = []

    def emit(self, *events: Emitted) -> None:
        self.events.extend(events)

    async def flush(self) -> None:
        """Nothing waits."""


@dataclass
class Talk:
    """One conversation of one identity."""

    shop: Shop
    who: Identity
    thread_id: str = ""
    shown: list[dict[str, Any]] = field(default_factory=list)
    """Cards of the last call: {activityType, content, …}."""

    def __post_init__(self) -> None:
        if not self.thread_id:
            with self.shop.uow() as session:
                self.thread_id = conversations.create_thread(session, self.who).id

    def call(self, tool: str, /, **arguments: Any) -> dict[str, Any]:
        """The answer as a model gets it."""
        sink = Kept()
        context = TurnContext(ToolContext(self.shop.runtime, self.who, self.thread_id, new_id("run")), sink)
        answer = asyncio.run(call_tool(load()[tool], context, "call_1", json.dumps(arguments)))
        self.shown = [one.payload for one in sink.events if one.payload["type"] == "ACTIVITY_SNAPSHOT"]
        return answer

    def ok(self, tool: str, /, **arguments: Any) -> dict[str, Any]:
        answer = self.call(tool, **arguments)
        assert answer["ok"], answer
        return dict(answer["result"])

    def refused(self, tool: str, /, **arguments: Any) -> tuple[str, str]:
        """Code and message of the refusal."""
        answer = self.call(tool, **arguments)
        assert not answer["ok"], answer
        return answer["error"]["code"], answer["error"]["message"]

    @property
    def card(self) -> dict[str, Any]:
        """The one card that was shown."""
        (only,) = self.shown
        return only


@contextmanager
def statements(shop: Shop) -> Iterator[list[str]]:
    """Every statement that is sent meanwhile."""
    said: list[str] = []

    def listen(*given: Any) -> None:
        said.append(given[2])

    event.listen(shop.runtime.store.engine, "before_cursor_execute", listen)
    try:
        yield said
    finally:
        event.remove(shop.runtime.store.engine, "before_cursor_execute", listen)
