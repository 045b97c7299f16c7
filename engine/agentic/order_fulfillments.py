"""How an order's units get to their buyer, in the protocol's words: its parcels, and what is still to be sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from engine.agentic.wire import Body, days, known, moment
from engine.orders.models import Order, OrderLine, OrderStatus, Shipment, ShipmentStatus
from engine.orders.queries import Parts
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
_TRACKING: Final = {
    "ups": "https://www.ups.com/track?tracknum={}",
    "usps": "https://tools.usps.com/go/TrackConfirmAction?tLabels={}",
    "fedex": "https://www.fedex.com/fedextrack/?trknbr={}",
    "dhl": "https://www.dhl.com/en/express/tracking.html?AWB={}",
}
_READY: Final = "ready_for_pickup"
_PLACE: Final = ("name", "line_one", "line_two", "city", "state", "country", "postal_code", "company")
_NEEDED: Final = frozenset({"name", "line_one", "city", "state", "country", "postal_code"})
_OPEN: Final = {
    "processing": ("processing", "Being prepared"),
    "pending": ("pending", "To be sent"),
    "backordered": ("pending", "Waits for stock"),
}


def of(order: Order, parts: Parts) -> list[Body]:
    """One fulfillment for each parcel, oldest first, then one each for units being prepared, to be sent and waiting."""
    sent = [_parcel(order, row) for row in parts.shipments]
    return sent if order.status == OrderStatus.CANCELED else sent + _to_be_sent(order, parts.lines)


def kind_of(order: Order) -> str:
    """Shipping or pickup; what is delivered in town is shipped."""
    return "pickup" if fetched(order.fulfillment) else "shipping"


def _parcel(order: Order, row: Shipment) -> Body:
    ready = fetched(order.fulfillment) and row.status == S.LABEL_CREATED
    body: Body = {
        "id": row.id,
        "type": kind_of(order),
        "status": _READY if ready else STATUS[row.status],
        "line_items": [{"id": one["order_line_id"], "quantity": one["quantity"]} for one in row.lines],
        "destination": destination(order.ship_to),
        "events": [_event(order, row, place, event) for place, event in enumerate(row.events, start=1)],
    }
    if not fetched(order.fulfillment):
        tracked = {"carrier": row.carrier, "tracking_number": row.tracking_number, "tracking_url": _tracking(row)}
        body |= tracked
    if (
        not fetched(order.fulfillment)
        and row.expected_on is not None
        and row.status not in {S.DELIVERED, S.LOST, S.RETURNED}
    ):
        body["estimated_delivery"] = days(row.expected_on, row.expected_on)
    if row.events:
        body["description"] = str(row.events[-1]["text"])
    return known(body)


def destination(place: Mapping[str, Any] | None) -> Body | None:
    """An address in the protocol's form, where it is whole; one that was erased is not."""
    told = {part: str(place[part]) for part in _PLACE if place.get(part)} if place else {}
    return told if told.keys() >= _NEEDED else None


def _event(order: Order, row: Shipment, place: int, event: Mapping[str, Any]) -> Body:
    kind = _READY if fetched(order.fulfillment) and event["status"] == S.LABEL_CREATED else EVENT.get(event["status"])
    at = event["at"] if isinstance(event["at"], datetime) else datetime.fromisoformat(str(event["at"]))
    return {
        "id": str(event.get("id") or f"{row.id}-{place}"),
        "type": kind or str(event["status"]),
        "occurred_at": moment(at),
        "description": str(event["text"]),
    }


def _to_be_sent(order: Order, lines: Sequence[OrderLine]) -> list[Body]:
    """Their ids stay the same as long as there is something in them."""
    open_units: dict[str, list[Body]] = {name: [] for name in _OPEN}
    for line in lines:
        for name, units in (
            ("processing", line.released - line.shipped),
            ("pending", line.allocated - line.released),
            ("backordered", line.ordered - line.canceled - line.allocated),
        ):
            if units > 0:
                open_units[name].append({"id": line.id, "quantity": units})
    place = destination(order.ship_to)
    return [
        {
            "id": f"{order.id}-{name}",
            "type": kind_of(order),
            "status": _OPEN[name][0],
            "line_items": units,
            "description": _OPEN[name][1],
            "events": [],
        }
        | ({"destination": place} if place else {})
        for name, units in open_units.items()
        if units
    ]


def _tracking(row: Shipment) -> str | None:
    page = _TRACKING.get(row.carrier.lower().split()[0] if row.carrier else "")
    return page.format(quote(row.tracking_number, safe="")) if page else None
