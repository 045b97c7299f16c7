"""What else somebody may want: what goes with an item, and what could be had instead."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field
from sqlalchemy.orm import Session

from engine.carts import offers
from engine.carts import service as carts
from engine.catalog import alike
from engine.catalog import service as catalog
from engine.catalog.schemas import ProductDetail, ProductView
from engine.catalog.search import SearchRequest
from engine.orders import together
from tools import brief
from tools.naming import COMMERCE
from tools.spec import Access, Card, Outcome, Ref, ToolContext, tool

_WORDS: Final = 300


@tool(access=Access.READ, agents=COMMERCE)
def recommend_products(
    context: ToolContext,
    item_id: Annotated[str | None, Ref, Field(description="prd_ or var_ id.", max_length=60)] = None,
    category: Annotated[str | None, Field(max_length=100)] = None,
    limit: Annotated[int, Field(ge=1, le=8)] = 4,
) -> Outcome:
    """For an item: what goes with it (`goes_with`) and what could be taken instead (`alternatives`). For a category, or
    neither: what sells best and is liked best there. All of it in stock.
    """
    if item_id is None:
        return _favorites(context, category, limit)
    tenant_id = context.identity.tenant_id
    with context.unit_of_work() as session:
        currency = carts.currency_of(session, context.identity)
        item = catalog.product(session, tenant_id, item_id, currency=currency)
        beside = together.bought_with(session, tenant_id, item.id, most=3 * limit)
        beside += _fitting(context, session, item, currency, limit) if len(beside) < limit else []
        instead = alike.instead_of(session, tenant_id, item, most=limit, currency=currency)
        ids = list(dict.fromkeys([*beside, *instead]))
        known = {one.id: one for one in catalog.products(session, tenant_id, ids, currency=currency)}
    others = [known[one] for one in dict.fromkeys(beside) if one in known and one not in instead]
    goes_with = [one for one in others if _in_stock(one)][:limit]
    alternatives = [known[one] for one in instead if one in known]
    result = {
        "for": item.title,
        "goes_with": [brief.product(one) for one in goes_with],
        "alternatives": [brief.product(one) for one in alternatives],
    }
    return Outcome(result, cards=_cards(item.title, [*goes_with, *alternatives]))


def _fitting(context: ToolContext, session: Session, item: ProductDetail, currency: str, limit: int) -> list[str]:
    """What the item's own facts say that it fits, of other categories than its own."""
    if not item.compatibility:
        return []
    wanted = SearchRequest(
        query=" ".join(item.compatibility)[:_WORDS], in_stock=True, currency=currency, limit=3 * limit
    )
    page = context.runtime.search.search(session, context.identity.tenant_id, wanted)
    return [one.id for one in page.items if one.category != item.category and one.id != item.id]


def _favorites(context: ToolContext, category: str | None, limit: int) -> Outcome:
    tenant_id = context.identity.tenant_id
    with context.unit_of_work() as session:
        currency = carts.currency_of(session, context.identity)
        names = catalog.matching_categories(session, tenant_id, category) if category else None
        ids = together.sold_lately(session, tenant_id, names, most=3 * limit)
        ids += alike.liked(session, tenant_id, names, most=limit)
        found = catalog.products(session, tenant_id, list(dict.fromkeys(ids)), currency=currency)
    items = [one for one in found if _in_stock(one)][:limit]
    return Outcome({"items": [brief.product(one) for one in items]}, cards=_cards(category or "", items))


def _cards(title: str, items: list[ProductView]) -> tuple[Card, ...]:
    data = {"title": title, "items": [one.model_dump(mode="json") for one in items], "next_cursor": None}
    return (Card("products", data),) if items else ()


def _in_stock(item: ProductView) -> bool:
    return any(variant.available for variant in item.variants)


@tool(access=Access.READ, agents=COMMERCE)
def list_discounts(context: ToolContext) -> Outcome:
    """Offers that apply by themselves now, with their conditions. Codes are never listed."""
    with context.unit_of_work() as session:
        currency = carts.currency_of(session, context.identity)
        found = offers.in_force(session, context.identity.tenant_id, currency)
    return Outcome({"items": [one.model_dump() for one in found], "codes": "are the shopper's own: never guess one"})
