"""An order changes after it was placed: tags, address, cancellation, refund, return."""

from __future__ import annotations

from typing import Any, Final

from engine.sync.sandbox.shopify import pricing, stock
from engine.sync.sandbox.shopify.bodies import refund_body, return_body
from engine.sync.sandbox.shopify.fulfilling import touch
from engine.sync.sandbox.shopify.mistakes import refuse
from engine.sync.sandbox.shopify.ordering import read_address
from engine.sync.sandbox.shopify.shop import Shop, find, numbered
from engine.sync.sandbox.shopify.state import (
    Bag,
    FulfilledLine,
    Line,
    Location,
    Order,
    Refund,
    RefundLine,
    Return,
    Transaction,
    minor,
)
from engine.sync.sandbox.wire import Json

_TAG_LONGEST: Final = 40
_TAGS_MOST: Final = 250


def _order(shop: Shop, gid: Any, *field: str, code: str | None = None) -> Order:
    return find(shop.state.orders, gid, *field, code=code, what="Order")


def tags_add(shop: Shop, args: Json) -> Json:
    """``tagsAdd``: adds to what is there. Has no idempotency key, and needs none: a tag is there once."""
    found = _order(shop, args["id"], "id")
    tags = [tag.strip() for one in args["tags"] for tag in one.split(",") if tag.strip()]
    if any(len(tag) > _TAG_LONGEST for tag in tags):
        raise refuse(f"Tags must be at most {_TAG_LONGEST} characters long.", "tags")
    merged = sorted({*found.tags, *tags})
    if len(merged) > _TAGS_MOST:
        raise refuse(f"An order has at most {_TAGS_MOST} tags.", "tags")
    if merged != found.tags:
        found.tags = merged
        touch(shop, found)
    return {"node": found}


def tags_remove(shop: Shop, args: Json) -> Json:
    """``tagsRemove``."""
    found = _order(shop, args["id"], "id")
    left = [tag for tag in found.tags if tag not in set(args["tags"])]
    if left != found.tags:
        found.tags = left
        touch(shop, found)
    return {"node": found}


def order_update(shop: Shop, args: Json) -> Json:
    """``orderUpdate``: ``tags`` replaces them all."""
    given = args["input"]
    found = _order(shop, given["id"], "id")
    for name, attribute in (("email", "email"), ("note", "note"), ("phone", "phone"), ("poNumber", "po_number")):
        if name in given:
            setattr(found, attribute, given[name])
    if "tags" in given:
        found.tags = sorted(set(given["tags"] or []))
    if "shippingAddress" in given:
        found.shipping_address = {**(found.shipping_address or {}), **(read_address(given["shippingAddress"]) or {})}
    if "customAttributes" in given:
        found.attributes = [{"key": one["key"], "value": one.get("value")} for one in given["customAttributes"] or []]
    touch(shop, found)
    return {"order": found}


def order_cancel(shop: Shop, args: Json) -> Json:
    """``orderCancel``: what has not left will not leave. The job that is answered is done at once."""
    found = _order(shop, args["orderId"], "orderId", code="NOT_FOUND")
    if found.cancelled_at is not None:
        raise refuse("Order has already been cancelled", "orderId", code="INVALID")
    if any(line.fulfilled for line in found.lines):
        raise refuse("Cannot cancel an order with fulfilled items", "orderId", code="INVALID")
    for parent in found.fulfillment_orders:
        _call_off(shop, parent, restock=args["restock"])
    found.cancelled_at, found.cancel_reason = shop.now(), args["reason"]
    if args.get("refund"):
        _give_back(shop, found, pricing.paid(found) - pricing.refunded(found))
    touch(shop, found, "ORDERS_CANCELLED")
    job = f"gid://shopify/Job/{shop.number()}"
    shop.state.jobs[job] = shop.now()
    return {"job": {"id": job, "done": True}}


def _call_off(shop: Shop, parent: Any, *, restock: bool) -> None:
    for line in parent.lines:
        stock.release(shop, line, parent.location.id, line.remaining, restock=restock)
        line.line.removed += line.remaining
        line.remaining = 0
    parent.status, parent.updated_at = "CANCELLED", shop.now()


def _give_back(shop: Shop, order: Order, amount: Bag, gateway: str = "") -> None:
    if not amount.shop:
        return
    now = shop.now()
    parent = next((one for one in order.transactions if one.kind in {"SALE", "CAPTURE"}), None)
    gateway = gateway or (parent.gateway if parent else "manual")
    order.transactions.append(Transaction(shop.number(), "REFUND", "SUCCESS", gateway, amount, now, now, parent=parent))


def refund_create(shop: Shop, args: Json) -> Json:
    """``refundCreate``: goods off the order, and money back as its transactions say."""
    given = args["input"]
    order = _order(shop, given["orderId"], "orderId")
    rows = [_refund_line(shop, order, one) for one in given.get("refundLineItems") or []]
    amounts = [_amount(order, one) for one in given.get("transactions") or []]
    total = order_sum(order, amounts)
    if total.shop > (pricing.paid(order) - pricing.refunded(order)).shop:
        raise refuse("Refund amount cannot be greater than the amount available to refund.", "transactions")
    for row in rows:
        _take_off(shop, order, row)
    for amount, one in zip(amounts, given.get("transactions") or [], strict=True):
        _give_back(shop, order, amount, one["gateway"])
    made = Refund(shop.number(), order, given.get("note") or "", rows, total, shop.now())
    order.refunds.append(made)
    shop.emit("REFUNDS_CREATE", made.gid, refund_body(made))
    touch(shop, order)
    return {"refund": made, "order": order}


def order_sum(order: Order, amounts: list[Bag]) -> Bag:
    whole = pricing.zero(order)
    for one in amounts:
        whole += one
    return whole


def _amount(order: Order, given: Json) -> Bag:
    value = minor(given["amount"], order.currency)
    if value <= 0 or given["kind"] != "REFUND":
        raise refuse("Transactions must be refunds of more than nothing.", "transactions")
    return Bag(value, minor(given["amount"], order.presentment_currency), order.currency, order.presentment_currency)


def _refund_line(shop: Shop, order: Order, given: Json) -> RefundLine:
    line = next((one for one in order.lines if one.id == numbered(given["lineItemId"])), None)
    if line is None:
        raise refuse("Line item does not exist", "refundLineItems", "lineItemId")
    if not 0 < given["quantity"] <= line.current:
        raise refuse("Quantity cannot refund more items than were purchased", "refundLineItems", "quantity")
    kind = given.get("restockType") or "NO_RESTOCK"
    place = shop.state.locations.get(numbered(given.get("locationId")))
    if kind == "RETURN" and place is None:
        raise refuse("Location is required to return an item to stock", "refundLineItems", "locationId")
    subtotal = line.total().part(given["quantity"], line.quantity)
    return RefundLine(shop.number(), line, given["quantity"], kind, place or _sender(order, line), subtotal)


def _sender(order: Order, line: Line) -> Location | None:
    return next((one.location for one in order.fulfillment_orders for row in one.lines if row.line is line), None)


def _take_off(shop: Shop, order: Order, row: RefundLine) -> None:
    """Less is on the order: what had not left is not sent any more, what had is back where it was returned to."""
    row.line.removed += row.quantity
    unsent = row.quantity
    for parent in order.fulfillment_orders:
        for one in parent.lines:
            if one.line is row.line and unsent and one.remaining:
                cut = min(unsent, one.remaining)
                one.remaining -= cut
                unsent -= cut
                stock.release(shop, one, parent.location.id, cut, restock=row.restock_type != "NO_RESTOCK")
        if parent.status in {"OPEN", "IN_PROGRESS"} and not parent.remaining:
            parent.status = "CLOSED"
    if row.restock_type == "RETURN" and unsent and row.line.variant is not None and row.location is not None:
        stock.restock(shop, row.line.variant, row.location.id, unsent)


def return_create(shop: Shop, args: Json) -> Json:
    """``returnCreate``: of what was sent and is not on its way back already."""
    given = args["returnInput"]
    order = _order(shop, given["orderId"], "orderId", code="NOT_FOUND")
    if not given["returnLineItems"]:
        raise refuse("Return line items can't be blank", "returnLineItems", code="BLANK")
    rows = [_return_line(order, one) for one in given["returnLineItems"]]
    for sent, quantity, _ in rows:
        sent.returned += quantity
    made = Return(shop.number(), order, f"{order.name}-R{len(order.returns) + 1}", rows, shop.now())
    order.returns.append(made)
    shop.emit("RETURNS_APPROVE", made.gid, return_body(made))
    touch(shop, order)
    return {"return": made}


def _return_line(order: Order, given: Json) -> tuple[FulfilledLine, int, Json]:
    number = numbered(given["fulfillmentLineItemId"])
    sent = next((line for one in order.fulfillments for line in one.lines if line.id == number), None)
    if sent is None:
        raise refuse("Fulfillment line item does not exist", "returnLineItems", code="NOT_FOUND")
    if not 0 < given["quantity"] <= sent.quantity - sent.returned:
        raise refuse("Return line item has an invalid quantity.", "returnLineItems", code="INVALID")
    return (
        sent,
        given["quantity"],
        {"reason": given.get("returnReason") or "UNKNOWN", "note": given.get("returnReasonNote") or ""},
    )
