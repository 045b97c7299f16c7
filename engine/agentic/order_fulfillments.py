"""How an order's units get to their buyer, in the protocol's words: its parcels, and what is still to be sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from engine.agentic.wire import Body, days, known, moment
from engine.digital.access import Access
from engine.fulfillment.carriers import DIGITAL
from engine.orders.carrier_pages import carrier_page
from engine.orders.models import Order, OrderLine, OrderStatus, Shipment, ShipmentStatus
from engine.orders.queries import Parts
from engine.orders.ways import way_of
from engine.shipping.digital import TYPE, is_digital
from engine.shipping.pickup import fetched

S = ShipmentStatus
STATUS: Final[Mapping[str, str]] = {
    S.LABEL_CREATED: "processing",
    S.SHIPPED: "shipped",
    S.IN_TRANSIT: "in_transit",
    S.OUT_FOR_DELIVERY: "out_for_delivery",
    S.DELIVERED: "delivered",
    S.EXCEPTION: "in_transit",
    S.LOST: "failed",
    S.RETURNED: "failed",
}
EVENT: Final[Mapping[str, str]] = {
    S.LABEL_CREATED: "processing",
    S.SHIPPED: "shipped",
    S.IN_TRANSIT: "in_transit",
    S.OUT_FOR_DELIVERY: "out_for_delivery",
    S.DELIVERED: "delivered",
    S.EXCEPTION: "failed_attempt",
    S.LOST: "undeliverable",
    S.RETURNED: "returned_to_sender",
}
_READY: Final = "ready_for_pickup"
_PLACE: Final = ("name", "line_one", "line_two", "city", "state", "country", "postal_code", "company")
_NEEDED: Final = frozenset({"name", "line_one", "city", "state", "country", "postal_code"})
_OPEN: Final = {
    "processing": ("processing", "Being prepared"),
    "pending": ("pending", "To be sent"),
    "backordered": ("pending", "Waits for stock"),
}


Given = Mapping[str, Sequence[Access]]
"""By shipment: what its buyer was given."""


def of(order: Order, parts: Parts, given: Given | None = None) -> list[Body]:
    """One fulfillment for each parcel, oldest first, and for each unit that has none; then one each for units being
    prepared, to be sent and waiting, of every way.
    """
    sent = [body for row in parts.shipments for body in _sent(order, parts, row, given or {})]
    return sent if order.status == OrderStatus.CANCELED else sent + _to_be_sent(order, parts.lines)


def kind_of(way: Mapping[str, Any]) -> str:
    """Shipping, pickup or digital; what is delivered in town is shipped."""
    return TYPE if is_digital(way) else "pickup" if fetched(way) else "shipping"


def _sent(order: Order, parts: Parts, row: Shipment, given: Given) -> list[Body]:
    if row.carrier != DIGITAL:
        return [_parcel(order, _way_of(order, parts.lines, row), row)]
    body: Body = {
        "id": row.id,
        "type": TYPE,
        "status": STATUS[row.status],
        "line_items": [{"id": one["order_line_id"], "quantity": one["quantity"]} for one in row.lines],
        "events": [_event(row, place, event, ready=False) for place, event in enumerate(row.events, start=1)],
    }
    if row.events:
        body["description"] = str(row.events[-1]["text"])
    found = [unit for access in given.get(row.id, ()) for unit in _units(access)]
    return [body | _one_of(number, one) for number, one in enumerate(found, start=1)] or [body]


def _units(access: Access) -> list[tuple[Access, str, int]]:
    """Each code is a unit's own; an address is that of all of them."""
    if len(access.codes) < 2:
        return [(access, "".join(access.codes), access.quantity)]
    return [(access, code, 1) for code in access.codes]


def _one_of(number: int, unit: tuple[Access, str, int]) -> Body:
    access, code, quantity = unit
    told = known(
        {
            "access_url": access.url or None,
            "license_key": code or None,
            "expires_at": moment(access.expires_at) if access.expires_at else None,
        }
    )
    body: Body = {
        "id": f"{access.shipment_id}-{number}",
        "line_items": [{"id": access.order_line_id, "quantity": quantity}],
    }
    if access.revoked_at is not None:
        return body | {"status": "canceled", "description": "Access was revoked"}
    return body | ({"digital_delivery": told} if told else {})


def _way_of(order: Order, lines: Sequence[OrderLine], row: Shipment) -> Mapping[str, Any]:
    """How a parcel goes: as its lines do."""
    ids = {one["order_line_id"] for one in row.lines}
    return next((way_of(order, line) for line in lines if line.id in ids), order.fulfillment)


def _parcel(order: Order, way: Mapping[str, Any], row: Shipment) -> Body:
    comes = fetched(way)
    ready = comes and row.status == S.LABEL_CREATED
    body: Body = {
        "id": row.id,
        "type": kind_of(way),
        "status": _READY if ready else STATUS[row.status],
        "line_items": [{"id": one["order_line_id"], "quantity": one["quantity"]} for one in row.lines],
        "destination": _place(order, way),
        "events": [_event(row, place, event, ready=comes) for place, event in enumerate(row.events, start=1)],
    }
    if not comes:
        page = carrier_page(row.carrier, row.tracking_number)
        body |= {"carrier": row.carrier, "tracking_number": row.tracking_number, "tracking_url": page}
    if not comes and row.expected_on is not None and row.status not in {S.DELIVERED, S.LOST, S.RETURNED}:
        body["estimated_delivery"] = days(row.expected_on, row.expected_on)
    if row.events:
        body["description"] = str(row.events[-1]["text"])
    return known(body)


def _place(order: Order, way: Mapping[str, Any]) -> Body | None:
    """Where units go: to the place where they are fetched, else to the order's address; nowhere without a parcel."""
    if is_digital(way):
        return None
    if fetched(way) and way != order.fulfillment:
        return destination(way["place"])
    return destination(order.ship_to)


def destination(place: Mapping[str, Any] | None) -> Body | None:
    """An address in the protocol's form, where it is whole; one that was erased is not."""
    told = {part: str(place[part]) for part in _PLACE if place.get(part)} if place else {}
    return told if told.keys() >= _NEEDED else None


def _event(row: Shipment, place: int, event: Mapping[str, Any], *, ready: bool) -> Body:
    kind = _READY if ready and event["status"] == S.LABEL_CREATED else EVENT.get(event["status"])
    at = event["at"] if isinstance(event["at"], datetime) else datetime.fromisoformat(str(event["at"]))
    return {
        "id": str(event.get("id") or f"{row.id}-{place}"),
        "type": kind or str(event["status"]),
        "occurred_at": moment(at),
        "description": str(event["text"]),
    }


def _to_be_sent(order: Order, lines: Sequence[OrderLine]) -> list[Body]:
    """By way; their ids stay the same as long as there is something in them."""
    ways: dict[str, tuple[Mapping[str, Any], list[OrderLine]]] = {}
    for line in lines:
        way = way_of(order, line)
        ways.setdefault(str(way.get("id")), (way, []))[1].append(line)
    own = str(order.fulfillment.get("id"))
    return [
        body
        for name, (way, mine) in ways.items()
        for body in _open_of(order, way, mine, "" if name == own else f"-{name}")
    ]


def _open_of(order: Order, way: Mapping[str, Any], lines: Sequence[OrderLine], suffix: str) -> list[Body]:
    open_units: dict[str, list[Body]] = {name: [] for name in _OPEN}
    for line in lines:
        for name, units in (
            ("processing", line.released - line.shipped),
            ("pending", line.allocated - line.released),
            ("backordered", line.ordered - line.canceled - line.allocated),
        ):
            if units > 0:
                open_units[name].append({"id": line.id, "quantity": units})
    place = _place(order, way)
    return [
        {
            "id": f"{order.id}-{name}{suffix}",
            "type": kind_of(way),
            "status": _OPEN[name][0],
            "line_items": units,
            "description": _OPEN[name][1],
            "events": [],
        }
        | ({"destination": place} if place else {})
        for name, units in open_units.items()
        if units
    ]
