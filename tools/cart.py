"""Putting things in the cart and changing one's mind."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from engine.carts import discounts, service
from engine.carts.schemas import CartView
from tools import brief
from tools.naming import COMMERCE
from tools.spec import Access, Card, Outcome, Ref, ToolContext, tool


def _outcome(view: CartView, **more: object) -> Outcome:
    return Outcome(
        brief.cart(view) | more,
        cards=(Card("cart", view.model_dump(mode="json"), key="cart"),),
        cart_changed=True,
    )


@tool(access=Access.READ, agents=COMMERCE)
def view_cart(context: ToolContext) -> Outcome:
    """The cart: lines, quantities, prices, total, and notices about stock."""
    with context.unit_of_work() as session:
        return _outcome(service.view(session, context.identity))


@tool(access=Access.WRITE, agents=COMMERCE)
def add_to_cart(
    context: ToolContext,
    item_id: Annotated[
        str, Ref, Field(description="A var_ id for an exact variant, or a prd_ id to let the shop choose.")
    ],
    quantity: Annotated[int, Field(ge=1, le=99)] = 1,
    options: Annotated[
        dict[str, str] | None, Field(description='Only options the shopper named, such as {"color": "blue"}.')
    ] = None,
) -> Outcome:
    """Put an item in the cart. Never ask for an option first: without one the shop takes the in-stock variant with
    the most stock. `added` says which it was, `alternatives` what else there is: tell the shopper both.
    """
    with context.unit_of_work() as session:
        change = service.add(session, context.identity, item_id, quantity=quantity, options=options or {})
    return _outcome(change.cart, added=change.line.brief(), alternatives=[a.brief() for a in change.alternatives])


@tool(access=Access.WRITE, agents=COMMERCE)
def update_cart_line(
    context: ToolContext,
    variant_id: Annotated[str, Ref, Field(description="var_ id of the cart line.")],
    quantity: Annotated[int, Field(ge=0, le=99, description="The new quantity; 0 removes the line.")],
) -> Outcome:
    """Set the quantity of a cart line, or remove it with 0."""
    with context.unit_of_work() as session:
        return _outcome(service.set_quantity(session, context.identity, variant_id, quantity=quantity))


@tool(access=Access.WRITE, agents=COMMERCE)
def swap_cart_variant(
    context: ToolContext,
    variant_id: Annotated[str, Ref, Field(description="var_ id of the cart line to change.")],
    options: Annotated[dict[str, str], Field(description='The options wanted instead, such as {"color": "blue"}.')],
) -> Outcome:
    """Change a cart line to another variant of the same product ("in blue", "size large"), keeping the quantity and
    every option that was not named.
    """
    with context.unit_of_work() as session:
        change = service.swap(session, context.identity, variant_id, options=options)
    return _outcome(change.cart, added=change.line.brief(), alternatives=[a.brief() for a in change.alternatives])


@tool(access=Access.WRITE, agents=COMMERCE)
def set_currency(
    context: ToolContext,
    currency: Annotated[
        str, Field(description="ISO 4217 code of the currency wanted, such as EUR.", pattern="^[A-Za-z]{3}$")
    ],
) -> Outcome:
    """Show prices, the cart and its checkout in another currency that the shop sells in. Nothing is converted: what has
    no price in it cannot be bought in it, and the answer says so.
    """
    with context.unit_of_work() as session:
        view = service.set_currency(session, context.identity, currency.upper())
    return _outcome(view, currency=view.total.currency)


@tool(access=Access.WRITE, agents=COMMERCE)
def empty_cart(context: ToolContext) -> Outcome:
    """Take everything out of the cart."""
    with context.unit_of_work() as session:
        return _outcome(service.empty(session, context.identity))


@tool(access=Access.WRITE, agents=COMMERCE)
def set_discount_code(
    context: ToolContext,
    code: Annotated[
        str, Field(description="The code the shopper gave; an empty text removes the codes.", max_length=40)
    ],
) -> Outcome:
    """Use a discount code for this cart and its checkout. Says plainly if the code does not apply."""
    if code.strip():
        discounts.count_try(context.runtime, context.identity)
    with context.unit_of_work() as session:
        return _outcome(service.set_discount_code(session, context.identity, code))
