"""Sends events to platforms: some at a time, so that a receiver that takes its time holds up nobody else's."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Final

import structlog

from app.metrics import EVENTS_SENT, JOB_FAILURES
from engine import due
from engine.agentic import sending
from engine.lookout import Lookout
from engine.runtime import Runtime

log = structlog.get_logger(__name__)
AT_ONCE: Final = 8
OF_ONE_PLATFORM: Final = 2
_ERRAND: Final = "events for platforms"
Key = tuple[str, str]


class Courier:
    """One for a process; any number of processes share the work."""

    def __init__(self, runtime: Runtime, lookout: Lookout) -> None:
        self._runtime, self._lookout = runtime, lookout
        lookout.watch({_ERRAND: (due.WEBHOOKS,)})
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._under_way: Counter[Key] = Counter()

    def round(self) -> None:
        """Begin to send what is due, as far as hands are free."""
        for tenant_id in self._lookout.due(_ERRAND):
            for platform_id in sending.waiting(self._runtime, tenant_id):
                self._begin((tenant_id, platform_id))

    def stop(self) -> None:
        """Begin nothing more. A call under way is left alone: its event's lease ends, and somebody sends it again."""
        self._stop.set()

    def _begin(self, key: Key) -> None:
        with self._lock:
            if self._stop.is_set() or self._under_way.total() >= AT_ONCE or self._under_way[key] >= OF_ONE_PLATFORM:
                return
            self._under_way[key] += 1
        threading.Thread(target=self._send, args=(key,), name="courier", daemon=True).start()

    def _send(self, key: Key) -> None:
        try:
            EVENTS_SENT.inc(sending.send_to(self._runtime, *key, go_on=lambda: not self._stop.is_set()))
        except Exception:
            if not self._stop.is_set():
                JOB_FAILURES.labels("courier").inc()
                log.exception("events not sent", tenant=key[0], platform=key[1])
        finally:
            with self._lock:
                self._under_way[key] -= 1
