"""A run's events on their way into the log: in order, in batches, off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from engine.conversations import budget, log, runs
from engine.conversations.events import Emitted
from engine.runtime import Runtime
from icommerce_agents.threads import in_thread

PAUSE_SECONDS: Final = 0.06
"""How long events are gathered before they are written; the first words of a message go at once."""
_DELTA: Final = "TEXT_MESSAGE_CONTENT"


class Emitter:
    """One run's way to the log, for the worker that has it: who says its ``attempt`` writes nothing once another has it
    (``LeaseLost``). A write that fails fails the run: ``flush`` raises what happened.

    What the run's models cost goes along with the words, so that a process that is killed has paid.
    """

    def __init__(
        self, runtime: Runtime, tenant_id: str, thread_id: str, run_id: str, *, attempt: int | None = None
    ) -> None:
        self._store = runtime.store
        self._key = (tenant_id, thread_id, run_id)
        self._attempt = attempt
        self.cost_micros: Callable[[], int] = lambda: 0
        """What the run's models have cost so far."""
        self._charged = 0
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

    async def drop(self) -> None:
        """Write no more than what is being written in this moment."""
        self._waiting = []
        if self._writer:
            await asyncio.shield(self._writer)

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

    @property
    def due_micros(self) -> int:
        """What of the cost is not on the tenant's account yet."""
        return self.cost_micros() - self._charged

    def _append(self, batch: Sequence[Emitted]) -> None:
        relaxed = all(event.payload["type"] == _DELTA for event in batch)
        tenant_id, due = self._key[0], self.due_micros
        asks = [log.appending(*self._key, batch, relaxed=relaxed, attempt=self._attempt)]
        asks += [budget.spending(tenant_id, due)] if due > 0 else []
        written, *_ = self._store.ask(tenant_id, *asks)
        self._charged += due
        if not written:
            with self._store.unit_of_work(tenant_id) as session:
                if self._attempt is not None:
                    runs.hold(session, *self._key, self._attempt)
                log.append(session, *self._key, batch, relaxed=relaxed)

    def charge(self) -> None:
        """Put on the tenant's account what is not on it: the run ends here, or goes on elsewhere."""
        tenant_id, due = self._key[0], self.due_micros
        if due > 0:
            self._store.ask(tenant_id, budget.spending(tenant_id, due))
            self._charged += due


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
