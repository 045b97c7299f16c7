"""A run's events on their way into the log: in order, in batches, off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from engine.conversations import log
from engine.conversations.events import Emitted
from engine.conversations.models import Audience
from engine.runtime import Runtime
from icommerce_agents.threads import in_thread

PAUSE_SECONDS: Final = 0.025
"""How long streamed text is gathered before it is written; the first words and everything else go at once."""
_DELTA: Final = "TEXT_MESSAGE_CONTENT"


class Emitter:
    """One run's way to the log. A write that fails fails the run: ``flush`` raises what happened."""

    def __init__(self, runtime: Runtime, tenant_id: str, thread_id: str, run_id: str) -> None:
        self._runtime = runtime
        self._key = (tenant_id, thread_id, run_id)
        self._waiting: list[Emitted] = []
        self._writer: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()
        self._speaking: str | None = None
        self.error: Exception | None = None
        """What happened to a write, if one failed."""

    def emit(self, *events: Emitted) -> None:
        """Hand over events; never blocks. Raises the error of an earlier write."""
        if self.error:
            raise self.error
        if not events:
            return
        self._waiting.extend(events)
        if not all(self._can_wait(event) for event in events):
            self._hurry.set()
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._write())

    async def take(self) -> list[Emitted]:
        """What is not in the log yet, for whoever writes it with something else. Raises like ``flush``."""
        waiting, self._waiting = self._waiting, []
        await self.flush()
        return merged(waiting)

    async def flush(self) -> None:
        """Wait until everything is in the log. Raises the error of a write that failed."""
        while self._writer is not None:
            self._hurry.set()
            await asyncio.shield(self._writer)
        if self.error:
            raise self.error

    def _can_wait(self, event: Emitted) -> bool:
        """Only the words after a message's first, and what only staff see."""
        if event.payload["type"] != _DELTA:
            return event.audience is Audience.STAFF
        first = self._speaking != event.payload["messageId"]
        self._speaking = event.payload["messageId"]
        return not first

    async def _write(self) -> None:
        try:
            while self._waiting and not self.error:
                await self._gather()
                batch, self._waiting = self._waiting, []
                if batch:
                    await in_thread(self._append, merged(batch))
        except Exception as error:  # noqa: BLE001 (kept for whoever emits or flushes next)
            self.error = error
        finally:
            self._writer = None

    async def _gather(self) -> None:
        try:
            await asyncio.wait_for(self._hurry.wait(), PAUSE_SECONDS)
        except TimeoutError:
            return
        self._hurry.clear()

    def _append(self, batch: Sequence[Emitted]) -> None:
        tenant_id, thread_id, run_id = self._key
        relaxed = all(event.payload["type"] == _DELTA for event in batch)
        with self._runtime.unit_of_work(tenant_id) as session:
            log.append(session, tenant_id, thread_id, run_id, batch, relaxed=relaxed)


def merged(batch: Sequence[Emitted]) -> list[Emitted]:
    """The batch with neighboring pieces of the same message made one."""
    events: list[Emitted] = []
    for event in batch:
        last = events[-1].payload if events else {}
        same = event.payload["type"] == _DELTA == last.get("type")
        if same and last["messageId"] == event.payload["messageId"]:
            whole = last | {"delta": last["delta"] + event.payload["delta"]}
            events[-1] = Emitted(whole, event.audience)
        else:
            events.append(event)
    return events
