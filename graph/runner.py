"""The worker of the queue of turns: wakes for a thread, runs what waits there, and looks for what was left behind."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Final, TypeAlias

from engine import due
from engine.conversations import runs, turns
from engine.conversations.runs import Claim
from engine.lookout import Lookout
from engine.runtime import Runtime
from graph.build import Graph, build_graph
from graph.checkpointer import Pool, keep_newest, open_pool, saver, thread_key
from graph.execution import execute
from icommerce_agents.rehearsal import load, rehearse
from icommerce_agents.threads import in_thread

CONCURRENCY: Final = 32
SWEEP_SECONDS: Final = 2.0
STOP_SECONDS: Final = 2.0
_ERRAND: Final = "turns"
ThreadKey: TypeAlias = tuple[str, str]
log = logging.getLogger(__name__)


class Runner:
    """Executes queued runs on this process's event loop: one per thread at a time, many threads at once.

    ``dsn`` is the runtime role's address, for the graph's checkpoints.
    """

    def __init__(
        self,
        runtime: Runtime,
        dsn: str,
        *,
        concurrency: int = CONCURRENCY,
        sweep_seconds: float = SWEEP_SECONDS,
        lookout: Lookout | None = None,
    ) -> None:
        self._runtime = runtime
        self._lookout = lookout or Lookout(runtime.store, quiet_seconds=0.0)
        self._lookout.watch({_ERRAND: (due.TURNS,)})
        self._pool: Pool = open_pool(dsn)
        self._slots = asyncio.Semaphore(concurrency)
        self._sweep_seconds = sweep_seconds
        self._working: dict[ThreadKey, asyncio.Task[None]] = {}
        self._again: set[ThreadKey] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._graph: Graph | None = None
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the checkpoints, load the models and take up what waits."""
        await self._pool.open(wait=True)
        await in_thread(load)
        await rehearse()
        self._graph = build_graph(saver(self._pool))
        self._loop = asyncio.get_running_loop()
        self._sweeper = self._loop.create_task(self._sweep())

    async def stop(self) -> None:
        """Let running turns end for a moment; what is cut off is taken up by the next worker at once."""
        self._loop = None
        if self._sweeper:
            self._sweeper.cancel()
        tasks = list(self._working.values())
        if tasks:
            _done, late = await asyncio.wait(tasks, timeout=STOP_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._pool.close(timeout=1)

    def wake(self, tenant_id: str, thread_id: str) -> None:
        """A run was queued (and committed) in this thread. May be called from any OS thread."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has just closed: the next start finds the run
                self._loop.call_soon_threadsafe(self._schedule, (tenant_id, thread_id))

    async def settle(self, tenant_id: str, thread_id: str) -> None:
        """Run what waits in this thread and wait until nothing does. On the runner's own loop."""
        self._schedule((tenant_id, thread_id))
        while task := self._working.get((tenant_id, thread_id)):
            await asyncio.shield(task)

    def _schedule(self, key: ThreadKey) -> None:
        if self._loop is None:
            return
        if key in self._working:
            self._again.add(key)
        else:
            self._working[key] = self._loop.create_task(self._drain(key))

    async def _drain(self, key: ThreadKey) -> None:
        """Run what waits in a thread, in order, until nothing does."""
        try:
            more = True
            while more or key in self._again:
                self._again.discard(key)
                async with self._slots:
                    more = await self._run_next(key) and self._loop is not None
        except Exception:
            log.exception("thread %s: its next run is left to the next sweep", key[1])
        finally:
            del self._working[key]

    async def _run_next(self, key: ThreadKey) -> bool:
        """Whether another run may wait behind it."""
        assert self._graph is not None
        claim = await in_thread(turns.take, self._runtime, *key)
        if claim is None:
            return False
        try:
            more = await execute(self._runtime, self._graph, claim)
        except asyncio.CancelledError:
            await in_thread(self._release, key[0], claim)
            raise
        await self._forget_steps(key)
        return more

    async def _forget_steps(self, key: ThreadKey) -> None:
        """Keep a thread's newest checkpoint alone."""
        try:
            await keep_newest(self._pool, thread_key(*key))
        except Exception:
            log.warning("thread %s: old checkpoints kept", key[1], exc_info=True)

    async def _sweep(self) -> None:
        """Find runs that nobody works on: queued while no worker listened, or left by one that died."""
        while True:
            try:
                for key in await in_thread(self._waiting):
                    self._schedule(key)
            except Exception:
                log.exception("looking for waiting runs failed")
            await asyncio.sleep(self._sweep_seconds)

    def _waiting(self) -> list[ThreadKey]:
        found: list[ThreadKey] = []
        for tenant_id in self._lookout.due(_ERRAND):
            with self._runtime.unit_of_work(tenant_id) as session:
                found.extend((tenant_id, thread_id) for thread_id in runs.waiting_threads(session, tenant_id))
        return found

    def _release(self, tenant_id: str, claim: Claim) -> None:
        with self._runtime.unit_of_work(tenant_id) as session:
            runs.release(session, tenant_id, claim)
