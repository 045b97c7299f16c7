"""The queue: what is due first, then what is more urgent. Whoever asks for the next case gets one nobody else gets."""

from __future__ import annotations

from typing import Final

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from engine.conversations.models import Thread
from engine.kit.direct import Statement
from engine.kit.gathering import Rows, ask, fetch
from engine.kit.identity import Identity
from engine.support import desk
from engine.support.errors import NothingWaits
from engine.support.models import Case, CaseStatus
from engine.support.states import WAITS

_TRIES: Final = 20
_OF_THREAD: Final = Rows(
    Case, f"r.tenant_id = %(tenant)s AND r.thread_id = %(thread)s AND r.status <> '{CaseStatus.CLOSED.value}'"
)
_WAITS: Final = ", ".join(f"'{status.value}'" for status in sorted(WAITS))
_BEFORE: Final = Statement(f"""
SELECT count(*) AS place FROM app.cases WHERE tenant_id = %(tenant)s AND status IN ({_WAITS}) AND assignee IS NULL
  AND (due_at, rank, id) <= (%(due_at)s, %(rank)s, %(case)s)
""")  # noqa: S608 (our own)


def claim_next(session: Session, identity: Identity) -> Case:
    """Take the first case that nobody has. Two who ask at once get two cases. Raises ``NothingWaits``."""
    busy: list[str] = []
    for _ in range(_TRIES):
        with session.begin_nested() as attempt:
            case = session.scalars(_first(identity.tenant_id, busy)).one_or_none()
            if case is None:
                break
            thread = _free_thread(session, case)
            if case.thread_id is None or thread is not None:
                desk.hand_over(session, identity, case, thread, identity.who)
                return case
            busy.append(case.id)
            attempt.rollback()
    return _wait_for(session, identity, busy)


def _first(tenant_id: str, busy: list[str]) -> Select[Case]:
    return (
        select(Case)
        .where(*waiting(tenant_id), Case.assignee.is_(None), Case.id.not_in(busy))
        .order_by(Case.due_at, Case.rank, Case.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )


def waiting(tenant_id: str) -> tuple[ColumnElement[bool], ...]:
    """What is in the queue."""
    return Case.tenant_id == tenant_id, Case.status.in_(WAITS)


def of_thread(session: Session, thread: Thread) -> Case | None:
    """The conversation's case that is not closed, to be looked at."""
    (found,) = fetch(session, (_OF_THREAD, {"tenant": thread.tenant_id, "thread": thread.id}))
    return found[0] if found else None


def place_of(session: Session, case: Case) -> int | None:
    """How many cases nobody has are due up to this one, itself counted; None for one that somebody has, or that does
    not wait.
    """
    if case.assignee is not None or case.status not in WAITS:
        return None
    values = {"tenant": case.tenant_id, "due_at": case.due_at, "rank": case.rank, "case": case.id}
    (row,) = ask(session, _BEFORE, values)
    return int(row["place"])


def _free_thread(session: Session, case: Case) -> Thread | None:
    """The case's conversation, if nobody holds its lock: waiting for it here could end in a deadlock, since everybody
    else locks it before the case.
    """
    if case.thread_id is None:
        return None
    key = select(Thread).where(Thread.tenant_id == case.tenant_id, Thread.id == case.thread_id)
    query = key.with_for_update(skip_locked=True).execution_options(populate_existing=True)
    return session.scalars(query).one_or_none()


def _wait_for(session: Session, identity: Identity, busy: list[str]) -> Case:
    """The first of those whose conversation was busy, in the usual order of locks."""
    for case_id in busy:
        case, thread = desk.locked(session, identity.tenant_id, case_id)
        if case.assignee is None and case.status in WAITS:
            desk.hand_over(session, identity, case, thread, identity.who)
            return case
    raise NothingWaits("No case waits for somebody to take it.")
