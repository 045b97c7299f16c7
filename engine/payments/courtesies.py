"""Giving away what nobody paid for: codes, gift cards and store credit, within the limits that refunds have."""

from __future__ import annotations

from sqlalchemy.orm import Session

from engine.kit.money import Money
from engine.payments import refund_limits
from engine.payments.courtesy_models import Courtesy, CourtesyKind


def check(
    session: Session, tenant_id: str, *, worth: Money, actor: str, buyer: str | None = None, approved: str | None = None
) -> None:
    """Whether ``actor`` may give so much away, to ``buyer`` where it is for somebody; all that the limits count goes
    one after the other from here on. ``approved`` names the approval that lifts them.

    Raises ``RefundOverLimit``.
    """
    policy = refund_limits.begin(session, tenant_id, approved=approved)
    if approved is None:
        refund_limits.check(session, policy, tenant_id, order_id=None, wanted=worth, actor=actor, buyer=buyer)


def record(
    session: Session,
    tenant_id: str,
    *,
    kind: CourtesyKind,
    subject: str,
    worth: Money,
    actor: str,
    buyer: str | None = None,
    approved: str | None = None,
) -> None:
    """Write down what was given away as ``subject``."""
    session.add(
        Courtesy(
            tenant_id=tenant_id,
            id=subject,
            kind=kind,
            actor=actor,
            buyer=buyer,
            amount=worth.amount,
            currency=worth.currency,
            approved=approved,
        )
    )
    session.flush()
