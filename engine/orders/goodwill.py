"""Money back for a scratch or a delay: less is due for the order, and nothing of it changes.

When units are canceled later, what was given for them is taken up by their refund: nobody gets the same money twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy.orm import Session

from engine.kit.errors import NotFound
from engine.kit.money import Money
from engine.orders import queries, service
from engine.orders.models import AdjustmentKind, OrderAdjustment
from engine.payments import refunds
from engine.payments.errors import RefundExceedsCapture
from engine.payments.models import Destination, Refund, RefundStatus


def give(
    session: Session,
    tenant_id: str,
    *,
    order_id: str,
    amount: int,
    reason: str,
    note: str = "",
    requested_by: str,
    destination: str = Destination.ORIGINAL,
    approved: str | None = None,
) -> list[Refund]:
    """Pending refunds of ``amount``, to be executed after the commit. ``reason`` is told to the shopper, ``note`` is
    not; ``approved`` names the approval that lifts the limits.

    Raises ``NotFound``, ``RefundExceedsCapture`` for more than is still due or was taken, and what
    ``refunds.request`` raises.
    """
    order = service.lock(session, tenant_id, order_id)
    if order.placed_at is None:
        raise NotFound("There is no such order.")
    due = queries.parts_of(session, tenant_id, [order.id])[order.id].money(order).due
    if amount > due:
        raise RefundExceedsCapture(f"Only {Money(max(0, due), order.currency)} is due for this order.")
    made = refunds.request(
        session,
        tenant_id,
        order_id=order.id,
        amount=amount,
        tax=0,
        unearned=0,
        reason=reason,
        note=note,
        destination=destination,
        requested_by=requested_by,
        approved=approved,
    )
    for refund in made:
        service.adjust(session, order, kind=AdjustmentKind.GOODWILL, amount=-refund.amount, tax=0, refund_id=refund.id)
    service.touch(order)
    session.flush()
    return made


def in_returns(adjustments: Iterable[OrderAdjustment], refunds: Sequence[Refund]) -> int:
    """How much of the goodwill given stands in the books as returned sales, refunds that failed left out."""
    given = {row.refund_id for row in adjustments if row.kind == AdjustmentKind.GOODWILL and row.refund_id}
    rows = [row for row in refunds if row.id in given and row.status != RefundStatus.FAILED]
    return sum(row.amount - row.tax - row.unearned for row in rows)
