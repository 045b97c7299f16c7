"""Orders of the file as rows of ours: paid, and sent, delivered or canceled, with books that say so.

Each was agreed to and paid elsewhere (``payments.brought_at``); a canceled one was sent first and came back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from engine.checkout.models import CheckoutSession, SessionStatus
from engine.finance import postings
from engine.inventory.models import Reservation, ReservationStatus
from engine.kit.ids import new_id
from engine.orders.models import (
    AdjustmentKind,
    Order,
    OrderAdjustment,
    OrderLine,
    OrderStatus,
    Shipment,
    ShipmentStatus,
)
from engine.payments.models import (
    CARD,
    STORED_VALUE,
    Capture,
    CaptureStatus,
    Payment,
    PaymentStatus,
    Refund,
    RefundStatus,
)
from engine.payments.stored_value_models import EntryKind
from evals.tau2.bringing_goods import Goods
from evals.tau2.bringing_people import Method, Person, move, place
from evals.tau2.rows import CURRENCY, Row, Rows
from evals.tau2.shop import OrderRow

SHIPPING: Final = {
    "code": "standard",
    "title": "Standard",
    "carrier": "Parcel",
    "price": 0,
    "per_kg": 0,
    "free_over": None,
    "min_days": 3,
    "max_days": 5,
    "air": False,
}
"""The one way of shipping, for nothing."""
_STATUS: Final = {
    "pending": OrderStatus.OPEN,
    "processed": OrderStatus.OPEN,
    "delivered": OrderStatus.CLOSED,
    "cancelled": OrderStatus.CANCELED,
}
_PARCEL: Final = {
    "processed": ShipmentStatus.SHIPPED,
    "delivered": ShipmentStatus.DELIVERED,
    "cancelled": ShipmentStatus.RETURNED,
}
_SENT: Final = timedelta(days=1)
_ARRIVED: Final = timedelta(days=4)


@dataclass(slots=True)
class _Sale:
    """One order while its rows are made."""

    rows: Rows
    plan: OrderRow
    person: Person
    at: datetime
    order_id: str
    session_id: str
    lead_id: str
    """The payment that its units were kept for."""
    total: int
    lines: list[Row]

    @property
    def method(self) -> Method:
        return self.person.methods[self.plan.payment_history[0].payment_method_id]


def bring_order(
    rows: Rows, plan: OrderRow, person: Person, goods: Mapping[str, Goods], *, location_id: str, at: datetime
) -> None:
    """Rows for an order that was placed ``at`` a moment days ago."""
    total = sum(item.price for item in plan.items)
    sale = _Sale(rows, plan, person, at, new_id("order"), new_id("checkout"), new_id("payment"), total, [])
    _order(sale)
    for position in range(len(plan.items)):
        sale.lines.append(_line(sale, goods, position))
    _session(sale)
    payment_id = _pay(sale)
    if plan.status == "cancelled":
        _refund(sale, payment_id)
    if plan.status == "pending":
        _reserve(sale, location_id)
    else:
        _send(sale, location_id)


def _order(sale: _Sale) -> None:
    plan, at = sale.plan, sale.at
    ended = {"delivered": at + _ARRIVED, "cancelled": at + _ARRIVED}.get(plan.status)
    chosen = {key: SHIPPING[key] for key in ("title", "carrier", "min_days", "max_days")}
    sale.rows.add(
        Order,
        id=sale.order_id,
        number=plan.order_id.removeprefix("#"),
        session_id=sale.session_id,
        owner_id=sale.person.shopper_id,
        customer_id=sale.person.customer_id,
        status=_STATUS[plan.status],
        currency=CURRENCY,
        totals=[
            {"type": "items_base_amount", "display_text": "Items", "amount": sale.total},
            {"type": "subtotal", "display_text": "Subtotal", "amount": sale.total},
            {"type": "fulfillment", "display_text": "Shipping: Standard", "amount": 0},
            {"type": "tax", "display_text": "Tax", "amount": 0},
            {"type": "total", "display_text": "Total", "amount": sale.total},
        ],
        total=sale.total,
        tax=0,
        buyer={"name": sale.person.name, "email": sale.person.email, "phone": ""},
        ship_to=place(plan.address, sale.person.name),
        fulfillment=chosen | {"id": SHIPPING["code"], "amount": 0},
        placed_at=at,
        created_at=at,
        updated_at=ended or at,
        closed_at=ended if plan.status == "delivered" else None,
        canceled_at=ended if plan.status == "cancelled" else None,
    )


def _line(sale: _Sale, goods: Mapping[str, Goods], position: int) -> Row:
    item, status = sale.plan.items[position], sale.plan.status
    kept, sent, arrived = status != "cancelled", status in {"processed", "delivered"}, status == "delivered"
    return sale.rows.add(
        OrderLine,
        id=new_id("order_line"),
        order_id=sale.order_id,
        position=position,
        product_id=goods[item.item_id].product_id,
        variant_id=goods[item.item_id].variant_id,
        sku=item.item_id,
        title=item.name,
        options=item.options,
        unit_price=item.price,
        unit_cost=0,
        ordered=1,
        canceled=int(not kept),
        allocated=int(kept),
        released=int(sent),
        shipped=int(sent),
        delivered=int(arrived),
    )


def _session(sale: _Sale) -> None:
    method, account_id = sale.method, sale.method.account_id
    sale.rows.add(
        CheckoutSession,
        id=sale.session_id,
        owner_id=sale.person.shopper_id,
        status=SessionStatus.COMPLETED,
        currency=CURRENCY,
        lines=[{"variant_id": line["variant_id"], "quantity": 1} for line in sale.lines],
        buyer={"name": sale.person.name, "email": sale.person.email, "phone": ""},
        ship_to=place(sale.plan.address, sale.person.name),
        fulfillment_option_id=SHIPPING["code"],
        payment_method=None if account_id else method.told,
        tenders=[{"stored_value_id": account_id, "amount": "all"}] if account_id else [],
        created_at=sale.at,
        updated_at=sale.at,
        expires_at=sale.at,
    )


def _pay(sale: _Sale) -> str:
    """The id of the payment that took the money. A gift card pays beside a lead payment of nothing, as in any sale."""
    rows, account_id = sale.rows, sale.method.account_id
    if account_id is None:
        _payment(sale, sale.lead_id, sale.total, gateway=sale.method.told["gateway"], tender=CARD)
        capture_id = _capture(sale, sale.lead_id)
        rows.post(postings.Kind.CAPTURE, capture_id, sale.order_id, sale.at, postings.capture(sale.total, 0))
        return sale.lead_id
    payment_id = new_id("payment")
    _payment(sale, sale.lead_id, 0, gateway=STORED_VALUE, tender=CARD)
    _payment(sale, payment_id, sale.total, gateway=STORED_VALUE, tender=f"gift_card:{account_id}")
    move(rows, account_id, EntryKind.HOLD, -sale.total, payment_id, sale.at)
    amounts = postings.stored_value_used("gift_card", sale.total, 0)
    rows.post(postings.Kind.STORED_VALUE_USED, _capture(sale, payment_id), sale.order_id, sale.at, amounts)
    return payment_id


def _payment(sale: _Sale, payment_id: str, amount: int, **how: str) -> None:
    told = sale.method.told if amount else {"brand": "", "last4": "", "label": ""}
    sale.rows.add(
        Payment,
        id=payment_id,
        session_id=sale.session_id,
        order_id=sale.order_id,
        stored_value_id=sale.method.account_id if how["tender"] != CARD else None,
        payment_method_id=sale.method.method_id,
        amount=amount,
        currency=CURRENCY,
        method={part: told[part] for part in ("brand", "last4", "label")},
        status=PaymentStatus.CAPTURED,
        created_at=sale.at,
        settled_at=sale.at,
        brought_at=sale.at,
        **how,
    )


def _capture(sale: _Sale, payment_id: str) -> str:
    capture_id = new_id("capture")
    sale.rows.add(
        Capture,
        id=capture_id,
        payment_id=payment_id,
        order_id=sale.order_id,
        amount=sale.total,
        tax=0,
        currency=CURRENCY,
        status=CaptureStatus.SUCCEEDED,
        reason="sale",
        attempts=1,
        created_at=sale.at,
        settled_at=sale.at,
    )
    return capture_id


def _refund(sale: _Sale, payment_id: str) -> None:
    """All of it went back the way it came, before anything was earned."""
    rows, at, refund_id, account_id = sale.rows, sale.at + _ARRIVED, new_id("refund"), sale.method.account_id
    rows.add(
        Refund,
        id=refund_id,
        payment_id=payment_id,
        order_id=sale.order_id,
        amount=sale.total,
        unearned=sale.total,
        currency=CURRENCY,
        reason="change:cancel",
        tender=f"gift_card:{account_id}" if account_id else CARD,
        stored_value_id=account_id,
        status=RefundStatus.SUCCEEDED,
        attempts=1,
        created_at=at,
        updated_at=at,
        settled_at=at,
    )
    rows.add(
        OrderAdjustment,
        id=new_id("adjustment"),
        order_id=sale.order_id,
        kind=AdjustmentKind.CANCEL,
        amount=-sale.total,
        tax=0,
        refund_id=refund_id,
        at=at,
    )
    to: Any = "gift_card_liability" if account_id else "psp_clearing"
    rows.post(postings.Kind.REFUND, refund_id, sale.order_id, at, postings.refund(sale.total, 0, sale.total, to))
    if account_id:
        move(rows, account_id, EntryKind.REFUND, sale.total, refund_id, at)


def _reserve(sale: _Sale, location_id: str) -> None:
    """Its units are promised; of what nobody counts no stock moves."""
    for line in sale.lines:
        sale.rows.add(
            Reservation,
            id=new_id("reservation"),
            variant_id=line["variant_id"],
            location_id=location_id,
            quantity=1,
            status=ReservationStatus.COMMITTED,
            payment_id=sale.lead_id,
            order_line_id=line["id"],
            tracked=False,
            created_at=sale.at,
        )


def _send(sale: _Sale, location_id: str) -> None:
    """One parcel with everything. What came back was never earned."""
    plan, sent, arrived = sale.plan, sale.at + _SENT, sale.at + _ARRIVED
    status = _PARCEL[plan.status]
    shipment_id, parcel = new_id("shipment"), plan.fulfillments[0]
    sale.rows.add(
        Shipment,
        id=shipment_id,
        order_id=sale.order_id,
        location_id=location_id,
        carrier=SHIPPING["carrier"],
        tracking_number=" ".join(parcel.tracking_id),
        status=status,
        lines=[{"order_line_id": line["id"], "quantity": 1} for line in sale.lines],
        events=[{"at": sent.isoformat(), "status": "shipped", "text": "Handed to the carrier"}],
        shipped_at=sent,
        delivered_at=arrived if status == ShipmentStatus.DELIVERED else None,
        returned_at=arrived if status == ShipmentStatus.RETURNED else None,
    )
    if status != ShipmentStatus.RETURNED:
        amounts = postings.shipment(sale.total, 0, 0, 0)
        sale.rows.post(postings.Kind.SHIPMENT, shipment_id, sale.order_id, sent, amounts)
