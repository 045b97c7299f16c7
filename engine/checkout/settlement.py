"""T2: bring a payment to its end, once, whoever reports it: the live call, recovery or the gateway's webhook."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy.orm import Session

from engine.carts import discounts
from engine.checkout.models import CheckoutSession, SessionStatus
from engine.checkout.paid import LIVE_RUN, settle_paid
from engine.checkout.sale import Draft, sale_of
from engine.checkout.service import lock_session
from engine.checkout.states import SESSION
from engine.inventory import service as inventory
from engine.kit import audit, clock, outbox
from engine.kit.direct import Ask
from engine.kit.faults import fault_point
from engine.kit.money import Money
from engine.orders import queries
from engine.orders import service as orders
from engine.orders.changes.settle import change_of, settle_change
from engine.orders.models import Order, OrderLine
from engine.orders.schemas import OrderView
from engine.payments import tenders
from engine.payments.alerts import raise_alert, resolve_alert
from engine.payments.gateway import Charge, ChargeStatus
from engine.payments.models import Payment, PaymentStatus
from engine.payments.states import PAYMENT
from engine.runtime import Runtime

log = structlog.get_logger(__name__)
MAX_DECLINES: Final = 5
_UNSETTLED: Final = frozenset({PaymentStatus.PROCESSING, PaymentStatus.UNKNOWN})
_DEAD: Final = frozenset({PaymentStatus.FAILED, PaymentStatus.CANCELED})
_GOOD: Final = frozenset({ChargeStatus.CAPTURED, ChargeStatus.AUTHORIZED})
_NEVER: Final = frozenset({ChargeStatus.CANCELED, ChargeStatus.VOIDED})
PLACED: Final = frozenset(
    {
        PaymentStatus.AUTHORIZED,
        PaymentStatus.PARTIALLY_CAPTURED,
        PaymentStatus.CAPTURED,
        PaymentStatus.VOIDED,
        PaymentStatus.EXPIRED,
    }
)
"""A payment that is one of these has placed its order."""


Rows = tuple[Order, list[OrderLine]]
Answer = Callable[[Rows], Ask]
"""Draws, from an order that is placed now, what is to be written with its settlement."""


@dataclass(frozen=True, slots=True)
class Settled:
    """Where a payment stands."""

    payment_id: str
    status: PaymentStatus
    decline_code: str | None
    order: OrderView | None
    rows: Rows | None = None
    """Of an order that was placed just now from its draft."""
    answered: bool = False
    """Whether an ``Answer`` was written with it."""

    @classmethod
    def of(cls, session: Session, payment: Payment) -> Settled:
        order = None
        if payment.status in PLACED:
            order = queries.order_by_id(session, payment.tenant_id, payment.order_id)
        return cls(payment.id, PaymentStatus(payment.status), payment.decline_code, order)


def settle(
    runtime: Runtime,
    tenant_id: str,
    payment_id: str,
    charge: Charge | None,
    *,
    draft: Draft | None = None,
    answer: Answer | None = None,
) -> Settled:
    """Write what the gateway said. A payment that has ended stays as it is; ``None`` or a pending charge leaves it
    unknown, with all its holds. Money captured for a payment that had failed goes straight back, and what is
    held for it is let go.

    ``draft`` is what T1 has just committed; without it the payment's rows are read. With an ``answer`` that could be
    written nobody asks for the order itself.
    """
    settled = None if draft else _of_change(runtime, tenant_id, payment_id, charge)
    if settled is None and charge is not None and charge.status in _GOOD:
        settled = _paid(runtime, tenant_id, payment_id, charge, draft, answer)
    if settled is None:
        settled = _otherwise(runtime, tenant_id, payment_id, charge)
    fault_point("after_t2_commit")
    if charge is not None and charge.status in _GOOD and settled.status in _DEAD:
        _give_back(runtime, tenant_id, payment_id, charge)
    return settled


def _of_change(runtime: Runtime, tenant_id: str, payment_id: str, charge: Charge | None) -> Settled | None:
    """The payment of a change of an order ends with the change; ``None`` for a sale's."""
    with runtime.unit_of_work(tenant_id) as session:
        if change_of(session, tenant_id, payment_id) is None:
            return None
    payment = settle_change(runtime, tenant_id, payment_id, charge)
    return Settled(payment.id, PaymentStatus(payment.status), payment.decline_code, None)


def _paid(
    runtime: Runtime, tenant_id: str, payment_id: str, charge: Charge, draft: Draft | None, answer: Answer | None
) -> Settled | None:
    """The payment is captured or authorized now; ``None`` when it had ended before."""
    now, order, beside = clock.now(), None, None
    placed = draft.paid(now, charge) if draft and not draft.tenders else None
    if placed and answer:
        beside = _drawn(answer, placed[:2])

    def draw() -> None:
        nonlocal order
        if placed and not beside:
            order = queries.just_paid(*placed)

    sale = draft.sale if draft else sale_of(runtime, tenant_id, payment_id)
    fault_point("before_t2_commit")
    paid, told = settle_paid(runtime, sale, charge, now, draw, beside=beside)
    if not paid:
        return None
    if not (order or told):
        order = _placed(runtime, tenant_id, sale.order_id)
    status = PaymentStatus(charge.status.value)
    return Settled(payment_id, status, None, order, placed[:2] if placed else None, told)


def _drawn(answer: Answer, rows: Rows) -> Ask | None:
    try:
        return answer(rows)
    except Exception:  # what is told of money is no reason not to settle it
        log.exception("answer not drawn")
        return None


def _placed(runtime: Runtime, tenant_id: str, order_id: str) -> OrderView:
    with runtime.unit_of_work(tenant_id) as session:
        return queries.order_by_id(session, tenant_id, order_id)


def _otherwise(runtime: Runtime, tenant_id: str, payment_id: str, charge: Charge | None) -> Settled:
    """The payment failed, or nobody knows yet; or it had ended before, and stays as it is."""
    with runtime.unit_of_work(tenant_id) as session:
        payment = session.get_one(Payment, (tenant_id, payment_id))
        checkout = lock_session(session, tenant_id, payment.session_id or "")
        session.refresh(payment, with_for_update=True)
        if payment.status in _UNSETTLED:
            _apply(session, checkout, payment, charge)
        session.flush()
        settled = Settled.of(session, payment)
        fault_point("before_t2_commit")
    return settled


def _apply(session: Session, checkout: CheckoutSession, payment: Payment, charge: Charge | None) -> None:
    if charge is None or charge.status == ChargeStatus.PENDING:
        payment.status = PAYMENT.check(payment.status, PaymentStatus.UNKNOWN)
        words = "The gateway has not told how this payment ended."
        raise_alert(session, payment.tenant_id, "payment_unknown", payment.id, words)
        return
    if payment.status == PaymentStatus.UNKNOWN:
        resolve_alert(session, payment.tenant_id, "payment_unknown", payment.id)
    payment.gateway_payment_id = charge.gateway_id
    payment.settled_at = clock.now()
    payment.lease_until = None
    canceled = charge.status in _NEVER
    status = PaymentStatus.CANCELED if canceled else PaymentStatus.FAILED
    _failed(session, checkout, payment, status, charge.decline_code)


def _failed(
    session: Session, checkout: CheckoutSession, payment: Payment, status: PaymentStatus, decline_code: str | None
) -> None:
    payment.status = PAYMENT.check(payment.status, status)
    payment.decline_code = decline_code or "card_declined"
    orders.abandon(session, payment.tenant_id, payment.order_id)
    tenders.release(session, payment.tenant_id, payment.order_id, ended=status)
    inventory.release(session, payment.tenant_id, payment.id)
    discounts.give_back(session, payment.tenant_id, payment.order_id)
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
    outbox.emit(session, payment.tenant_id, "payment.failed", checkout.id, payload, after=LIVE_RUN)
    facts = {"code": payment.decline_code, "order": payment.order_id}
    audit.record(session, payment.tenant_id, actor="system", action="payment.failed", subject=payment.id, facts=facts)


def _give_back(runtime: Runtime, tenant_id: str, payment_id: str, charge: Charge) -> None:
    """Money for a payment we had given up: what was captured goes back, what is held is let go."""
    with runtime.unit_of_work(tenant_id) as session:
        payment = session.get_one(Payment, (tenant_id, payment_id))
    if not payment.amount:  # no gateway was asked
        return
    amount = Money(payment.amount, payment.currency)
    gateway, key = runtime.gateways[payment.gateway], f"stray:{payment_id}"
    if charge.status == ChargeStatus.CAPTURED:
        gateway.refund(payment_id, merchant=tenant_id, amount=amount, key=key)
        _tell_stray(
            runtime,
            payment,
            "capture",
            "payment.stray_refunded",
            "captured after the payment had failed; it was refunded",
        )
    else:
        gateway.void(payment_id, merchant=tenant_id, key=key)
        _tell_stray(
            runtime,
            payment,
            "authorization",
            "payment.stray_voided",
            "held after the payment had failed; it was let go",
        )


def _tell_stray(runtime: Runtime, payment: Payment, what: str, action: str, words: str) -> None:
    amount, tenant_id = Money(payment.amount, payment.currency), payment.tenant_id
    facts = {"amount": amount.amount, "currency": amount.currency}
    with runtime.unit_of_work(tenant_id) as session:
        raise_alert(session, tenant_id, f"stray_{what}", payment.id, f"{amount} was {words}.")
        audit.record(session, tenant_id, actor="system", action=action, subject=payment.id, facts=facts)
