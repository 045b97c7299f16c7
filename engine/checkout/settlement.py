"""T2: bring a payment to its end, once, whoever reports it: the live call, recovery or the gateway's webhook."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from engine.carts import discounts
from engine.carts import service as carts
from engine.checkout.models import CheckoutSession, SessionStatus
from engine.checkout.states import SESSION
from engine.finance import postings
from engine.finance import service as finance
from engine.inventory import service as inventory
from engine.kit import audit, clock, outbox
from engine.kit.faults import fault_point
from engine.kit.ids import new_id
from engine.kit.money import Money
from engine.orders import queries
from engine.orders import service as orders
from engine.orders.schemas import OrderView
from engine.payments.gateway import Charge, ChargeStatus
from engine.payments.models import Alert, Capture, CaptureStatus, Payment, PaymentStatus
from engine.payments.states import PAYMENT
from engine.runtime import Runtime

MAX_DECLINES: Final = 5
_LIVE_RUN: Final = timedelta(seconds=5)
"""The conversation that pays tells its shopper itself; the outbox speaks when it could not."""
_UNSETTLED: Final = frozenset({PaymentStatus.PROCESSING, PaymentStatus.UNKNOWN})
_DEAD: Final = frozenset({PaymentStatus.FAILED, PaymentStatus.CANCELED})


@dataclass(frozen=True, slots=True)
class Settled:
    """Where a payment stands."""

    payment_id: str
    status: PaymentStatus
    decline_code: str | None
    order: OrderView | None

    @classmethod
    def of(cls, session: Session, payment: Payment, order: OrderView | None = None) -> Settled:
        if order is None and payment.status == PaymentStatus.CAPTURED:
            order = queries.order_by_id(session, payment.tenant_id, payment.order_id)
        return cls(payment.id, PaymentStatus(payment.status), payment.decline_code, order)


def settle(runtime: Runtime, tenant_id: str, payment_id: str, charge: Charge | None) -> Settled:
    """Write what the gateway said. A payment that has ended stays as it is; ``None`` or a pending charge leaves it
    unknown, with all its holds. Money captured for a payment that had failed goes straight back.
    """
    with runtime.unit_of_work(tenant_id) as session:
        payment = session.get_one(Payment, (tenant_id, payment_id), with_for_update=True)
        order = _apply(session, payment, charge) if payment.status in _UNSETTLED else None
        stray = payment.status in _DEAD and charge is not None and charge.status == ChargeStatus.CAPTURED
        session.flush()
        settled = Settled.of(session, payment, order)
        amount, gateway = Money(payment.amount, payment.currency), payment.gateway
        fault_point("before_t2_commit")
    fault_point("after_t2_commit")
    if stray:
        _give_back(runtime, tenant_id, payment_id, gateway, amount)
    return settled


def _apply(session: Session, payment: Payment, charge: Charge | None) -> OrderView | None:
    if charge is None or charge.status == ChargeStatus.PENDING:
        payment.status = PAYMENT.check(payment.status, PaymentStatus.UNKNOWN)
        words = "The gateway has not told how this payment ended."
        raise_alert(session, payment.tenant_id, "payment_unknown", payment.id, words)
        return None
    if payment.status == PaymentStatus.UNKNOWN:
        resolve_alert(session, payment.tenant_id, "payment_unknown", payment.id)
    payment.gateway_payment_id = charge.gateway_id
    payment.settled_at = clock.now()
    payment.lease_until = None
    if charge.status == ChargeStatus.CAPTURED:
        return _captured(session, payment)
    canceled = charge.status == ChargeStatus.CANCELED
    _failed(session, payment, PaymentStatus.CANCELED if canceled else PaymentStatus.FAILED, charge.decline_code)
    return None


def _captured(session: Session, payment: Payment) -> OrderView:
    payment.status = PAYMENT.check(payment.status, PaymentStatus.CAPTURED)
    checkout = session.get_one(CheckoutSession, (payment.tenant_id, payment.session_id), with_for_update=True)
    order = orders.mark_paid(session, payment.tenant_id, payment.order_id)
    if payment.amount:
        session.add(_capture_of(payment, order.tax))
    inventory.commit(session, payment.tenant_id, payment.id)
    checkout.status = SESSION.check(checkout.status, SessionStatus.COMPLETED)
    checkout.version += 1
    if checkout.cart_id:
        bought = {line["variant_id"]: line["quantity"] for line in checkout.lines}
        carts.mark_ordered(session, payment.tenant_id, checkout.cart_id, bought)
    finance.post(
        session,
        payment.tenant_id,
        kind="capture",
        subject=payment.id,
        currency=payment.currency,
        amounts=postings.capture(payment.amount, order.tax),
        order_id=order.id,
    )
    payload = {"thread_id": checkout.thread_id, "consent_id": payment.consent_id, "payment_id": payment.id}
    outbox.emit(session, payment.tenant_id, "order.paid", order.id, payload, after=_LIVE_RUN)
    facts = {"amount": payment.amount, "currency": payment.currency, "order": order.id}
    audit.record(session, payment.tenant_id, actor="system", action="payment.captured", subject=payment.id, facts=facts)
    return queries.just_paid(session, order, payment)


def _capture_of(payment: Payment, tax: int) -> Capture:
    """The sale's own capture, made with its payment."""
    return Capture(
        tenant_id=payment.tenant_id,
        id=new_id("capture"),
        payment_id=payment.id,
        order_id=payment.order_id,
        amount=payment.amount,
        tax=tax,
        currency=payment.currency,
        status=CaptureStatus.SUCCEEDED,
        gateway_capture_id=payment.gateway_payment_id,
        reason="sale",
        attempts=1,
        settled_at=payment.settled_at,
    )


def _failed(session: Session, payment: Payment, status: PaymentStatus, decline_code: str | None) -> None:
    payment.status = PAYMENT.check(payment.status, status)
    payment.decline_code = decline_code or "card_declined"
    checkout = session.get_one(CheckoutSession, (payment.tenant_id, payment.session_id), with_for_update=True)
    inventory.release(session, payment.tenant_id, payment.id)
    discounts.give_back(session, payment.tenant_id, checkout.discount_codes)
    orders.abandon(session, payment.tenant_id, payment.order_id)
    checkout.declines += 1
    closed = checkout.declines >= MAX_DECLINES
    checkout.status = SESSION.check(checkout.status, SessionStatus.CANCELED if closed else SessionStatus.READY)
    checkout.version += 1
    payload = {
        "thread_id": checkout.thread_id,
        "consent_id": payment.consent_id,
        "payment_id": payment.id,
        "code": payment.decline_code,
    }
    outbox.emit(session, payment.tenant_id, "payment.failed", checkout.id, payload, after=_LIVE_RUN)
    facts = {"code": payment.decline_code, "order": payment.order_id}
    audit.record(session, payment.tenant_id, actor="system", action="payment.failed", subject=payment.id, facts=facts)


def raise_alert(session: Session, tenant_id: str, kind: str, subject: str, detail: str) -> None:
    """Put something into the reconciliation inbox, once while it is open."""
    row = {"tenant_id": tenant_id, "id": new_id("alert"), "kind": kind, "subject": subject, "detail": detail}
    session.execute(insert(Alert).values(row | {"created_at": clock.now()}).on_conflict_do_nothing())


def resolve_alert(session: Session, tenant_id: str, kind: str, subject: str) -> None:
    """Close an open alert, if there is one."""
    session.execute(
        update(Alert)
        .where(
            Alert.tenant_id == tenant_id,
            Alert.kind == kind,
            Alert.subject == subject,
            Alert.resolved_at.is_(None),
        )
        .values(resolved_at=clock.now())
    )


def _give_back(runtime: Runtime, tenant_id: str, payment_id: str, gateway: str, amount: Money) -> None:
    """A capture for a payment we had given up: the money goes back and a person is told."""
    runtime.gateways[gateway].refund(payment_id, merchant=tenant_id, amount=amount, key=f"stray:{payment_id}")
    with runtime.unit_of_work(tenant_id) as session:
        detail = f"{amount} was captured after the payment had failed; it was refunded."
        raise_alert(session, tenant_id, "stray_capture", payment_id, detail)
        facts = {"amount": amount.amount, "currency": amount.currency}
        audit.record(
            session,
            tenant_id,
            actor="system",
            action="payment.stray_refunded",
            subject=payment_id,
            facts=facts,
        )
