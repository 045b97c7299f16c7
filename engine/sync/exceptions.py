"""The exception queue: runs that a person has to look at, put right, and have done again, one or all of one cause."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, delete, func, null, or_, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from engine.kit import audit, clock
from engine.kit.errors import Conflict, InvalidInput, NotFound
from engine.kit.ids import new_id
from engine.kit.pagination import Page, cursor_moment, decode_cursor, encode_cursor
from engine.kit.views import View
from engine.sync.errors import Rejected, SyncError
from engine.sync.states import EXCEPTION
from engine.sync.wire import storable
from engine.sync.work_models import ExceptionRow, ExceptionStatus

LEASE: Final = timedelta(minutes=5)
OPEN: Final = (ExceptionStatus.OPEN, ExceptionStatus.RETRYING)
_REASON_LIMIT: Final = 500
_VARIES: Final = re.compile(r"\b[\w.#@-]*\d[\w.#@-]*|'[^']*'|\"[^\"]*\"")
"""What differs between two messages about the same: numbers, ids, what stands in quotes."""


class Cause(View):
    """Everything that stopped for the same reason."""

    fingerprint: str
    workflow: str
    step: str
    code: str
    reason: str
    """In the words of one of them."""
    count: int


def put(
    session: Session,
    tenant_id: str,
    *,
    workflow: str,
    workflow_id: str,
    subject: str,
    error: SyncError,
    payload: Mapping[str, Any],
    step: str = "",
    connection_id: str | None = None,
    times: int = 1,
) -> ExceptionRow:
    """A run stopped. One that is in the queue already is there once more, open, with what was seen last: ``payload`` is
    what it worked on, a fix of an earlier one is over. ``times``: how often it had stopped before it came here.
    """
    faults = [{"path": one.path, "message": one.message} for one in _faults(error)]
    values = {
        "step": step,
        "connection_id": connection_id,
        "subject": subject[:120],
        "code": error.code,
        "reason": error.message[:_REASON_LIMIT],
        "fields": faults,
        "payload": _storable(payload),
        "fixed": null(),
        "fingerprint": fingerprint(workflow, step, error),
        "status": ExceptionStatus.OPEN,
        "last_at": clock.now(),
        "taken_until": None,
    }
    first = {"times": times, "retries": 0, "first_at": clock.now(), "decided_by": ""}
    keys = {"tenant_id": tenant_id, "workflow": workflow, "workflow_id": workflow_id}
    row = insert(ExceptionRow).values(id=new_id("exception"), **keys, **values, **first)
    again = row.on_conflict_do_update(
        index_elements=["tenant_id", "workflow_id"],
        index_where=text("status IN ('open', 'retrying')"),  # as the index has it: values would not be recognized
        set_=values | {"times": ExceptionRow.times + 1},
    )
    made = session.scalar(again.returning(ExceptionRow.id))
    return session.get_one(ExceptionRow, (tenant_id, made), populate_existing=True)


def fingerprint(workflow: str, step: str, error: SyncError) -> str:
    """The same for what has the same cause: workflow, step, class, fields, and the words without what varies."""
    paths = sorted(re.sub(r"\d+", "#", one.path) for one in _faults(error))
    said = "|".join([workflow, step, error.code, *paths, _VARIES.sub("#", error.message)])
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def get(session: Session, tenant_id: str, exception_id: str, *, lock: bool = False) -> ExceptionRow:
    """Raises ``NotFound``."""
    row = session.get(ExceptionRow, (tenant_id, exception_id), with_for_update=lock, populate_existing=lock)
    if row is None:
        raise NotFound("There is no such exception.")
    return row


def listed(
    session: Session,
    tenant_id: str,
    *,
    status: ExceptionStatus | None = ExceptionStatus.OPEN,
    workflow: str | None = None,
    cause: str | None = None,
    subject: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[ExceptionRow]:
    """The queue, what stopped last first."""
    wanted: list[ColumnElement[bool]] = [ExceptionRow.tenant_id == tenant_id]
    asked = (
        (ExceptionRow.status, status),
        (ExceptionRow.workflow, workflow),
        (ExceptionRow.fingerprint, cause),
        (ExceptionRow.subject, subject),
    )
    wanted += [column == value for column, value in asked if value is not None]
    if cursor:
        at, row_id = decode_cursor(cursor, size=2)
        wanted.append(tuple_(ExceptionRow.last_at, ExceptionRow.id) < (cursor_moment(at), str(row_id)))
    order = (ExceptionRow.last_at.desc(), ExceptionRow.id.desc())
    rows = list(session.scalars(select(ExceptionRow).where(*wanted).order_by(*order).limit(limit + 1)))
    if len(rows) <= limit:
        return Page(rows)
    last = rows[limit - 1]
    return Page(rows[:limit], encode_cursor([last.last_at.isoformat(), last.id]))


def causes(session: Session, tenant_id: str) -> list[Cause]:
    """What is open, by what caused it, the most frequent first."""
    keys = (ExceptionRow.fingerprint, ExceptionRow.workflow, ExceptionRow.step, ExceptionRow.code)
    query = (
        select(*keys, func.min(ExceptionRow.reason), func.count())  # any of them: the words differ in numbers alone
        .where(ExceptionRow.tenant_id == tenant_id, ExceptionRow.status == ExceptionStatus.OPEN)
        .group_by(*keys)
        .order_by(func.count().desc(), ExceptionRow.fingerprint)
    )
    return [
        Cause(fingerprint=one[0], workflow=one[1], step=one[2], code=one[3], reason=one[4], count=one[5])
        for one in session.execute(query)
    ]


def fix(session: Session, tenant_id: str, exception_id: str, *, actor: str, payload: Mapping[str, Any]) -> ExceptionRow:
    """Put its payload right, and have it done again with that. Raises ``NotFound``, ``IllegalTransition``."""
    row = get(session, tenant_id, exception_id, lock=True)
    row.fixed = _storable(payload)
    return _again(session, row, actor, "exception.fixed")


def retry(session: Session, tenant_id: str, exception_id: str, *, actor: str) -> ExceptionRow:
    """Have it done again as it is. Raises ``NotFound``, ``IllegalTransition``."""
    return _again(session, get(session, tenant_id, exception_id, lock=True), actor, "exception.retried")


def retry_cause(
    session: Session, tenant_id: str, cause: str, *, actor: str, dry_run: bool = True, most: int = 1_000
) -> Sequence[str]:
    """Have everything of one cause done again; the ids of what is (``dry_run``: would be), oldest first."""
    query = select(ExceptionRow.id).where(
        ExceptionRow.tenant_id == tenant_id,
        ExceptionRow.fingerprint == cause,
        ExceptionRow.status == ExceptionStatus.OPEN,
    )
    query = query.order_by(ExceptionRow.first_at, ExceptionRow.id).limit(most)
    if dry_run:
        return list(session.scalars(query))
    ids = list(session.scalars(query.with_for_update()))
    values = {
        "status": ExceptionStatus.RETRYING,
        "retries": ExceptionRow.retries + 1,
        "taken_until": None,
        "decided_by": actor,
    }
    its = update(ExceptionRow).where(ExceptionRow.tenant_id == tenant_id, ExceptionRow.id.in_(ids)).values(values)
    session.execute(its.execution_options(synchronize_session=False))
    session.expire_all()
    facts = {"count": len(ids)}
    audit.record(session, tenant_id, actor=actor, action="exception.cause_retried", subject=cause, facts=facts)
    return ids


def dismiss(session: Session, tenant_id: str, exception_id: str, *, actor: str) -> ExceptionRow:
    """Nothing more is to be done about it. Raises ``NotFound``, ``IllegalTransition``."""
    row = get(session, tenant_id, exception_id, lock=True)
    return _close(session, row, ExceptionStatus.DISMISSED, actor)


def reopen(session: Session, tenant_id: str, exception_id: str, *, actor: str) -> ExceptionRow:
    """Something is to be done after all. Raises ``NotFound``, ``IllegalTransition``."""
    row = get(session, tenant_id, exception_id, lock=True)
    before = EXCEPTION.check(row.status, ExceptionStatus.OPEN)
    again = select(ExceptionRow.id).where(
        ExceptionRow.tenant_id == tenant_id, ExceptionRow.workflow_id == row.workflow_id, ExceptionRow.status.in_(OPEN)
    )
    if session.scalar(again.limit(1)):
        raise Conflict("This run is in the queue already, under a newer number.")
    row.status, row.closed_at = before, None
    _note(session, row, actor, "exception.reopened")
    return row


def take_wanted(session: Session, tenant_id: str, *, limit: int = 50) -> list[ExceptionRow]:
    """What somebody wants done again and nobody is at, for ``LEASE``: commit, then start its run with
    ``row.fixed or row.payload``, then ``resolved``; ``put`` opens it again. One that nobody finished comes again.
    """
    now = clock.now()
    query = select(ExceptionRow).where(
        ExceptionRow.tenant_id == tenant_id,
        ExceptionRow.status == ExceptionStatus.RETRYING,
        or_(ExceptionRow.taken_until.is_(None), ExceptionRow.taken_until <= now),
    )
    query = query.order_by(ExceptionRow.first_at, ExceptionRow.id).limit(limit).with_for_update(skip_locked=True)
    rows = list(session.scalars(query.execution_options(populate_existing=True)))
    for row in rows:
        row.taken_until = now + LEASE
    return rows


def resolved(session: Session, tenant_id: str, workflow_id: str, *, actor: str = "system") -> None:
    """A run went well: whatever stood in the queue of it is closed."""
    query = select(ExceptionRow).where(
        ExceptionRow.tenant_id == tenant_id,
        ExceptionRow.workflow_id == workflow_id,
        ExceptionRow.status.in_(OPEN),
    )
    for row in session.scalars(query.with_for_update().execution_options(populate_existing=True)):
        _close(session, row, ExceptionStatus.RESOLVED, actor)


def forget_old(session: Session, tenant_id: str, *, keep: timedelta) -> None:
    """Drop what was closed longer ago than ``keep``."""
    session.execute(
        delete(ExceptionRow).where(ExceptionRow.tenant_id == tenant_id, ExceptionRow.closed_at < clock.now() - keep)
    )


def _again(session: Session, row: ExceptionRow, actor: str, action: str) -> ExceptionRow:
    row.status = EXCEPTION.check(row.status, ExceptionStatus.RETRYING)
    row.retries += 1
    row.taken_until, row.decided_by = None, actor
    _note(session, row, actor, action)
    return row


def _close(session: Session, row: ExceptionRow, status: ExceptionStatus, actor: str) -> ExceptionRow:
    row.status = EXCEPTION.check(row.status, status)
    row.closed_at, row.decided_by = clock.now(), actor
    _note(session, row, actor, f"exception.{status}")
    return row


def _note(session: Session, row: ExceptionRow, actor: str, action: str) -> None:
    facts = {"workflow": row.workflow, "code": row.code, "fingerprint": row.fingerprint}
    audit.record(session, row.tenant_id, actor=actor, action=action, subject=row.id, facts=facts)


def _storable(payload: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return dict(storable(dict(payload)))
    except ValueError as error:
        raise InvalidInput(f"A payload cannot be kept: {error}.", param="payload") from None


def _faults(error: SyncError) -> tuple[Any, ...]:
    return error.fields if isinstance(error, Rejected) else ()
