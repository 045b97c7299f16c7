"""What becomes of a turn that is called off."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from agents.result import RunResultStreaming

from icommerce_agents.turn import _drain


class FailsMeanwhile:
    """A stream whose loop fails in the moment in which its listener is called off; the SDK asks it no more then."""

    def __init__(self, *, before: bool) -> None:
        self.before = before
        self.run_loop_task: asyncio.Task[Any] | None = None

    async def stream_events(self) -> AsyncIterator[object]:
        self.run_loop_task = asyncio.create_task(_fail())
        if self.before:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert self.run_loop_task.done()
        yield object()
        raise asyncio.CancelledError

    def cancel(self) -> None:
        """It has failed already, or does in spite of it."""


async def _fail() -> None:
    raise TimeoutError


@pytest.mark.parametrize("before", [True, False])
def test_what_failed_as_it_was_called_off_is_not_told_to_nobody(before: bool) -> None:
    """Python tells what nobody heard to the log, whenever it is thrown away: in the middle of anything."""
    untold: list[dict[str, Any]] = []

    async def call_off() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, told: untold.append(told))
        with pytest.raises(asyncio.CancelledError):
            await _drain(cast("RunResultStreaming", FailsMeanwhile(before=before)))
        await asyncio.sleep(0)
        gc.collect()

    asyncio.run(call_off())
    assert untold == []
