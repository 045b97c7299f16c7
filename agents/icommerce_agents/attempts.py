"""Asking a model that may not answer: again where the trouble passes, the next one on the list where it does not."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from agents import Model, ModelResponse
from agents.items import TResponseStreamEvent

from icommerce_agents import models
from icommerce_agents.context import Meter
from icommerce_agents.errors import ModelFailed, describe
from icommerce_agents.models import Spent

FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 8.0
_PASSING: Final = frozenset({409, 425, 429, 500, 502, 503, 504, 529})
_SHOWN: Final = frozenset({"response.output_text.delta", "response.refusal.delta"})
T = TypeVar("T")
wait = asyncio.sleep
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a model did not answer. ``passing``: the same question may be answered in a moment."""

    passing: bool
    wait_seconds: float | None = None
    """What the provider asks to wait (``Retry-After``)."""


def trouble_of(error: Exception) -> Trouble:
    """A silence is not worth the same wait again; what the provider calls our mistake is not worth a repetition."""
    if isinstance(error, TimeoutError) or getattr(error, "status_code", None) == 408:
        return Trouble(passing=False)
    return Trouble(getattr(error, "status_code", None) in _PASSING, _retry_after(error))


class Attempts:
    """Which model is asked next for ``part``."""

    def __init__(self, part: str) -> None:
        self._left = list(models.model_names(part))
        self._part = part
        self._tries = 0
        self.name = self._left.pop(0)

    async def go_on(self, error: Exception) -> bool:
        """After ``error``: wait, or turn to the next model; false when nobody is left to ask."""
        trouble = trouble_of(error)
        pause = self._pause(trouble)
        if trouble.passing and self._tries < models.retries() and pause <= LONGEST_PAUSE_SECONDS:
            self._tries += 1
            await wait(pause)
            return True
        if not self._left:
            return False
        log.warning("%s did not answer for %s: %s", self.name, self._part, describe(error))
        self.name, self._tries = self._left.pop(0), 0
        return True

    def _pause(self, trouble: Trouble) -> float:
        if trouble.wait_seconds is not None:
            return trouble.wait_seconds
        spread = random.uniform(0.75, 1.25)  # noqa: S311 (spreads load, no secret)
        return FIRST_PAUSE_SECONDS * spread * float(2**self._tries)


async def ask(part: str, meter: Meter, question: Callable[[str], Awaitable[Any]]) -> Any:
    """LiteLLM's answer to ``question(model name)``, counted. Raises ``ModelFailed`` when no model answers."""
    attempts = Attempts(part)
    while True:
        try:
            async with asyncio.timeout(models.timeout_seconds()):
                answer = await question(attempts.name)
        except Exception as error:
            if not await attempts.go_on(error):
                raise ModelFailed.because(error) from error
        else:
            meter.add(part, attempts.name, _spent(getattr(answer, "usage", None)))
            return answer


class Enduring(Model):
    """The models of a part as one: what one has begun to say nobody says again, what it has not, the next one may."""

    def __init__(self, part: str, meter: Meter) -> None:
        self._part = part
        self._meter = meter

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        """Nothing of ours asks without streaming."""
        raise NotImplementedError

    async def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[TResponseStreamEvent]:
        """Called as the SDK calls it: instructions, input and settings come first; each model has its own settings."""
        instructions, given, _settings, *more = args
        attempts = Attempts(self._part)
        while True:
            begun = False
            settings = models.settings(attempts.name)
            answer = models.model(attempts.name).stream_response(instructions, given, settings, *more, **kwargs)
            try:
                async for event in held(timed(answer, models.timeout_seconds())):
                    begun = begun or event.type in _SHOWN
                    if event.type == "response.completed":
                        self._meter.add(self._part, attempts.name, _used(event.response.usage))
                    yield event
            except Exception as error:
                if begun or not await attempts.go_on(error):
                    raise
            else:
                return


async def held(events: AsyncIterator[TResponseStreamEvent]) -> AsyncIterator[TResponseStreamEvent]:
    """The same events; those before the first words come with them, so that until then nothing has happened."""
    waiting: list[TResponseStreamEvent] | None = []
    async for event in events:
        if waiting is None:
            yield event
            continue
        waiting.append(event)
        if event.type in _SHOWN:
            for earlier in waiting:
                yield earlier
            waiting = None
    for event in waiting or ():
        yield event


async def timed(events: AsyncIterator[T], seconds: float) -> AsyncIterator[T]:
    """The same events. Raises ``TimeoutError`` when the next is not there in time."""
    while True:
        try:
            async with asyncio.timeout(seconds):
                event = await anext(events)
        except StopAsyncIteration:
            return
        yield event


def _used(usage: Any) -> Spent:
    """The SDK's account of an answer."""
    if usage is None:
        return Spent()
    cached = getattr(usage.input_tokens_details, "cached_tokens", 0) or 0
    return Spent(usage.input_tokens or 0, usage.output_tokens or 0, cached)


def _spent(usage: Any) -> Spent:
    """LiteLLM's."""
    details = getattr(usage, "prompt_tokens_details", None)
    return Spent(
        getattr(usage, "prompt_tokens", 0) or 0,
        getattr(usage, "completion_tokens", 0) or 0,
        getattr(details, "cached_tokens", 0) or 0,
    )


def _retry_after(error: Exception) -> float | None:
    headers = getattr(error, "litellm_response_headers", None) or {}
    try:
        return max(0.0, float(headers["retry-after"]))
    except (KeyError, ValueError):
        return None
