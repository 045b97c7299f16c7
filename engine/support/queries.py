"""Reading cases and macros."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, select, tuple_
from sqlalchemy.orm import Session

from engine.kit.errors import InvalidInput, NotFound
from engine.kit.identity import Identity
from engine.kit.pagination import Page, cursor_moment, cursor_number, decode_cursor, encode_cursor
from engine.support.models import Case, CaseNote, CaseStatus, Macro, Priority
from engine.support.queue import waiting
from engine.support.schemas import CaseView, MacroView

NOBODY: Final = "nobody"
_NOTES: Final = 500


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """What of the cases to see; ``queue`` only what waits for the shop, in the order in which it is due."""

    status: str | None = None
    priority: str | None = None
    assignee: str | None = None
    """A person, ``me``, or ``nobody``."""
    thread_id: str | None = None
    order_id: str | None = None
    number: str | None = None
    queue: bool = False


def cases(
    session: Session, identity: Identity, *, wanted: CaseFilter, limit: int, cursor: str | None
) -> Page[CaseView]:
    """The shop's cases: the queue in its order, else newest first. Raises ``InvalidInput``."""
    query = select(Case).where(Case.tenant_id == identity.tenant_id, *_conditions(identity, wanted))
    if wanted.queue:
        query = query.where(*waiting(identity.tenant_id)).order_by(Case.due_at, Case.rank, Case.id)
        if cursor:
            due, rank, last = decode_cursor(cursor, size=3)
            place = (cursor_moment(due), cursor_number(rank), str(last))
            query = query.where(tuple_(Case.due_at, Case.rank, Case.id) > place)
    else:
        query = query.order_by(Case.id.desc())
        if cursor:
            query = query.where(Case.id < str(decode_cursor(cursor, size=1)[0]))
    rows = session.scalars(query.limit(limit + 1)).all()
    return Page(
        [CaseView.of(row) for row in rows[:limit]], _next(rows[limit - 1], wanted) if len(rows) > limit else None
    )


def case(session: Session, identity: Identity, case_id: str) -> CaseView:
    """One case, by id or number, with its notes. Raises ``NotFound``."""
    row = session.scalars(
        select(Case).where(Case.tenant_id == identity.tenant_id, (Case.id == case_id) | (Case.number == case_id))
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such case.")
    notes = session.scalars(
        select(CaseNote)
        .where(CaseNote.tenant_id == row.tenant_id, CaseNote.case_id == row.id)
        .order_by(CaseNote.id)
        .limit(_NOTES)
    ).all()
    return CaseView.of(row, notes)


def macros(session: Session, identity: Identity, *, limit: int, cursor: str | None) -> Page[MacroView]:
    """The shop's macros by name. Raises ``InvalidInput``."""
    query = select(Macro).where(Macro.tenant_id == identity.tenant_id).order_by(Macro.name)
    if cursor:
        query = query.where(Macro.name > str(decode_cursor(cursor, size=1)[0]))
    rows = session.scalars(query.limit(limit + 1)).all()
    more = encode_cursor([rows[limit - 1].name]) if len(rows) > limit else None
    return Page([MacroView.of(row) for row in rows[:limit]], more)


def _next(row: Case, wanted: CaseFilter) -> str:
    if not wanted.queue or row.due_at is None:
        return encode_cursor([row.id])
    return encode_cursor([row.due_at.isoformat(), row.rank, row.id])


def _conditions(identity: Identity, wanted: CaseFilter) -> list[ColumnElement[bool]]:
    found = [
        getattr(Case, name) == value
        for name in ("thread_id", "order_id", "number")
        if (value := getattr(wanted, name)) is not None
    ]
    if wanted.status is not None:
        found.append(Case.status == _one_of(CaseStatus, wanted.status, "status"))
    if wanted.priority is not None:
        found.append(Case.priority == _one_of(Priority, wanted.priority, "priority"))
    if wanted.assignee == NOBODY:
        found.append(Case.assignee.is_(None))
    elif wanted.assignee is not None:
        found.append(Case.assignee == (identity.who if wanted.assignee == "me" else wanted.assignee))
    return found


def _one_of(kind: type[CaseStatus | Priority], value: str, param: str) -> str:
    if value not in set(kind):
        raise InvalidInput(f"{param} is one of {', '.join(kind)}.", param=param)
    return value
