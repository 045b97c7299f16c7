"""Buying again what an order had."""

from __future__ import annotations

from engine.carts.again import put_in
from engine.orders import queries
from tools import brief
from tools.naming import SHOP, OrderName
from tools.spec import Access, Card, Outcome, ToolContext, tool


@tool(access=Access.WRITE, agents=SHOP)
def reorder(context: ToolContext, order: OrderName) -> Outcome:
    """Put what one of the shopper's own orders had into the cart, at today's prices. `left_out` says what cannot be had
    any more and why. Nothing is bought by it.
    """
    with context.unit_of_work() as session:
        view = queries.own_order(session, context.identity, order)
        wanted: dict[str, int] = {}
        for line in view.lines:
            wanted[line.variant_id] = wanted.get(line.variant_id, 0) + max(line.ordered - line.canceled, 0)
        titles = {line.variant_id: line.title for line in view.lines}
        again = put_in(session, context.identity, {one: units for one, units in wanted.items() if units})
    result = brief.cart(again.cart) | {
        "added": [{"title": titles[one], "quantity": units} for one, units in again.added.items()],
        "left_out": [{"title": titles[one], "why": why} for one, why in again.left_out.items()],
    }
    card = Card("cart", again.cart.model_dump(mode="json"), key="cart")
    return Outcome(result, cards=(card,), cart_changed=bool(again.added))
