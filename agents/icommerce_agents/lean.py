"""What LiteLLM and the agents SDK work out again in every call, though it comes out the same or nobody asks for it.

Measured, it was two thirds of what a model call costs beside the model. The only place that reaches into either
library: every function here stands for one of theirs and answers as that one does
(``tests/icommerce_agents/test_lean.py`` holds each against the original, and fails when a library has moved on).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import wraps
from typing import Any, Final

_KEPT: Final = "_icommerce_kept"
_MOST_SETS: Final = 256
_SCALARS: Final = frozenset({str, int, float, bool, type(None)})


def quieten(litellm: Any) -> None:
    """LiteLLM keeps no account of a call while nobody has asked to hear of calls.

    It prices every answer up to five times and writes a record of it for callbacks, of which there are none; what an
    answer costs is in our own ``Meter``. With a callback set, it does as always.
    """
    from litellm.litellm_core_utils.litellm_logging import Logging

    class Unheard(Logging):
        """LiteLLM's account of one call, which is begun and, with no listener, not carried on."""

        def response_cost_calculator(self, *args: Any, **kwargs: Any) -> float | None:
            return super().response_cost_calculator(*args, **kwargs) if _somebody_listens(litellm) else None

        def claim_async_success_log(self) -> bool:
            return _somebody_listens(litellm) and super().claim_async_success_log()

        async def dispatch_success_handlers(self, *args: Any, **kwargs: Any) -> None:
            if _somebody_listens(litellm):
                await super().dispatch_success_handlers(*args, **kwargs)

    litellm.utils.get_litellm_logging_class = lambda: Unheard


def shorten() -> None:
    """The SDK looks at an agent and its tools once, not several times in every model call.

    That holds for what ``standing`` was said of: agents and tools that are declared once and never changed.
    """
    from agents import _tool_identity, items, run_state
    from agents.extensions.models import litellm_model
    from agents.run_internal import tool_execution

    _replace(run_state, "_agent_identity_signature", _once)
    _replace(_tool_identity, "get_function_tool_lookup_key_for_tool", _once)
    _replace(_tool_identity, "get_function_tool_lookup_keys", _once)
    _replace(_tool_identity, "validate_function_tool_lookup_configuration", _once_a_set)
    _replace(tool_execution, "resolve_enabled_function_tools", _enabled)
    for module in (litellm_model, items):
        _replace(module, "_to_dump_compatible", lambda _theirs: plain_copy)


def model(name: str) -> Any:
    """The SDK's LiteLLM model of this name, which is done when the account of its tokens has come.

    LiteLLM sends that last and puts the whole answer together for it; asked for more, it does so again, for callbacks.
    """
    import litellm
    from agents.extensions.models.litellm_model import LitellmModel

    class Brief(LitellmModel):
        async def _fetch_response(self, *args: Any, **kwargs: Any) -> Any:
            answer: Any = await super()._fetch_response(*args, **kwargs)
            if not isinstance(answer, tuple) or _somebody_listens(litellm):
                return answer
            return answer[0], until_usage(answer[1])

    return Brief(model=name)


async def until_usage(chunks: Any) -> AsyncIterator[Any]:
    """The chunks of a stream up to the one that says what it took, or all; the stream is closed with this one."""
    try:
        async for chunk in chunks:
            yield chunk
            if getattr(chunk, "usage", None) is not None:
                return
    finally:
        await chunks.aclose()


def standing(thing: Any) -> Any:
    """``thing``, an agent or a tool that will not change: what the SDK finds out about it is kept with it."""
    vars(thing)[_KEPT] = {}
    return thing


def offered(agent: Any, run: Any) -> list[Any]:
    """The tools of a standing agent that are enabled in this run: a plain question, not a task for each tool."""
    return [tool for tool in agent.tools if tool.is_enabled is True or tool.is_enabled(run, agent)]


def plain_copy(value: Any) -> Any:
    """A copy of JSON-like data that shares no dict and no list with it, anything iterable as a list."""
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind is dict:
        return {name: item if type(item) in _SCALARS else plain_copy(item) for name, item in value.items()}
    if kind is list or kind is tuple:
        return [item if type(item) in _SCALARS else plain_copy(item) for item in value]

    from agents.util._json import _to_dump_compatible

    return _to_dump_compatible(value)


def _replace(module: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Put ``make`` of a function in its place. Raises ``AttributeError`` where there is none any more."""
    setattr(module, name, make(getattr(module, name)))


def _somebody_listens(litellm: Any) -> bool:
    heard = (litellm.callbacks, litellm.success_callback, litellm._async_success_callback)  # noqa: SLF001 (where LiteLLM puts the asynchronous of ``callbacks``)
    return any(heard) or bool(litellm.max_budget)


def _once(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """``function`` of one thing, asked once of each thing that stands."""
    name = function.__name__

    @wraps(function)
    def kept(thing: Any) -> Any:
        known = getattr(thing, _KEPT, None)
        if known is None:
            return function(thing)
        if name not in known:
            known[name] = function(thing)
        return known[name]

    return kept


def _enabled(function: Callable[[Any, Any], Awaitable[list[Any]]]) -> Callable[[Any, Any], Awaitable[list[Any]]]:
    @wraps(function)
    async def answered(agent: Any, run: Any) -> list[Any]:
        return await function(agent, run) if getattr(agent, _KEPT, None) is None else offered(agent, run)

    return answered


def _once_a_set(check: Callable[[Sequence[Any]], None]) -> Callable[[Sequence[Any]], None]:
    """``check`` of several tools, done once for the same ones in the same order when all of them stand."""
    passed: dict[tuple[int, ...], Sequence[Any]] = {}

    @wraps(check)
    def kept(tools: Sequence[Any]) -> None:
        these = tuple(map(id, tools))
        if these in passed:
            return
        check(tools)
        if len(passed) < _MOST_SETS and all(getattr(tool, _KEPT, None) is not None for tool in tools):
            passed[these] = list(tools)  # held, so that no other tool ever gets one of these ids

    return kept
