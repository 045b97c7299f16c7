"""The serving process's part in the pipeline: it executes runs too, as soon as any shop has a workflow on."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import structlog

from engine import due
from engine.db import Addresses, Store
from engine.kit.errors import Unavailable
from engine.lookout import Lookout
from engine.runtime import Runtime

if TYPE_CHECKING:
    from engine.workflows.executing import Execution

log = structlog.get_logger(__name__)
LOOK_SECONDS: Final = 2.0
THREADS: Final = 8
MARGIN_SECONDS: Final = 1.0
_WANTED: Final = "whether anybody wants runs"
CONNECTIONS: Final = 6
OVERFLOW: Final = 2
"""Of the runs' own pool; requests have theirs."""


class Pipeline:
    """Begins on a thread of its own, and only where there is something to do: DBOS costs seconds to import."""

    def __init__(
        self,
        runtime: Runtime,
        addresses: Addresses,
        *,
        workflows: Sequence[str] = (),
        threads: int = THREADS,
        at_once: bool = False,
        lookout: Lookout | None = None,
    ) -> None:
        self._store = Store(addresses.runtime, pool_size=CONNECTIONS, overflow=OVERFLOW)
        self._lookout = lookout or Lookout(self._store)
        self._runtime = replace(runtime, store=self._store)
        self._addresses, self._workflows, self._threads, self._at_once = addresses, workflows, threads, at_once
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._begin, name="pipeline", daemon=True)
        self._execution: Execution | None = None
        self.failed = ""

    @property
    def executing(self) -> bool:
        return self._execution is not None

    def start(self) -> None:
        self._thread.start()

    def stop(self, *, grace_seconds: float = 2.0) -> None:
        """Let steps end for so long; the rest goes on elsewhere, or the next time. It never takes much longer: what
        is not over then is taken from a process that is no more.
        """
        self._stop.set()
        ending = threading.Thread(target=self._end, args=(grace_seconds,), name="pipeline-end", daemon=True)
        ending.start()
        ending.join(grace_seconds + MARGIN_SECONDS)

    def _end(self, grace_seconds: float) -> None:
        self._thread.join(grace_seconds)
        if self._execution is not None:
            self._execution.stop(grace_seconds=grace_seconds)
        self._store.close()

    def _begin(self) -> None:
        self._lookout.watch({_WANTED: (due.PIPELINE_ON, due.RUNS_OPEN)})
        while not (self._at_once or self._lookout.due(_WANTED)):
            if self._stop.wait(LOOK_SECONDS):
                return
        self._lookout.forget(_WANTED)
        try:
            execution = launch(
                self._runtime, self._addresses, self._lookout, workflows=self._workflows, threads=self._threads
            )
        except Exception as error:
            self.failed = str(error) if isinstance(error, Unavailable) else type(error).__name__
            log.exception("runs are not executed here")
            return
        self._execution = execution


def launch(
    runtime: Runtime, addresses: Addresses, lookout: Lookout, *, workflows: Sequence[str], threads: int
) -> Execution:
    """Bring the durable engine's tables up to date where their owner is known, and execute. Raises ``Unavailable``
    where they are not and it is not.
    """
    from engine.workflows import durable
    from engine.workflows.executing import Execution, executor_name

    if addresses.owner is not None:
        durable.migrate(addresses)
    part = durable.Durable(runtime, executor_name(), workflows=workflows, threads=threads)
    execution = Execution(runtime, part, workflows, lookout=lookout)
    execution.start()
    return execution
