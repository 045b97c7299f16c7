"""The durable engine: DBOS, behind this one module. It costs seconds to import, so it is imported when it is launched.

DBOS keeps what each step gave and whose a run is; its tables hold results of all tenants, so nobody but this module
reads them. One generic workflow looks up ours. A queue per workflow, in it a partition per shop.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy.engine import make_url

from engine.db import Addresses, libpq_url
from engine.kit import clock, tracing
from engine.runtime import Runtime
from engine.sync.errors import SyncError
from engine.workflows import pipeline, registry, rows
from engine.workflows.access import Wiring
from engine.workflows.definition import Workflow
from engine.workflows.models import RunRow, RunStatus
from engine.workflows.run import Gone, Misset
from engine.workflows.settings import PipelineSettings, SettingsBroken
from engine.workflows.stepping import Stepping, perform
from engine.workflows.ticket import Canceled, Left, Lost, Parked, Ticket

log = structlog.get_logger(__name__)
SCHEMA: Final = "dbos"
PROTOCOL: Final = "icommerce-1"
"""What this version of ours says of a run; another number only where runs under way could not go on."""
POOL: Final = 6
"""Connections of DBOS itself."""
PER_SHOP: Final = 4
"""Runs of one workflow and one shop at once, over all processes: its backlog starves nobody."""
_GENERIC: Final = "run"
_MIGRATING: Final = 7_402_313
_PAGE: Final = 500


def migrate(addresses: Addresses) -> None:
    """Bring DBOS's own tables up to date, as their owner, and let the runtime role use them. Idempotent; two at once
    wait for each other.
    """
    import psycopg
    from dbos import DBOS

    assert addresses.owner is not None
    _quiet()
    owner = libpq_url(addresses.owner)
    with psycopg.connect(owner, autocommit=True, connect_timeout=5) as line:
        line.execute("SELECT pg_advisory_lock(%s)", (_MIGRATING,))
        DBOS.migrate(owner, schema=SCHEMA, application_role=make_url(addresses.runtime).username)


@dataclass
class Durable:
    """The part that a process has in the durable engine: one in a process."""

    runtime: Runtime
    executor_id: str
    workflows: Sequence[str] = ()
    """What it executes; nothing: all."""
    threads: int = 8
    polling_seconds: float = 0.5
    wiring: Wiring = field(default_factory=Wiring)
    _active: set[str] = field(default_factory=set)
    _suspects: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _aside: ThreadPoolExecutor | None = None
    _dbos: Any = None
    _generic: Any = None

    def launch(self) -> None:
        """Begin to execute. The tables must have been migrated."""
        from dbos import DBOS, DBOSPortableJSONSerializer

        _quiet()
        self._dbos = DBOS
        DBOS(
            config={
                "name": "icommerce",
                "system_database_url": libpq_url(self.runtime.store.url),
                "dbos_system_schema": SCHEMA,
                "application_version": PROTOCOL,
                "executor_id": self.executor_id,
                "serializer": DBOSPortableJSONSerializer(),
                "run_migrations": False,
                "use_listen_notify": False,
                "sys_db_pool_size": POOL,
                "db_engine_kwargs": {"max_overflow": 0, "connect_args": {"application_name": "icommerce-dbos"}},
                "max_executor_threads": self.threads,
                "log_level": "ERROR",
            }
        )

        @DBOS.workflow(name=_GENERIC, max_recovery_attempts=1_000_000)
        def generic(tenant_id: str, run_id: str, turn: int) -> str:
            return self._execute(tenant_id, run_id, turn)

        self._generic = generic
        self._aside = ThreadPoolExecutor(2, thread_name_prefix="dbos-aside-")
        DBOS.listen_queues(list(self.workflows or registry.names()))
        DBOS.launch()
        for name in self.workflows or registry.names():
            DBOS.register_queue(
                name,
                worker_concurrency=self.threads,
                partition_concurrency=1 if registry.live(name).alone else PER_SHOP,
                polling_interval_sec=self.polling_seconds,
                on_conflict="always_update",
            )

    def stop(self, *, grace_seconds: float) -> None:
        """Begin nothing more, let steps end for so long, and leave the rest to others at once."""
        if self._dbos is None:
            return
        for stop in self._dbos_instance().background_thread_stop_events:
            stop.set()
        waiting, ended = clock.now() + timedelta(seconds=grace_seconds), threading.Event()
        while self._active and clock.now() < waiting:
            ended.wait(0.05)
        try:
            self._leave_to_others(self.executor_id)
        finally:
            self._dbos.destroy()
            if self._aside is not None:
                self._aside.shutdown(wait=False)
            self._dbos = None

    def hand_over(self, run: RunRow) -> None:
        """Have a turn of a run executed. Given twice, it is executed once."""
        from dbos import SetEnqueueOptions, SetWorkflowID

        ticket = Ticket(run.tenant_id, run.id, run.turn)
        with SetWorkflowID(name_of(ticket)), SetEnqueueOptions(queue_partition_key=run.tenant_id):
            self._dbos.enqueue_workflow(run.workflow, self._generic, run.tenant_id, run.id, run.turn)

    def wake(self, runs: Iterable[RunRow]) -> None:
        """Have what was parked go on."""
        by_queue: dict[str, list[str]] = defaultdict(list)
        for run in runs:
            by_queue[run.workflow].append(name_of(Ticket(run.tenant_id, run.id, run.turn)))
        for queue, names in by_queue.items():
            self._resume(names, queue)

    def drop(self, tickets: Sequence[Ticket]) -> None:
        """What was canceled needs no place in a queue any more."""
        self._dbos.cancel_workflows([name_of(ticket) for ticket in tickets])

    def adopt(self, executor_id: str) -> int:
        """What a dead process was at goes back to its queues; how many that were."""
        return self._leave_to_others(executor_id)

    def find_lost(self) -> int:
        """Runs that count as ours and that no thread of ours is at, twice in a row, go back to their queues."""
        held = {one.workflow_id: one.queue_name for one in self._pending(self.executor_id)}
        with self._lock:
            lost = set(held) - self._active
            again, self._suspects = lost & self._suspects, lost
        for name in again:
            self._resume([name], held[name])
        return len(again)

    def forget_over(self, *, before: datetime) -> int:
        """What steps gave is not needed once a run is over; how many were forgotten. What is parked is passed by."""
        forgotten = passed = 0
        while page := self._ended(before, passed):
            over = self._over(page)
            if over:
                self._dbos.delete_workflows(over)
            forgotten, passed = forgotten + len(over), passed + len(page) - len(over)
        return forgotten

    def _ended(self, before: datetime, passed: int) -> list[str]:
        found = self._dbos.list_workflows(
            name=_GENERIC,
            status=["SUCCESS", "ERROR", "CANCELLED"],
            completed_before=before.isoformat(),
            limit=_PAGE,
            offset=passed,
            load_input=False,
            load_output=False,
        )
        return [one.workflow_id for one in found]

    def _over(self, names: list[str]) -> list[str]:
        """What a parked run left is canceled there, and not over."""
        going_on: set[str] = set()
        by_tenant: dict[str, list[str]] = defaultdict(list)
        for name in names:
            by_tenant[name.partition(":")[0]].append(name)
        for tenant_id, its in by_tenant.items():
            with self.runtime.unit_of_work(tenant_id) as session:
                going_on |= {name_of(ticket) for ticket in rows.going_on(session, tenant_id, map(ticket_of, its))}
        return [name for name in names if name not in going_on]

    def _leave_to_others(self, executor_id: str) -> int:
        by_queue: dict[str, list[str]] = defaultdict(list)
        for one in self._pending(executor_id):
            by_queue[one.queue_name].append(one.workflow_id)
        for queue, names in by_queue.items():
            self._resume(names, queue)
        return sum(map(len, by_queue.values()))

    def _pending(self, executor_id: str) -> list[Any]:
        found: list[Any] = self._dbos.list_workflows(
            status="PENDING", executor_id=executor_id, load_input=False, load_output=False
        )
        return found

    def _resume(self, names: list[str], queue: str | None) -> None:
        self._dbos_instance()._sys_db.resume_workflows(names, queue_name=queue)  # noqa: SLF001 (no handles are wanted)

    def _dbos_instance(self) -> Any:
        from dbos._dbos import _get_dbos_instance

        return _get_dbos_instance()

    def _execute(self, tenant_id: str, run_id: str, turn: int) -> str:
        """The one workflow that DBOS knows: a life of a run."""
        from dbos._error import DBOSWorkflowCancelledError, DBOSWorkflowConflictIDError

        ticket = Ticket(tenant_id, run_id, turn)
        with self._at_it(name_of(ticket)):
            try:
                return self._live(ticket)
            except Canceled:
                return "canceled"
            except Left:
                raise
            except (DBOSWorkflowCancelledError, DBOSWorkflowConflictIDError):
                raise Lost(run_id) from None
            except Exception as error:
                log.exception("run left", run=run_id)
                raise Lost(run_id) from error

    def _live(self, ticket: Ticket) -> str:
        with self.runtime.unit_of_work(ticket.tenant_id) as session:
            row = rows.find(session, ticket)
        try:
            settings, workflow = self._found(row)
        except SyncError as why:
            rows.failed(self.runtime, ticket, why, step="")
            return "failed"
        run = _DurableRun(
            self.runtime,
            ticket,
            mode=row.mode,
            settings=settings,
            wiring=self.wiring,
            trace_id=row.trace_id,
            executor_id=self.executor_id,
        )
        run.engine = self
        run.woken = row.step if row.status == RunStatus.WAITING else ""
        with tracing.traced(row.trace_id):
            return "done" if perform(run, workflow, row.payload) is not None else "failed"

    def _found(self, row: RunRow) -> tuple[PipelineSettings, Workflow[Any]]:
        """What the run goes by. Raises ``Misset``, ``Gone``."""
        try:
            with self.runtime.unit_of_work(row.tenant_id) as session:
                settings = pipeline.settings_of(session, row.tenant_id, row.workflow)
            return settings, registry.at(row.workflow, row.version)
        except SettingsBroken as broken:
            raise Misset(broken.message) from None
        except (registry.VersionGone, registry.NoSuchWorkflow) as gone:
            raise Gone(gone.message) from None

    def step(self, name: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What ``work`` gave the first time. What raises is not kept."""

        def kept() -> dict[str, Any]:
            try:
                return work()
            except Exception as error:
                raise Lost(name) from error

        found: dict[str, Any] = self._dbos.run_step({"name": name[:80]}, kept)
        return found

    def park(self, ticket: Ticket, until: datetime) -> None:
        """Its place in the queue is free for others until somebody wakes it. Raises ``Parked``."""
        assert self._aside is not None  # on a thread that is in no workflow, or DBOS would keep this as a step
        self._aside.submit(self._dbos.cancel_workflows, [name_of(ticket)]).result()
        raise Parked(until)

    @contextmanager
    def _at_it(self, name: str) -> Iterator[None]:
        with self._lock:
            self._active.add(name)
        try:
            yield
        finally:
            with self._lock:
                self._active.discard(name)


class _DurableRun(Stepping):
    """A life of a run whose steps are DBOS's."""

    engine: Durable

    def _kept(self, name: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        return self.engine.step(name, work)

    def _nap(self, seconds: float) -> None:
        self.wiring.sleep(seconds)

    def _park(self, until: datetime) -> None:
        self.engine.park(self.ticket, until)


def name_of(ticket: Ticket) -> str:
    """What DBOS calls a turn of a run: it begins with the tenant."""
    return f"{ticket.run_id}~{ticket.turn}"


def ticket_of(name: str) -> Ticket:
    run_id, _, turn = name.rpartition("~")
    return Ticket(run_id.partition(":")[0], run_id, int(turn))


def _quiet() -> None:
    """Its log is for whoever runs DBOS itself; ours says what happens to runs."""
    logging.getLogger("dbos").setLevel(logging.ERROR)
