"""A cassette: what the model answered in a conversation, call by call, and the model that says it again.

Ids that came in tool results are ``{id:1}``, ``{id:2}``, … in the order in which they were first given; in a replay
each stands for what the same place of the same result holds there. The suites' references mean what they mean there.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import Field, ValidationError

from engine.kit import ids
from evals.suite import Part, SuiteInvalid
from icommerce_agents import models

PROVIDER: Final = "recorded"
MODEL: Final = f"{PROVIDER}/cassette"
TOKEN: Final = re.compile(ids.ID.pattern + r"|\b[A-Z][A-Z0-9]{0,9}-\d{4,}\b")
"""Ids, and numbers of orders."""
_GIVEN: Final = re.compile(r"\{id:(\d+)\}")
_playing: ContextVar[Player | None] = ContextVar("playing", default=None)


class CassetteMismatch(RuntimeError):
    """The replay asked what the cassette has no answer to."""


class RecordedCall(Part):
    tool: str
    args: dict[str, Any] | str = Field(default_factory=dict)
    gave: list[int] = Field(default_factory=list)
    """The ids in its result, by their numbers, in the order they stand there."""


class Answer(Part):
    """One answer of a model: the supervisor's ``route``, or an agent's words and calls."""

    part: str
    route: dict[str, Any] | None = None
    say: str = ""
    calls: list[RecordedCall] = Field(default_factory=list)


class Cassette(Part):
    thread: str = Field(pattern=r"^[a-z0-9-]+$")
    """The scenario that it belongs to."""
    answers: list[Answer]


def read_cassette(file: Path) -> Cassette:
    """Raises ``SuiteInvalid``."""
    try:
        return Cassette.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise SuiteInvalid(f"{file}: there is no such cassette ({error.strerror}).") from None
    except (yaml.YAMLError, ValidationError) as error:
        raise SuiteInvalid(f"{file}: {error}") from None


class Player:
    """The place in a cassette, and what its ids are here. ``resolve`` replaces the suites' references."""

    def __init__(self, cassette: Cassette, resolve: Callable[[Any], Any]) -> None:
        self._left = list(cassette.answers)
        self._resolve = resolve
        self._asked: dict[str, RecordedCall] = {}
        self._here: dict[int, str] = {}
        self.faults: list[str] = []

    @property
    def left(self) -> int:
        return len(self._left)

    def answer(self, messages: Sequence[Mapping[str, Any]], tools: Sequence[str], *, routing: bool) -> Answer:
        """The next answer in this shop's ids. Raises ``CassetteMismatch``, and remembers it."""
        self._learn(messages)
        who = models.SUPERVISOR if routing else "an agent"
        if not self._left:
            raise self._fault(f"the cassette is over, and {who} is asked once more")
        found = self._left[0]
        if routing != (found.part == models.SUPERVISOR):
            raise self._fault(f"{who} is asked; the cassette goes on with an answer of {found.part}")
        for call in found.calls:
            if call.tool not in tools:
                raise self._fault(f"the cassette calls {call.tool}, which this agent does not have")
        del self._left[0]
        return Answer.model_validate(self._translated(found.model_dump()))

    def call_id(self, call: RecordedCall) -> str:
        """An id for this call, by which its result is known when it comes."""
        made = f"rec{len(self._asked):06d}"
        self._asked[made] = call
        return made

    def _learn(self, messages: Sequence[Mapping[str, Any]]) -> None:
        for message in messages:
            call = self._asked.get(str(message.get("tool_call_id")))
            if call is not None:
                for number, token in zip(call.gave, TOKEN.findall(str(message.get("content"))), strict=False):
                    self._here.setdefault(number, token)

    def _translated(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._resolve(_GIVEN.sub(self._meaning, value))
        if isinstance(value, dict):
            return {key: self._translated(one) for key, one in value.items()}
        return [self._translated(one) for one in value] if isinstance(value, list) else value

    def _meaning(self, found: re.Match[str]) -> str:
        number = int(found.group(1))
        if number not in self._here:
            raise self._fault(f"{found.group()} came in no result of this replay")
        return self._here[number]

    def _fault(self, words: str) -> CassetteMismatch:
        self.faults.append(words)
        return CassetteMismatch(words)


@contextmanager
def playing(player: Player | None) -> Iterator[None]:
    """What this task does and begins hears ``player`` in place of any model; nothing changes for ``None``."""
    if player is None:
        yield
        return
    _register()
    spoken, before = _playing.set(player), models.instead.set(MODEL)
    try:
        yield
    finally:
        models.instead.reset(before)
        _playing.reset(spoken)


@cache
def _register() -> None:
    """Make ``recorded/…`` known to LiteLLM."""
    models.prepare()
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm
    from litellm.llms.custom_llm import CustomLLM
    from litellm.types.utils import GenericStreamingChunk, ModelResponse

    class Recorded(CustomLLM):
        """Says what the cassette of this conversation has next."""

        async def acompletion(self, *_args: Any, **kwargs: Any) -> ModelResponse:
            answer, _ids = await asyncio.to_thread(_next, kwargs)
            response: ModelResponse = kwargs.get("model_response") or ModelResponse()
            choice: Any = response.choices[0]
            choice.message = litellm.Message(role="assistant", content=json.dumps(answer.route))
            choice.finish_reason = "stop"
            return response

        async def astreaming(  # type: ignore[override]
            self, *_args: Any, **kwargs: Any
        ) -> AsyncIterator[GenericStreamingChunk]:
            answer, call_ids = await asyncio.to_thread(_next, kwargs)
            for chunk in _chunks(answer, call_ids):
                yield chunk

    litellm.custom_provider_map.append({"provider": PROVIDER, "custom_handler": Recorded()})
    litellm.utils.custom_llm_setup()  # type: ignore[no-untyped-call]


def _next(kwargs: Mapping[str, Any]) -> tuple[Answer, list[str]]:
    player = _playing.get()
    if player is None:
        raise CassetteMismatch("no cassette is played here")
    optional = kwargs.get("optional_params") or {}
    messages = [one if isinstance(one, dict) else one.model_dump() for one in kwargs["messages"]]
    tools = [tool["function"]["name"] for tool in optional.get("tools") or []]
    answer = player.answer(messages, tools, routing=bool(optional.get("response_format")))
    return answer, [player.call_id(call) for call in answer.calls]


def _chunks(answer: Answer, call_ids: Sequence[str]) -> Iterator[Any]:
    if answer.say:
        yield _chunk(text=answer.say)
    for index, (call, call_id) in enumerate(zip(answer.calls, call_ids, strict=True)):
        arguments = call.args if isinstance(call.args, str) else json.dumps(call.args, ensure_ascii=False)
        function = {"name": call.tool, "arguments": arguments}
        yield _chunk(tool_use={"id": call_id, "type": "function", "function": function, "index": index})
    usage = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    yield _chunk(finish="tool_calls" if answer.calls else "stop", usage=usage)


def _chunk(*, text: str = "", tool_use: Any = None, finish: str = "", usage: Any = None) -> dict[str, Any]:
    return {
        "text": text,
        "tool_use": tool_use,
        "is_finished": bool(finish),
        "finish_reason": finish,
        "usage": usage,
        "index": 0,
    }
