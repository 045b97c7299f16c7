"""What goes on beside the requests: a few threads, a round a second, every shop that waits, no failure ends it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

import structlog

from app.cardentry import receive_event
from app.courier import Courier
from app.metrics import JOB_FAILURES
from app.site import Site
from engine import due
from engine import jobs as engine_jobs
from engine.catalog.embedder import Embedder
from engine.catalog.errors import IndexUnavailable
from engine.catalog.indexing import index_pending
from engine.catalog.vectors import VectorIndex
from engine.imports.work import work
from engine.kit.errors import DomainError
from engine.lookout import Lookout
from engine.payments.gateways.sandbox.gateway import SandboxGateway

log = structlog.get_logger(__name__)
ROUND_SECONDS: Final = 1.0
INDEX_SECONDS: Final = 0.4
SEND_SECONDS: Final = 0.5
_MINUTE: Final = 60.0
_HOUR: Final = 3600.0
_STOP_SECONDS: Final = 3.0
_SEARCH, _FILES = "search", "files"


class Jobs:
    """Starts and stops the background threads of a serving process."""

    def __init__(self, site: Site, index: VectorIndex, embedder: Embedder, lookout: Lookout) -> None:
        self._site, self._index, self._embedder, self._lookout = site, index, embedder, lookout
        lookout.watch({_SEARCH: (due.SEARCH,), _FILES: (due.IMPORTS,)})
        engine_jobs.watch(lookout)
        self._courier = Courier(site.runtime, lookout)
        self._stop = threading.Event()
        self._minutely_at = self._hourly_at = time.monotonic()
        self._threads = [
            threading.Thread(target=self._every, args=(seconds, job), name=job.__name__, daemon=True)
            for seconds, job in (
                (ROUND_SECONDS, self.keep_house),
                (INDEX_SECONDS, self.index),
                (ROUND_SECONDS, self.bring_in_files),
                (SEND_SECONDS, self.send_events),
            )
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let the running round end."""
        self._stop.set()
        self._courier.stop()
        deadline = time.monotonic() + _STOP_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def keep_house(self) -> None:
        """The engine's jobs, and what the sandbox gateway has to tell late."""
        now = time.monotonic()
        minutely, hourly = now >= self._minutely_at, now >= self._hourly_at
        self._minutely_at = now + _MINUTE if minutely else self._minutely_at
        self._hourly_at = now + _HOUR if hourly else self._hourly_at
        engine_jobs.run_once(self._site.runtime, self._lookout, minutely=minutely, hourly=hourly)
        gateway = self._site.runtime.gateways.get("sandbox")
        if isinstance(gateway, SandboxGateway):
            self._hear(gateway)
            if hourly:
                gateway.forget_old()

    def index(self) -> None:
        """Bring the search index in step with the outbox."""
        runtime = self._site.runtime
        for tenant_id in self._lookout.due(_SEARCH):
            try:
                if index_pending(runtime.store, tenant_id, self._index, self._embedder):
                    runtime.search.forget(tenant_id)
            except IndexUnavailable:
                log.warning("search index unavailable", tenant=tenant_id)

    def bring_in_files(self) -> None:
        """Read and apply large files, beside everything else: one of them may take minutes."""
        for tenant_id in self._lookout.due(_FILES):
            work(self._site.runtime, tenant_id)

    def send_events(self) -> None:
        """Tell platforms of their orders."""
        self._courier.round()

    def _hear(self, gateway: SandboxGateway) -> None:
        for sent in gateway.due_webhooks():
            try:
                receive_event(self._site.runtime, gateway.name, sent.body, dict(sent.headers))
            except DomainError as error:
                log.warning("gateway event refused", code=error.code)
            else:
                gateway.confirm(sent.event_id)

    def _every(self, seconds: float, job: Callable[[], None]) -> None:
        while not self._stop.wait(seconds):
            try:
                job()
            except Exception:
                JOB_FAILURES.labels(job.__name__).inc()
                log.exception("job failed", job=job.__name__)
