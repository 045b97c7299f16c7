"""The rows of runs and steps, written beside the durable engine: the operations page reads these and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import ColumnElement, Select, and_, exists, or_, select, update
from sqlalchemy.orm import Session

from engine.kit import clock
from engine.kit.direct import Refused, Row, Statement
from engine.runtime import Runtime
from engine.sync import exceptions, observed
from engine.sync.errors import SyncError, UnknownOutcome
from engine.sync.work_models import ExceptionRow, ExceptionStatus
from engine.workflows.models import OPEN_RUNS, RunMode, RunRow, RunStatus, StepRow, StepStatus
from engine.workflows.states import RUN
from engine.workflows.ticket import Canceled, Ticket

_SHOWN: Final = 4_000
_STEP: Final = "tenant_id = %(tenant)s AND run_id = %(run)s AND turn = %(turn)s AND place = %(place)s"
_BEFORE: Final = Statement(
    f"SELECT status, error_code FROM app.sync_steps WHERE {_STEP} FOR UPDATE"  # noqa: S608 (our own words)
)
_EARLIER: Final = Statement(
    """WITH earlier AS (SELECT status, error_code, turn, max(turn) OVER () AS newest FROM app.sync_steps
WHERE tenant_id = %(tenant)s AND run_id = %(run)s AND turn < %(turn)s AND name = %(name)s)
SELECT status, error_code FROM earlier WHERE turn = newest"""
)
"""How the last turn that came to a step of this name left it."""
_BEGIN_STEP: Final = Statement(
    """INSERT INTO app.sync_steps AS s (tenant_id, run_id, turn, place, name, status, attempts, started_at, error_code,
error, result)
VALUES (%(tenant)s, %(run)s, %(turn)s, %(place)s, %(name)s, 'running', 1, %(now)s, '', '', '')
ON CONFLICT (tenant_id, run_id, turn, place) DO UPDATE SET status = 'running', attempts = s.attempts + 1,
ended_at = NULL, next_try_at = NULL"""
)
_STILL_OURS: Final = Statement(
    f"""WITH ours AS (UPDATE app.sync_runs SET status = 'running', step = %(name)s, next_try_at = NULL,
executor_id = %(executor)s, started_at = coalesce(started_at, %(now)s),
attempts = (SELECT attempts FROM app.sync_steps WHERE {_STEP})
WHERE tenant_id = %(tenant)s AND id = %(run)s AND turn = %(turn)s AND status IN ('queued', 'running', 'waiting')
RETURNING 1)
SELECT 1 / count(*) FROM ours"""  # noqa: S608 (our own words)
)
"""Nothing is begun where the run is over or begun anew: the division fails, and what goes with it is taken back."""
_END_STEP: Final = Statement(
    f"""UPDATE app.sync_steps SET status = 'done', ended_at = %(now)s, error_code = '', error = '', result = %(result)s
WHERE {_STEP}"""  # noqa: S608 (our own words)
)


def find(session: Session, ticket: Ticket) -> RunRow:
    """The run. Raises ``Canceled`` where it is over or begun anew."""
    row = session.scalars(_going_on(ticket)).one_or_none()
    if row is None:
        raise Canceled(ticket.run_id)
    return row


def going_on(session: Session, tenant_id: str, tickets: Iterable[Ticket]) -> set[Ticket]:
    """Those of a shop's that are not over."""
    wanted = list(tickets)
    query = select(RunRow.id, RunRow.turn).where(
        RunRow.tenant_id == tenant_id, RunRow.id.in_([one.run_id for one in wanted]), RunRow.status.in_(OPEN_RUNS)
    )
    there = {Ticket(tenant_id, run_id, turn) for run_id, turn in session.execute(query)}
    return there & set(wanted)


def unended(tenant_id: str, workflow: str) -> ColumnElement[bool]:
    """Live runs that are under way, or failed and wait for a person: what they began may not be known of yet."""
    waits = exists().where(
        ExceptionRow.tenant_id == tenant_id,
        ExceptionRow.workflow_id == RunRow.id,
        ExceptionRow.status.in_((ExceptionStatus.OPEN, ExceptionStatus.RETRYING)),
    )
    return and_(
        RunRow.tenant_id == tenant_id,
        RunRow.workflow == workflow,
        RunRow.mode == RunMode.LIVE,
        or_(RunRow.status.in_(OPEN_RUNS), and_(RunRow.status == RunStatus.FAILED, waits)),
    )


def unended_of(session: Session, tenant_id: str, workflow: str, orders: Iterable[str]) -> set[str]:
    """Those of the orders, by what people call them, of which a run of the workflow has not ended."""
    named = (RunRow.subject_kind == "order", RunRow.subject_ref.in_(set(orders)))
    return set(session.scalars(select(RunRow.subject_ref).where(unended(tenant_id, workflow), *named)))


def begin_step(runtime: Runtime, ticket: Ticket, place: int, name: str, *, executor_id: str) -> bool:
    """The step is begun. ``True``: it may have been done before, in this turn or an earlier one, and nobody has looked
    since. Raises ``Canceled``.
    """
    values = _at(ticket, place) | {"name": name[:80], "now": clock.now(), "executor": executor_id}
    asks = [(statement, values) for statement in (_BEFORE, _EARLIER, _BEGIN_STEP, _STILL_OURS)]
    try:
        before, earlier, *_ = runtime.store.ask(ticket.tenant_id, *asks)
    except Refused:
        raise Canceled(ticket.run_id) from None
    if before:
        return any(row["status"] == StepStatus.DONE or _is_unsure(row) for row in before)
    return any(map(_is_unsure, earlier))


def _is_unsure(step: Row) -> bool:
    """Somebody died over it, or did not hear what became of it."""
    return bool(step["status"] == StepStatus.RUNNING or step["error_code"] == UnknownOutcome.code)


def end_step(runtime: Runtime, ticket: Ticket, place: int, value: Any) -> None:
    """It was done; ``value`` is shown."""
    shown = orjson.dumps(value)[:_SHOWN].decode("utf-8", "ignore")
    values = _at(ticket, place) | {"now": clock.now(), "result": shown}
    runtime.store.ask(ticket.tenant_id, (_END_STEP, values))


def fail_step(
    runtime: Runtime, ticket: Ticket, place: int, error: SyncError, *, until: datetime | None, unsure: bool
) -> None:
    """It failed, and comes again then; without a time for good. ``unsure``: it may have been done, and its row says
    that until somebody has looked.
    """
    over = until is None
    if not over:
        observed.retried(workflow_of(ticket), error.code)
    with runtime.unit_of_work(ticket.tenant_id) as session:
        _set_step(
            session,
            ticket,
            place,
            status=StepStatus.FAILED if over else StepStatus.WAITING,
            ended_at=clock.now() if over else None,
            next_try_at=until,
            **_why(error, unsure=unsure),
        )


def wait(
    runtime: Runtime,
    ticket: Ticket,
    place: int,
    name: str,
    *,
    until: datetime,
    error: SyncError | None,
    unsure: bool = False,
) -> None:
    """The run waits. ``unsure`` as of ``fail_step``. Raises ``Canceled``."""
    why = _why(error) if error else {"error_code": "", "error": ""}
    with runtime.unit_of_work(ticket.tenant_id) as session:
        if error is not None:
            told = _why(error, unsure=unsure)
            _set_step(session, ticket, place, status=StepStatus.WAITING, next_try_at=until, **told)
        _set_run(session, ticket, status=RunStatus.WAITING, step=name[:80], next_try_at=until, **why)


def done(runtime: Runtime, ticket: Ticket, result: dict[str, Any]) -> None:
    """The run went well: what stood of it in the queue is closed."""
    with runtime.unit_of_work(ticket.tenant_id) as session:
        row = _locked(session, ticket)
        _end(row, RunStatus.DONE)
        row.result, row.error_code, row.error = result, "", ""
        if row.mode == RunMode.LIVE:
            exceptions.resolved(session, ticket.tenant_id, ticket.run_id)


def failed(runtime: Runtime, ticket: Ticket, error: SyncError, *, step: str) -> None:
    """The run stopped: a person has to look."""
    with runtime.unit_of_work(ticket.tenant_id) as session:
        row = _locked(session, ticket)
        _end(row, RunStatus.FAILED)
        for name, value in _why(error).items():
            setattr(row, name, value)
        if row.mode == RunMode.LIVE:
            _put(session, row, ticket.run_id, step, error)


def reported(
    runtime: Runtime, ticket: Ticket, error: SyncError, *, step: str, payload: Mapping[str, Any] | None
) -> None:
    """Something of a run that goes on, for the queue. Raises ``Canceled``."""
    with runtime.unit_of_work(ticket.tenant_id) as session:
        row = _locked(session, ticket)
        _put(session, row, part_of(ticket.run_id, step), step, error, payload)


def part_of(run_id: str, step: str) -> str:
    """The name in the queue of what a run reported."""
    return f"{run_id}#{step}"[:200]


def _put(
    session: Session,
    row: RunRow,
    key: str,
    step: str,
    error: SyncError,
    payload: Mapping[str, Any] | None = None,
) -> None:
    exceptions.put(
        session,
        row.tenant_id,
        workflow=row.workflow,
        workflow_id=key,
        subject=f"{row.subject_kind} {row.subject_ref}",
        error=error,
        payload=row.payload if payload is None else payload,
        step=step[:80],
        connection_id=error.connection_id,
    )


def _at(ticket: Ticket, place: int) -> dict[str, Any]:
    return {"tenant": ticket.tenant_id, "run": ticket.run_id, "turn": ticket.turn, "place": place}


def _set_run(session: Session, ticket: Ticket, **values: Any) -> None:
    query = update(RunRow).where(
        RunRow.tenant_id == ticket.tenant_id,
        RunRow.id == ticket.run_id,
        RunRow.turn == ticket.turn,
        RunRow.status.in_(OPEN_RUNS),
    )
    changed: Any = session.execute(query.values(**values).execution_options(synchronize_session=False))
    if not changed.rowcount:
        raise Canceled(ticket.run_id)


def _set_step(session: Session, ticket: Ticket, place: int, **values: Any) -> None:
    query = update(StepRow).where(
        StepRow.tenant_id == ticket.tenant_id,
        StepRow.run_id == ticket.run_id,
        StepRow.turn == ticket.turn,
        StepRow.place == place,
    )
    session.execute(query.values(**values).execution_options(synchronize_session=False))


def workflow_of(ticket: Ticket) -> str:
    """The run's workflow, by its id."""
    return ticket.run_id.split(":", 2)[1]


def _locked(session: Session, ticket: Ticket) -> RunRow:
    row = session.scalars(_going_on(ticket).with_for_update()).one_or_none()
    if row is None:
        raise Canceled(ticket.run_id)
    return row


def _going_on(ticket: Ticket) -> Select[RunRow]:
    return select(RunRow).where(
        RunRow.tenant_id == ticket.tenant_id,
        RunRow.id == ticket.run_id,
        RunRow.turn == ticket.turn,
        RunRow.status.in_(OPEN_RUNS),
    )


def _end(row: RunRow, status: RunStatus) -> None:
    before = RunStatus.RUNNING if row.status in OPEN_RUNS else row.status  # a body without steps was never seen running
    row.status = RUN.check(before, status)
    now = clock.now()
    row.started_at, row.ended_at, row.next_try_at = row.started_at or now, now, None


def _why(error: SyncError, *, unsure: bool = False) -> dict[str, str]:
    code = UnknownOutcome.code if unsure else error.code
    return {"error_code": code, "error": error.message[:500]}
