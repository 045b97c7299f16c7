"""What an order's parts add up to: pure functions of line quantities and money."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

from engine.orders.models import OrderLine
from engine.orders.money import OrderMoney


class FulfillmentState(StrEnum):
    CANCELED = "canceled"
    BACKORDERED = "backordered"  # nothing is on its way, and something waits for stock
    UNFULFILLED = "unfulfilled"
    PROCESSING = "processing"  # handed to a warehouse, nothing shipped yet
    PARTIALLY_SHIPPED = "partially_shipped"
    SHIPPED = "shipped"
    PARTIALLY_DELIVERED = "partially_delivered"
    DELIVERED = "delivered"
    PARTIALLY_RETURNED = "partially_returned"
    RETURNED = "returned"
    EXCHANGED = "exchanged"  # what came back was replaced, and the replacement has arrived


class PaymentState(StrEnum):
    UNPAID = "unpaid"
    AUTHORIZED = "authorized"
    PAID = "paid"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    DISPUTED = "disputed"


def fulfillment_status(lines: Iterable[OrderLine]) -> FulfillmentState:
    """Computed from line quantities alone."""
    rows = list(lines)
    wanted = sum(row.ordered - row.canceled for row in rows)
    if wanted == 0:
        return FulfillmentState.CANCELED
    released, shipped, delivered, returned, allocated = (
        sum(getattr(row, part) for row in rows)
        for part in ("released", "shipped", "delivered", "returned", "allocated")
    )
    exchanged = _exchanged(rows)
    if returned > exchanged:
        return FulfillmentState.RETURNED if returned == wanted else FulfillmentState.PARTIALLY_RETURNED
    if delivered == wanted:
        return FulfillmentState.EXCHANGED if exchanged else FulfillmentState.DELIVERED
    return _on_the_way(wanted, allocated, released, shipped, delivered)


def _on_the_way(wanted: int, allocated: int, released: int, shipped: int, delivered: int) -> FulfillmentState:
    if shipped == wanted:
        return FulfillmentState.PARTIALLY_DELIVERED if delivered else FulfillmentState.SHIPPED
    if shipped:
        return FulfillmentState.PARTIALLY_SHIPPED
    if released:
        return FulfillmentState.PROCESSING
    return FulfillmentState.BACKORDERED if allocated < wanted else FulfillmentState.UNFULFILLED


def _exchanged(rows: Sequence[OrderLine]) -> int:
    """Returned units that another line replaces."""
    replaced: dict[str, int] = {}
    for row in rows:
        if row.replaces_line_id:
            replaced[row.replaces_line_id] = replaced.get(row.replaces_line_id, 0) + row.ordered - row.canceled
    return sum(min(row.returned, replaced.get(row.id, 0)) for row in rows)


def payment_status(money: OrderMoney) -> PaymentState:
    """Computed from what came in and went back. An open or lost dispute outweighs everything."""
    if money.disputed:
        return PaymentState.DISPUTED
    if money.refunded:
        everything = money.refunded >= money.captured - money.swapped
        return PaymentState.REFUNDED if everything else PaymentState.PARTIALLY_REFUNDED
    if money.held:
        return PaymentState.AUTHORIZED
    return PaymentState.PAID if money.paid else PaymentState.UNPAID


def is_done(lines: Iterable[OrderLine]) -> bool:
    """Whether nothing more will happen by itself: every unit was canceled or has arrived."""
    return all(row.canceled + row.delivered == row.ordered for row in lines)


def is_canceled(lines: Iterable[OrderLine]) -> bool:
    """Whether no unit was kept."""
    return all(row.canceled == row.ordered for row in lines)
