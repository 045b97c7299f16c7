"""What a model says, in characters that every text may hold: half of one (a lone surrogate) becomes a question mark.

Models write them as JSON escapes; no UTF-8, no PostgreSQL and no other model would take them.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

from agents import Model, ModelResponse
from agents.items import TResponseStreamEvent


class Legible(Model):
    """A model whose words and arguments hold whole characters alone."""

    def __init__(self, inner: Model) -> None:
        self._inner = inner

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        response = await self._inner.get_response(*args, **kwargs)
        _mend(response.output)
        return response

    async def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[TResponseStreamEvent]:
        async for event in self._inner.stream_response(*args, **kwargs):
            if event.type in {"response.output_text.delta", "response.refusal.delta"}:
                event.delta = whole(event.delta)
            elif event.type in {"response.output_item.added", "response.output_item.done"}:
                _mend([event.item])
            elif event.type == "response.completed":
                _mend(event.response.output)
            yield event


def whole(text: str) -> str:
    """``text`` without halves of characters."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def whole_arguments(text: str) -> str:
    """The same of JSON, in which they hide as escapes. What is no JSON is left for others to refuse; what is nested
    beyond reading is nothing.
    """
    try:
        values = json.loads(text)
    except ValueError:
        return whole(text)
    except RecursionError:
        return ""
    return whole(json.dumps(values, ensure_ascii=False)) if "\\u" in text else whole(text)


def _mend(items: Iterable[Any]) -> None:
    for item in items:
        if item.type == "function_call":
            item.arguments = whole_arguments(item.arguments)
        elif item.type == "message":
            for part in item.content:
                if getattr(part, "text", None):
                    part.text = whole(part.text)
