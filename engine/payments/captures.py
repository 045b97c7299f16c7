"""Taking what was authorized, in one part or several. A capture is pending before the gateway hears of it."""

from __future__ import annotations

from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.finance import postings
from engine.finance import service as finance
from engine.kit import audit, clock, outbox
from engine.kit.errors import InvalidInput
from engine.kit.faults import fault_point
from engine.kit.ids import new_id
from engine.kit.money import Money
from engine.payments import leases, stored_value
from engine.payments.alerts import raise_alert, resolve_alert
from engine.payments.errors import AuthorizationExpired, CaptureExceedsAuthorization, NothingToCapture
from engine.payments.gateway import Move, MoveStatus
from engine.payments.models import Capture, CaptureStatus, Payment, PaymentStatus
from engine.payments.states import CAPTURE, PAYMENT
from engine.payments.tally import standing_of
from engine.runtime import Runtime

OPEN: Final = frozenset({PaymentStatus.AUTHORIZED, PaymentStatus.PARTIALLY_CAPTURED})


def request(
    session: Session, tenant_id: str, *, payment_id: str, amount: int, tax: int, final: bool, reason: str
) -> Capture:
    """Ask for part of an authorization, under the payment's lock; ``final`` lets the rest go. ``execute`` it after the
    commit, or the job does.

    Raises ``NothingToCapture``, ``AuthorizationExpired``, ``CaptureExceedsAuthorization``.
    """
    payment = session.get_one(Payment, (tenant_id, payment_id), with_for_update=True, populate_existing=True)
    if not 0 <= tax <= amount or amount == 0:
        raise InvalidInput("A capture takes something, and its tax is part of it.", param="amount")
    _require_open(session, payment)
    left = standing_of(session, tenant_id, [payment_id])[payment_id].capturable
    if amount > left:
        raise CaptureExceedsAuthorization(f"Only {Money(left, payment.currency)} of this authorization is left.")
    capture = Capture(
        tenant_id=tenant_id,
        id=new_id("capture"),
        payment_id=payment_id,
        order_id=payment.order_id,
        amount=amount,
        tax=tax,
        currency=payment.currency,
        status=CaptureStatus.PENDING,
        final=final or amount == left,
        reason=reason,
        lease_until=clock.now() + leases.LEASE,
    )
    session.add(capture)
    facts = {"amount": amount, "currency": payment.currency, "payment": payment_id, "reason": reason}
    audit.record(session, tenant_id, actor="system", action="capture.requested", subject=capture.id, facts=facts)
    session.flush()
    return capture


def execute(runtime: Runtime, tenant_id: str, capture_id: str) -> Capture:
    """Bring a capture to its end, if this caller may: the row as it is afterwards. Safe to repeat."""
    with runtime.unit_of_work(tenant_id) as session:
        capture = session.get_one(Capture, (tenant_id, capture_id), with_for_update=True)
        payment = session.get_one(Payment, (tenant_id, capture.payment_id))
        if capture.status != CaptureStatus.PENDING or not leases.take(capture):
            return capture
    fault_point("capture_before_gateway")
    move = _ask(runtime, payment, capture)
    fault_point("capture_after_gateway")
    return settle(runtime, tenant_id, capture_id, move)


def settle(runtime: Runtime, tenant_id: str, capture_id: str, move: Move | None) -> Capture:
    """Write what the gateway said of a capture, once; ``None`` or a pending move leaves it pending.

    Raises ``NoResultFound`` for a capture that is not ours.
    """
    with runtime.unit_of_work(tenant_id) as session:
        payment_id = session.get_one(Capture, (tenant_id, capture_id)).payment_id
        payment = session.get_one(Payment, (tenant_id, payment_id), with_for_update=True)
        capture = session.get_one(Capture, (tenant_id, capture_id), with_for_update=True, populate_existing=True)
        if capture.status == CaptureStatus.PENDING:
            _apply(session, payment, capture, move)
            session.flush()
        fault_point("capture_before_commit")
    fault_point("capture_after_commit")
    return capture


def finish_pending(runtime: Runtime, tenant_id: str) -> list[Capture]:
    """Bring captures whose request has gone to their end."""
    with runtime.unit_of_work(tenant_id) as session:
        ids = session.scalars(
            select(Capture.id)
            .where(
                Capture.tenant_id == tenant_id,
                Capture.status == CaptureStatus.PENDING,
                Capture.lease_until <= clock.now(),
            )
            .order_by(Capture.lease_until)
            .limit(leases.BATCH)
        ).all()
    return [execute(runtime, tenant_id, capture_id) for capture_id in ids]


def _require_open(session: Session, payment: Payment) -> None:
    if payment.status not in OPEN or payment.void_requested_at is not None:
        raise NothingToCapture("This payment holds nothing that could be captured.")
    if payment.authorization_expires_at is not None and payment.authorization_expires_at <= clock.now():
        raise AuthorizationExpired("The authorization has lapsed.")
    last = select(Capture.id).where(
        Capture.tenant_id == payment.tenant_id,
        Capture.payment_id == payment.id,
        Capture.final,
        Capture.status == CaptureStatus.PENDING,
    )
    if session.scalar(last) is not None:
        raise NothingToCapture("The last capture of this payment is under way.")


def _ask(runtime: Runtime, payment: Payment, capture: Capture) -> Move | None:
    if payment.stored_value_id is not None:
        return Move(capture.id, MoveStatus.SUCCEEDED)
    gateway = runtime.gateways[payment.gateway]

    def ask() -> Move:
        amount = Money(capture.amount, capture.currency)
        return gateway.capture_authorized(
            payment.id, merchant=payment.tenant_id, amount=amount, key=capture.id, final=capture.final
        )

    first = capture.attempts == 1
    return leases.outcome(gateway, ask, key=capture.id, payment_id=payment.id, merchant=payment.tenant_id, first=first)


def _apply(session: Session, payment: Payment, capture: Capture, move: Move | None) -> None:
    if move is None:
        words = "The gateway has not told whether this capture was made."
        raise_alert(session, payment.tenant_id, "capture_unknown", capture.id, words)
        return
    if move.status == MoveStatus.PENDING:
        return
    resolve_alert(session, payment.tenant_id, "capture_unknown", capture.id)
    capture.status = CAPTURE.check(capture.status, CaptureStatus(move.status))
    capture.gateway_capture_id = move.gateway_id
    capture.settled_at = clock.now()
    capture.lease_until = None
    if move.status == MoveStatus.SUCCEEDED:
        _taken(session, payment, capture)
    else:
        _refused(session, payment, capture, move.failure_code or "refused")


def _taken(session: Session, payment: Payment, capture: Capture) -> None:
    ended = capture.final or _sum(session, payment) >= payment.amount
    wanted = PaymentStatus.CAPTURED if ended else PaymentStatus.PARTIALLY_CAPTURED
    if payment.status in OPEN:
        payment.status = PAYMENT.check(payment.status, wanted)
        payment.settled_at = clock.now()
    if ended and payment.stored_value_id is not None:
        stored_value.release(session, payment.tenant_id, payment_id=payment.id, keep=_sum(session, payment))
    kind, amounts = _posting(payment, capture)
    finance.post(
        session,
        payment.tenant_id,
        kind=kind,
        subject=capture.id,
        currency=capture.currency,
        amounts=amounts,
        order_id=capture.order_id,
    )
    _tell(session, payment, capture, "payment.captured", {"amount": capture.amount, "currency": capture.currency})


def _refused(session: Session, payment: Payment, capture: Capture, code: str) -> None:
    capture.failure_code = code
    words = f"{Money(capture.amount, capture.currency)} could not be captured: {code}."
    raise_alert(session, payment.tenant_id, "capture_failed", capture.id, words, facts={"payment_id": payment.id})
    _tell(session, payment, capture, "payment.capture_failed", {"code": code})


def _posting(payment: Payment, capture: Capture) -> tuple[str, postings.Amounts]:
    if payment.stored_value_id is None:
        return postings.Kind.CAPTURE, postings.capture(capture.amount, capture.tax)
    kind: postings.StoredValue = "gift_card" if payment.tender.startswith("gift_card:") else "store_credit"
    return postings.Kind.STORED_VALUE_USED, postings.stored_value_used(kind, capture.amount, capture.tax)


def _sum(session: Session, payment: Payment) -> int:
    session.flush()
    return standing_of(session, payment.tenant_id, [payment.id])[payment.id].captured


def _tell(session: Session, payment: Payment, capture: Capture, topic: str, facts: dict[str, object]) -> None:
    payload = {"payment_id": payment.id, "capture_id": capture.id} | facts
    outbox.emit(session, payment.tenant_id, topic, capture.order_id, payload)
    action = "capture.succeeded" if topic == "payment.captured" else "capture.failed"
    audit.record(session, payment.tenant_id, actor="system", action=action, subject=capture.id, facts=facts)
