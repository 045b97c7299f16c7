"""Reading cases and macros."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, tuple_
from sqlalchemy.orm import Session

from engine.kit import clock
from engine.kit.errors import InvalidInput, NotFound
from engine.kit.identity import Identity
from engine.kit.pagination import Page, cursor_moment, cursor_number, decode_cursor, encode_cursor
from engine.orders.models import Order
from engine.support import words
from engine.support.models import Case, CaseNote, CaseStatus, Macro, Priority
from engine.support.queue import waiting
from engine.support.schemas import CaseCounts, CaseView, MacroView
from engine.support.states import LIVE, WAITS

NOBODY: Final = "nobody"
_NOTES: Final = 500
_NOT_DUE: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""Where the shopper is to answer first: after everything that is due."""


class Tab(StrEnum):
    """The desk's ways to look at its cases."""

    WAITING = "waiting"  # it is the shop's turn
    MINE = "mine"
    ALL = "all"  # every one that is not closed


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
    view: str | None = None
    """A ``Tab``, in the order in which the desk works: what is due first before; ``all`` by its last change."""
    q: str | None = None
    """Beginnings of words of the number, the shopper, the order, the subject or the conversation: all of them."""


def cases(
    session: Session, identity: Identity, *, wanted: CaseFilter, limit: int, cursor: str | None
) -> Page[CaseView]:
    """The shop's cases in one statement: a tab or the queue in its order, else newest first. Raises
    ``InvalidInput``.
    """
    order = _order_of(wanted)
    query = (
        select(Case, Order.number)
        .outerjoin(Order, (Order.tenant_id == Case.tenant_id) & (Order.id == Case.order_id))
        .where(Case.tenant_id == identity.tenant_id, *_conditions(identity, wanted))
    )
    rows = session.execute(order.place(query, cursor).limit(limit + 1)).all()
    views = [CaseView.of(row, order_number=number) for row, number in rows[:limit]]
    return Page(views, order.cursor(rows[limit - 1][0]) if len(rows) > limit else None)


def counts(session: Session, identity: Identity) -> CaseCounts:
    """How many cases each tab has, and how many of those that wait are nobody's or late, in one statement."""
    waits = Case.status.in_(WAITS)
    row = session.execute(
        select(
            func.count().filter(waits),
            func.count().filter(Case.assignee == identity.who, Case.status.in_(LIVE)),
            func.count(),
            func.count().filter(waits, Case.assignee.is_(None)),
            func.count().filter(waits, Case.due_at <= clock.now()),
        ).where(Case.tenant_id == identity.tenant_id, Case.status != CaseStatus.CLOSED)
    ).one()
    return CaseCounts(waiting=row[0], mine=row[1], all=row[2], unowned=row[3], late=row[4])


@dataclass(frozen=True, slots=True)
class _Order:
    """An order of cases and its cursors."""

    columns: tuple[Any, ...]
    descending: bool
    key: Callable[[Case], list[str | int]]
    value: Callable[[list[str | int]], tuple[Any, ...]]

    def place(self, query: Select[Case, str], cursor: str | None) -> Select[Case, str]:
        if cursor:
            at = self.value(decode_cursor(cursor, size=len(self.columns)))
            here = tuple_(*self.columns)
            query = query.where(here < at if self.descending else here > at)
        return query.order_by(*(one.desc() if self.descending else one.asc() for one in self.columns))

    def cursor(self, row: Case) -> str:
        return encode_cursor(self.key(row))


def _due(key: list[str | int]) -> tuple[Any, ...]:
    return cursor_moment(key[0]), cursor_number(key[1]), str(key[2])


_BY_DUE: Final = _Order(
    (Case.due_at, Case.rank, Case.id), False, lambda row: [(row.due_at or _NOT_DUE).isoformat(), row.rank, row.id], _due
)
_DUE_OR_NOT: Final = _Order((func.coalesce(Case.due_at, _NOT_DUE), Case.rank, Case.id), False, _BY_DUE.key, _due)
_BY_CHANGE: Final = _Order(
    (Case.updated_at, Case.id),
    True,
    lambda row: [row.updated_at.isoformat(), row.id],
    lambda key: (cursor_moment(key[0]), str(key[1])),
)
_NEWEST: Final = _Order((Case.id,), True, lambda row: [row.id], lambda key: (str(key[0]),))


def _order_of(wanted: CaseFilter) -> _Order:
    if wanted.queue or wanted.view == Tab.WAITING:
        return _BY_DUE
    if wanted.view == Tab.MINE:
        return _DUE_OR_NOT
    return _BY_CHANGE if wanted.view or wanted.q else _NEWEST


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
    order = session.scalar(select(Order.number).where(Order.tenant_id == row.tenant_id, Order.id == row.order_id))
    return CaseView.of(row, notes, order_number=order)


def macros(session: Session, identity: Identity, *, limit: int, cursor: str | None) -> Page[MacroView]:
    """The shop's macros by name. Raises ``InvalidInput``."""
    query = select(Macro).where(Macro.tenant_id == identity.tenant_id).order_by(Macro.name)
    if cursor:
        query = query.where(Macro.name > str(decode_cursor(cursor, size=1)[0]))
    rows = session.scalars(query.limit(limit + 1)).all()
    more = encode_cursor([rows[limit - 1].name]) if len(rows) > limit else None
    return Page([MacroView.of(row) for row in rows[:limit]], more)


def _conditions(identity: Identity, wanted: CaseFilter) -> list[ColumnElement[bool]]:
    found = [
        getattr(Case, name) == value
        for name in ("thread_id", "order_id", "number")
        if (value := getattr(wanted, name)) is not None
    ]
    if wanted.queue:
        found += waiting(identity.tenant_id)
    if wanted.view is not None:
        found += _of_tab(identity, Tab(_one_of(Tab, wanted.view, "view")))
    if wanted.q is not None and wanted.q.strip():
        found += _found(identity.tenant_id, wanted.q)
    if wanted.status is not None:
        found.append(Case.status == _one_of(CaseStatus, wanted.status, "status"))
    if wanted.priority is not None:
        found.append(Case.priority == _one_of(Priority, wanted.priority, "priority"))
    if wanted.assignee == NOBODY:
        found.append(Case.assignee.is_(None))
    elif wanted.assignee is not None:
        found.append(Case.assignee == (identity.who if wanted.assignee == "me" else wanted.assignee))
    return found


def _of_tab(identity: Identity, tab: Tab) -> list[ColumnElement[bool]]:
    if tab == Tab.WAITING:
        return list(waiting(identity.tenant_id))
    if tab == Tab.MINE:
        return [Case.assignee == identity.who, Case.status.in_(LIVE)]
    return [Case.status != CaseStatus.CLOSED]


def _found(tenant_id: str, q: str) -> list[ColumnElement[bool]]:
    """Every word of ``q`` begins one of the case; or it is the number of an order of its shopper's, placed since."""
    terms = words.found(tenant_id, q)
    if not terms:
        raise InvalidInput("Look for a number, a name, an e-mail or a word.", param="q")
    order = (Order.tenant_id == tenant_id) & (Order.number == q.strip().upper())
    theirs = or_(
        Case.order_id.in_(select(Order.id).where(order)),
        Case.shopper_id.in_(select(Order.owner_id).where(order)),
    )
    return [or_(and_(*terms), theirs)]


def _one_of(kind: type[CaseStatus | Priority | Tab], value: str, param: str) -> str:
    if value not in set(kind):
        raise InvalidInput(f"{param} is one of {', '.join(kind)}.", param=param)
    return value
