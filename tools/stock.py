"""Stock by place, its history and what is on its way, for the shop's people."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from engine.inventory import listing, queries
from tools.naming import OPERATIONS, Few
from tools.spec import Access, Card, Outcome, ToolContext, tool

Code = Annotated[str | None, Field(description="A location's code, such as EAST.", max_length=12)]


@tool(access=Access.READ, agents=OPERATIONS, staff=True)
def stock_by_location(
    context: ToolContext,
    query: Annotated[
        str,
        Field(description="A SKU, a variant or product id, or words of a product's title.", max_length=200),
    ],
) -> Outcome:
    """On hand, reserved, available and incoming units of matching items at every location."""
    with context.unit_of_work() as session:
        rows = queries.by_location(session, context.identity.tenant_id, query)
    data = {"items": [row.model_dump(mode="json") for row in rows]}
    return Outcome(data, cards=(Card("stock", data),) if rows else ())


@tool(access=Access.READ, agents=OPERATIONS, staff=True)
def low_stock(context: ToolContext, location: Code = None, limit: Few = 20) -> Outcome:
    """Items that are at or below the number at which the shop wants to be told, by SKU."""
    with context.unit_of_work() as session:
        page = listing.stock(session, context.identity.tenant_id, low=True, location=location, limit=limit, cursor=None)
    data = {"items": [row.model_dump(mode="json") for row in page.items], "more": page.next_cursor is not None}
    return Outcome(data, cards=(Card("stock", data),) if page.items else ())


@tool(access=Access.READ, agents=OPERATIONS, staff=True)
def stock_movements(
    context: ToolContext,
    sku: Annotated[str, Field(description="The item's SKU.", max_length=40)],
    location: Code = None,
    limit: Few = 20,
) -> Outcome:
    """What changed an item's stock, newest first: sales, arrivals, transfers, counts, corrections with their reason."""
    with context.unit_of_work() as session:
        page = listing.movements(
            session, context.identity.tenant_id, sku=sku, location=location, limit=limit, cursor=None
        )
    rows = [row.model_dump(mode="json", exclude={"id", "variant_id"}) for row in page.items]
    return Outcome({"sku": sku, "movements": rows, "more": page.next_cursor is not None})


@tool(access=Access.READ, agents=OPERATIONS, staff=True)
def list_locations(context: ToolContext) -> Outcome:
    """The shop's warehouses and stores with their codes; which of them ship and where orders can be fetched."""
    with context.unit_of_work() as session:
        rows = listing.locations(session, context.identity.tenant_id)
    told = {"code", "name", "kind", "city", "region", "country", "ships", "handling_days", "cannot_ship"}
    return Outcome({"locations": [row.model_dump(include=told) | {"pickup": row.pickup is not None} for row in rows]})


@tool(access=Access.READ, agents=OPERATIONS, staff=True)
def list_incoming(context: ToolContext, location: Code = None, limit: Few = 20) -> Outcome:
    """Purchases and transfers that are on their way, with the units still to come and their inbound ids."""
    with context.unit_of_work() as session:
        page = listing.inbounds(
            session, context.identity.tenant_id, location=location, open_only=True, limit=limit, cursor=None
        )
    return Outcome({"incoming": [row.model_dump(mode="json") for row in page.items]})


@tool(access=Access.READ, agents=OPERATIONS, staff=True)
def list_counts(context: ToolContext, location: Code = None, limit: Few = 20) -> Outcome:
    """Stock counts, newest first, with what was expected and what was found."""
    with context.unit_of_work() as session:
        page = listing.counts(session, context.identity.tenant_id, location=location, limit=limit, cursor=None)
    return Outcome({"counts": [row.model_dump(mode="json") for row in page.items]})
