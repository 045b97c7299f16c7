"""A model's words on their way to the shopper, as they come."""

from __future__ import annotations

import secrets
import string
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

from agents import Model, ModelResponse
from agents.items import TResponseStreamEvent

from engine.conversations import events
from icommerce_agents.guardrails import StreamGuard
from icommerce_agents.sink import Sink

_ALPHABET: Final = string.ascii_letters + string.digits


class Speaker:
    """Turns text deltas into the log's messages; one message per model answer that has words."""

    def __init__(self, sink: Sink, name: str) -> None:
        self._sink = sink
        self._name = name
        self._message: str | None = None
        self._guard = StreamGuard()
        self.spoke = False

    def say(self, delta: str) -> None:
        shown = self._guard.feed(delta)
        if shown:
            self._emit(shown)

    def end(self) -> None:
        """The message is over (or its model broke off)."""
        rest = self._guard.rest()
        if rest:
            self._emit(rest)
        if self._message:
            self._sink.emit(events.text_end(self._message))
            self._message = None

    def _emit(self, text: str) -> None:
        if self._message is None:
            text = text.lstrip()
            if not text:
                return
            self._message = events.new_message_id()
            self._sink.emit(events.text_start(self._message, "assistant", name=self._name))
        self.spoke = True
        self._sink.emit(events.text_content(self._message, text))


class Overheard(Model):
    """A model whose words are shown at the moment it says them, before any tool it calls runs.

    Every call gets an id of its own: some models count from the messages they see, and a trimmed history would make
    them use an id again, which the SDK takes for a call that has run.
    """

    def __init__(self, inner: Model, speaker: Speaker, known_calls: set[str]) -> None:
        self._inner = inner
        self._speaker = speaker
        self._known = known_calls

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        return await self._inner.get_response(*args, **kwargs)

    async def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[TResponseStreamEvent]:
        renamed: dict[str, str] = {}
        try:
            async for event in self._inner.stream_response(*args, **kwargs):
                if event.type in {"response.output_text.delta", "response.refusal.delta"}:
                    self._speaker.say(event.delta)
                elif event.type in {"response.output_item.added", "response.output_item.done"}:
                    self._name_anew([event.item], renamed)
                elif event.type == "response.completed":
                    self._name_anew(event.response.output, renamed)
                yield event
        finally:
            self._known.update(renamed.values())
            self._speaker.end()

    def _name_anew(self, items: Iterable[Any], renamed: dict[str, str]) -> None:
        for item in items:
            if item.type == "function_call" and item.call_id not in renamed.values():
                fresh = _new_call_id() if item.call_id in self._known else item.call_id
                item.call_id = renamed.setdefault(item.call_id, fresh)


def _new_call_id() -> str:
    """Nine letters and digits: the strictest of the providers asks for exactly that."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(9))
