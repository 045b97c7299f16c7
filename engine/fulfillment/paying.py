"""The money behind a release: an order that was only authorized is captured for what is handed over, before it leaves.

``payments.captures`` moves the money; here is only worked out how much of which payment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine.fulfillment.errors import NotCaptured, NotPaid
from engine.fulfillment.models import Fulfillment
from engine.fulfillment.shares import Owed
from engine.kit.money import allocate
from engine.orders.models import Order, OrderAdjustment
from engine.payments import captures
from engine.payments.models import (
    CARD,
    Capture,
    CaptureStatus,
    Payment,
    PaymentStatus,
    Refund,
    RefundStatus,
)

_HELD: Final = frozenset({PaymentStatus.AUTHORIZED, PaymentStatus.PARTIALLY_CAPTURED})
_COUNTED: Final = (PaymentStatus.CAPTURED, *sorted(_HELD))
REASON: Final = "release"


@dataclass(frozen=True, slots=True)
class Purse:
    """An order's money: ``net`` is taken and not given back, ``held`` can still be taken (payment → amount)."""

    net: int
    tax: int
    """How much of it is tax."""
    held: dict[str, int]


def lock_purse(session: Session, tenant_id: str, order_id: str) -> Purse:
    """The order's payments, locked in the order of their ids, and what became of them."""
    payments = session.scalars(
        select(Payment)
        .where(Payment.tenant_id == tenant_id, Payment.order_id == order_id, Payment.status.in_(_COUNTED))
        .order_by(Payment.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    taken = _captured(session, tenant_id, [payment.id for payment in payments])
    amounts = {payment.id: _taken(payment, taken) for payment in payments}
    held = {
        payment.id: payment.amount - amounts[payment.id]
        for payment in sorted(payments, key=lambda one: (one.tender == CARD, one.id))
        if payment.status in _HELD and payment.void_requested_at is None
    }
    back = _given_back(session, tenant_id, order_id)
    tax = sum(part.tax for part in taken.values())
    return Purse(sum(amounts.values()) - back.amount, tax - back.tax, held)


def due(session: Session, order: Order) -> Owed:
    """What the order costs now: as agreed, and every adjustment since."""
    amount, tax = session.execute(
        select(
            func.coalesce(func.sum(OrderAdjustment.amount), 0), func.coalesce(func.sum(OrderAdjustment.tax), 0)
        ).where(OrderAdjustment.tenant_id == order.tenant_id, OrderAdjustment.order_id == order.id)
    ).one()
    return Owed(order.total + int(amount), order.tax + int(tax))


def collect(session: Session, order: Order, purse: Purse, owed: Owed, *, final: bool) -> list[str]:
    """Ask for the captures that bring in ``owed``; the ids of the captures to wait for.

    ``final`` lets the rest of what is held go. Raises ``NotPaid`` when the order's money does not reach.
    """
    limit = due(session, order)
    missing = (limit.amount if final else min(owed.amount, limit.amount)) - purse.net
    if missing <= 0:
        return []
    if missing > sum(purse.held.values()):
        raise NotPaid("This order's money is neither captured nor authorized.")
    tax = max(0, min(missing, (limit.tax if final else owed.tax) - purse.tax))
    parts = _spread(missing, purse.held)
    taxes = allocate(tax, [amount for _, amount in parts])
    found = [
        captures.request(
            session, order.tenant_id, payment_id=payment_id, amount=amount, tax=part, final=final, reason=REASON
        )
        for (payment_id, amount), part in zip(parts, taxes, strict=True)
    ]
    return [capture.id for capture in found]


def failed(session: Session, fulfillments: Iterable[Fulfillment]) -> list[Fulfillment]:
    """Those that wait for a capture which has failed."""
    rows = [one for one in fulfillments if one.capture_ids]
    statuses = _statuses(session, rows)
    return [one for one in rows if any(statuses.get(i) == CaptureStatus.FAILED for i in one.capture_ids)]


def require_captured(session: Session, fulfillment: Fulfillment) -> None:
    """Goods leave only when their money is in. Raises ``NotCaptured``."""
    statuses = _statuses(session, [fulfillment])
    if any(statuses.get(one) != CaptureStatus.SUCCEEDED for one in fulfillment.capture_ids):
        raise NotCaptured("The payment for these goods has not come in yet. Nothing was sent.")


def _statuses(session: Session, fulfillments: Sequence[Fulfillment]) -> dict[str, CaptureStatus]:
    ids = [one for fulfillment in fulfillments for one in fulfillment.capture_ids]
    if not ids:
        return {}
    rows = session.execute(
        select(Capture.id, Capture.status).where(Capture.tenant_id == fulfillments[0].tenant_id, Capture.id.in_(ids))
    )
    return {capture_id: CaptureStatus(status) for capture_id, status in rows}


def _captured(session: Session, tenant_id: str, payment_ids: Sequence[str]) -> dict[str, Owed]:
    """Payment → what its captures took or are about to take."""
    rows = session.execute(
        select(Capture.payment_id, func.sum(Capture.amount), func.sum(Capture.tax))
        .where(
            Capture.tenant_id == tenant_id,
            Capture.payment_id.in_(payment_ids),
            Capture.status != CaptureStatus.FAILED,
        )
        .group_by(Capture.payment_id)
    )
    return {payment_id: Owed(int(amount), int(tax)) for payment_id, amount, tax in rows}


def _taken(payment: Payment, taken: dict[str, Owed]) -> int:
    """A payment of before captures had rows was taken whole."""
    if payment.id in taken:
        return taken[payment.id].amount
    return payment.amount if payment.status == PaymentStatus.CAPTURED else 0


def _given_back(session: Session, tenant_id: str, order_id: str) -> Owed:
    amount, tax = session.execute(
        select(func.coalesce(func.sum(Refund.amount), 0), func.coalesce(func.sum(Refund.tax), 0)).where(
            Refund.tenant_id == tenant_id, Refund.order_id == order_id, Refund.status != RefundStatus.FAILED
        )
    ).one()
    return Owed(int(amount), int(tax))


def _spread(amount: int, held: dict[str, int]) -> list[tuple[str, int]]:
    """From each payment what it has, in their order, until the amount is reached."""
    parts = []
    for payment_id, room in held.items():
        part = min(amount, room)
        if part > 0:
            parts.append((payment_id, part))
            amount -= part
    return parts
