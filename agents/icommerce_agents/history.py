"""The conversation as all agents share it: plain Responses-format items, kept short."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

Item = dict[str, Any]
KEEP: Final = 40
_ORDER: Final = re.compile(r"\bord_[0-9a-z]{26}\b")


def user(text: str) -> Item:
    return {"role": "user", "content": text}


def system(text: str) -> Item:
    return {"role": "system", "content": text}


def assistant(text: str) -> Item:
    return {"role": "assistant", "content": text}


def call(call_id: str, name: str, arguments: str, output: str) -> list[Item]:
    """A tool call with its result."""
    return [
        {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments},
        {"type": "function_call_output", "call_id": call_id, "output": output},
    ]


def call_ids(items: Sequence[Item]) -> set[str]:
    """The ids of the tool calls in the history."""
    return {item["call_id"] for item in items if item.get("type") == "function_call"}


def plain(items: Sequence[Any]) -> list[Item]:
    """The SDK's new items cut down to what any model takes back: words, calls and results, in order."""
    return [kept for item in items if (kept := _plain(dict(item)))]


def trimmed(items: Sequence[Item], keep: int = KEEP) -> list[Item]:
    """The newest items, beginning with words of the shopper so that no call loses its result."""
    if len(items) <= keep:
        return list(items)
    start = len(items) - keep
    turns = [place for place, item in enumerate(items) if item.get("role") == "user"]
    later = [place for place in turns if place >= start]
    if later:
        return list(items[later[0] :])
    return list(items[turns[-1] :]) if turns else _whole_calls(items[start:])


def words(items: Sequence[Item], last: int) -> list[dict[str, str]]:
    """What was said, newest ``last`` messages, in chat-completions form."""
    said = [item for item in items if item.get("role") in {"user", "assistant"}]
    return [{"role": item["role"], "content": item["content"]} for item in said[-last:]]


def last_words(items: Sequence[Item]) -> str | None:
    """The shopper's newest words."""
    said = [item["content"] for item in items if item.get("role") == "user"]
    return said[-1] if said else None


def placed_before_last_words(items: Sequence[Item], note: Item) -> list[Item]:
    """The items with ``note`` just before the newest words: what stands before it is the same in the next turn, and a
    provider that keeps the beginning of a prompt need not read it again.
    """
    places = [place for place, item in enumerate(items) if item.get("role") == "user"]
    cut = places[-1] if places else len(items)
    return [*items[:cut], note, *items[cut:]]


def last_order(items: Sequence[Item]) -> str | None:
    """The id of the order that these calls spoke of last."""
    texts = (str(item.get("output") or item.get("arguments") or "") for item in reversed(items))
    return next((found[-1] for text in texts if (found := _ORDER.findall(text))), None)


def _plain(item: Item) -> Item | None:
    kind = item.get("type", "message")
    if kind == "function_call":
        return {name: item[name] for name in ("type", "call_id", "name", "arguments")}
    if kind == "function_call_output":
        return {"type": kind, "call_id": item["call_id"], "output": item["output"]}
    if kind == "message" and item.get("role") == "assistant":
        text = _text(item.get("content"))
        return assistant(text) if text.strip() else None
    return None


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text") or part.get("refusal") or "" for part in content or ())


def _whole_calls(items: Sequence[Item]) -> list[Item]:
    begun = {item["call_id"] for item in items if item.get("type") == "function_call"}
    return [item for item in items if item.get("type") != "function_call_output" or item["call_id"] in begun]
