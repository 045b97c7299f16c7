"""Letting an authorization go, and what happens when it lapses by itself."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.kit import audit, clock, outbox
from engine.kit.errors import DomainError, Unavailable
from engine.kit.faults import fault_point
from engine.kit.money import Money
from engine.payments import leases, stored_value
from engine.payments.alerts import raise_alert, resolve_alert
from engine.payments.captures import OPEN
from engine.payments.errors import NothingToVoid
from engine.payments.gateway import Charge, ChargeStatus
from engine.payments.models import Capture, CaptureStatus, Payment, PaymentStatus
from engine.payments.states import PAYMENT
from engine.payments.tally import standing_of
from engine.runtime import Runtime


def request(session: Session, tenant_id: str, *, payment_id: str, actor: str = "system") -> Payment:
    """Decide to let go what is authorized and not captured, under the payment's lock: nothing is captured from here
    on. ``execute`` it after the commit, or the job does.

    Raises ``NothingToVoid``, also while a capture is under way.
    """
    payment = session.get_one(Payment, (tenant_id, payment_id), with_for_update=True, populate_existing=True)
    if payment.status not in OPEN or standing_of(session, tenant_id, [payment_id])[payment_id].captures_pending:
        raise NothingToVoid("There is nothing to let go of this payment, or a capture is under way.")
    if payment.void_requested_at is None:
        payment.void_requested_at = clock.now()
        payment.lease_until = clock.now() + leases.LEASE
        audit.record(session, tenant_id, actor=actor, action="void.requested", subject=payment_id)
    session.flush()
    return payment


def void(runtime: Runtime, tenant_id: str, payment_id: str, *, actor: str = "system") -> Payment:
    """``request`` and ``execute`` in one; the payment as it is afterwards."""
    with runtime.unit_of_work(tenant_id) as session:
        request(session, tenant_id, payment_id=payment_id, actor=actor)
    return execute(runtime, tenant_id, payment_id)


def execute(runtime: Runtime, tenant_id: str, payment_id: str) -> Payment:
    """Ask the gateway to let go and write what it says. Safe to repeat."""
    with runtime.unit_of_work(tenant_id) as session:
        payment = session.get_one(Payment, (tenant_id, payment_id))
    if payment.status not in OPEN or payment.void_requested_at is None:
        return payment
    fault_point("void_before_gateway")
    charge = _ask(runtime, payment)
    fault_point("void_after_gateway")
    return settle(runtime, tenant_id, payment_id, charge)


def settle(runtime: Runtime, tenant_id: str, payment_id: str, charge: Charge | None) -> Payment:
    """Write that an authorization was let go, by us or by the gateway itself; once."""
    with runtime.unit_of_work(tenant_id) as session:
        payment = session.get_one(Payment, (tenant_id, payment_id), with_for_update=True)
        ended = charge is not None and charge.status in {ChargeStatus.VOIDED, ChargeStatus.CAPTURED}
        if payment.status in OPEN and ended:
            _let_go(session, payment)
        elif payment.status in OPEN and payment.void_requested_at is not None:
            payment.lease_until = clock.now() + leases.LEASE
            words = "The gateway has not told whether this authorization was let go."
            raise_alert(session, tenant_id, "void_unknown", payment_id, words)
        session.flush()
        fault_point("void_before_commit")
    fault_point("void_after_commit")
    return payment


def finish_requested(runtime: Runtime, tenant_id: str) -> list[Payment]:
    """Bring voids whose request has gone to their end."""
    with runtime.unit_of_work(tenant_id) as session:
        ids = session.scalars(
            select(Payment.id)
            .where(
                Payment.tenant_id == tenant_id,
                Payment.status.in_(OPEN),
                Payment.void_requested_at.is_not(None),
                Payment.lease_until <= clock.now(),
            )
            .limit(leases.BATCH)
        ).all()
    return [execute(runtime, tenant_id, payment_id) for payment_id in ids]


def expire_authorizations(runtime: Runtime, tenant_id: str) -> int:
    """End authorizations whose time is over: their order is on hold until it is paid again. Returns how many."""
    with runtime.unit_of_work(tenant_id) as session:
        under_way = (
            select(Capture.id)
            .where(
                Capture.tenant_id == tenant_id,
                Capture.payment_id == Payment.id,
                Capture.status == CaptureStatus.PENDING,
            )
            .exists()
        )
        rows = session.scalars(
            select(Payment)
            .where(
                Payment.tenant_id == tenant_id,
                Payment.status.in_(OPEN),
                Payment.authorization_expires_at <= clock.now(),
                ~under_way,
            )
            .order_by(Payment.id)
            .limit(leases.BATCH)
            .with_for_update(skip_locked=True)
        ).all()
        for payment in rows:
            _expire(session, payment)
    return len(rows)


def _ask(runtime: Runtime, payment: Payment) -> Charge | None:
    if payment.stored_value_id is not None:
        return Charge(payment.id, ChargeStatus.VOIDED)
    gateway = runtime.gateways[payment.gateway]
    try:
        return gateway.void(payment.id, merchant=payment.tenant_id, key=f"void:{payment.id}")
    except Unavailable:
        return None
    except DomainError:  # it was let go, or has lapsed: what is it now?
        return gateway.find(payment.id, merchant=payment.tenant_id)


def _let_go(session: Session, payment: Payment) -> None:
    tenant_id = payment.tenant_id
    taken = standing_of(session, tenant_id, [payment.id])[payment.id].captured
    payment.status = PAYMENT.check(payment.status, PaymentStatus.CAPTURED if taken else PaymentStatus.VOIDED)
    _end(session, payment, taken)
    resolve_alert(session, tenant_id, "void_unknown", payment.id)
    facts = {"amount": payment.amount - taken, "currency": payment.currency}
    outbox.emit(session, tenant_id, "payment.voided", payment.order_id, {"payment_id": payment.id} | facts)
    audit.record(session, tenant_id, actor="system", action="payment.voided", subject=payment.id, facts=facts)


def _expire(session: Session, payment: Payment) -> None:
    tenant_id = payment.tenant_id
    taken = standing_of(session, tenant_id, [payment.id])[payment.id].captured
    payment.status = PAYMENT.check(payment.status, PaymentStatus.CAPTURED if taken else PaymentStatus.EXPIRED)
    _end(session, payment, taken)
    lost = Money(payment.amount - taken, payment.currency)
    words = f"The authorization of {lost} lapsed before it was captured."
    raise_alert(session, tenant_id, "authorization_expired", payment.id, words, facts={"order_id": payment.order_id})
    facts = {"amount": lost.amount, "currency": lost.currency}
    payload = {"payment_id": payment.id} | facts
    outbox.emit(session, tenant_id, "payment.authorization_expired", payment.order_id, payload)
    action = "payment.authorization_expired"
    audit.record(session, tenant_id, actor="system", action=action, subject=payment.id, facts=facts)


def _end(session: Session, payment: Payment, taken: int) -> None:
    payment.settled_at = clock.now()
    payment.lease_until = None
    if payment.stored_value_id is not None:
        stored_value.release(session, payment.tenant_id, payment_id=payment.id, keep=taken)
