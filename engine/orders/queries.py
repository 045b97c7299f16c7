"""Reading orders: whose they are is decided here, and an order nobody paid for is never shown."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select, tuple_
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement, Select

from engine.checkout.schemas import AddressView, FulfillmentOptionView, TotalView
from engine.kit import limits
from engine.kit.errors import NotFound
from engine.kit.identity import Identity
from engine.kit.pagination import Page, decode_cursor, encode_cursor
from engine.kit.views import Price, View
from engine.orders.models import Order, OrderLine, OrderStatus, Shipment
from engine.orders.schemas import (
    AdjustmentView,
    OrderLineView,
    OrderView,
    ShipmentEventView,
    ShipmentLineView,
    ShipmentView,
)
from engine.payments.models import Payment, PaymentStatus, Refund, RefundStatus


class MaskedStatus(View):
    """What number and e-mail alone may learn."""

    number: str
    status: str
    fulfillment_status: str
    placed_on: str


@dataclass(slots=True)
class _Parts:
    """Everything that belongs to one order, fetched for a whole page at once."""

    lines: list[OrderLine] = field(default_factory=list)
    shipments: list[Shipment] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)


def own_orders(session: Session, identity: Identity, *, limit: int = 20, cursor: str | None = None) -> Page[OrderView]:
    """The identity's own orders, newest first (all of the tenant's for staff). Raises ``InvalidInput`` for a
    cursor that is not ours.
    """
    query = _placed(identity.tenant_id)
    if not identity.is_staff:
        query = query.where(_is_own(identity))
    if cursor:
        moment, order_id = decode_cursor(cursor, size=2)
        query = query.where(tuple_(Order.placed_at, Order.id) < (_moment(str(moment)), str(order_id)))
    rows = session.scalars(query.order_by(Order.placed_at.desc(), Order.id.desc()).limit(limit + 1)).all()
    more = len(rows) > limit
    rows = rows[:limit]
    last = rows[-1] if rows else None
    following = encode_cursor([last.placed_at.isoformat(), last.id]) if more and last and last.placed_at else None
    return Page(_views(session, identity.tenant_id, rows), following)


def own_order(session: Session, identity: Identity, wanted: str) -> OrderView:
    """One of the identity's own orders by id or number. Anybody else's is ``NotFound`` like one that never was."""
    text = wanted.strip().lstrip("#")
    query = _placed(identity.tenant_id).where(or_(Order.id == text, Order.number == text.upper()))
    if not identity.is_staff:
        query = query.where(_is_own(identity))
    row = session.scalars(query).first()
    if row is None:
        raise NotFound("There is no such order among yours.")
    return _views(session, identity.tenant_id, [row])[0]


def order_by_id(session: Session, tenant_id: str, order_id: str) -> OrderView:
    """Any placed order of the tenant, for the engine itself. Raises ``NotFound``."""
    row = session.scalars(_placed(tenant_id).where(Order.id == order_id)).first()
    if row is None:
        raise NotFound("There is no such order.")
    return _views(session, tenant_id, [row])[0]


def just_paid(order: Order, lines: Sequence[OrderLine], payment: Payment) -> OrderView:
    """An order the moment it was paid: nothing was shipped or refunded yet, so nothing needs to be read."""
    return _view(order, _Parts(lines=list(lines), payments=[payment]))


def masked_status(session: Session, identity: Identity, *, number: str, email: str) -> MaskedStatus:
    """The bare state of any order by its number and the buyer's e-mail; five tries an hour per identity.

    Raises ``NotFound`` when they do not fit together, ``RateLimited``.
    """
    bucket = hashlib.sha256(f"{identity.tenant_id}|{identity.id}".encode()).hexdigest()
    limits.hit(session, f"order-lookup:{bucket}", limit=5, window=timedelta(hours=1))
    row = session.scalars(
        _placed(identity.tenant_id).where(
            Order.number == number.strip().lstrip("#").upper(),
            func.lower(Order.buyer["email"].astext) == email.strip().lower(),
        )
    ).first()
    if row is None or row.placed_at is None:
        raise NotFound("No order fits that number and e-mail.")
    seen = _views(session, identity.tenant_id, [row])[0]
    return MaskedStatus(
        number=seen.number,
        status=seen.status,
        fulfillment_status=seen.fulfillment_status,
        placed_on=row.placed_at.date().isoformat(),
    )


def fulfillment_status(lines: Iterable[OrderLine]) -> str:
    """Computed from line quantities alone."""
    kept = [(line.ordered - line.canceled, line) for line in lines]
    wanted = sum(quantity for quantity, _ in kept)
    shipped, delivered, returned = (
        sum(getattr(line, part) for _, line in kept) for part in ("shipped", "delivered", "returned")
    )
    if wanted == 0:
        return "canceled"
    if returned:
        return "returned" if returned == wanted else "partially_returned"
    if delivered == wanted:
        return "delivered"
    if shipped == wanted:
        return "shipped"
    return "partially_shipped" if shipped else "unfulfilled"


def payment_status(payments: Iterable[Payment], refunds: Iterable[Refund]) -> str:
    """Computed from what was captured and what went back."""
    captured = sum(p.amount for p in payments if p.status == PaymentStatus.CAPTURED)
    free = any(p.status == PaymentStatus.CAPTURED for p in payments)
    returned = sum(r.amount for r in refunds if r.status == RefundStatus.SUCCEEDED)
    if returned:
        return "refunded" if returned >= captured else "partially_refunded"
    return "paid" if captured or free else "unpaid"


def _placed(tenant_id: str) -> Select[Order]:
    return select(Order).where(
        Order.tenant_id == tenant_id,
        Order.placed_at.is_not(None),
        Order.status != OrderStatus.PENDING_PAYMENT,
    )


def _is_own(identity: Identity) -> ColumnElement[bool]:
    if identity.customer_id is None:
        return Order.owner_id == identity.id
    return or_(Order.owner_id == identity.id, Order.customer_id == identity.customer_id)


def _moment(text: str) -> datetime:
    from engine.kit.errors import InvalidInput

    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput("The cursor is not one of ours.", param="cursor") from None


def _views(session: Session, tenant_id: str, orders: Sequence[Order]) -> list[OrderView]:
    parts = _parts(session, tenant_id, [order.id for order in orders])
    return [_view(order, parts[order.id]) for order in orders]


def _parts(session: Session, tenant_id: str, order_ids: Sequence[str]) -> dict[str, _Parts]:
    found: dict[str, _Parts] = defaultdict(_Parts)
    if not order_ids:
        return found
    by_order: list[tuple[Any, str, Any]] = [
        (OrderLine, "lines", OrderLine.position),
        (Shipment, "shipments", Shipment.shipped_at),
        (Payment, "payments", Payment.created_at),
        (Refund, "refunds", Refund.created_at),
    ]
    for model, name, order in by_order:
        rows = session.scalars(
            select(model).where(model.tenant_id == tenant_id, model.order_id.in_(order_ids)).order_by(order)
        )
        for row in rows:
            getattr(found[row.order_id], name).append(row)
    return found


def _view(order: Order, parts: _Parts) -> OrderView:
    currency = order.currency
    titles = {line.id: line.title for line in parts.lines}
    assert order.placed_at is not None
    return OrderView(
        id=order.id,
        number=order.number,
        status=order.status,
        payment_status=payment_status(parts.payments, parts.refunds),
        fulfillment_status=fulfillment_status(parts.lines),
        lines=[_line_view(line, currency) for line in parts.lines],
        totals=[TotalView(**row) for row in order.totals],
        total=Price(amount=order.total, currency=currency),
        shipments=[_shipment_view(shipment, titles) for shipment in parts.shipments],
        adjustments=[_refund_view(refund) for refund in parts.refunds],
        ship_to=AddressView(**order.ship_to) if order.ship_to else None,
        fulfillment=FulfillmentOptionView(**order.fulfillment, selected=True) if order.fulfillment else None,
        created_at=order.placed_at,
    )


def _line_view(line: OrderLine, currency: str) -> OrderLineView:
    return OrderLineView(
        id=line.id,
        product_id=line.product_id,
        variant_id=line.variant_id,
        sku=line.sku,
        title=line.title,
        options=line.options,
        image=f"/media/products/{line.product_id}.svg",
        unit_price=Price(amount=line.unit_price, currency=currency),
        ordered=line.ordered,
        canceled=line.canceled,
        shipped=line.shipped,
        delivered=line.delivered,
        returned=line.returned,
        discount=line.discount,
        tax=line.tax,
    )


def _shipment_view(shipment: Shipment, titles: dict[str, str]) -> ShipmentView:
    return ShipmentView(
        id=shipment.id,
        status=shipment.status,
        carrier=shipment.carrier,
        tracking_number=shipment.tracking_number,
        lines=[
            ShipmentLineView(
                order_line_id=row["order_line_id"],
                title=titles.get(row["order_line_id"], ""),
                quantity=row["quantity"],
            )
            for row in shipment.lines
        ],
        events=[ShipmentEventView(**event) for event in shipment.events],
        shipped_at=shipment.shipped_at,
        delivered_at=shipment.delivered_at,
    )


def _refund_view(refund: Refund) -> AdjustmentView:
    return AdjustmentView(
        id=refund.id,
        type="refund",
        status=refund.status,
        amount=refund.amount,
        reason=refund.reason,
        occurred_at=refund.created_at,
    )
