"""Runs: begun once for a business key, begun anew, canceled, looked at. Whoever executes takes them from their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from sqlalchemy import ColumnElement, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from engine.kit import audit, clock, tracing
from engine.kit.errors import Conflict, InvalidInput, NotFound
from engine.kit.pagination import Page, cursor_moment, decode_cursor, encode_cursor
from engine.runtime import Runtime
from engine.sync.models import Call
from engine.sync.wire import storable
from engine.workflows import registry
from engine.workflows.definition import Workflow
from engine.workflows.models import OPEN_RUNS, RunMode, RunRow, RunStatus, StepRow
from engine.workflows.states import RUN

LONGEST_ID: Final = 180
_LONGEST_REST: Final = timedelta(hours=6)
"""What was passed over is looked at again once it was left for as long as it had been there by then, or for this."""


class NotTaken(InvalidInput):
    """A payload that is none of this workflow's."""

    code = "payload_refused"


class RunUnderWay(Conflict):
    code = "run_under_way"


class NotLive(Conflict):
    """A shadow is played by whoever compares it, and by nobody else."""

    code = "run_not_live"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A run as it would be begun."""

    workflow: Workflow[Any]
    id: str
    payload: dict[str, Any]
    subject: tuple[str, str]


def start(
    runtime: Runtime,
    tenant_id: str,
    workflow: str,
    payload: Mapping[str, Any] | BaseModel,
    *,
    trigger: str,
    trace_id: str = "",
) -> tuple[str, bool]:
    """The run's id, and whether it is new: the same key twice is the first. It is durable when this returns, and
    executed by whoever executes. Raises ``NoSuchWorkflow``, ``NotTaken``.
    """
    with runtime.unit_of_work(tenant_id) as session:
        return begin(session, tenant_id, workflow, payload, trigger=trigger, trace_id=trace_id)


def begin(
    session: Session,
    tenant_id: str,
    workflow: str,
    payload: Mapping[str, Any] | BaseModel,
    *,
    trigger: str,
    trace_id: str = "",
) -> tuple[str, bool]:
    """As ``start``, in a transaction of the caller's."""
    run = wanted(tenant_id, workflow, payload)
    return run.id, bool(_insert(session, [_row(tenant_id, run, trigger, trace_id)]))


def begin_all(
    session: Session, tenant_id: str, workflow: str, payloads: Sequence[Mapping[str, Any] | BaseModel], *, trigger: str
) -> int:
    """As ``begin``, of many: a list that is read again has few that are new. How many that were, with those of them
    that were passed over and are looked at again.
    """
    runs = {run.id: run for run in (wanted(tenant_id, workflow, payload) for payload in payloads)}
    query = select(RunRow.id).where(RunRow.tenant_id == tenant_id, RunRow.id.in_(runs))
    there = set(session.scalars(query))
    new = [_row(tenant_id, run, trigger, "") for name, run in runs.items() if name not in there]
    again = _look_again(session, tenant_id, {name: runs[name] for name in there}, trigger)
    return again + (_insert(session, new) if new else 0)


def _look_again(session: Session, tenant_id: str, there: Mapping[str, Wanted], trigger: str) -> int:
    """Begin anew what was passed over; how many."""
    which = [name for name, run in there.items() if run.workflow.looks_again]
    if not which:
        return 0
    query = select(RunRow).where(
        RunRow.tenant_id == tenant_id,
        RunRow.id.in_(which),
        RunRow.status == RunStatus.DONE,
        RunRow.result.has_key("skipped"),
        RunRow.ended_at + func.least(RunRow.ended_at - RunRow.created_at, _LONGEST_REST) <= clock.now(),
    )
    rows = session.scalars(query.with_for_update(skip_locked=True)).all()
    for row in rows:
        run = there[row.id]
        anew(row, run.workflow)
        row.payload, row.trigger = run.payload, trigger[:120]
    return len(rows)


def _insert(session: Session, rows: list[dict[str, Any]]) -> int:
    """How many of them are new."""
    made = insert(RunRow).values(rows).on_conflict_do_nothing().returning(RunRow.id)
    return len(session.scalars(made).all())


def _row(tenant_id: str, run: Wanted, trigger: str, trace_id: str) -> dict[str, Any]:
    return {
        "tenant_id": tenant_id,
        "id": run.id,
        "workflow": run.workflow.name,
        "version": run.workflow.version,
        "mode": RunMode.LIVE,
        "status": RunStatus.QUEUED,
        "turn": 1,
        "subject_kind": run.subject[0][:20],
        "subject_ref": run.subject[1][:120],
        "payload": run.payload,
        "trigger": trigger[:120],
        "trace_id": (trace_id or tracing.current() or tracing.of(run.id))[:64],
        "step": "",
        "attempts": 0,
        "error_code": "",
        "error": "",
        "executor_id": "",
        "created_at": clock.now(),
    }


def wanted(tenant_id: str, workflow: str, payload: Mapping[str, Any] | BaseModel) -> Wanted:
    """What would be begun; nothing is. Raises ``NoSuchWorkflow``, ``NotTaken``."""
    found = registry.live(workflow)
    said = payload.model_dump(mode="json") if isinstance(payload, BaseModel) else dict(payload)
    read = read_payload(found, said)
    run_id = run_id_of(tenant_id, workflow, found.key(read))
    kept: dict[str, Any] = storable(read.model_dump(mode="json"))
    return Wanted(found, run_id, kept, found.subject(read))


def read_payload(workflow: Workflow[Any], said: Mapping[str, Any]) -> BaseModel:
    """Raises ``NotTaken`` that names the first field that is wrong."""
    try:
        read: BaseModel = workflow.payload.model_validate(dict(said))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, ("payload", *first["loc"])))
        raise NotTaken(f"{where}: {first['msg']}.", param=where) from None
    return read


def run_id_of(tenant_id: str, workflow: str, key: str) -> str:
    """``{tenant}:{workflow}:{key}``. Raises ``NotTaken`` for a key that is none."""
    run_id = f"{tenant_id}:{workflow}:{key}"
    if not key or len(run_id) > LONGEST_ID:
        raise NotTaken("Its business key is empty or longer than any.", param="payload")
    return run_id


def retry(
    session: Session,
    tenant_id: str,
    run_id: str,
    *,
    actor: str,
    payload: Mapping[str, Any] | None = None,
    reason: str = "",
) -> RunRow:
    """Begin a run anew that is over, from the top: what it did is found by its keys and not done twice.
    ``payload`` is what a person put right; it is of the same business key. Raises ``NotFound``, ``IllegalTransition``,
    ``NotTaken``, ``NotLive``.
    """
    return again(session, get(session, tenant_id, run_id, lock=True), actor=actor, payload=payload, reason=reason)


def again(
    session: Session, row: RunRow, *, actor: str, payload: Mapping[str, Any] | None = None, reason: str = ""
) -> RunRow:
    """As ``retry``, of a row that the caller has locked."""
    if row.mode != RunMode.LIVE:
        raise NotLive("This is a shadow: play it again with icommerce replay.")
    workflow = registry.live(row.workflow)
    if payload is not None:
        read = read_payload(workflow, payload)
        if run_id_of(row.tenant_id, row.workflow, workflow.key(read)) != row.id:
            raise NotTaken("The payload is another run's: it has another business key.", param="payload")
        row.payload = storable(read.model_dump(mode="json"))
    anew(row, workflow)
    _note(session, row, actor, "run.retried", reason)
    return row


def anew(row: RunRow, workflow: Workflow[Any]) -> None:
    """Another turn. Raises ``IllegalTransition``."""
    row.status = RUN.check(row.status, RunStatus.QUEUED)
    row.version, row.turn = workflow.version, row.turn + 1
    row.handed_at = row.ended_at = row.next_try_at = row.started_at = None
    row.step, row.attempts, row.result, row.executor_id = "", 0, None, ""


def cancel(session: Session, tenant_id: str, run_id: str, *, actor: str, reason: str) -> RunRow:
    """It stops before its next step; what it did stays done. Raises ``NotFound``, ``IllegalTransition``."""
    if not reason.strip():
        raise InvalidInput("Say why the run is canceled.", param="reason")
    row = get(session, tenant_id, run_id, lock=True)
    row.status = RUN.check(row.status, RunStatus.CANCELED)
    row.ended_at, row.next_try_at = clock.now(), None
    row.error_code, row.error = "canceled", reason.strip()[:500]
    _note(session, row, actor, "run.canceled", reason)
    return row


def hasten(session: Session, tenant_id: str, run_id: str, *, actor: str) -> RunRow:
    """One that waits tries again now. Raises ``NotFound``, ``RunUnderWay`` where it does not wait."""
    row = get(session, tenant_id, run_id, lock=True)
    if row.status != RunStatus.WAITING:
        raise RunUnderWay(f"This run is {row.status}: it waits for nothing.")
    row.next_try_at = clock.now()
    _note(session, row, actor, "run.hastened", "")
    return row


def get(session: Session, tenant_id: str, run_id: str, *, lock: bool = False) -> RunRow:
    """Raises ``NotFound``."""
    row = session.get(RunRow, (tenant_id, run_id), with_for_update=lock, populate_existing=lock)
    if row is None:
        raise NotFound("There is no such run.")
    return row


def listed(
    session: Session,
    tenant_id: str,
    *,
    status: Sequence[RunStatus] = (),
    workflow: str | None = None,
    retrying: bool = False,
    subject: tuple[str, str] | None = None,
    mode: RunMode | None = RunMode.LIVE,
    begun_before: datetime | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[RunRow]:
    """Runs, the newest first. ``retrying``: those that wait for their next attempt, and no others."""
    conditions: list[ColumnElement[bool]] = [RunRow.tenant_id == tenant_id]
    if mode is not None:
        conditions.append(RunRow.mode == mode)
    if retrying:
        conditions += [RunRow.status == RunStatus.WAITING, RunRow.next_try_at.is_not(None)]
    elif status:
        conditions.append(RunRow.status.in_(status))
    if workflow is not None:
        conditions.append(RunRow.workflow == workflow)
    if subject is not None:
        conditions += [RunRow.subject_kind == subject[0], RunRow.subject_ref == subject[1]]
    if begun_before is not None:
        conditions.append(RunRow.created_at <= begun_before)
    if cursor:
        at, row_id = decode_cursor(cursor, size=2)
        conditions.append(tuple_(RunRow.created_at, RunRow.id) < (cursor_moment(at), str(row_id)))
    order = (RunRow.created_at.desc(), RunRow.id.desc())
    rows = list(session.scalars(select(RunRow).where(*conditions).order_by(*order).limit(limit + 1)))
    if len(rows) <= limit:
        return Page(rows)
    last = rows[limit - 1]
    return Page(rows[:limit], encode_cursor([last.created_at.isoformat(), last.id]))


def steps(session: Session, tenant_id: str, run_id: str) -> list[StepRow]:
    """Its steps, turn by turn, in order."""
    query = select(StepRow).where(StepRow.tenant_id == tenant_id, StepRow.run_id == run_id)
    return list(session.scalars(query.order_by(StepRow.turn, StepRow.place)))


def calls(session: Session, tenant_id: str, run_id: str, *, limit: int = 500) -> list[Call]:
    """What it asked of systems, in order, as the journal has it."""
    query = select(Call).where(Call.tenant_id == tenant_id, Call.workflow_id == run_id)
    return list(session.scalars(query.order_by(Call.id).limit(limit)))


def under_way(session: Session, tenant_id: str, *, workflow: str | None = None) -> int:
    """How many are not over."""
    query = (
        select(func.count())
        .select_from(RunRow)
        .where(RunRow.tenant_id == tenant_id, RunRow.status.in_(OPEN_RUNS), RunRow.mode == RunMode.LIVE)
    )
    return session.scalar(query.where(RunRow.workflow == workflow) if workflow else query) or 0


def _note(session: Session, row: RunRow, actor: str, action: str, reason: str) -> None:
    facts = {"run": row.id, "workflow": row.workflow, "turn": row.turn, "reason": reason[:200]}
    audit.record(session, row.tenant_id, actor=actor, action=action, subject=row.id[:80], facts=facts)
