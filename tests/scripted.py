"""A scripted model behind LiteLLM: it replays what a test wrote, remembers what it was asked, and counts leftovers."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
import litellm
from litellm import CustomLLM, ModelResponse
from litellm.types.utils import GenericStreamingChunk

MODEL = "scripted/model"
_ids = count(1)


@dataclass(frozen=True)
class Say:
    text: str
    pause: float = 0.0
    """Seconds between words."""
    asked: int = 0
    """The words come once the script was asked so often."""


@dataclass(frozen=True)
class Call:
    name: str
    arguments: dict[str, Any] | str = field(default_factory=dict)
    id: str = ""
    """Given only by a test of ids; else one that was never used."""

    def text(self) -> str:
        return self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments)


@dataclass(frozen=True)
class Fail:
    error: Exception


Answer = Say | Call | Fail | list[Call]


class Script(CustomLLM):
    """``answers`` are taken in order; ``routes`` are the supervisor's, and ``commerce`` once they run out."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[Answer] = []
        self.routes: list[str | Exception] = []
        self.asked: list[list[dict[str, Any]]] = []
        self.tools: list[list[str]] = []

    def add(self, *answers: Answer) -> None:
        self.answers.extend(answers)

    async def acompletion(self, *_args: Any, **kwargs: Any) -> ModelResponse:
        route = self.routes.pop(0) if self.routes else "commerce"
        if isinstance(route, Exception):
            raise route
        text = json.dumps({"agent": route, "reason": "scripted"}) if route.isidentifier() else route
        response = kwargs["model_response"]
        response.choices[0].message.content = text
        response.usage = litellm.Usage(prompt_tokens=10, completion_tokens=2, total_tokens=12)
        return response

    async def astreaming(self, *_args: Any, **kwargs: Any) -> AsyncIterator[GenericStreamingChunk]:
        self.asked.append(kwargs["messages"])
        tools = kwargs["optional_params"].get("tools") or []
        self.tools.append([tool["function"]["name"] for tool in tools])
        if not self.answers:
            raise AssertionError("the script has no answer left")
        answer = self.answers.pop(0)
        if isinstance(answer, Fail):
            raise answer.error
        if isinstance(answer, Say):
            async for chunk in self._say(answer):
                yield chunk
            return
        for place, call in enumerate([answer] if isinstance(answer, Call) else answer):
            yield _chunk(tool=call, place=place)
        yield _chunk(finish="tool_calls")

    async def _say(self, answer: Say) -> AsyncIterator[GenericStreamingChunk]:
        while len(self.asked) < answer.asked:  # noqa: ASYNC110 (other turns may have loops of their own)
            await asyncio.sleep(0.01)
        for word in answer.text.split(" "):
            await asyncio.sleep(answer.pause)
            yield _chunk(text=word + " ")
        yield _chunk(finish="stop")


def _chunk(*, text: str = "", tool: Call | None = None, place: int = 0, finish: str = "") -> GenericStreamingChunk:
    made = None
    if tool:
        function = {"name": tool.name, "arguments": tool.text()}
        made = {"id": tool.id or f"call_{next(_ids)}", "type": "function", "function": function, "index": place}
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110} if finish else None
    return {
        "text": text,
        "tool_use": made,
        "is_finished": bool(finish),
        "finish_reason": finish,
        "usage": usage,
        "index": 0,
    }  # type: ignore[typeddict-item]


def install(script: Script) -> None:
    """Make LiteLLM call ``script`` for ``scripted/…``."""
    litellm.custom_provider_map = [
        entry for entry in litellm.custom_provider_map if entry["provider"] != "scripted"
    ] + [{"provider": "scripted", "custom_handler": script}]
    from litellm.utils import custom_llm_setup

    custom_llm_setup()
