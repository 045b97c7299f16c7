"""Whether something can be had, and by when it arrives at an address."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from engine.carts import service as carts
from engine.catalog import service as catalog
from engine.catalog.schemas import ProductDetail, VariantView
from engine.checkout.outlook import outlook, place_of
from tools import brief
from tools.naming import SHOP, Part
from tools.spec import Access, Card, Outcome, Ref, ToolContext, tool


@tool(access=Access.READ, agents=SHOP)
def check_availability(
    context: ToolContext,
    item_id: Annotated[str, Ref, Field(description="var_ or prd_ id.", max_length=60)],
    quantity: Annotated[int, Field(ge=1, le=99)] = 1,
    postal_code: Part = None,
    state: Annotated[Part, Field(description="State or province code.")] = None,
    country: Annotated[Part, Field(description="Two-letter code.")] = None,
) -> Outcome:
    """Units in stock, and for an address each way of delivery with its price and the days on which it would arrive if
    ordered now. Without a place it takes the checkout's or the saved address.
    """
    identity = context.identity
    with context.unit_of_work() as session:
        currency = carts.currency_of(session, identity)
        detail = catalog.product(session, identity.tenant_id, item_id, currency=currency)
        variant = _meant(detail, item_id, quantity)
        place = place_of(session, identity, postal_code=postal_code, state=state, country=country)
        found = outlook(session, identity, variant.id, quantity=quantity, place=place)
    card = Card("availability", brief.outlook_card(detail, variant, quantity, found))
    return Outcome(brief.outlook(detail, variant, quantity, found), cards=(card,))


def _meant(detail: ProductDetail, item_id: str, quantity: int) -> VariantView:
    """The variant named; of a product the cheapest of which there are enough, else the one of which there is most."""
    exact = next((one for one in detail.variants if one.id == item_id), None)
    enough = [one for one in detail.variants if one.available >= quantity]
    if exact or not enough:
        return exact or max(detail.variants, key=lambda one: one.available)
    return min(enough, key=lambda one: (one.price.amount, -one.available))
