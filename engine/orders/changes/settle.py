"""T2 of a change's charge: bring its payment to its end, once, whoever reports it."""

from __future__ import annotations

from typing import Final

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.finance import postings
from engine.finance import service as finance
from engine.inventory import service as inventory
from engine.kit import audit, clock, outbox
from engine.kit.errors import DomainError
from engine.kit.faults import fault_point
from engine.kit.ids import new_id
from engine.kit.money import Money
from engine.orders import service
from engine.orders.changes import partner, write
from engine.orders.changes.hold import go_on
from engine.orders.changes.views import effect_of
from engine.orders.models import ChangeStatus, Order, OrderChange
from engine.orders.states import CHANGE
from engine.payments import captures, refunds, stored_value, voids
from engine.payments.alerts import raise_alert, resolve_alert
from engine.payments.gateway import DECLINES, Charge, ChargeStatus
from engine.payments.models import Capture, CaptureStatus, Payment, PaymentStatus, Refund
from engine.payments.states import PAYMENT
from engine.payments.stored_value_models import StoredValueKind
from engine.returns import collected, opening
from engine.returns.errors import DifferenceUnpaid
from engine.runtime import Runtime

log = structlog.get_logger(__name__)
UNSETTLED: Final = frozenset({PaymentStatus.PROCESSING, PaymentStatus.UNKNOWN})
"""States of a payment that nobody knows the end of."""
_NOT_TAKEN = "In the meantime it could no longer be changed. Nothing was charged for it."
_COULD_NOT = "In the meantime it could no longer be changed. What was charged for it goes back."


def change_of(session: Session, tenant_id: str, payment_id: str) -> str | None:
    """The change that a payment is for; ``None`` for a sale's."""
    return session.scalar(select(Payment.change_id).where(Payment.tenant_id == tenant_id, Payment.id == payment_id))


def settle_change(runtime: Runtime, tenant_id: str, payment_id: str, charge: Charge | None) -> Payment:
    """Write what the gateway said of a change's payment. One that has ended stays as it is; ``None`` or a pending
    charge leaves it unknown, with all its holds. Its refunds are carried out afterwards.
    """
    with runtime.unit_of_work(tenant_id, keyed=True) as session:
        left, payment = _settle(session, tenant_id, payment_id, charge)
        fault_point("before_t2_commit")
    fault_point("after_t2_commit")
    carry_out(runtime, tenant_id, left)
    return payment


def is_under_way(session: Session, tenant_id: str, change_id: str) -> bool:
    """Whether a payment for the change has no end yet."""
    query = select(Payment.id).where(
        Payment.tenant_id == tenant_id, Payment.change_id == change_id, Payment.status.in_(sorted(UNSETTLED))
    )
    return session.scalar(query.limit(1)) is not None


def is_for_later(session: Session, payment: Payment) -> bool:
    """Whether it pays for what is true already, as was agreed to with it: for as long as its token is good."""
    change = session.get(OrderChange, (payment.tenant_id, payment.change_id)) if payment.change_id else None
    return change is not None and change.status == ChangeStatus.APPLIED


def settle_here(session: Session, tenant_id: str, payment_id: str, charge: Charge | None) -> write.Applied:
    """The same within a transaction that is under way, for what needs no gateway; what is left to ``carry_out``."""
    return _settle(session, tenant_id, payment_id, charge)[0]


def captured(session: Session, order: Order, change: OrderChange, payment: Payment, charge: Charge) -> None:
    """A payment that was just begun in this transaction was taken."""
    payment.gateway_payment_id = charge.gateway_id
    payment.lease_until = None
    payment.settled_at = clock.now()
    payment.status = PAYMENT.check(payment.status, PaymentStatus.CAPTURED)
    session.flush()
    _captured(session, order, change, payment)


def carry_out(runtime: Runtime, tenant_id: str, left: write.Applied) -> None:
    """Ask the gateways for what was written; when nobody does, the payments' own jobs do."""
    for capture_id in left.capture_ids:
        captures.execute(runtime, tenant_id, capture_id)
    for refund_id in left.refund_ids:
        refunds.execute(runtime, tenant_id, refund_id)
    for void_id in left.void_ids:
        voids.execute(runtime, tenant_id, void_id)


def _settle(session: Session, tenant_id: str, payment_id: str, charge: Charge | None) -> tuple[write.Applied, Payment]:
    seen = session.get_one(Payment, (tenant_id, payment_id))
    order = service.lock(session, tenant_id, seen.order_id)
    payment = session.get_one(Payment, (tenant_id, payment_id), with_for_update=True, populate_existing=True)
    change = session.get_one(OrderChange, (tenant_id, payment.change_id), populate_existing=True)
    if payment.status not in UNSETTLED:
        return write.NOTHING, payment
    if charge is None or charge.status == ChargeStatus.PENDING:
        _unknown(session, payment)
        return write.NOTHING, payment
    resolve_alert(session, tenant_id, "payment_unknown", payment.id)
    payment.gateway_payment_id = charge.gateway_id
    payment.lease_until = None
    if charge.status == ChargeStatus.AUTHORIZED:
        return _set_aside(session, order, change, payment, charge), payment
    payment.settled_at = clock.now()
    if charge.status != ChargeStatus.CAPTURED:
        _failed(session, order, change, payment, charge)
        return write.NOTHING, payment
    payment.status = PAYMENT.check(payment.status, PaymentStatus.CAPTURED)
    _captured(session, order, change, payment)
    go_on(session, order, change)
    return _apply(session, order, change, payment), payment


def _set_aside(session: Session, order: Order, change: OrderChange, payment: Payment, charge: Charge) -> write.Applied:
    """The money is held: whoever has the goods is asked now, or the change is true."""
    payment.status = PAYMENT.check(payment.status, PaymentStatus.AUTHORIZED)
    payment.authorized_at = clock.now()
    payment.authorization_expires_at = charge.expires_at
    facts = {"amount": payment.amount, "currency": payment.currency, "order": order.id, "change": change.id}
    action = "payment.authorized"
    audit.record(session, payment.tenant_id, actor="system", action=action, subject=payment.id, facts=facts)
    session.flush()
    go_on(session, order, change)
    try:
        with session.begin_nested():
            if effect_of(change).asks_partner and partner.ask(session, order, change):
                return write.NOTHING
    except DomainError as refused:
        session.expire_all()
        return _give_back(session, order, change, payment, refused)
    return _apply(session, order, change, payment)


def _unknown(session: Session, payment: Payment) -> None:
    payment.status = PAYMENT.check(payment.status, PaymentStatus.UNKNOWN)
    words = "The gateway has not told how this payment ended."
    raise_alert(session, payment.tenant_id, "payment_unknown", payment.id, words)


def _captured(session: Session, order: Order, change: OrderChange, payment: Payment) -> None:
    tax = effect_of(change).takes_tax
    session.add(
        Capture(
            tenant_id=payment.tenant_id,
            id=new_id("capture"),
            payment_id=payment.id,
            order_id=order.id,
            amount=payment.amount,
            tax=tax,
            currency=payment.currency,
            status=CaptureStatus.SUCCEEDED,
            gateway_capture_id=payment.gateway_payment_id,
            reason="change",
            settled_at=payment.settled_at,
        )
    )
    kind, amounts = "capture", postings.capture(payment.amount, tax)
    if payment.stored_value_id:
        tender = StoredValueKind(payment.tender.partition(":")[0])
        kind, amounts = "stored_value_used", postings.stored_value_used(tender.value, payment.amount, tax)
    finance.post(
        session,
        payment.tenant_id,
        kind=kind,
        subject=payment.id,
        currency=payment.currency,
        amounts=amounts,
        order_id=order.id,
    )
    facts = {"amount": payment.amount, "currency": payment.currency, "order": order.id, "change": change.id}
    audit.record(session, payment.tenant_id, actor="system", action="payment.captured", subject=payment.id, facts=facts)
    session.flush()


def _apply(session: Session, order: Order, change: OrderChange, payment: Payment) -> write.Applied:
    """Make the change true; if the world no longer lets it, its money goes back whole. What was true already, and is
    paid only now, goes on from here.
    """
    if change.status == ChangeStatus.APPLIED:
        return write.Applied(refund_ids=collected.took(session, order, change, payment))
    try:
        with session.begin_nested():
            return write.apply(session, order, change, payment_id=payment.id)
    except DomainError as refused:
        session.expire_all()
        return _give_back(session, order, change, payment, refused)


def _give_back(
    session: Session, order: Order, change: OrderChange, payment: Payment, refused: DomainError
) -> write.Applied:
    inventory.release(session, order.tenant_id, payment.id)
    if payment.status == PaymentStatus.AUTHORIZED:
        voids.request(session, order.tenant_id, payment_id=payment.id)
        _end(session, order, change, payment, _NOT_TAKEN, code=refused.code)
        return write.Applied(void_ids=(payment.id,))
    rows = _whole_back(session, order, change, payment)
    _end(session, order, change, payment, _COULD_NOT, code=refused.code)
    how = "it goes back" if rows else "its refund was refused: a person must give it back"
    detail = f"{Money(payment.amount, payment.currency)} was charged for a change that could not be made; {how}."
    raise_alert(session, order.tenant_id, "change_not_applied", change.id, detail)
    return write.Applied(refund_ids=tuple(row.id for row in rows))


def _whole_back(session: Session, order: Order, change: OrderChange, payment: Payment) -> list[Refund]:
    """Everything that was charged, or nothing where a limit of the shop refuses even that: then a person is told."""
    tax = effect_of(change).charge_tax
    try:
        with session.begin_nested():
            return refunds.request(
                session,
                order.tenant_id,
                order_id=order.id,
                amount=payment.amount,
                tax=tax,
                unearned=payment.amount - tax,
                reason="change:not_applied",
                requested_by="system",
                payment_id=payment.id,
                change_id=change.id,
                approved=change.consent_id,
            )
    except DomainError:
        log.exception("the charge of a change could not be given back", change=change.id, payment_id=payment.id)
        return []


def _failed(session: Session, order: Order, change: OrderChange, payment: Payment, charge: Charge) -> None:
    canceled = charge.status == ChargeStatus.CANCELED
    payment.status = PAYMENT.check(payment.status, PaymentStatus.CANCELED if canceled else PaymentStatus.FAILED)
    payment.decline_code = charge.decline_code or "card_declined"
    if payment.stored_value_id:
        stored_value.release(session, payment.tenant_id, payment_id=payment.id)
    inventory.release(session, payment.tenant_id, payment.id)
    go_on(session, order, change)
    words = DECLINES.get(payment.decline_code, DECLINES["card_declined"])
    if change.status == ChangeStatus.APPLIED:
        collected.failed(session, order, change, DifferenceUnpaid(words))
        return
    _end(session, order, change, payment, f"{words} Nothing was changed.", code=payment.decline_code)


def _end(session: Session, order: Order, change: OrderChange, payment: Payment, words: str, *, code: str) -> None:
    change.status = CHANGE.check(change.status, ChangeStatus.FAILED)
    change.message = words
    opening.charge_failed(session, order, change, words)
    facts = {"code": code, "change": change.id, "payment": payment.id}
    audit.record(session, order.tenant_id, actor="system", action="order.change_failed", subject=order.id, facts=facts)
    payload = {"change_id": change.id, "kind": str(change.kind), "thread_id": order.thread_id, "code": code}
    outbox.emit(session, order.tenant_id, "order.change_failed", order.id, payload)
