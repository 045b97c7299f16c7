"""What the shop's people did while they had a conversation, as facts that the agents go on from."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from engine.conversations.models import Message, Thread
from engine.customers.models import Shopper
from engine.kit.money import format_minor
from engine.orders.models import ChangeStatus, Order, OrderChange
from engine.payments.models import Refund
from engine.support.models import Case

SPEAKER: Final = "Support"
"""Whose name a shopper reads: never that of a key or a person."""


def note(session: Session, thread: Thread, case: Case, *, summary: str = "") -> dict[str, Any]:
    """The thread's handoff with what was done since it was asked for, beginning with what its person says of it: told
    to the agents once, at the next turn.
    """
    handoff = dict(thread.handoff or {})
    since = datetime.fromisoformat(handoff["requested_at"]) if "requested_at" in handoff else case.created_at
    said = " ".join(summary.split())
    done = [f"{SPEAKER} says: {said}"] if said else []
    done += [*_said(session, thread, since), *_refunded(session, thread, since), *_changed(session, thread, since)]
    handoff["returned"] = {"version": case.version, "done": done or ["nothing that the shop has on record"]}
    return handoff


def _said(session: Session, thread: Thread, since: datetime) -> list[str]:
    count = session.scalar(
        select(func.count()).where(
            Message.tenant_id == thread.tenant_id,
            Message.thread_id == thread.id,
            Message.name == SPEAKER,
            Message.created_at >= since,
        )
    )
    return [f"wrote {count} messages here"] if count else []


def _refunded(session: Session, thread: Thread, since: datetime) -> list[str]:
    rows = session.execute(
        select(Refund.amount, Refund.currency, Refund.status, Order.number)
        .join(Order, (Order.tenant_id == Refund.tenant_id) & (Order.id == Refund.order_id))
        .where(
            Refund.tenant_id == thread.tenant_id,
            Refund.created_at >= since,
            Refund.requested_by.not_in(("system", thread.owner_id)),
            _theirs(thread),
        )
        .order_by(Refund.created_at)
    )
    return [f"refunded {format_minor(one.amount, one.currency)} of order {one.number} ({one.status})" for one in rows]


def _changed(session: Session, thread: Thread, since: datetime) -> list[str]:
    rows = session.execute(
        select(OrderChange.kind, OrderChange.message, Order.number)
        .join(Order, (Order.tenant_id == OrderChange.tenant_id) & (Order.id == OrderChange.order_id))
        .where(
            OrderChange.tenant_id == thread.tenant_id,
            OrderChange.applied_at >= since,
            OrderChange.status == ChangeStatus.APPLIED,
            OrderChange.approved_by.is_not(None),
            _theirs(thread),
        )
        .order_by(OrderChange.applied_at)
    )
    return [f"changed order {one.number} ({one.kind}): {one.message}" for one in rows]


def _theirs(thread: Thread) -> Any:
    """Orders of the thread's shopper, in this session or another of the same customer."""
    customer = (
        select(Shopper.customer_id)
        .where(Shopper.tenant_id == thread.tenant_id, Shopper.id == thread.owner_id)
        .scalar_subquery()
    )
    return or_(Order.owner_id == thread.owner_id, Order.customer_id == customer)
