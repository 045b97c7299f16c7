"""Chat-completions messages read as a dialogue: who said what, which tools ran, what they answered."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
_BRIEFING = re.compile(
    r"^[ \t>*-]*(cart|checkout|card_open|signed_in|mode|shop|active_agent|staff|thread|customer)[ \t]*:[ \t]*(.*)$",
    re.MULTILINE,
)

_PRESSED = re.compile(r"\[(?:pressed|entered) [^\]]*\]")
"""What the graph notes when a card was pressed: not the shopper's words."""


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call, made or to be made."""

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

    @property
    def number(self) -> int:
        """Which user message this is, from 1."""
        return len(self.asked)


def read(messages: list[Json]) -> Dialogue:
    """Messages in the chat-completions shape, oldest first. Missing pieces (trimmed history) are tolerated."""
    last = max((index for index, message in enumerate(messages) if message.get("role") == "user"), default=-1)
    users = [
        text for message in messages if message.get("role") == "user" and not _PRESSED.fullmatch(text := _text(message))
    ]
    said = [_text(m) for m in messages[: last + 1] if m.get("role") == "assistant" and _text(m)]
    return Dialogue(
        text=users[-1] if users else "",
        asked=tuple(users),
        said=said[-1] if said else "",
        earlier=tuple(_results(messages[:last] if last >= 0 else [])),
        turn=tuple(_results(messages[last + 1 :])),
        briefing=_briefing(messages),
    )


def _text(message: Json) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict)).strip()
    return content.strip() if isinstance(content, str) else ""


def _results(messages: list[Json]) -> list[Result]:
    calls: dict[str, Call] = {}
    results: list[Result] = []
    for message in messages:
        for made in message.get("tool_calls") or ():
            function = made.get("function") or {}
            calls[str(made.get("id"))] = Call(str(function.get("name")), _json(function.get("arguments")) or {})
        if message.get("role") == "tool":
            call = calls.get(str(message.get("tool_call_id"))) or Call(str(message.get("name") or ""))
            results.append(_result(call, _text(message)))
    return results


def _result(call: Call, text: str) -> Result:
    answer = _json(text)
    if answer is None:
        return Result(call, ok=False, value={}, code="unreadable", message="")
    if "ok" not in answer:
        return Result(call, ok="error" not in answer, value=answer, code="", message=str(answer.get("message", "")))
    error = answer.get("error") if isinstance(answer.get("error"), dict) else {}
    value = answer.get("result")
    return Result(
        call,
        ok=bool(answer["ok"]),
        value=value if isinstance(value, dict) else {},
        code=str((error or {}).get("code", "")),
        message=str((error or {}).get("message", "")),
    )


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
