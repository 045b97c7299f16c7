"""The hostile model as a LiteLLM provider: ``hostile/…``. What it says next is drawn from a seed.

Which conversation it is asked in, it knows from the task that asks (``attacking``): several are played at once.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

import litellm
from litellm.llms.custom_llm import CustomLLM
from litellm.types.utils import GenericStreamingChunk, ModelResponse

from evals.hostile.loot import EXTRAS, LIES, RUBBISH, UNKNOWN_TOOLS, Forger, Loot

PROVIDER: Final = "hostile"
MODEL: Final = f"{PROVIDER}/model"
_AGENTS: Final = (*["commerce", "customer_service"] * 4, "operations", "operations", "none", "admin")


@dataclass(slots=True)
class Attack:
    """One conversation's dice, loot and memory."""

    dice: Random
    forger: Forger
    past: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=30))
    """Calls it made, to be made again."""
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(10**9)))
    gambit: deque[str] = field(default_factory=deque)
    """Tools to come, one by one and as an honest model would: so that cards are shown and pressed."""

    @classmethod
    def begin(cls, seed: str, loot: Loot) -> Attack:
        dice = Random(seed)  # noqa: S311 (dice, not secrets)
        return cls(dice, Forger(dice, loot))

    def route(self) -> str:
        """What it answers a question for a route with; not always one."""
        if self.dice.random() < 0.1:
            return self.dice.choice(["not json", "{", '{"agent": 7}', '{"agent": "root", "reason": ""}', "[]"])
        agent = self.dice.choice(_AGENTS)
        tasks = [{"agent": self.dice.choice(_AGENTS), "about": "all of it"} for _ in range(self.dice.randrange(9))]
        return json.dumps({"agent": agent, "reason": self.dice.choice(RUBBISH), "tasks": tasks})

    def next(self, tools: list[dict[str, Any]], made: int) -> str | list[tuple[str, str]]:
        """A lie, or some calls: name and arguments as text. ``made`` is how many it has made in this turn: with many it
        mostly stops by itself, and now and then goes on for ever.
        """
        if made == 0:
            self.gambit = deque(self.dice.choice(_GAMBITS)) if self.dice.random() < _BOLDNESS else deque()
        by_name = {tool["function"]["name"]: tool["function"] for tool in tools}
        while self.gambit:
            name = self.gambit.popleft()
            if name == _END and made:
                return LIES[0]
            if name in by_name:
                return [(name, self._careful(by_name[name].get("parameters") or {}))]
        if not tools or self.dice.random() < (0.06 if made < _ENOUGH else 0.8):
            return self.dice.choice(LIES)
        return [self._call(tools) for _ in range(self.dice.choice((1, 1, 2, 4, 6)))]

    def _careful(self, schema: dict[str, Any]) -> str:
        self.forger.careful = True
        try:
            return json.dumps(self.forger.arguments(schema))
        finally:
            self.forger.careful = False

    def _call(self, tools: list[dict[str, Any]]) -> tuple[str, str]:
        if self.past and self.dice.random() < 0.12:
            return self.dice.choice(list(self.past))
        if self.dice.random() < 0.04:
            made = (self.dice.choice(UNKNOWN_TOOLS), json.dumps(dict(EXTRAS)))
        else:
            tool = self._tool(tools)
            made = (tool["name"], self._arguments(tool.get("parameters") or {}))
        self.past.append(made)
        return made

    def _tool(self, tools: list[dict[str, Any]]) -> dict[str, Any]:
        """Any; that which ends the conversation for it seldom."""
        tool: dict[str, Any] = self.dice.choice(tools)["function"]
        if tool["name"] == "request_human" and self.dice.random() < 0.9:
            return self._tool(tools)
        return tool

    def _arguments(self, schema: dict[str, Any]) -> str:
        if self.dice.random() < 0.03:
            return self.dice.choice(["", "{", "null", "[1]", '"text"', "{'a': 1}", '{"a":1}{"b":2}', "[" * 100_000])
        return json.dumps(self.forger.arguments(schema))


_attack: ContextVar[Attack | None] = ContextVar("attack", default=None)


@contextmanager
def attacking(attack: Attack) -> Iterator[None]:
    """Whoever asks a hostile model in this task, or in one that begins in it, hears this attack's next move."""
    token = _attack.set(attack)
    try:
        yield
    finally:
        _attack.reset(token)


class HostileModel(CustomLLM):
    """Answers nothing that was asked."""

    async def acompletion(self, *_args: Any, **kwargs: Any) -> ModelResponse:
        response: ModelResponse = kwargs["model_response"]
        choice: Any = response.choices[0]
        choice.message.content = _current().route()
        response.usage = litellm.Usage(**_USAGE)  # type: ignore[attr-defined]
        return response

    async def astreaming(self, *_args: Any, **kwargs: Any) -> AsyncIterator[GenericStreamingChunk]:  # type: ignore[override]
        attack = _current()
        for message in kwargs["messages"]:
            attack.forger.look(str(message.get("content") or ""))
        said = attack.next((kwargs.get("optional_params") or {}).get("tools") or [], _made(kwargs["messages"]))
        if isinstance(said, str):
            yield _chunk(text=said)
        else:
            for place, (name, arguments) in enumerate(said):
                yield _chunk(call=(f"call_{next(attack.numbers)}", name, arguments), place=place)
        yield _chunk(finish="stop" if isinstance(said, str) else "tool_calls")


def register() -> None:
    """Make ``hostile/…`` known to LiteLLM. Doing it again changes nothing."""
    if all(item["provider"] != PROVIDER for item in litellm.custom_provider_map):
        litellm.custom_provider_map.append({"provider": PROVIDER, "custom_handler": HostileModel()})
    litellm.utils.custom_llm_setup()  # type: ignore[no-untyped-call]


_ENOUGH: Final = 12
_BOLDNESS: Final = 0.6
_END: Final = "end"
"""No tool: the gambit ends in words, with its card open."""
_GAMBITS: Final = (
    ("search_products", "add_to_cart", "start_checkout", "update_checkout", "request_confirmation", _END),
    ("view_cart", "start_checkout", "update_checkout", "request_confirmation", _END),
    ("list_orders", "get_order", "quote_cancel", _END),
    ("list_orders", "get_order", "quote_address_change", _END),
    ("list_orders", "get_order", "get_return_options", "quote_return", _END),
    ("list_orders", "get_order", "get_product", "quote_item_change", _END),
    ("list_orders", "list_payment_methods", "quote_payment_change", _END),
    ("list_orders", "list_warranties", "file_claim", "get_claim", _END),
    ("list_orders", "reorder", "complain"),
    ("list_orders", "list_returns", "mark_return_sent", "quote_return_cancel", _END),
    ("stock_by_location", "list_locations", "propose_transfer", _END),
    ("stock_by_location", "propose_stock_correction", _END),
    ("list_stuck_orders", "find_order", "explain_routing", "propose_release", _END),
)
_USAGE: Final = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}


def _current() -> Attack:
    attack = _attack.get()
    if attack is None:
        raise RuntimeError("a hostile model was asked by nobody's conversation")
    return attack


def _made(messages: list[dict[str, Any]]) -> int:
    """Tool results since the person spoke."""
    count = 0
    for message in reversed(messages):
        if message.get("role") == "user":
            break
        count += message.get("role") == "tool"
    return count


def _chunk(
    *, text: str = "", call: tuple[str, str, str] | None = None, place: int = 0, finish: str = ""
) -> GenericStreamingChunk:
    made = None
    if call:
        call_id, name, arguments = call
        made = {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}, "index": place}
    chunk: Any = {
        "text": text,
        "tool_use": made,
        "is_finished": bool(finish),
        "finish_reason": finish,
        "usage": _USAGE if finish else None,
        "index": 0,
    }
    return chunk  # type: ignore[no-any-return]
