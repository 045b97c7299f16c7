"""Parcels leave: the fulfilment-order state machine."""

from __future__ import annotations

from typing import Any, Final

from engine.sync.sandbox.shopify import pricing, stock
from engine.sync.sandbox.shopify.bodies import fulfillment_body, order_body
from engine.sync.sandbox.shopify.mistakes import refuse
from engine.sync.sandbox.shopify.shop import Shop, find, numbered
from engine.sync.sandbox.shopify.state import FulfilledLine, Fulfillment, FulfillmentOrder, Hold, Order, OrderedLine
from engine.sync.sandbox.wire import Json

ACTIONS: Final = {
    "OPEN": ("CREATE_FULFILLMENT", "REPORT_PROGRESS", "MOVE", "HOLD"),
    "IN_PROGRESS": ("CREATE_FULFILLMENT", "REPORT_PROGRESS", "HOLD"),
    "ON_HOLD": ("RELEASE_HOLD", "HOLD", "MOVE"),
    "SCHEDULED": ("MARK_AS_OPEN", "MOVE"),
    "INCOMPLETE": (),
    "CANCELLED": (),
    "CLOSED": (),
}
SHIPPABLE: Final = frozenset({"OPEN", "IN_PROGRESS"})
CARRIERS: Final = {
    "UPS": "https://www.ups.com/track?tracknum={}",
    "FedEx": "https://www.fedex.com/fedextrack/?trknbr={}",
    "USPS": "https://tools.usps.com/go/TrackConfirmAction?tLabels={}",
    "DHL Express": "https://www.dhl.com/en/express/tracking.html?AWB={}",
}
_HOLDS_MOST: Final = 10
Picked = list[tuple[FulfillmentOrder, OrderedLine, int]]


def fulfillment_create(shop: Shop, args: Json) -> Json:
    """``fulfillmentCreate``: one parcel of what is left of fulfilment orders of one order at one place."""
    given = args["fulfillment"]
    wanted = given["lineItemsByFulfillmentOrder"]
    if not wanted:
        raise refuse("Fulfillment order line items can't be blank.", "fulfillment", "lineItemsByFulfillmentOrder")
    orders = [
        find(shop.state.fulfillment_orders, one["fulfillmentOrderId"], "fulfillment", what="Fulfillment order")
        for one in wanted
    ]
    _check(orders)
    picked = [row for order, one in zip(orders, wanted, strict=True) for row in _pick(order, one)]
    made = _ship(shop, picked, given)
    return {"fulfillment": made}


def _check(orders: list[FulfillmentOrder]) -> None:
    if len({one.order.id for one in orders}) > 1:
        raise refuse("All fulfillment orders must belong to the same order.", "fulfillment")
    if len({one.location.id for one in orders}) > 1:
        raise refuse("All fulfillment orders must be assigned to the same location.", "fulfillment")
    for one in orders:
        if one.status not in SHIPPABLE:
            raise refuse(
                f"Fulfillment order {one.id} has an unfulfillable status= {one.status.lower()}.", "fulfillment"
            )


def _pick(order: FulfillmentOrder, wanted: Json) -> Picked:
    rows = wanted.get("fulfillmentOrderLineItems")
    if not rows:
        return [(order, line, line.remaining) for line in order.lines if line.remaining]
    found = {line.id: line for line in order.lines}
    picked: Picked = []
    taken: dict[int, int] = {}
    for row in rows:
        line = found.get(numbered(row["id"]))
        if line is None:
            raise refuse("Fulfillment order line item does not exist.", "fulfillment")
        taken[line.id] = taken.get(line.id, 0) + row["quantity"]
        if row["quantity"] < 1 or taken[line.id] > line.remaining:
            raise refuse("Invalid fulfillment order line item quantity requested.", "fulfillment")
        picked.append((order, line, row["quantity"]))
    return picked


def _ship(shop: Shop, picked: Picked, given: Json) -> Fulfillment:
    first, now = picked[0][0], shop.now()
    order = first.order
    made = Fulfillment(
        id=shop.number(),
        order=order,
        name=f"{order.name}-F{len(order.fulfillments) + 1}",
        location=first.location,
        lines=[FulfilledLine(shop.number(), line.line, quantity) for _, line, quantity in picked],
        tracking=read_tracking(given.get("trackingInfo")),
        created_at=now,
        updated_at=now,
        notify=bool(given.get("notifyCustomer")),
    )
    for parent, line, quantity in picked:
        line.remaining -= quantity
        line.line.fulfilled += quantity
        stock.ship(shop, line, parent.location.id, quantity)
    _settle(shop, order, made, {id(parent): parent for parent, _, _ in picked}.values())
    return made


def _settle(shop: Shop, order: Order, made: Fulfillment, parents: Any) -> None:
    for parent in parents:
        parent.fulfillments.append(made)
        parent.status = "IN_PROGRESS" if parent.remaining else "CLOSED"
        parent.updated_at = shop.now()
    order.fulfillments.append(made)
    shop.state.fulfillments[made.id] = made
    shop.emit("FULFILLMENTS_CREATE", made.gid, fulfillment_body(made))
    done = pricing.fulfillment_status(order) == "FULFILLED"
    touch(shop, order, "ORDERS_FULFILLED" if done else "ORDERS_PARTIALLY_FULFILLED")


def touch(shop: Shop, order: Order, *topics: str) -> None:
    """The order changed: its time, and the topics that say so besides ``ORDERS_UPDATED``."""
    order.updated_at = shop.now()
    for topic in ("ORDERS_UPDATED", *topics):
        shop.emit(topic, order.gid, order_body(order))


def read_tracking(given: Json | None) -> list[Json]:
    """Numbers with the carrier's name; a carrier spelled as Shopify spells it brings its address along."""
    given = given or {}
    numbers = given.get("numbers") or ([given["number"]] if given.get("number") else [])
    urls = given.get("urls") or ([given["url"]] if given.get("url") else [])
    company = given.get("company")
    made = CARRIERS.get(company or "")
    return [
        {
            "number": number,
            "company": company,
            "url": urls[place] if place < len(urls) else made and made.format(number),
        }
        for place, number in enumerate(numbers)
    ]


def tracking_update(shop: Shop, args: Json) -> Json:
    """``fulfillmentTrackingInfoUpdate``: what was said of the parcel is replaced."""
    found = find(shop.state.fulfillments, args["fulfillmentId"], "fulfillmentId", what="Fulfillment")
    found.tracking = read_tracking(args["trackingInfoInput"])
    found.updated_at = shop.now()
    shop.emit("FULFILLMENTS_UPDATE", found.gid, fulfillment_body(found))
    return {"fulfillment": found}


def hold(shop: Shop, args: Json) -> Json:
    """``fulfillmentOrderHold``: nothing leaves until it is released. Only whole fulfilment orders are held here."""
    given = args["fulfillmentHold"]
    found = _held(shop, args["id"])
    handle = given.get("handle") or ""
    if any(one.handle == handle for one in found.holds):
        raise refuse(
            "The handle provided for the fulfillment hold is already in use.",
            "fulfillmentHold",
            code="DUPLICATE_FULFILLMENT_HOLD_HANDLE",
        )
    if len(found.holds) >= _HOLDS_MOST:
        raise refuse(
            "The fulfillment order has reached its limit of holds.", "id", code="FULFILLMENT_ORDER_HOLD_LIMIT_REACHED"
        )
    if given.get("fulfillmentOrderLineItems"):
        raise refuse(
            "The sandbox holds whole fulfillment orders only.",
            "fulfillmentHold",
            code="FULFILLMENT_ORDER_NOT_SPLITTABLE",
        )
    made = Hold(shop.number(), given["reason"], given.get("reasonNotes"), handle, given.get("externalId"))
    found.holds.append(made)
    found.status, found.updated_at = "ON_HOLD", shop.now()
    touch(shop, found.order)
    return {"fulfillmentHold": made, "fulfillmentOrder": found, "remainingFulfillmentOrder": None}


def _held(shop: Shop, gid: str) -> FulfillmentOrder:
    code = "FULFILLMENT_ORDER_NOT_FOUND"
    found = find(shop.state.fulfillment_orders, gid, "id", code=code, what="Fulfillment order")
    if found.status not in SHIPPABLE | {"ON_HOLD"}:
        raise refuse("The fulfillment order is not in a state that can be held.", "id", code="TAKEN")
    return found


def release_hold(shop: Shop, args: Json) -> Json:
    """``fulfillmentOrderReleaseHold``: the named holds, else all."""
    code = "FULFILLMENT_ORDER_NOT_FOUND"
    found = find(shop.state.fulfillment_orders, args["id"], "id", code=code, what="Fulfillment order")
    named = {numbered(one) for one in args.get("holdIds") or []}
    external = args.get("externalId")
    freed = [one for one in found.holds if (not named or one.id in named) and external in {None, one.external_id}]
    found.holds = [one for one in found.holds if one not in freed]
    if found.status == "ON_HOLD" and not found.holds:
        whole = sum(line.total for line in found.lines)
        found.status = "OPEN" if found.remaining == whole else "IN_PROGRESS"
    touch(shop, found.order)
    return {"fulfillmentOrder": found}
