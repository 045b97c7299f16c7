"""An order is placed: lines, money, and stock that waits for it at a place."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from engine.sync.sandbox.shopify import pricing, stock
from engine.sync.sandbox.shopify.bodies import order_body
from engine.sync.sandbox.shopify.mistakes import refuse
from engine.sync.sandbox.shopify.shop import Shop, numbered
from engine.sync.sandbox.shopify.state import (
    Bag,
    Customer,
    FulfillmentOrder,
    Line,
    LineGroup,
    Location,
    Order,
    OrderedLine,
    ShippingLine,
    Transaction,
    Variant,
)
from engine.sync.sandbox.wire import Json

_INVALID: Final = "INVALID"


def order_create(shop: Shop, args: Json) -> Json:
    """``orderCreate``. Stock is committed unless the option bypasses it (the default, as with the vendor)."""
    given, options = args["order"], args.get("options") or {}
    behaviour = options.get("inventoryBehaviour") or "BYPASS"
    if not given.get("lineItems"):
        raise refuse("Line items can't be blank", "order", "lineItems", code=_INVALID)
    order = _order(shop, given)
    sold = [(line, one) for one in given["lineItems"] for line in _lines(shop, order, one)]
    order.lines = [line for line, _ in sold]
    order.shipping = [_shipping(shop, order, one) for one in given.get("shippingLines") or []]
    _discount(order, given.get("discountCode"))
    _tax(order, given, sold)
    order.transactions = [_transaction(shop, order, one) for one in given.get("transactions") or []]
    placed = _places(shop, order, obeying=behaviour == "DECREMENT_OBEYING_POLICY")
    _keep(shop, order, placed, committed=behaviour != "BYPASS")
    return {"order": order}


def _order(shop: Shop, given: Json) -> Order:
    state, now = shop.state, shop.now()
    currency = given.get("currency") or state.currency
    number = state.next_order_number
    return Order(
        id=shop.number(),
        name=given.get("name") or f"#{number}",
        number=number,
        currency=currency,
        presentment_currency=given.get("presentmentCurrency") or currency,
        created_at=now,
        processed_at=read_time(given.get("processedAt")) or now,
        updated_at=now,
        email=given.get("email"),
        phone=given.get("phone"),
        note=given.get("note"),
        po_number=given.get("poNumber"),
        source_name=given.get("sourceName") or "api",
        test=bool(given.get("test")),
        taxes_included=bool(given.get("taxesIncluded")),
        customer=_customer(shop, given),
        shipping_address=read_address(given.get("shippingAddress")),
        billing_address=read_address(given.get("billingAddress")),
        tags=sorted(set(given.get("tags") or [])),
        attributes=[{"key": one["key"], "value": one["value"]} for one in given.get("customAttributes") or []],
        said_financial_status=given.get("financialStatus"),
    )


def read_time(text: Any) -> datetime | None:
    """A time as it was given. Raises ``UserErrors`` for what is none."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise refuse("Processed at is invalid", "order", "processedAt", code="PROCESSED_AT_INVALID") from error
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC).replace(microsecond=0)


def read_address(given: Json | None) -> Json | None:
    """An address as it is kept, by the names of the schema in snake case."""
    if given is None:
        return None
    names = (
        "firstName",
        "lastName",
        "company",
        "address1",
        "address2",
        "city",
        "provinceCode",
        "zip",
        "countryCode",
        "phone",
    )
    return {name: given.get(name) for name in names}


def _customer(shop: Shop, given: Json) -> Customer | None:
    wanted = (given.get("customer") or {}).get("toUpsert") or {}
    email = wanted.get("email") or given.get("email")
    if not email:
        return None
    known = next((one for one in shop.state.customers.values() if one.email == email), None)
    if known is None:
        address = given.get("shippingAddress") or {}
        first = wanted.get("firstName") or address.get("firstName") or ""
        last = wanted.get("lastName") or address.get("lastName") or ""
        known = Customer(shop.number(), first, last, email, wanted.get("phone") or given.get("phone"))
        shop.state.customers[known.id] = known
    return known


def _lines(shop: Shop, order: Order, given: Json) -> list[Line]:
    if given["quantity"] < 1:
        raise refuse("Quantity must be greater than 0", "order", "lineItems", "quantity", code=_INVALID)
    variant = _variant(shop, given)
    if variant is not None and variant.components:
        return _bundle(shop, order, given, variant)
    if variant is None and not given.get("title"):
        raise refuse("Title can't be blank", "order", "lineItems", "title", code=_INVALID)
    return [_line(shop, order, given, variant)]


def _variant(shop: Shop, given: Json) -> Variant | None:
    if given.get("variantId") is None:
        return None
    found = shop.state.variants.get(numbered(given["variantId"]))
    if found is None:
        raise refuse("Variant is invalid", "order", "lineItems", "variantId", code=_INVALID)
    return found


def _line(shop: Shop, order: Order, given: Json, variant: Variant | None) -> Line:
    kept = variant.price if variant else 0
    price = (
        pricing.read_bag(given["priceSet"], order.currency, order.presentment_currency)
        if given.get("priceSet")
        else Bag(kept, kept, order.currency, order.presentment_currency)
    )
    return Line(
        id=shop.number(),
        title=given.get("title") or (variant.product.title if variant else ""),
        variant_title=given.get("variantTitle") or (variant.title if variant else ""),
        vendor=given.get("vendor") or (variant.product.vendor if variant else ""),
        sku=given["sku"] if given.get("sku") is not None else (variant.sku if variant else ""),
        quantity=given["quantity"],
        price=price,
        variant=variant,
        requires_shipping=variant.requires_shipping if variant else bool(given.get("requiresShipping")),
        taxable=bool(given.get("taxable", True)),
        gift_card=bool(given.get("giftCard")),
        properties=[{"name": one["name"], "value": one["value"]} for one in given.get("properties") or []],
    )


def _bundle(shop: Shop, order: Order, given: Json, bundle: Variant) -> list[Line]:
    """A native bundle arrives as its components, its price spread over them by theirs."""
    group = LineGroup(shop.number(), given.get("title") or bundle.product.title, given["quantity"], bundle)
    price = pricing.read_bag(given.get("priceSet"), order.currency, order.presentment_currency).shop or bundle.price
    whole = sum(one.variant.price * one.quantity for one in bundle.components)
    lines, left = [], price * given["quantity"]
    for number, part in enumerate(bundle.components, start=1):
        quantity = part.quantity * given["quantity"]
        last = number == len(bundle.components)
        share = left if last else price * given["quantity"] * part.variant.price * part.quantity // max(whole, 1)
        left -= share
        line = _line(shop, order, {"quantity": quantity}, part.variant)
        line.price, line.group = line.price.of(part.variant.price, part.variant.price), group
        cut = part.variant.price * quantity - share
        line.discounts = [line.price.of(cut, cut)] if cut > 0 else []
        lines.append(line)
    return lines


def _shipping(shop: Shop, order: Order, given: Json) -> ShippingLine:
    price = pricing.read_bag(given["priceSet"], order.currency, order.presentment_currency)
    taxes = [
        pricing.tax_line(one, price, (order.currency, order.presentment_currency))
        for one in given.get("taxLines") or []
    ]
    return ShippingLine(
        shop.number(), given["title"], given.get("code") or given["title"], given.get("source") or "api", price, taxes
    )


def _discount(order: Order, given: Json | None) -> None:
    """A code takes its amount off the lines; it shows nowhere else."""
    if not given:
        return
    fixed, percent = given.get("itemFixedDiscountCode"), given.get("itemPercentageDiscountCode")
    code = (fixed or percent or {}).get("code", "")
    goods = sum(line.price.shop * line.quantity for line in order.lines)
    if fixed:
        amount = pricing.read_bag(fixed.get("amountSet"), order.currency, order.presentment_currency).shop
    else:
        amount = int(goods * float((percent or {}).get("percentage") or 0) / 100 + 0.5)
    for line, part in zip(order.lines, pricing.spread(amount, order.lines), strict=True):
        if part:
            line.discounts.append(line.price.of(part, part))
    order.discount_codes = [{"code": code, "amount": amount, "type": "fixed_amount" if fixed else "percentage"}]


def _tax(order: Order, given: Json, sold: list[tuple[Line, Json]]) -> None:
    currencies = (order.currency, order.presentment_currency)
    for line, one in sold:
        rows = one.get("taxLines") or given.get("taxLines") or []
        line.tax_lines = [pricing.tax_line(row, line.total(), currencies) for row in rows] if line.taxable else []


def _transaction(shop: Shop, order: Order, given: Json) -> Transaction:
    now = shop.now()
    return Transaction(
        id=shop.number(),
        kind=given.get("kind") or "SALE",
        status=given.get("status") or "SUCCESS",
        gateway=given.get("gateway") or "manual",
        amount=pricing.read_bag(given["amountSet"], order.currency, order.presentment_currency),
        created_at=now,
        processed_at=read_time(given.get("processedAt")) or now,
        test=bool(given.get("test")),
    )


def _places(shop: Shop, order: Order, *, obeying: bool) -> dict[int, list[Line]]:
    """Which place sends which lines: the first that has them all, else the first of all."""
    placed: dict[int, list[Line]] = {}
    for line in order.lines:
        if line.gift_card:
            continue
        place, enough = stock.place_for(shop, line.variant, line.quantity)
        if obeying and not enough:
            raise refuse("Unable to claim inventory.", "order", "lineItems", code="INVENTORY_CLAIM_FAILED")
        placed.setdefault(place.id, []).append(line)
    return placed


def _keep(shop: Shop, order: Order, placed: dict[int, list[Line]], *, committed: bool) -> None:
    state = shop.state
    state.next_order_number += 1
    state.orders[order.id] = order
    for place_id, lines in placed.items():
        for row in _open(shop, order, state.locations[place_id], lines):
            if committed:
                stock.commit(shop, row, place_id)
    shop.emit("ORDERS_CREATE", order.gid, order_body(order))
    if pricing.financial_status(order) == "PAID":
        shop.emit("ORDERS_PAID", order.gid, order_body(order))


def _open(shop: Shop, order: Order, place: Location, lines: list[Line]) -> list[OrderedLine]:
    now = shop.now()
    rows = [OrderedLine(shop.number(), line, line.quantity, line.quantity) for line in lines]
    made = FulfillmentOrder(shop.number(), order, place, rows, now, now)
    order.fulfillment_orders.append(made)
    shop.state.fulfillment_orders[made.id] = made
    return rows
