"""The record of agents' requests on its way to the store: gathered for half a second, written beside the requests.

A process that is killed loses what it has gathered; what became of money is in the audit, written with the act itself.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Final

import structlog
from psycopg import DataError

from engine.agentic import requests
from engine.agentic.requests import Entry
from engine.runtime import Runtime

log = structlog.get_logger(__name__)
Draft = Callable[[], Entry]
"""Makes the entry: on the writer's time, not the request's."""
_EVERY: Final = 0.5
_MOST: Final = 20_000
_BATCH: Final = 1_000


class AgentLog:
    """One writer for a process; it starts with the first request."""

    def __init__(self, runtime: Callable[[], Runtime]) -> None:
        self._runtime = runtime
        self._waiting: queue.Queue[Draft] = queue.Queue(_MOST)
        self._started = threading.Lock()
        self._writing = threading.Lock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def note(self, draft: Draft) -> None:
        """Remember a request. Never waits: where the store cannot keep up, the newest are not recorded, and that is."""
        try:
            self._waiting.put_nowait(draft)
        except queue.Full:
            log.warning("agent request not recorded")
        if self._thread is None and self._started.acquire(blocking=False):
            self._thread = threading.Thread(target=self._write_on, name="agent-log", daemon=True)
            self._thread.start()

    def flush(self) -> None:
        """Write what waits; what another thread is writing is written when this ends."""
        with self._writing:
            while drafts := self._taken():
                self._write(drafts)

    def _write(self, drafts: list[Draft]) -> None:
        entries = [entry for draft in drafts if (entry := _made(draft)) is not None]
        try:
            requests.write(self._runtime(), entries)
        except DataError:  # one that the store cannot hold takes no other with it
            self._write_each(entries)

    def _write_each(self, entries: list[Entry]) -> None:
        for entry in entries:
            try:
                requests.write(self._runtime(), [entry])
            except DataError as error:
                log.warning("agent request not recorded", error=type(error).__name__)

    def close(self) -> None:
        """Write what waits and stop."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(timeout=2)

    def _write_on(self) -> None:
        last = False
        while not last:
            last = self._closing.wait(_EVERY)
            try:
                self.flush()
            except Exception:  # the record is no reason to stop serving
                log.exception("agent requests not recorded")

    def _taken(self) -> list[Draft]:
        taken: list[Draft] = []
        while len(taken) < _BATCH:
            try:
                taken.append(self._waiting.get_nowait())
            except queue.Empty:
                break
        return taken


def _made(draft: Draft) -> Entry | None:
    try:
        return draft()
    except Exception:  # nor does one that cannot be told
        log.exception("agent request not recorded")
        return None
