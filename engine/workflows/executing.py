"""A process that executes runs: hands them to the durable engine, wakes what waits, takes over from the dead.

Every process does all of it; what only one may do at a time holds a lock in PostgreSQL.
"""

from __future__ import annotations

import os
import platform
import secrets
import threading
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import structlog
from sqlalchemy import ColumnElement, delete, exists, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from engine import due
from engine.kit import clock
from engine.kit.policies import policy_of
from engine.lookout import Lookout
from engine.runtime import Runtime
from engine.sync.models import Connection, ConnectionStatus
from engine.workflows import orphans, registry, triggers
from engine.workflows.durable import PROTOCOL, Durable
from engine.workflows.models import Executor, RunMode, RunRow, RunStatus
from engine.workflows.policy import PipelinePolicy

log = structlog.get_logger(__name__)
ROUND_SECONDS: Final = 0.3
BEAT_SECONDS: Final = 10.0
DEAD_AFTER: Final = timedelta(seconds=60)
FORGET_EXECUTORS: Final = timedelta(days=1)
_HOUR: Final = 3_600.0
KEPT: Final = timedelta(seconds=30)
"""How long the durable engine keeps what a run's steps gave once it is over."""
_FORGETS_EVERY: Final = 30.0
AT_ONCE: Final = 25
"""Runs of one shop that are handed over before it is the next one's turn."""
_LEASE: Final = timedelta(seconds=60)
"""How long a run that was woken may take to go on before it is woken again."""
_HANDED_AGAIN: Final = timedelta(minutes=10)
"""How long one that was handed over may be queued before it is looked whether the engine knows of it."""
_JUST_WOKEN: Final = timedelta(seconds=30)
ASLEEP_CODES: Final = ("auth_expired", "connection_paused")
_QUEUED, _WAITING, _HEARD, _POLLED, _ORPHANED = "runs queued", "runs waiting", "told", "to be asked", "orphans"
ERRANDS: Final[Mapping[Hashable, tuple[str, ...]]] = {
    _QUEUED: (due.RUNS_QUEUED,),
    _WAITING: (due.RUNS_WAITING, due.RUNS_ASLEEP),
    _HEARD: (due.DELIVERIES, due.WANTED_AGAIN),
    _POLLED: (due.POLLS,),
    _ORPHANED: (due.RUNS_ORPHANED,),
}
"""What the threads of a process that executes look for."""


@dataclass
class Execution:
    """Threads that keep runs going in this process. ``workflows``: what it is limited to."""

    runtime: Runtime
    durable: Durable
    workflows: Sequence[str] = ()
    triggers: bool = True
    beat_seconds: float = BEAT_SECONDS
    dead_after: timedelta = DEAD_AFTER
    kept: timedelta = KEPT
    forget_seconds: float = _FORGETS_EVERY
    lookout: Lookout | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)
    _forgot_at: float = 0.0
    _forgot_over_at: float = 0.0

    def __post_init__(self) -> None:
        self._lookout = self.lookout or Lookout(self.runtime.store)

    def watch(self) -> None:
        """Look for what its threads are for."""
        names = self.workflows or registry.names()
        polled = [name for name in names if registry.live(name).poll is not None]
        self._lookout.watch(ERRANDS, workflows=list(names), polled=polled, known=list(registry.names()))

    def start(self) -> None:
        """Launch the durable engine and what goes on beside it."""
        self.watch()
        self.durable.launch()
        self.beat()
        jobs: list[tuple[float, Callable[[], None]]] = [(ROUND_SECONDS, self.dispatch), (self.beat_seconds, self.beat)]
        if self.triggers:
            jobs += [(ROUND_SECONDS, self.hear), (1.0, self.poll)]
        for seconds, job in jobs:
            thread = threading.Thread(target=self._every, args=(seconds, job), name=f"runs-{job.__name__}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self, *, grace_seconds: float = 3.0) -> None:
        """Let steps end for so long; what is under way then goes back to its queue, for others or for later."""
        self._stop.set()
        ends = time.monotonic() + grace_seconds
        for thread in self._threads:
            thread.join(max(0.0, ends - time.monotonic()))
        self.durable.stop(grace_seconds=max(0.0, ends - time.monotonic()))
        with self.runtime.store.without_tenant() as session:
            ended = update(Executor).where(Executor.id == self.durable.executor_id).values(ended_at=clock.now())
            session.execute(ended)

    def dispatch(self) -> None:
        """What is queued is handed over, what waited long enough goes on: a few of each shop, in no order of shops."""
        for tenant_id in self._lookout.due(_QUEUED):
            self._hand_over(tenant_id)
        for tenant_id in self._lookout.due(_WAITING):
            self._wake(tenant_id)

    def hear(self) -> None:
        """What came in begins its runs, and what somebody wants again is begun again."""
        for tenant_id in self._lookout.due(_HEARD):
            triggers.hear(self.runtime, tenant_id)

    def poll(self) -> None:
        """Systems are asked what is to be done, where that is due."""
        for tenant_id in self._lookout.due(_POLLED):
            triggers.poll_due(self.runtime, tenant_id, wiring=self.durable.wiring, only=self.workflows)

    def beat(self) -> None:
        """Say that we live; see who does not."""
        now = clock.now()
        values = {"version": PROTOCOL, "workflows": list(self.workflows), "heartbeat_at": now, "ended_at": None}
        made = insert(Executor).values(id=self.durable.executor_id, started_at=now, **values)
        with self.runtime.store.without_tenant() as session:
            session.execute(made.on_conflict_do_update(index_elements=["id"], set_=values))
        self.durable.find_lost()
        self.adopt()
        for tenant_id in self._lookout.due(_ORPHANED):
            orphans.tell(self.runtime, tenant_id)
        if self._forgot_over_at + self.forget_seconds <= (stamp := now.timestamp()):
            self._forgot_over_at = stamp
            self.forget_over()
        if self._forgot_at + _HOUR <= stamp:
            self._forgot_at = stamp
            self.forget_old()

    def adopt(self) -> int:
        """Runs of processes that have been silent for too long go back to their queues; how many."""
        adopted = 0
        with self.runtime.store.alone("", "pipeline adopts") as mine:
            for executor_id in self._dead() if mine else ():
                count = self.durable.adopt(executor_id)
                adopted += count
                with self.runtime.store.without_tenant() as session:
                    ended = update(Executor).where(Executor.id == executor_id).values(ended_at=clock.now())
                    session.execute(ended)
                log.warning("runs adopted", of=executor_id, runs=count)
        return adopted

    def forget_over(self) -> int:
        """What the engine kept of runs that are over: it knows no customer who could be erased; of how many."""
        with self.runtime.store.alone("", "pipeline forgets") as mine:
            return self.durable.forget_over(before=clock.now() - self.kept) if mine else 0

    def forget_old(self) -> None:
        """Retention: runs and steps by the shop's policy."""
        for tenant_id in self.runtime.store.tenant_ids(suspended=True):
            forget_runs(self.runtime, tenant_id)
            orphans.close_replays(self.runtime, tenant_id)
        with self.runtime.store.without_tenant() as session:
            session.execute(delete(Executor).where(Executor.ended_at < clock.now() - FORGET_EXECUTORS))

    def _dead(self) -> list[str]:
        query = select(Executor.id).where(
            Executor.ended_at.is_(None), Executor.heartbeat_at < clock.now() - self.dead_after
        )
        with self.runtime.store.without_tenant() as session:
            return list(session.scalars(query))

    def _hand_over(self, tenant_id: str) -> None:
        now = clock.now()
        stale = or_(RunRow.handed_at.is_(None), RunRow.handed_at < now - _HANDED_AGAIN)
        query = select(RunRow).where(
            RunRow.tenant_id == tenant_id, RunRow.status == RunStatus.QUEUED, stale, *self._ours()
        )
        query = query.order_by(RunRow.created_at).limit(AT_ONCE).with_for_update(skip_locked=True)
        with self.runtime.unit_of_work(tenant_id) as session:
            for row in session.scalars(query).all():
                self.durable.hand_over(row)
                row.handed_at = now

    def _wake(self, tenant_id: str) -> None:
        now = clock.now()
        with self.runtime.unit_of_work(tenant_id) as session:
            awake = exists().where(
                Connection.tenant_id == tenant_id,
                Connection.status == ConnectionStatus.ACTIVE,
                Connection.status_at > now - _JUST_WOKEN,
            )
            due = or_(RunRow.next_try_at <= now, RunRow.error_code.in_(ASLEEP_CODES) & awake)
            query = select(RunRow).where(
                RunRow.tenant_id == tenant_id,
                RunRow.status == RunStatus.WAITING,
                RunRow.next_try_at.is_not(None),
                due,
                *self._ours(),
            )
            query = query.order_by(RunRow.next_try_at).limit(AT_ONCE).with_for_update(skip_locked=True)
            rows = session.scalars(query).all()
            self.durable.wake(rows)
            for row in rows:
                row.next_try_at, row.error_code = now + _LEASE, ""

    def _ours(self) -> tuple[ColumnElement[bool], ...]:
        """A shadow is nobody's but whose it is that plays it."""
        return RunRow.workflow.in_(self.workflows or registry.names()), RunRow.mode == RunMode.LIVE

    def _every(self, seconds: float, job: Callable[[], None]) -> None:
        while not self._stop.wait(seconds):
            try:
                job()
            except Exception:
                log.exception("pipeline's round failed", job=job.__name__)


def forget_runs(runtime: Runtime, tenant_id: str) -> int:
    """Drop runs that ended longer ago than the shop keeps them; how many. Their steps go with them."""
    with runtime.unit_of_work(tenant_id) as session:
        policy = policy_of(session, tenant_id, PipelinePolicy)
        now = clock.now()
        well = RunRow.status == RunStatus.DONE
        old = or_(
            well & (RunRow.ended_at < now - timedelta(days=policy.runs_days)),
            ~well & (RunRow.ended_at < now - timedelta(days=policy.failed_days)),
        )
        gone = delete(RunRow).where(RunRow.tenant_id == tenant_id, old)
        result: Any = session.execute(gone.execution_options(synchronize_session=False))
        return int(result.rowcount)


def executor_name() -> str:
    """A name for this process, told from any other that ever was."""
    return f"{platform.node()[:40]}:{os.getpid()}:{secrets.token_hex(4)}"
