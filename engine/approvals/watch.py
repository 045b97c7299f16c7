"""What approvals do by themselves: they say when they are about to run out, and then they do."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from engine.approvals import service
from engine.approvals.models import Approval, ApprovalStatus
from engine.approvals.policy import ApprovalsPolicy
from engine.kit import clock
from engine.kit.money import Money
from engine.kit.policies import policy_of
from engine.payments.alerts import Action, raise_alert

_BATCH: Final = 200


def end_old(session: Session, tenant_id: str) -> int:
    """End what nobody decided in time; returns how many."""
    rows = _pending(session, tenant_id, Approval.expires_at <= clock.now())
    for row in rows:
        service.expire(session, row)
    return len(rows)


def warn(session: Session, tenant_id: str) -> int:
    """An alert for each approval that is about to run out, once; returns how many."""
    soon = clock.now() + timedelta(hours=policy_of(session, tenant_id, ApprovalsPolicy).warn_hours)
    rows = _pending(session, tenant_id, (Approval.expires_at <= soon) & Approval.warned_at.is_(None))
    for row in rows:
        row.warned_at = clock.now()
        words = f"{row.kind} of {Money(row.amount, row.currency)} waits for an approval and is about to run out."
        facts = {"approval_id": row.id, "expires_at": row.expires_at.isoformat()}
        raise_alert(session, tenant_id, service.EXPIRING, row.id, words, action=Action.NONE, facts=facts)
    return len(rows)


def _pending(session: Session, tenant_id: str, condition: ColumnElement[bool]) -> list[Approval]:
    rows = session.scalars(
        select(Approval)
        .where(Approval.tenant_id == tenant_id, Approval.status == ApprovalStatus.PENDING, condition)
        .order_by(Approval.expires_at)
        .limit(_BATCH)
        .with_for_update(skip_locked=True)
    )
    return list(rows)
