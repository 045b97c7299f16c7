"""Whether the turn that carried a change out tells its shopper itself: then the news of it would be said twice."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.checkout.models import Consent
from engine.conversations.models import Message, Run, RunStatus
from engine.kit.outbox import OutboxRow
from engine.orders.models import ChangeKind, ChangeStatus, OrderChange

_UNDER_WAY = frozenset({RunStatus.QUEUED, RunStatus.RUNNING})


def card_of(session: Session, row: OutboxRow) -> Consent | None:
    """The card by which the change that ``row`` tells of was agreed to, if a conversation asked for it."""
    change = _change(session, row)
    if change is None or change.consent_id is None:
        return None
    card = session.get(Consent, (row.tenant_id, change.consent_id))
    return card if card is not None and card.thread_id else None


def is_told(session: Session, card: Consent) -> bool:
    """A turn under way will tell (also one that is taken up after a crash); one that ended has, if the card it left
    shows how the change stands now.
    """
    run = session.scalars(
        select(Run)
        .where(
            Run.tenant_id == card.tenant_id,
            Run.thread_id == card.thread_id,
            Run.input.contains({"resume": [{"interruptId": card.id}]}),
        )
        .order_by(Run.number.desc())
        .limit(1)
    ).one_or_none()
    if run is None:
        return False
    if run.status in _UNDER_WAY:
        return True
    shown = session.get(Message, (card.tenant_id, card.id))
    change = session.get_one(OrderChange, (card.tenant_id, card.subject_id))
    return shown is not None and ((shown.data or {}).get("change") or {}).get("status") == change.status


def _change(session: Session, row: OutboxRow) -> OrderChange | None:
    if change_id := row.payload.get("change_id"):
        return session.get(OrderChange, (row.tenant_id, change_id))
    if row.topic != "order.canceled":
        return None
    canceled = select(OrderChange).where(
        OrderChange.tenant_id == row.tenant_id,
        OrderChange.order_id == row.subject_id,
        OrderChange.kind == ChangeKind.CANCEL,
        OrderChange.status == ChangeStatus.APPLIED,
    )
    return session.scalars(canceled.order_by(OrderChange.applied_at.desc()).limit(1)).one_or_none()
