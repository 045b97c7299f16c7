"""Reading orders: whose they are is decided here, and an order nobody paid for is never shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import or_, select, tuple_
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement

from engine.checkout.schemas import AddressView, FulfillmentOptionView, TotalView
from engine.kit.errors import InvalidInput, NotFound
from engine.kit.gathering import Rows, Wanted, fetch
from engine.kit.identity import Identity
from engine.kit.ids import PREFIXES
from engine.kit.pagination import Page, decode_cursor, encode_cursor
from engine.kit.policies import fetch_with_tenant
from engine.kit.views import Price, View
from engine.orders.carrier_pages import carrier_page
from engine.orders.filters import OrderFilter, narrow, placed
from engine.orders.lookups import spelled
from engine.orders.models import (
    ChangeStatus,
    NoteAudience,
    Order,
    OrderAdjustment,
    OrderChange,
    OrderLine,
    OrderNote,
    OrderStatus,
    Shipment,
    ShipmentStatus,
)
from engine.orders.money import OrderMoney, add_up
from engine.orders.schemas import (
    AdjustmentView,
    ChangeSummary,
    NoteView,
    OrderLineView,
    OrderView,
    ShipmentEventView,
    ShipmentLineView,
    ShipmentView,
)
from engine.orders.status import fulfillment_status, payment_status
from engine.orders.ways import way_of
from engine.payments.models import Capture, CaptureStatus, Dispute, Payment, PaymentStatus, Refund
from engine.returns.models import Return


class MaskedStatus(View):
    """What number and e-mail alone may learn."""

    number: str
    status: str
    fulfillment_status: str
    placed_on: str


@dataclass(slots=True)
class Parts:
    """Everything that belongs to one order, fetched for a whole page at once."""

    lines: list[OrderLine] = field(default_factory=list)
    shipments: list[Shipment] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    captures: list[Capture] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    disputes: list[Dispute] = field(default_factory=list)
    adjustments: list[OrderAdjustment] = field(default_factory=list)
    notes: list[OrderNote] = field(default_factory=list)
    changes: list[OrderChange] = field(default_factory=list)
    returns: list[Return] = field(default_factory=list)

    def money(self, order: Order) -> OrderMoney:
        return add_up(
            order,
            payments=self.payments,
            captures=self.captures,
            refunds=self.refunds,
            disputes=self.disputes,
            adjustments=self.adjustments,
            retaxed=sum(change.quote["effect"]["moved_tax"] for change in self.applied)
            + sum(row.moved_tax for row in self.returns),
        )

    @property
    def applied(self) -> list[OrderChange]:
        return [change for change in self.changes if change.status == ChangeStatus.APPLIED]


_NAMED: Final = f"""r.tenant_id = %(tenant)s AND r.placed_at IS NOT NULL
  AND r.status <> '{OrderStatus.PENDING_PAYMENT.value}' AND (r.id = %(id)s OR r.number = %(number)s)
  AND (%(staff)s OR r.owner_id = %(owner)s OR r.customer_id = %(customer)s)"""
"""As ``placed`` and ``is_own``."""
_OWN: Final = Rows(Order, _NAMED)
_OWN_LOCKED: Final = Rows(Order, _NAMED, lock=True)
_OF_ORDER: Final = "r.tenant_id = %(tenant_id)s AND r.order_id = ANY(%(ids)s)"
_OF_PAYMENT: Final = """r.tenant_id = %(tenant_id)s AND r.payment_id = ANY(ARRAY(SELECT p.id FROM app.payments p
  WHERE p.tenant_id = %(tenant_id)s AND p.order_id = ANY(%(ids)s)))"""
"""By payments: an index is there for it."""
_EVERYTHING: Final[Mapping[str, Rows[Any]]] = {
    "lines": Rows(OrderLine, _OF_ORDER, order="r.position, r.id"),
    "shipments": Rows(Shipment, _OF_ORDER, order="r.shipped_at, r.id"),
    "payments": Rows(Payment, _OF_ORDER, order="r.created_at, r.id"),
    "refunds": Rows(Refund, _OF_ORDER, order="r.created_at, r.id"),
    "adjustments": Rows(OrderAdjustment, _OF_ORDER, order="r.at, r.id"),
    "notes": Rows(OrderNote, _OF_ORDER, order="r.created_at, r.id"),
    "changes": Rows(OrderChange, _OF_ORDER, order="r.created_at, r.id"),
    "returns": Rows(Return, _OF_ORDER, order="r.created_at, r.id"),
}
_OF_PAYMENTS: Final[Mapping[str, Rows[Any]]] = {
    "captures": Rows(Capture, _OF_PAYMENT),
    "disputes": Rows(Dispute, _OF_PAYMENT),
}
_PARTS: Final[Mapping[str, Rows[Any]]] = {**_EVERYTHING, **_OF_PAYMENTS}
_SHOWN_CHANGES: Final = frozenset(
    {
        ChangeStatus.CHARGING,
        ChangeStatus.REQUESTED,
        ChangeStatus.APPLIED,
        ChangeStatus.REFUSED,
        ChangeStatus.FAILED,
    }
)
_EVENT: Final = ("at", "status", "text")
_ENDED_PARCELS: Final = frozenset({ShipmentStatus.DELIVERED, ShipmentStatus.LOST, ShipmentStatus.RETURNED})


def own_orders(
    session: Session,
    identity: Identity,
    *,
    limit: int = 20,
    cursor: str | None = None,
    wanted: OrderFilter | None = None,
) -> Page[OrderView]:
    """The identity's own orders, newest first (all of the tenant's for staff). Raises ``InvalidInput`` for a
    cursor that is not ours and for a filter that cannot be.
    """
    query = narrow(placed(identity.tenant_id), wanted or OrderFilter())
    if not identity.is_staff:
        query = query.where(is_own(identity))
    if cursor:
        moment, order_id = decode_cursor(cursor, size=2)
        query = query.where(tuple_(Order.placed_at, Order.id) < (_moment(str(moment)), str(order_id)))
    rows = session.scalars(query.order_by(Order.placed_at.desc(), Order.id.desc()).limit(limit + 1)).all()
    more = len(rows) > limit
    rows = rows[:limit]
    last = rows[-1] if rows else None
    following = encode_cursor([last.placed_at.isoformat(), last.id]) if more and last and last.placed_at else None
    return Page(_views(session, identity.tenant_id, rows, identity), following)


def own_order(session: Session, identity: Identity, wanted: str) -> OrderView:
    """One of the identity's own orders by id or number. Anybody else's is ``NotFound`` like one that never was."""
    order, parts = own_with_parts(session, identity, wanted)
    return _view(order, parts, identity)


def own_with_parts(session: Session, identity: Identity, wanted: str) -> tuple[Order, Parts]:
    """The same with everything that belongs to it."""
    order = find_own(session, identity, wanted)
    return order, parts_of(session, identity.tenant_id, [order.id])[order.id]


def find_own(session: Session, identity: Identity, wanted: str, *, lock: bool = False) -> Order:
    """The row of one of the identity's own orders, by id or number; locked for who wants to change it.

    Raises ``NotFound``.
    """
    text = wanted.strip().lstrip("#")
    named: dict[str, Any] = {"tenant": identity.tenant_id, "id": text, "number": text.upper()}
    named |= {"staff": identity.is_staff, "owner": identity.id, "customer": identity.customer_id or ""}
    (rows,) = fetch_with_tenant(session, identity.tenant_id, (_OWN_LOCKED if lock else _OWN, named))
    if not rows:
        raise NotFound("There is no such order among yours.")
    return cast("Order", rows[0])


def own_numbers(session: Session, identity: Identity, *, limit: int) -> list[str]:
    """The numbers of the identity's own orders, newest first."""
    query = placed(identity.tenant_id).where(is_own(identity)).with_only_columns(Order.number)
    return list(session.scalars(query.order_by(Order.placed_at.desc(), Order.id.desc()).limit(limit)))


def order_by_id(session: Session, tenant_id: str, order_id: str) -> OrderView:
    """Any placed order of the tenant, for the engine itself. Raises ``NotFound``."""
    row = session.scalars(placed(tenant_id).where(Order.id == order_id)).first()
    if row is None:
        raise NotFound("There is no such order.")
    return _views(session, tenant_id, [row])[0]


def view_of(order: Order, parts: Parts, reader: Identity) -> OrderView:
    """An order that was read already, as ``reader`` may see it."""
    return _view(order, parts, reader)


def just_paid(order: Order, lines: Sequence[OrderLine], payment: Payment) -> OrderView:
    """An order the moment its payment ended well: nothing was shipped or refunded yet, so nothing needs to be read."""
    whole = Capture(payment_id=payment.id, amount=payment.amount, tax=order.tax, status=CaptureStatus.SUCCEEDED)
    taken = [whole] if payment.status == PaymentStatus.CAPTURED else []
    return _view(order, Parts(lines=list(lines), payments=[payment], captures=taken))


def masked_status(session: Session, tenant_id: str, *, number: str, email: str) -> MaskedStatus:
    """The bare state of any order by its number and the buyer's e-mail; ask ``lookups.limit`` first.

    Raises ``NotFound`` when they do not fit together.
    """
    row = session.scalars(
        placed(tenant_id).where(
            Order.number == spelled(number),
            Order.email_key == email.strip().lower(),
        )
    ).first()
    if row is None or row.placed_at is None:
        raise NotFound("No order fits that number and e-mail.")
    seen = _views(session, tenant_id, [row])[0]
    return MaskedStatus(
        number=seen.number,
        status=seen.status,
        fulfillment_status=seen.fulfillment_status,
        placed_on=row.placed_at.date().isoformat(),
    )


def is_own(identity: Identity) -> ColumnElement[bool]:
    """Whether an order was bought by this session, or by the customer whom it has proven to be."""
    if identity.customer_id is None:
        return Order.owner_id == identity.id
    return or_(Order.owner_id == identity.id, Order.customer_id == identity.customer_id)


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput("The cursor is not one of ours.", param="cursor") from None


def gather(session: Session, tenant_id: str, order_ids: Sequence[str]) -> list[Order]:
    """These orders in one statement: as long as they are held, the session finds each by its key without another."""
    return list(session.scalars(select(Order).where(Order.tenant_id == tenant_id, Order.id.in_(order_ids))))


def parts_of(session: Session, tenant_id: str, order_ids: Sequence[str]) -> dict[str, Parts]:
    """Everything that belongs to these orders, in one trip whatever their number."""
    found = fetch(session, *parts_wanted(tenant_id, order_ids)) if order_ids else [[]] * len(_PARTS)
    return parts_found(order_ids, found)


def parts_wanted(tenant_id: str, order_ids: Sequence[str]) -> list[Wanted]:
    """What to fetch for it beside other rows."""
    known = {"tenant_id": tenant_id, "ids": list(order_ids)}
    return [(one, known) for one in _PARTS.values()]


def parts_found(order_ids: Sequence[str], fetched: Sequence[Sequence[Any]]) -> dict[str, Parts]:
    """The parts out of the rows that ``parts_wanted`` asked for."""
    found: dict[str, Parts] = {order_id: Parts() for order_id in order_ids}
    rows = dict(zip(_PARTS, fetched, strict=True))
    order_of = {payment.id: payment.order_id for payment in rows["payments"]}
    for name, of_name in rows.items():
        for row in of_name:
            order_id = order_of[row.payment_id] if name in _OF_PAYMENTS else row.order_id
            getattr(found[order_id], name).append(row)
    return found


def _views(
    session: Session, tenant_id: str, orders: Sequence[Order], reader: Identity | None = None
) -> list[OrderView]:
    """As ``reader`` may see them; the engine itself sees what a shopper sees."""
    parts = parts_of(session, tenant_id, [order.id for order in orders])
    return [_view(order, parts[order.id], reader) for order in orders]


def _view(order: Order, parts: Parts, reader: Identity | None = None) -> OrderView:
    currency = order.currency
    titles = {line.id: line.title for line in parts.lines}
    money = parts.money(order)
    staff = reader is not None and reader.is_staff
    assert order.placed_at is not None
    return OrderView(
        id=order.id,
        number=order.number,
        status=order.status,
        payment_status=payment_status(money),
        fulfillment_status=fulfillment_status(parts.lines),
        lines=[_line_view(order, line, currency) for line in parts.lines],
        totals=[TotalView(**row) for row in order.totals],
        total=Price(amount=order.total, currency=currency),
        shipments=[_shipment_view(shipment, titles) for shipment in parts.shipments],
        adjustments=[_refund_view(refund) for refund in parts.refunds],
        ship_to=AddressView(**order.ship_to) if order.ship_to else None,
        fulfillment=FulfillmentOptionView(**order.fulfillment, selected=True) if order.fulfillment else None,
        created_at=order.placed_at,
        due=Price(amount=money.due, currency=currency),
        balance=Price(amount=money.balance, currency=currency),
        cancel_reason=order.cancel_reason,
        hold_reason=order.hold_reason if staff else None,
        notes=[_note_view(note, reader) for note in parts.notes if staff or note.audience == NoteAudience.SHOPPER],
        changes=[_change_view(change) for change in parts.changes if change.status in _SHOWN_CHANGES],
    )


def _note_view(note: OrderNote, reader: Identity | None) -> NoteView:
    who = "you" if note.author.startswith(f"{PREFIXES['shopper']}_") else "shop"
    if reader is not None and reader.is_staff:
        who = note.author
    return NoteView(id=note.id, author=who, audience=note.audience, text=note.text, created_at=note.created_at)


def _change_view(change: OrderChange) -> ChangeSummary:
    return ChangeSummary(
        id=change.id,
        kind=change.kind,
        status=change.status,
        difference=int(change.quote.get("amount", 0)),
        message=change.message or "",
        at=change.applied_at or change.decided_at or change.created_at,
    )


def _line_view(order: Order, line: OrderLine, currency: str) -> OrderLineView:
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
        allocated=line.allocated,
        released=line.released,
        replaces_line_id=line.replaces_line_id,
        digital=line.digital,
        way=str(way_of(order, line).get("title", "")) if line.digital or line.way is not None else "",
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
        events=[ShipmentEventView(**{part: event[part] for part in _EVENT}) for event in shipment.events],
        shipped_at=shipment.shipped_at,
        delivered_at=shipment.delivered_at,
        tracking_url=carrier_page(shipment.carrier, shipment.tracking_number),
        expected_on=shipment.expected_on if shipment.status not in _ENDED_PARCELS else None,
    )


_CHANGED: Final = {
    "change:cancel": "Canceled",
    "change:items": "Items were changed",
    "change:address": "Another address",
    "change:payment_method": "Paid another way",
    "change:not_applied": "A change that could not be made",
}
"""What a refund of a change is for, in words for its shopper."""


def _refund_view(refund: Refund) -> AdjustmentView:
    return AdjustmentView(
        id=refund.id,
        type="refund",
        status=refund.status,
        amount=refund.amount,
        reason=refund_words(refund.reason),
        occurred_at=refund.created_at,
    )


def refund_words(reason: str) -> str:
    """Why money went back, in words for its shopper."""
    return _CHANGED.get(reason, reason)
