"""Finding, looking at and comparing products."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, ValidationError

from engine.carts import service as carts
from engine.catalog import service
from engine.catalog.search import SearchRequest
from engine.kit.errors import InvalidInput
from engine.kit.money import exponent
from engine.kit.pagination import decode_cursor, encode_cursor
from engine.kit.views import View
from tools import brief, variants
from tools.naming import SHOP
from tools.spec import Access, Card, Outcome, Ref, ToolContext, tool

_LISTED = 300


class Asked(View):
    """A search as it was asked: prices in whole currency units."""

    query: str
    category: str | None
    min_price: int | None
    max_price: int | None
    options: dict[str, str]
    in_stock: bool
    sort: str


@tool(access=Access.READ, agents=SHOP)
def search_products(
    context: ToolContext,
    query: Annotated[
        str,
        Field(description="What the shopper looks for, in plain words. May be empty to browse.", max_length=300),
    ] = "",
    category: Annotated[
        str | None, Field(description="A category as named in earlier results or by list_categories.")
    ] = None,
    min_price: Annotated[
        int | None, Field(description="Lowest price in whole currency units (dollars).", ge=0, le=1_000_000)
    ] = None,
    max_price: Annotated[
        int | None, Field(description="Highest price in whole currency units (dollars).", ge=0, le=1_000_000)
    ] = None,
    options: Annotated[
        dict[str, str] | None, Field(description='Wanted option values, such as {"color": "blue"}.')
    ] = None,
    in_stock: Annotated[bool, Field(description="Only what can be bought now.")] = True,
    sort: Annotated[
        str,
        Field(
            description="relevance, price_low, price_high or rating.",
            pattern="^(relevance|price_low|price_high|rating)$",
        ),
    ] = "relevance",
    limit: Annotated[int, Field(ge=1, le=12)] = 5,
    cursor: Annotated[
        str | None, Field(description="next_cursor of the last page, to see more.", max_length=2000)
    ] = None,
) -> Outcome:
    """Search the shop. Returns products with their variants, prices and stock, best first, and shows them as cards
    numbered in this order. `near_matches` is true when nothing met every filter and the closest are shown instead.
    """
    asked = Asked(
        query=query,
        category=category,
        min_price=min_price,
        max_price=max_price,
        options=options or {},
        in_stock=in_stock,
        sort=sort,
    )
    page_cursor = None
    if cursor:
        asked, page_cursor = _continued(cursor)
    tenant_id = context.identity.tenant_id
    with context.unit_of_work() as session:
        request = _request(asked, carts.currency_of(session, context.identity), limit, page_cursor)
        page = context.runtime.search.search(session, tenant_id, request)
    following = encode_cursor([asked.model_dump_json(), page.next_cursor]) if page.next_cursor else None
    result = {
        "items": [brief.product(item) for item in page.items],
        "total": page.total,
        "next_cursor": following,
        "near_matches": page.near_matches,
    }
    if not page.items:
        return Outcome(result)
    title = asked.query or asked.category or ""
    data = {"title": title, "items": [i.model_dump(mode="json") for i in page.items], "next_cursor": following}
    return Outcome(result, cards=(Card("products", data),))


def _continued(cursor: str) -> tuple[Asked, str]:
    """The search a cursor goes on with, and where: a card's "show more" needs nothing else."""
    asked, page_cursor = decode_cursor(cursor, size=2)
    try:
        return Asked.model_validate_json(str(asked)), str(page_cursor)
    except ValidationError:
        raise InvalidInput("The cursor is not one of ours.", param="cursor") from None


def _request(asked: Asked, currency: str, limit: int, cursor: str | None) -> SearchRequest:
    """The engine's request: prices in minor units."""
    unit = 10 ** exponent(currency)
    low, high = (None if price is None else price * unit for price in (asked.min_price, asked.max_price))
    given = asked.model_dump() | {"min_price": low, "max_price": high}
    return SearchRequest(**given, currency=currency, limit=limit, cursor=cursor)


@tool(access=Access.READ, agents=SHOP)
def list_categories(context: ToolContext) -> Outcome:
    """The shop's categories with how many products each has."""
    with context.unit_of_work() as session:
        rows = service.categories(session, context.identity.tenant_id)
    return Outcome({"categories": [{"name": row.name, "products": row.products} for row in rows]})


@tool(access=Access.READ, agents=SHOP)
def list_products(context: ToolContext) -> Outcome:
    """Every product of the shop by title, with its id: for a shop of few products, or to count them."""
    with context.unit_of_work() as session:
        rows = service.index(session, context.identity.tenant_id)
    items = [{"title": title, "product_id": product_id} for title, product_id in rows[:_LISTED]]
    return Outcome({"items": items, "products": len(rows)})


@tool(access=Access.READ, agents=SHOP)
def find_variants(
    context: ToolContext,
    product_id: Annotated[str, Ref, Field(description="A product's id, or that of one of its variants.")],
    options: Annotated[
        dict[str, str] | None, Field(description='What it must be, such as {"color": "blue"}; else all.')
    ] = None,
    like: Annotated[
        str | None,
        Ref,
        Field(description="A variant of it (as bought): else the same as that, so give only what is to change."),
    ] = None,
    available: Annotated[bool, Field(description="Only what can be had now.")] = False,
) -> Outcome:
    """The variants of one product that meet every constraint, those that can be had first, the cheapest first, with
    price and units; with `like` also how each differs from it and by how much it costs more. `count` says how many.
    """
    with context.unit_of_work() as session:
        currency = carts.currency_of(session, context.identity)
        detail = service.product(session, context.identity.tenant_id, product_id, currency=currency)
    return Outcome(variants.fitting(detail, options or {}, like=like, available=available))


@tool(access=Access.READ, agents=SHOP)
def get_product(
    context: ToolContext,
    product_id: Annotated[
        str, Ref, Field(description="prd_ id from a search, or the id of one of its variants (var_).")
    ],
) -> Outcome:
    """Everything about one product: description, features, materials, compatibility, care, attributes, shipping
    restrictions, warranty, weight, variants with price and stock.
    """
    with context.unit_of_work() as session:
        currency = carts.currency_of(session, context.identity)
        detail = service.product(session, context.identity.tenant_id, product_id, currency=currency)
    return Outcome(brief.product_detail(detail), cards=(Card("product", detail.model_dump(mode="json")),))


@tool(access=Access.READ, agents=SHOP)
def compare_products(
    context: ToolContext,
    product_ids: Annotated[
        list[str], Ref, Field(description="Two to four prd_ ids from searches.", min_length=2, max_length=4)
    ],
) -> Outcome:
    """Compare products side by side: price, rating, weight, warranty and the attributes they share."""
    with context.unit_of_work() as session:
        currency = carts.currency_of(session, context.identity)
        comparison = service.compare(session, context.identity.tenant_id, product_ids, currency=currency)
    data = comparison.model_dump(mode="json")
    result = {
        "items": [{"id": item.id, "title": item.title, "price": str(item.price)} for item in comparison.items],
        "rows": data["rows"],
    }
    return Outcome(result, cards=(Card("comparison", data),))
