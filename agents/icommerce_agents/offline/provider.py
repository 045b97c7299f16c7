"""The offline model as a LiteLLM provider: ``icommerce/offline`` works wherever a LiteLLM model name does.

The only module of the package that imports LiteLLM, which costs seconds: import it late.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Any, Final

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

import litellm
from litellm.llms.custom_llm import CustomLLM
from litellm.types.utils import GenericStreamingChunk, ModelResponse

from icommerce_agents.offline import semantics, wishes
from icommerce_agents.offline.binding import bind
from icommerce_agents.offline.brain import Reply, ToolCall, reply

PROVIDER: Final = "icommerce"
_FIRST: Final = re.compile(r"\s*(?:\S+\s*){1,3}|\s+")
_MORE: Final = re.compile(r"(?:\S+\s*){1,8}|\s+")
"""Text is streamed a few words at a time, the first fewest: each piece costs everybody on the way to the shopper."""
_TOKEN_CHARACTERS: Final = 4


class OfflineModel(CustomLLM):
    """Answers from messages and tool schemas alone; see ``brain``. Costs nothing, asks nobody."""

    def completion(self, *_args: Any, **kwargs: Any) -> ModelResponse:
        return _response(_think(kwargs), kwargs)

    async def acompletion(self, *_args: Any, **kwargs: Any) -> ModelResponse:
        return _response(await asyncio.to_thread(_think, kwargs), kwargs)

    def streaming(self, *_args: Any, **kwargs: Any) -> Iterator[GenericStreamingChunk]:
        yield from _chunks(_think(kwargs), kwargs)

    async def astreaming(self, *_args: Any, **kwargs: Any) -> AsyncIterator[GenericStreamingChunk]:  # type: ignore[override]
        for chunk in _chunks(await asyncio.to_thread(_think, kwargs), kwargs):
            yield chunk
            await asyncio.sleep(0)


def register() -> None:
    """Make ``icommerce/…`` known to LiteLLM. Doing it again changes nothing."""
    if all(item["provider"] != PROVIDER for item in litellm.custom_provider_map):
        litellm.custom_provider_map.append({"provider": PROVIDER, "custom_handler": OfflineModel()})
    litellm.utils.custom_llm_setup()  # type: ignore[no-untyped-call]


def warm_up(tool_sets: Iterable[Sequence[dict[str, Any]]] = ()) -> None:
    """Load the embedder before the first shopper comes, and get to know sets of tools that will be sent."""
    semantics.warm_up()
    wishes.chances("hello")
    for tools in tool_sets:
        bind(tools)


def _think(kwargs: dict[str, Any]) -> Reply:
    optional = kwargs.get("optional_params") or {}
    messages = [message if isinstance(message, dict) else message.model_dump() for message in kwargs["messages"]]
    return reply(messages, optional.get("tools") or [], _format(optional.get("response_format")))


def _format(asked: Any) -> dict[str, Any] | None:
    """A response format as a dict; a pydantic class stands for its schema."""
    if isinstance(asked, type) and hasattr(asked, "model_json_schema"):
        return {"type": "json_schema", "json_schema": {"name": asked.__name__, "schema": asked.model_json_schema()}}
    return asked if isinstance(asked, dict) else None


def _response(answer: Reply, kwargs: dict[str, Any]) -> ModelResponse:
    response: ModelResponse = kwargs.get("model_response") or ModelResponse()
    choice: Any = response.choices[0]
    calls = [_wire(call) for call in answer.tool_calls]
    choice.message = litellm.Message(role="assistant", content=answer.text or None, tool_calls=calls or None)
    choice.finish_reason = _finish(answer)
    response.model = f"{PROVIDER}/{kwargs.get('model', 'offline')}"
    response.usage = litellm.Usage(**_usage(answer, kwargs))  # type: ignore[attr-defined]
    return response


def _wire(call: ToolCall) -> dict[str, Any]:
    arguments = json.dumps(call.arguments, ensure_ascii=False)
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _finish(answer: Reply) -> str:
    return "tool_calls" if answer.tool_calls else "stop"


def _chunks(answer: Reply, kwargs: dict[str, Any]) -> Iterator[GenericStreamingChunk]:
    for words in _pieces(answer.text):
        yield _chunk(text=words)
    for index, call in enumerate(answer.tool_calls):
        yield _chunk(tool_use=_wire(call) | {"index": index})
    yield _chunk(finish=_finish(answer), usage=_usage(answer, kwargs))


def _pieces(text: str) -> Iterator[str]:
    if first := _FIRST.match(text):
        yield first.group()
        yield from _MORE.findall(text, first.end())


def _chunk(
    *, text: str = "", tool_use: Any = None, finish: str = "", usage: dict[str, int] | None = None
) -> GenericStreamingChunk:
    chunk: Any = {
        "text": text,
        "tool_use": tool_use,
        "is_finished": bool(finish),
        "finish_reason": finish,
        "usage": usage,
        "index": 0,
    }
    return chunk  # type: ignore[no-any-return]


def _usage(answer: Reply, kwargs: dict[str, Any]) -> dict[str, int]:
    """Approximate tokens (by length, as English goes); nothing is billed."""
    asked = _tokens(json.dumps([kwargs["messages"], (kwargs.get("optional_params") or {}).get("tools")], default=str))
    said = _tokens(answer.text) + sum(_tokens(json.dumps(_wire(call))) for call in answer.tool_calls)
    return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}


def _tokens(text: str) -> int:
    return -(-len(text) // _TOKEN_CHARACTERS)
