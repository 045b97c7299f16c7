"""The reconciliation inbox: where money and records may differ, each item with the one thing that is safe to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from sqlalchemy import update
from sqlalchemy.orm import Session

from engine.kit import audit, clock
from engine.kit.errors import Forbidden, NotFound
from engine.kit.identity import Identity
from engine.payments import captures, disputes, refunds, unknown, voids
from engine.payments.alerts import Action, raise_alert, resolve_alert
from engine.payments.errors import AlertClosed, SettledElsewhere
from engine.payments.models import Alert, Capture, Payment, Refund
from engine.runtime import Runtime

__all__ = ["Action", "act", "begin", "raise_alert", "resolve_alert"]

FollowUp = Callable[[Runtime], object]
"""What is to be done after the commit: it asks a gateway."""


def act(runtime: Runtime, identity: Identity, alert_id: str) -> Alert:
    """Do what is safe about an item; the item as it is afterwards (one that was looked up again may stay open).

    Raises ``Forbidden`` for anybody but staff, ``NotFound``, ``AlertClosed``, and what the action itself refuses.
    """
    with runtime.unit_of_work(identity.tenant_id) as session:
        follow_up = begin(session, identity, alert_id)
    follow_up(runtime)
    with runtime.unit_of_work(identity.tenant_id) as session:
        return session.get_one(Alert, (identity.tenant_id, alert_id))


def begin(session: Session, identity: Identity, alert_id: str) -> FollowUp:
    """The part of ``act`` that is written down; call what it returns after the commit. When that never happens the
    jobs do it, or the item stays open: evidence, a capture given back.
    """
    if not identity.is_staff:
        raise Forbidden("Only the shop's people may do this.")
    alert = session.get(Alert, (identity.tenant_id, alert_id), with_for_update=True)
    if alert is None:
        raise NotFound("There is no such item.")
    if alert.resolved_at is not None:
        raise AlertClosed("This item is closed.")
    action = alert.action or Action.NONE
    if action not in _BEGIN:
        raise SettledElsewhere(f"This item is settled where it came from ({action}).")
    facts = {"kind": alert.kind, "of": alert.subject}
    audit.record(session, alert.tenant_id, actor=identity.id, action=f"inbox.{action}", subject=alert.id, facts=facts)
    return _BEGIN[action](session, identity, alert)


def _retry_lookup(session: Session, identity: Identity, alert: Alert) -> FollowUp:
    """Whoever is due to ask the gateway is due now. A payment under way is recovery's, within a second."""
    tenant_id, subject = identity.tenant_id, alert.subject
    models: Mapping[str, type[Payment | Capture | Refund]] = {"pay": Payment, "cap": Capture, "rfd": Refund}
    model = models[subject.partition("_")[0]]
    session.execute(
        update(model).where(model.tenant_id == tenant_id, model.id == subject).values(lease_until=clock.now())
    )
    executes: Mapping[str, Callable[[Runtime, str, str], object]] = {
        "capture_unknown": captures.execute,
        "refund_unknown": refunds.execute,
        "void_unknown": voids.execute,
    }
    execute = executes.get(alert.kind)
    return (lambda runtime: execute(runtime, tenant_id, subject)) if execute else _nothing


def _refund_again(session: Session, identity: Identity, alert: Alert) -> FollowUp:
    failed = session.get_one(Refund, (identity.tenant_id, alert.subject))
    again = refunds.request(
        session,
        identity.tenant_id,
        order_id=failed.order_id or "",
        amount=failed.amount,
        tax=failed.tax,
        unearned=failed.unearned,
        reason=failed.reason,
        note=failed.note,
        approved=failed.approved,
        destination=failed.destination,
        account_id=failed.stored_value_id or failed.payment_method_id,
        requested_by=identity.id,
        payment_id=failed.payment_id,
        change_id=failed.change_id,
    )
    alert.resolved_at = clock.now()
    ids = [refund.id for refund in again]
    return lambda runtime: [refunds.execute(runtime, identity.tenant_id, refund_id) for refund_id in ids]


def _resubmit_evidence(_session: Session, identity: Identity, alert: Alert) -> FollowUp:
    dispute_id = alert.subject
    return lambda runtime: disputes.send_evidence(runtime, identity.tenant_id, dispute_id)


def _give_back(_session: Session, identity: Identity, alert: Alert) -> FollowUp:
    payment_id = alert.subject
    return lambda runtime: unknown.give_back(runtime, identity.tenant_id, payment_id, by=identity.id)


def _close(_session: Session, _identity: Identity, alert: Alert) -> FollowUp:
    alert.resolved_at = clock.now()
    return _nothing


def _nothing(_runtime: Runtime) -> None:
    return None


_BEGIN: Final[Mapping[str, Callable[[Session, Identity, Alert], FollowUp]]] = {
    Action.RETRY_LOOKUP: _retry_lookup,
    Action.REFUND_AGAIN: _refund_again,
    Action.RESUBMIT_EVIDENCE: _resubmit_evidence,
    Action.GIVE_BACK: _give_back,
    Action.NONE: _close,
}
