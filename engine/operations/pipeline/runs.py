"""Runs as the shop's people see them: where each is, what it tried, what it asked of systems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session, defer

from engine.kit.views import View
from engine.sync import exceptions
from engine.sync.models import Call, Connection
from engine.sync.showing import CallView
from engine.sync.work_models import ExceptionRow
from engine.workflows import starting
from engine.workflows.models import OPEN_RUNS, RunMode, RunRow, RunStatus, StepRow
from engine.workflows.run import MOST_ATTEMPTS

MOST_CALLS: Final = 2_000
"""Of one run: what is beyond is not shown."""
MOST_OF_ONE: Final = 100
"""Runs of one business object that are looked through."""


class RunView(View):
    """``retrying``: it failed, and tries again at ``next_try_at``. ``attempt`` of ``attempts_allowed`` is of the step
    it is at.
    """

    id: str
    workflow: str
    version: str
    mode: str
    status: str
    retrying: bool
    turn: int
    subject_kind: str
    subject_ref: str
    trigger: str
    trace_id: str
    step: str
    attempt: int
    attempts_allowed: int
    next_try_at: datetime | None
    error_code: str
    error: str
    replay_of: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class StepView(View):
    """One step of one turn. ``result`` is JSON, cut."""

    turn: int
    place: int
    name: str
    status: str
    attempts: int
    started_at: datetime
    ended_at: datetime | None
    next_try_at: datetime | None
    error_code: str
    error: str
    result: str

    @classmethod
    def of(cls, row: StepRow) -> StepView:
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


class CallLine(View):
    """A request of a run, without what was said: that is at `/v1/ops/calls/{id}`."""

    id: int
    connection_id: str
    system: str
    mode: str
    at: datetime
    method: str
    path: str
    reads: bool
    answer: int | None
    outcome: str
    took_ms: int


class RunInFull(RunView):
    payload: dict[str, Any]
    result: dict[str, Any] | None
    steps: list[StepView]
    calls: list[CallLine]
    exception_id: str | None
    """Where it waits for a person."""
    connections: dict[str, str]
    """Of its calls: id → name."""


class Counts(View):
    """How many runs are where."""

    queued: int
    running: int
    waiting: int
    failed: int


def shown(row: RunRow) -> RunView:
    """A run in a list."""
    return RunView(**_told(row))


def in_full(session: Session, tenant_id: str, row: RunRow) -> RunInFull:
    """A run with its steps and what it asked of systems."""
    lines, names = _calls(session, tenant_id, row.id)
    return RunInFull(
        **_told(row),
        payload=row.payload,
        result=row.result,
        steps=[StepView.of(step) for step in starting.steps(session, tenant_id, row.id)],
        calls=lines,
        exception_id=_queued(session, tenant_id, row.id),
        connections=names,
    )


def call(session: Session, tenant_id: str, call_id: int) -> CallView | None:
    """One request with what was said, secrets masked."""
    row = session.get(Call, (tenant_id, call_id)) if call_id < 2**63 else None
    return CallView.of(row) if row else None


def retry(session: Session, tenant_id: str, run_id: str, *, actor: str) -> RunRow:
    """Have one done again that failed or was canceled; what waits in the exception queue is taken from there. Raises
    ``NotFound``, ``IllegalTransition``.
    """
    row = starting.get(session, tenant_id, run_id, lock=True)
    if queued := _queued(session, tenant_id, run_id):
        exceptions.retry(session, tenant_id, queued, actor=actor)
        return row
    return starting.retry(session, tenant_id, run_id, actor=actor)


def counts(session: Session, tenant_id: str) -> Counts:
    """Of what is not over, and of what failed."""
    wanted = (*OPEN_RUNS, RunStatus.FAILED)
    query = (
        select(RunRow.status, func.count())
        .where(RunRow.tenant_id == tenant_id, RunRow.status.in_(wanted), RunRow.mode == RunMode.LIVE)
        .group_by(RunRow.status)
    )
    found = Counter({str(status): number for status, number in session.execute(query)})
    return Counts(**{str(status): found[str(status)] for status in wanted})


def retrying(session: Session, tenant_id: str, *, limit: int) -> Sequence[RunRow]:
    """Runs that try again, what comes next first."""
    query = select(RunRow).where(
        RunRow.tenant_id == tenant_id, RunRow.status == RunStatus.WAITING, RunRow.next_try_at.is_not(None)
    )
    return session.scalars(query.order_by(RunRow.next_try_at, RunRow.id).limit(limit)).all()


def of_subject(session: Session, tenant_id: str, kind: str, ref: str, *, most: int) -> Sequence[RunRow]:
    """All runs that touched a business object, in the order in which they were begun; of more the newest."""
    query = select(RunRow).where(RunRow.tenant_id == tenant_id, RunRow.subject_kind == kind, RunRow.subject_ref == ref)
    newest = session.scalars(query.order_by(RunRow.created_at.desc(), RunRow.id.desc()).limit(most)).all()
    return newest[::-1]


def _queued(session: Session, tenant_id: str, run_id: str) -> str | None:
    """Where it stands in the exception queue."""
    query = select(ExceptionRow.id).where(
        ExceptionRow.tenant_id == tenant_id,
        ExceptionRow.workflow_id == run_id,
        ExceptionRow.status.in_(exceptions.OPEN),
    )
    return session.scalar(query.limit(1))


def _told(row: RunRow) -> dict[str, Any]:
    own = {name for name in RunView.model_fields if hasattr(RunRow, name)}
    return {name: getattr(row, name) for name in own} | {
        "retrying": row.status == RunStatus.WAITING and row.next_try_at is not None,
        "attempt": row.attempts,
        "attempts_allowed": MOST_ATTEMPTS,
    }


def _calls(session: Session, tenant_id: str, run_id: str) -> tuple[list[CallLine], dict[str, str]]:
    query = (
        select(Call, Connection.system, Connection.name)
        .join(Connection, (Connection.tenant_id == Call.tenant_id) & (Connection.id == Call.connection_id))
        .where(Call.tenant_id == tenant_id, Call.workflow_id == run_id)
        .options(defer(Call.request), defer(Call.response))
        .order_by(Call.id)
        .limit(MOST_CALLS)
    )
    lines, names = [], {}
    for row, system, name in session.execute(query):
        own = {field: getattr(row, field) for field in CallLine.model_fields if field != "system"}
        lines.append(CallLine(**own, system=str(system)))
        names[row.connection_id] = name
    return lines, names
