"""How the pipeline stands, on one page."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine.kit.views import View
from engine.operations.pipeline import runs, stock
from engine.operations.pipeline.runs import Counts, RunView
from engine.sync import connections, exceptions
from engine.sync.exceptions import Cause
from engine.sync.models import Breaker, Connection, Limit
from engine.sync.showing import ConnectionView, shown
from engine.sync.work_models import Delivery, DeliveryStatus, ExceptionRow, ExceptionStatus
from engine.workflows.models import OPEN_RUNS, RunRow, RunStatus

_NAMED = 5


class Deliveries(View):
    """What came in and is not done: ``waiting`` to be worked, ``dead`` after too many attempts."""

    waiting: int
    dead: int


class Overview(View):
    """``retrying``: the runs that try again, what comes next first; ``causes``: what stopped most often."""

    runs: Counts
    retrying: list[RunView]
    exceptions_open: int
    exceptions_retrying: int
    causes: list[Cause]
    deliveries: Deliveries
    connections: list[ConnectionView]
    stock_read_at: datetime | None


def overview(session: Session, tenant_id: str) -> Overview:
    """Everything that somebody looks at first."""
    queue, came = _queue(session, tenant_id), _deliveries(session, tenant_id)
    return Overview(
        runs=runs.counts(session, tenant_id),
        retrying=[runs.shown(row) for row in runs.retrying(session, tenant_id, limit=_NAMED)],
        exceptions_open=queue[ExceptionStatus.OPEN],
        exceptions_retrying=queue[ExceptionStatus.RETRYING],
        causes=exceptions.causes(session, tenant_id)[:_NAMED],
        deliveries=Deliveries(waiting=came[DeliveryStatus.WAITING], dead=came[DeliveryStatus.DEAD]),
        connections=[shown(session, row) for row in connections.listed(session, tenant_id)],
        stock_read_at=stock.last_read(session, tenant_id),
    )


def seal(session: Session, tenant_id: str, *, run_id: str = "", kind: str = "", ref: str = "") -> str:
    """The same as long as what the page shows is the same: of one run, of one business object, or of all."""
    facts: list[object] = []
    if run_id or ref:
        wanted = RunRow.id == run_id if run_id else (RunRow.subject_kind == kind) & (RunRow.subject_ref == ref)
        columns = (RunRow.id, RunRow.turn, RunRow.status, RunRow.step, RunRow.attempts, RunRow.next_try_at)
        query = select(*columns).where(RunRow.tenant_id == tenant_id, wanted).order_by(RunRow.id)
        facts += [tuple(row) for row in session.execute(query)]
    else:
        facts += [runs.counts(session, tenant_id).model_dump(), _newest(session, tenant_id)]
        facts += [sorted(_queue(session, tenant_id).items()), sorted(_deliveries(session, tenant_id).items())]
        facts += _protection(session, tenant_id)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def _newest(session: Session, tenant_id: str) -> object:
    open_ones = (RunRow.tenant_id == tenant_id, RunRow.status.in_(OPEN_RUNS))
    waits = (RunRow.tenant_id == tenant_id, RunRow.status == RunStatus.WAITING)
    return (
        session.scalar(select(func.max(RunRow.created_at)).where(RunRow.tenant_id == tenant_id)),
        session.scalar(select(func.sum(RunRow.attempts)).where(*open_ones)),
        session.scalar(select(func.max(RunRow.next_try_at)).where(*waits)),
    )


def _queue(session: Session, tenant_id: str) -> Counter[str]:
    query = select(ExceptionRow.status, func.count()).where(
        ExceptionRow.tenant_id == tenant_id, ExceptionRow.status.in_(exceptions.OPEN)
    )
    return Counter({str(status): number for status, number in session.execute(query.group_by(ExceptionRow.status))})


def _deliveries(session: Session, tenant_id: str) -> Counter[str]:
    query = select(Delivery.status, func.count()).where(
        Delivery.tenant_id == tenant_id, Delivery.status.in_((DeliveryStatus.WAITING, DeliveryStatus.DEAD))
    )
    return Counter({str(status): number for status, number in session.execute(query.group_by(Delivery.status))})


def _protection(session: Session, tenant_id: str) -> list[object]:
    query = (
        select(Connection.id, Connection.status, Breaker.state, Limit.blocked_until)
        .join(Breaker, (Breaker.tenant_id == Connection.tenant_id) & (Breaker.connection_id == Connection.id))
        .join(Limit, (Limit.tenant_id == Connection.tenant_id) & (Limit.connection_id == Connection.id))
        .where(Connection.tenant_id == tenant_id)
        .order_by(Connection.id)
    )
    return [tuple(row) for row in session.execute(query)]
