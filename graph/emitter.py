"""A run's events on their way into the log: in order, in batches, off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from engine.conversations import log
from engine.conversations.events import Emitted
from engine.runtime import Runtime
from icommerce_agents.threads import in_thread

PAUSE_SECONDS: Final = 0.06
"""How long events are gathered before they are written; the first words of a message go at once."""
_DELTA: Final = "TEXT_MESSAGE_CONTENT"


class Emitter:
    """One run's way to the log. A write that fails fails the run: ``flush`` raises what happened."""

    def __init__(self, runtime: Runtime, tenant_id: str, thread_id: str, run_id: str) -> None:
        self._store = runtime.store
        self._key = (tenant_id, thread_id, run_id)
        self._waiting: list[Emitted] = []
        self._hurry = False
        self._pause: asyncio.TimerHandle | None = None
        self._writer: asyncio.Task[None] | None = None
        self._speaking: str | None = None
        self.error: Exception | None = None
        """What happened to a write, if one failed."""

    def emit(self, *events: Emitted) -> None:
        """Hand over events; never blocks. Raises the error of an earlier write."""
        if self.error:
            raise self.error
        self._waiting.extend(events)
        for event in events:
            self._hurry = self._is_first_words(event) or self._hurry
        self._arrange()

    async def take(self) -> list[Emitted]:
        """What is not in the log yet, for whoever writes it with something else. Raises like ``flush``."""
        waiting, self._waiting = self._waiting, []
        await self.flush()
        return merged(waiting)

    async def flush(self) -> None:
        """Wait until everything is in the log. Raises the error of a write that failed."""
        while not self.error and (self._waiting or self._writer):
            self._hurry = True
            self._arrange()
            if self._writer:
                await asyncio.shield(self._writer)
        if self.error:
            raise self.error

    def _is_first_words(self, event: Emitted) -> bool:
        if event.payload["type"] != _DELTA:
            return False
        first = bool(self._speaking != event.payload["messageId"])
        self._speaking = event.payload["messageId"]
        return first

    def _arrange(self) -> None:
        """One write at a time: now where somebody waits for it, else in a moment."""
        if self._writer or not self._waiting:
            return
        loop = asyncio.get_running_loop()
        if self._hurry:
            self._writer = loop.create_task(self._write())
        elif self._pause is None:
            self._pause = loop.call_later(PAUSE_SECONDS, self._paused)

    def _paused(self) -> None:
        self._pause, self._hurry = None, bool(self._waiting)
        self._arrange()

    async def _write(self) -> None:
        batch, self._waiting, self._hurry = self._waiting, [], False
        try:
            if batch:
                await in_thread(self._append, merged(batch))
        except Exception as error:  # noqa: BLE001 (kept for whoever emits or flushes next)
            self.error = error
        finally:
            self._writer = None
        if not self.error:
            self._arrange()

    def _append(self, batch: Sequence[Emitted]) -> None:
        relaxed = all(event.payload["type"] == _DELTA for event in batch)
        tenant_id = self._key[0]
        [written] = self._store.ask(tenant_id, log.appending(*self._key, batch, relaxed=relaxed))
        if not written:
            with self._store.unit_of_work(tenant_id) as session:
                log.append(session, *self._key, batch, relaxed=relaxed)


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
