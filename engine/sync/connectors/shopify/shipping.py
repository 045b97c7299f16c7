"""What a parcel means to a shop: which of its fulfillment orders it takes from, and what of it is there already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from engine.sync.canonical import Parcel
from engine.sync.connectors.shopify.reading import tail
from engine.sync.connectors.shopify.wire import Fulfillment, FulfillmentOrder, WaitingLine
from engine.sync.errors import FieldFault, Rejected

CARRIERS: Final[Mapping[str, str]] = {
    "ups": "UPS",
    "usps": "USPS",
    "fedex": "FedEx",
    "dhl": "DHL Express",
    "dhl express": "DHL Express",
    "ontrac": "OnTrac",
    "canada post": "Canada Post",
    "royal mail": "Royal Mail",
}
"""As Shopify's list spells them: only then it knows the carrier's page. Others stay as they are."""
_OVER: Final = frozenset({"CANCELLED", "ERROR", "FAILURE"})


@dataclass
class Waiting:
    """A fulfillment order that may be sent from."""

    id: str
    location: str
    lines: list[WaitingLine]


@dataclass
class State:
    """How an order's parcels stand. ``open`` is what may leave, ``held`` what may not just now."""

    open: list[Waiting]
    held: Counter[str]
    sent: list[Fulfillment] = field(default_factory=list)

    def with_number(self, number: str) -> list[Fulfillment]:
        """Fulfillments that carry this tracking number."""
        return [
            one
            for one in self.sent
            if one.status not in _OVER and any(info.number == number for info in one.tracking_info)
        ]


def state_of(sent: Sequence[Fulfillment], orders: Sequence[tuple[FulfillmentOrder, list[WaitingLine]]]) -> State:
    """``orders``: each with all its lines, whatever page they came by."""
    found = State([], Counter(), list(sent))
    for order, lines in orders:
        if any(one.action == "CREATE_FULFILLMENT" for one in order.supported_actions):
            place = order.assigned_location.location
            left = [one for one in lines if one.remaining_quantity > 0]
            found.open.append(Waiting(order.id, tail(place.id) if place else "", left))
        elif order.status in {"ON_HOLD", "SCHEDULED"}:
            found.held.update({one.sku: one.remaining_quantity for one in lines})
    return found


def missing(state: State, parcel: Parcel) -> list[list[dict[str, Any]]]:
    """The fulfillments that are still to be made for a parcel, one for each place that it comes from, as
    ``lineItemsByFulfillmentOrder``; none where its tracking number is there. Raises ``Rejected`` where less is open.
    """
    there = state.with_number(parcel.tracking_number)
    wanted: Counter[str] = Counter()
    for item in parcel.items:
        wanted[item.sku] += item.quantity
    for made in there:
        wanted.subtract({one.line_item.sku: one.quantity for one in made.fulfillment_line_items.nodes})
    used = {tail(one.location.id) for one in there if one.location}
    rest = +wanted
    # with its number there, only what other places still owe of it is made: a second parcel of one place is a double
    places = [one for one in state.open if one.location not in used]
    plan, lacking = _allocated(places, rest)
    if lacking and not there:
        raise _too_much(lacking, state)
    return [] if lacking else plan


def tracking(parcel: Parcel) -> dict[str, Any]:
    carrier = CARRIERS.get(parcel.carrier.strip().lower(), parcel.carrier.strip())
    return {"number": parcel.tracking_number} | ({"company": carrier} if carrier else {})


def _allocated(places: Sequence[Waiting], wanted: Counter[str]) -> tuple[list[list[dict[str, Any]]], Counter[str]]:
    """From one place where one has it all, else from each in turn; and what none has."""
    by_place: dict[str, list[Waiting]] = {}
    for one in places:
        by_place.setdefault(one.location, []).append(one)
    for orders in by_place.values():
        rows, lacking = _taken(orders, wanted)
        if not lacking:
            return ([rows] if rows else []), lacking
    plan, left = [], wanted
    for orders in by_place.values():
        rows, left = _taken(orders, left)
        plan += [rows] if rows else []
    return plan, left


def _taken(orders: Sequence[Waiting], wanted: Counter[str]) -> tuple[list[dict[str, Any]], Counter[str]]:
    left, rows = Counter(wanted), []
    for order in orders:
        lines = []
        for line in order.lines:
            take = min(left[line.sku], line.remaining_quantity)
            if take > 0:
                left[line.sku] -= take
                lines.append({"id": line.id, "quantity": take})
        if lines:
            rows.append({"fulfillmentOrderId": order.id, "fulfillmentOrderLineItems": lines})
    return rows, +left


def _too_much(lacking: Counter[str], state: State) -> Rejected:
    faults = [
        FieldFault(f"items.{sku}", f"{count} more than is open" + (", some is held" if state.held[sku] else ""))
        for sku, count in sorted(lacking.items())
    ]
    return Rejected("More left than the shop has open for this order.", fields=faults)
