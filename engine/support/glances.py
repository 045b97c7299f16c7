"""Who of the shop's people looks at a case now, and who writes. Told to the others; the shopper learns only that
somebody writes.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from engine.conversations import events, log
from engine.conversations.models import Mode, Thread
from engine.kit import clock
from engine.kit.errors import NotFound
from engine.kit.identity import Identity
from engine.kit.views import View
from engine.support import bell
from engine.support.models import Case, CaseGlance

SEEN_FOR: Final = timedelta(seconds=40)
TYPES_FOR: Final = timedelta(seconds=8)
_KEPT_FOR: Final = timedelta(minutes=10)


class Doing(StrEnum):
    HERE = "here"
    TYPING = "typing"
    GONE = "gone"


class Glance(View):
    """One of the shop's people at one case."""

    case_id: str
    who: str
    typing: bool


def note(session: Session, identity: Identity, case_id: str, doing: Doing) -> None:
    """``identity`` looks at the case, writes in it, or has gone. Raises ``NotFound``."""
    case = session.get(Case, (identity.tenant_id, case_id))
    if case is None:
        raise NotFound("There is no such case.")
    now = clock.now()
    before = session.get(CaseGlance, (identity.tenant_id, case_id, identity.who))
    was = (_seen(before), _types(before))
    told = before is not None and before.typed_at is not None
    typed = now if doing == Doing.TYPING else None
    _write(session, identity, case_id, doing, typed)
    if was != (doing != Doing.GONE, typed is not None):
        bell.ring(session, identity.tenant_id)
    if told != (typed is not None):
        _tell_shopper(session, case, identity.who, typing=typed is not None)


def end_old(session: Session, tenant_id: str) -> int:
    """Who left without a word, by a crash or a cut line, is gone: told to the others, and to the shopper for whom they
    seemed to write. Returns how many.
    """
    now = clock.now()
    over = (CaseGlance.seen_at <= now - SEEN_FOR) | (CaseGlance.typed_at <= now - TYPES_FOR)
    query = select(CaseGlance).where(CaseGlance.tenant_id == tenant_id, over).order_by(CaseGlance.case_id)
    rows = session.scalars(query.with_for_update(skip_locked=True)).all()
    for row in rows:
        if row.typed_at is not None:
            _tell_shopper(session, session.get_one(Case, (tenant_id, row.case_id)), row.who, typing=False)
            row.typed_at = None
        if not _seen(row):
            session.delete(row)
    if rows:
        bell.ring(session, tenant_id)
    return len(rows)


def present(session: Session, tenant_id: str) -> list[Glance]:
    """Who looks at which case now, in one statement."""
    rows = session.scalars(
        select(CaseGlance)
        .where(CaseGlance.tenant_id == tenant_id, CaseGlance.seen_at > clock.now() - SEEN_FOR)
        .order_by(CaseGlance.case_id, CaseGlance.who)
        .limit(200)
    )
    return [Glance(case_id=row.case_id, who=row.who, typing=_types(row)) for row in rows]


def _write(session: Session, identity: Identity, case_id: str, doing: Doing, typed: object) -> None:
    key = {"tenant_id": identity.tenant_id, "case_id": case_id, "who": identity.who}
    old = CaseGlance.seen_at < clock.now() - _KEPT_FOR
    gone = (CaseGlance.case_id == case_id) & (CaseGlance.who == identity.who) if doing == Doing.GONE else old
    session.execute(
        delete(CaseGlance)
        .where(CaseGlance.tenant_id == identity.tenant_id, gone)
        .execution_options(synchronize_session=False)
    )
    if doing != Doing.GONE:
        now = {"seen_at": clock.now(), "typed_at": typed}
        rows = insert(CaseGlance).values(key | now)
        session.execute(rows.on_conflict_do_update(index_elements=list(key), set_=now))


def _tell_shopper(session: Session, case: Case, who: str, *, typing: bool) -> None:
    """Only what who has the case writes: it is they who answer."""
    if case.thread_id is None or case.assignee != who:
        return
    thread = session.get(Thread, (case.tenant_id, case.thread_id))
    if thread is not None and thread.mode == Mode.HUMAN:
        log.append(session, case.tenant_id, thread.id, None, [events.custom("presence", {"typing": typing})])


def _seen(row: CaseGlance | None) -> bool:
    return row is not None and row.seen_at > clock.now() - SEEN_FOR


def _types(row: CaseGlance | None) -> bool:
    return row is not None and row.typed_at is not None and row.typed_at > clock.now() - TYPES_FOR
