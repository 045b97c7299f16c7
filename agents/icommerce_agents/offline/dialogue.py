"""Chat-completions messages read as a dialogue: who said what, which tools ran, what they answered."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from icommerce_agents.offline import shapes
from icommerce_agents.offline.binding import Binding

Json = dict[str, Any]
_BRIEFING = re.compile(
    r"^[ \t>*-]*(cart|checkout|card_open|signed_in|mode|shop|active_agent|staff|thread|customer)[ \t]*:[ \t]*(.*)$",
    re.MULTILINE,
)

_PRESSED = re.compile(r"\[(?:pressed|entered) [^\]]*\]")
"""What the graph notes when a card was pressed: not the shopper's words."""


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call, made or to be made. ``name`` and ``arguments`` are the ability's, not the given tool's."""

    name: str
    arguments: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """What a call answered. ``value`` is data; nothing in it is ever read as a request."""

    call: Call
    ok: bool
    value: Json
    code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """``earlier`` and ``said`` are from before the last user message, ``turn`` is what happened since."""

    text: str
    asked: tuple[str, ...]
    said: str
    earlier: tuple[Result, ...]
    turn: tuple[Result, ...]
    briefing: dict[str, tuple[str, ...]]
    exchanges: tuple[tuple[str, str], ...] = ()
    """What the shopper said and what was answered, of earlier turns."""
    before: tuple[Result, ...] = ()
    """What the turn before this one called."""
    binding: Binding = field(default_factory=Binding)

    @property
    def number(self) -> int:
        """Which user message this is, from 1."""
        return len(self.asked)


def read(messages: list[Json], binding: Binding | None = None) -> Dialogue:
    """Messages in the chat-completions shape, oldest first. Missing pieces (trimmed history) are tolerated."""
    binding = binding or Binding()
    places = [place for place, message in enumerate(messages) if message.get("role") == "user"]
    last = places[-1] if places else -1
    users = [place for place in places if not _PRESSED.fullmatch(_text(messages[place]))]
    said = [_text(m) for m in messages[: last + 1] if m.get("role") == "assistant" and _text(m)]
    begun = places[-2] if len(places) > 1 else 0
    return Dialogue(
        text=_text(messages[users[-1]]) if users else "",
        asked=tuple(_text(messages[place]) for place in users),
        said=said[-1] if said else "",
        earlier=tuple(_results(messages[:last] if last >= 0 else [], binding)),
        turn=tuple(_results(messages[last + 1 :], binding)),
        briefing=_briefing(messages),
        exchanges=tuple(_exchanges(messages, users)),
        before=tuple(_results(messages[begun : max(last, 0)], binding)),
        binding=binding,
    )


def _exchanges(messages: list[Json], users: list[int]) -> list[tuple[str, str]]:
    """Each earlier message of the shopper with all that was said to it."""
    found = []
    for place, following in pairwise(users):
        told = [_text(m) for m in messages[place:following] if m.get("role") == "assistant" and _text(m)]
        found.append((_text(messages[place]), "\n".join(told)))
    return found


def _text(message: Json) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict)).strip()
    return content.strip() if isinstance(content, str) else ""


def _results(messages: list[Json], binding: Binding) -> list[Result]:
    calls: dict[str, Call] = {}
    results: list[Result] = []
    for message in messages:
        for made in message.get("tool_calls") or ():
            function = made.get("function") or {}
            heard = binding.heard(str(function.get("name")), _json(function.get("arguments")) or {})
            calls[str(made.get("id"))] = Call(*heard)
        if message.get("role") == "tool":
            call = calls.get(str(message.get("tool_call_id"))) or Call(binding.heard(str(message.get("name")), {})[0])
            results.append(_result(call, _text(message)))
    return results


def _result(call: Call, text: str) -> Result:
    answer = _json(text)
    if answer is None:
        return Result(call, ok=False, value={}, code="unreadable", message="")
    error: Json = {"message": answer.get("message", "")}
    ok, found = "error" not in answer, answer
    if "ok" in answer:
        ok, found, error = bool(answer["ok"]), _object(answer.get("result")), _object(answer.get("error"))
    value = _object(found)
    known = Call(shapes.ability_of(call.name, value), call.arguments)
    code, message = (str(error.get(key) or "") for key in ("code", "message"))
    return Result(known, ok=ok, value=value, code=code, message=message)


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _json(text: Any) -> Json | None:
    """The first JSON object in ``text``, whatever note stands before it."""
    if isinstance(text, dict):
        return text
    if not isinstance(text, str) or "{" not in text:
        return None
    try:
        value, _ = json.JSONDecoder().raw_decode(text[text.index("{") :])
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _briefing(messages: list[Json]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for message in messages:
        if message.get("role") in {"system", "developer"}:
            for name, value in _BRIEFING.findall(_text(message)):
                found[name] = (*found.get(name, ()), value.strip())
    return found
