"""What happened to an order after the purchase, in the protocol's words.

Money that goes back is a ``refund``, or a ``credit`` where it goes to store credit: those that are completed add up to
``amount_refunded``. The other kinds say why and for which goods; their amount is what the order became cheaper by
(below zero: dearer), tax included, whether or not money had to move for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from engine.agentic.wire import Body, known, moment
from engine.orders.models import (
    AdjustmentKind,
    ChangeKind,
    ChangeStatus,
    Order,
    OrderAdjustment,
    OrderChange,
    OrderLine,
)
from engine.orders.queries import Parts
from engine.payments.gateway import DisputeStatus
from engine.payments.models import Destination, Dispute, Refund, RefundStatus
from engine.returns.models import Return, ReturnKind, ReturnLine, ReturnStatus

_REFUND: Final = {
    RefundStatus.PENDING: "pending",
    RefundStatus.SUCCEEDED: "completed",
    RefundStatus.FAILED: "failed",
}
_DISPUTE: Final = {DisputeStatus.WON: "failed", DisputeStatus.LOST: "completed"}
_FAILED: Final = frozenset({ReturnStatus.DECLINED, ReturnStatus.CANCELED, ReturnStatus.EXPIRED})
_TYPE: Final = {
    AdjustmentKind.CANCEL: "cancellation",
    AdjustmentKind.ITEMS: "price_adjustment",
    AdjustmentKind.SHIPPING: "price_adjustment",
    AdjustmentKind.GOODWILL: "price_adjustment",
}
"""A return is told by itself; another way to pay is no change of the order."""
_WORDS: Final = {
    AdjustmentKind.CANCEL: "Canceled",
    AdjustmentKind.ITEMS: "Items were changed",
    AdjustmentKind.SHIPPING: "Shipping was changed",
    AdjustmentKind.GOODWILL: "Price reduced",
}
_REASON: Final = {
    "change:cancel": "Canceled",
    "change:items": "Items were changed",
    "change:address": "Another address",
    "change:payment_method": "Paid another way",
    "change:not_applied": "A change that could not be made",
}


def of(order: Order, parts: Parts, returned: Sequence[ReturnLine], lines: Mapping[str, OrderLine]) -> list[Body]:
    """All of it, oldest first. Moving money from one card to another is not part of it."""
    changes = {row.id: row for row in parts.changes}
    swapped = {row.refund_id for row in parts.adjustments if row.kind == AdjustmentKind.PAYMENT_METHOD}
    found = [_adjusted(order, row, changes) for row in parts.adjustments if _is_own(row)]
    found += [_asked(order, row) for row in parts.changes if _waits(row)]
    found += [_refund(row) for row in parts.refunds if row.id not in swapped]
    found += [_return(order, row, [one for one in returned if one.return_id == row.id], lines) for row in parts.returns]
    found += [_dispute(row) for row in parts.disputes]
    return [body for _, body in _in_order(found)]


def _is_own(row: OrderAdjustment) -> bool:
    """Whether it is told by itself: what belongs to a return is part of that."""
    return row.kind in _TYPE and row.return_id is None


def _in_order(found: Iterable[tuple[datetime, Body]]) -> list[tuple[datetime, Body]]:
    return sorted(found, key=lambda one: (one[0], one[1]["id"]))


def _body(at: datetime, **members: Any) -> tuple[datetime, Body]:
    return at, known(members | {"occurred_at": moment(at), "line_items": members.get("line_items") or None})


def _adjusted(order: Order, row: OrderAdjustment, changes: Mapping[str, OrderChange]) -> tuple[datetime, Body]:
    change = changes.get(row.change_id or "")
    return _body(
        row.at,
        id=row.id,
        type=_TYPE[row.kind],
        status="completed",
        line_items=_ended(change) if change and row.kind != AdjustmentKind.GOODWILL else [],
        amount=-row.amount,
        currency=order.currency.lower(),
        description=_WORDS[row.kind],
        reason=change.reason if change else None,
    )


def _waits(change: OrderChange) -> bool:
    """Whether units are to be canceled as soon as the warehouse that holds them agrees."""
    return change.kind == ChangeKind.CANCEL and change.status == ChangeStatus.REQUESTED


def _asked(order: Order, change: OrderChange) -> tuple[datetime, Body]:
    return _body(
        change.created_at,
        id=change.id,
        type="cancellation",
        status="pending",
        line_items=_ended(change),
        amount=-int(change.quote.get("amount", 0)),
        currency=order.currency.lower(),
        description="To be canceled",
        reason=change.reason,
    )


def _ended(change: OrderChange) -> list[Body]:
    ended = change.quote.get("effect", {}).get("ended", [])
    return _together((one["line_id"], one["quantity"]) for one in ended)


def _refund(row: Refund) -> tuple[datetime, Body]:
    credited = row.destination == Destination.STORE_CREDIT
    return _body(
        row.created_at,
        id=row.id,
        type="credit" if credited else "refund",
        status=_REFUND[row.status],
        amount=row.amount,
        currency=row.currency.lower(),
        description=_REASON.get(row.reason, row.reason),
    )


def _return(
    order: Order, row: Return, returned: Sequence[ReturnLine], lines: Mapping[str, OrderLine]
) -> tuple[datetime, Body]:
    """Parts of a bundle count as the bundles they are of, once for all parts."""
    status = "failed" if row.status in _FAILED else "completed" if row.status == ReturnStatus.CLOSED else "pending"
    return _body(
        row.created_at,
        id=row.id,
        type="exchange" if row.kind == ReturnKind.EXCHANGE else "return",
        status=status,
        line_items=_units(returned, lines),
        amount=row.refund - row.charge,
        currency=order.currency.lower(),
        description=row.message or f"{'Exchange' if row.kind == ReturnKind.EXCHANGE else 'Return'} {row.number}",
        reason=returned[0].reason if returned else None,
    )


def _units(returned: Sequence[ReturnLine], lines: Mapping[str, OrderLine]) -> list[Body]:
    whole = _together((one.order_line_id, one.quantity) for one in returned if one.component_variant_id is None)
    parts: dict[str, int] = {}
    for one in returned:
        if one.component_variant_id is not None:
            line_id = one.order_line_id
            parts[line_id] = max(parts.get(line_id, 1), one.quantity // _per_bundle(one, lines.get(line_id)))
    return whole + _together(parts.items())


def _per_bundle(one: ReturnLine, line: OrderLine | None) -> int:
    parts = line.components if line else []
    return next((int(part["quantity"]) for part in parts if part["variant_id"] == one.component_variant_id), 1)


def _together(units: Iterable[tuple[str, int]]) -> list[Body]:
    found: dict[str, int] = {}
    for line_id, quantity in units:
        found[line_id] = found.get(line_id, 0) + quantity
    return [{"id": line_id, "quantity": quantity} for line_id, quantity in found.items() if quantity > 0]


def _dispute(row: Dispute) -> tuple[datetime, Body]:
    return _body(
        row.opened_at,
        id=row.id,
        type="dispute",
        status=_DISPUTE.get(row.status, "pending"),
        amount=row.amount,
        currency=row.currency.lower(),
        description="The buyer's bank took the money back",
        reason=row.reason,
    )
