"""What an order costs, computed from its lines each time."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from engine.sync.sandbox.shopify.state import Bag, Line, Order, minor
from engine.sync.sandbox.wire import Json


def zero(order: Order) -> Bag:
    return Bag(0, 0, order.currency, order.presentment_currency)


def read_bag(given: Json | None, currency: str, presentment_currency: str) -> Bag:
    """An amount as it was given; without a presentment amount it is the shop's."""
    shop = (given or {}).get("shopMoney") or {"amount": "0"}
    shown = (given or {}).get("presentmentMoney") or shop
    return Bag(
        minor(shop["amount"], currency),
        minor(shown["amount"], presentment_currency),
        currency,
        presentment_currency,
    )


def subtotal(order: Order) -> Bag:
    """Lines after discounts."""
    total = zero(order)
    for line in order.lines:
        total += line.total()
    return total


def discounts(order: Order) -> Bag:
    total = zero(order)
    for line in order.lines:
        total += line.discount()
    return total


def shipping(order: Order) -> Bag:
    total = zero(order)
    for line in order.shipping:
        total += line.price
    return total


def taxes(order: Order) -> Bag:
    total = zero(order)
    for tax in tax_lines(order):
        total += tax["price"]
    return total


def tax_lines(order: Order) -> list[Json]:
    """Those of the lines, then those of the shipping."""
    return [tax for line in order.lines for tax in line.tax_lines] + [
        tax for line in order.shipping for tax in line.tax_lines
    ]


def total(order: Order) -> Bag:
    whole = subtotal(order) + shipping(order)
    return whole if order.taxes_included else whole + taxes(order)


def current_total(order: Order) -> Bag:
    """What the order costs now: without what was removed from it or refunded."""
    if order.cancelled_at is not None:
        return zero(order)
    return total(order) - refunded_goods(order)


def refunded_goods(order: Order) -> Bag:
    whole = zero(order)
    for refund in order.refunds:
        for line in refund.lines:
            whole += line.subtotal
    return whole


def paid(order: Order) -> Bag:
    return _moved(order, frozenset({"SALE", "CAPTURE"}))


def refunded(order: Order) -> Bag:
    return _moved(order, frozenset({"REFUND"}))


def _moved(order: Order, kinds: frozenset[str]) -> Bag:
    whole = zero(order)
    for one in order.transactions:
        if one.kind in kinds and one.status == "SUCCESS":
            whole += one.amount
    return whole


def financial_status(order: Order) -> str:
    """As the transactions have it; what the order was created with, where there are none."""
    if not order.transactions:
        return order.said_financial_status or ("PAID" if total(order).shop == 0 else "PENDING")
    got, back, due = paid(order).shop, refunded(order).shop, total(order).shop
    if back:
        return "REFUNDED" if back >= got else "PARTIALLY_REFUNDED"
    if got:
        return "PAID" if got >= due else "PARTIALLY_PAID"
    if any(one.kind == "VOID" for one in order.transactions):
        return "VOIDED"
    return "AUTHORIZED" if any(one.kind == "AUTHORIZATION" for one in order.transactions) else "PENDING"


def fulfillment_status(order: Order) -> str:
    """As lines and fulfilment orders have it."""
    shipped = sum(line.fulfilled for line in order.lines)
    left = sum(line.unfulfilled for line in order.lines if not line.gift_card)
    if any(one.status == "ON_HOLD" for one in order.fulfillment_orders) and not shipped:
        return "ON_HOLD"
    if shipped:
        return "PARTIALLY_FULFILLED" if left else "FULFILLED"
    return "UNFULFILLED" if left or not order.refunds else "RESTOCKED"


def tax_line(given: Json, amount: Bag, order_currency: tuple[str, str]) -> Json:
    """A tax line; without a price of its own it is its rate of the amount."""
    if given.get("priceSet"):
        return {
            "title": given["title"],
            "rate": float(given["rate"]),
            "price": read_bag(given["priceSet"], *order_currency),
        }
    rate = Decimal(str(given["rate"]))
    part = [int((Decimal(one) * rate).quantize(Decimal(1), ROUND_HALF_UP)) for one in (amount.shop, amount.presentment)]
    return {"title": given["title"], "rate": float(rate), "price": amount.of(*part)}


def spread(amount: int, lines: list[Line]) -> list[int]:
    """An order's discount over its lines, by what they cost; the last takes what rounding leaves."""
    whole = sum(line.price.shop * line.quantity for line in lines)
    amount = min(amount, whole)
    parts = [amount * line.price.shop * line.quantity // whole if whole else 0 for line in lines]
    if parts:
        parts[-1] += amount - sum(parts)
    return parts
