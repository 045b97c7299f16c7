"""Stock by place, for staff identities."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from engine.inventory import queries
from tools.spec import Access, AgentName, Card, Outcome, ToolContext, tool


@tool(access=Access.READ, agents={AgentName.OPERATIONS}, staff=True)
def stock_by_location(
    context: ToolContext,
    query: Annotated[
        str,
        Field(description="A SKU, a variant or product id, or words of a product's title.", max_length=200),
    ],
) -> Outcome:
    """On hand, reserved and available units of matching items at every location. Staff only."""
    with context.unit_of_work() as session:
        rows = queries.by_location(session, context.identity.tenant_id, query)
    data = {"items": [row.model_dump(mode="json") for row in rows]}
    return Outcome(data, cards=(Card("stock", data),) if rows else ())
