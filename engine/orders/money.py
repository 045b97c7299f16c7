"""What is due for an order, what came in and what went back: one sum, for views, changes and captures alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.orders.models import AdjustmentKind, Order, OrderAdjustment
from engine.payments.gateway import DisputeStatus
from engine.payments.models import Capture, CaptureStatus, Dispute, Payment, PaymentStatus, Refund, RefundStatus

_HELD = frozenset({PaymentStatus.AUTHORIZED, PaymentStatus.PARTIALLY_CAPTURED})
_ENDED_WELL = frozenset({PaymentStatus.CAPTURED, PaymentStatus.PARTIALLY_CAPTURED})


@dataclass(frozen=True, slots=True)
class OrderMoney:
    """Minor units of the order's currency."""

    due: int = 0
    due_tax: int = 0
    captured: int = 0
    refunded: int = 0
    """Went back and arrived."""
    refunding: int = 0
    """On its way back."""
    swapped: int = 0
    """Went back to a method because another one paid instead: no refund of the order, and in neither of the above."""
    settled_tax: int = 0
    """Tax within what is settled."""
    disputed: int = 0
    """Taken back by disputes that are open or lost."""
    lost: int = 0
    """Of it, what is gone for good."""
    held: int = 0
    """Authorized and neither captured nor let go."""
    paid: bool = False
    """Whether a payment ended well, be it of nothing."""

    @property
    def settled(self) -> int:
        """What the merchant keeps of what came in, pending refunds taken off."""
        return self.captured - self.refunded - self.refunding - self.swapped

    @property
    def contested(self) -> int:
        """What the bank has taken and not decided about yet."""
        return self.disputed - self.lost

    @property
    def balance(self) -> int:
        """What is still to be paid; negative: still to be given back."""
        return self.due - self.settled


def add_up(
    order: Order,
    *,
    payments: Sequence[Payment],
    captures: Iterable[Capture],
    refunds: Sequence[Refund],
    disputes: Sequence[Dispute],
    adjustments: Sequence[OrderAdjustment],
    retaxed: int = 0,
) -> OrderMoney:
    """The sums of one order's rows; ``retaxed`` is the tax that moved without money to carry it."""
    swaps = {row.refund_id for row in adjustments if row.kind == AdjustmentKind.PAYMENT_METHOD}
    taken = [row for row in captures if row.status == CaptureStatus.SUCCEEDED]
    held = {row.id: row.amount for row in payments if row.status in _HELD}
    for row in taken:
        if row.payment_id in held:
            held[row.payment_id] -= row.amount
    back = [row for row in refunds if row.status != RefundStatus.FAILED]
    returned, swapped = [row for row in back if row.id not in swaps], [row for row in back if row.id in swaps]
    return OrderMoney(
        due=order.total + sum(row.amount for row in adjustments),
        due_tax=order.tax + sum(row.tax for row in adjustments),
        captured=sum(row.amount for row in taken),
        refunded=sum(row.amount for row in returned if row.status == RefundStatus.SUCCEEDED),
        refunding=sum(row.amount for row in returned if row.status == RefundStatus.PENDING),
        swapped=sum(row.amount for row in swapped),
        settled_tax=sum(row.tax for row in taken) - sum(row.tax for row in back) + retaxed,
        disputed=sum(row.amount for row in disputes if row.status != DisputeStatus.WON),
        lost=sum(row.amount for row in disputes if row.status == DisputeStatus.LOST),
        held=sum(held.values()),
        paid=order.origin is not None or any(row.status in _ENDED_WELL for row in payments),
    )
