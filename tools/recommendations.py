# ruff: noqa: ARG001
"""What else somebody may want: what goes with an item, and what could be had instead."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from engine.kit.errors import Unavailable
from tools.naming import COMMERCE
from tools.spec import Access, Outcome, Ref, ToolContext, tool


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
    raise Unavailable("That is not possible in this conversation yet: offer request_human.")


@tool(access=Access.READ, agents=COMMERCE)
def list_discounts(context: ToolContext) -> Outcome:
    """Offers that apply by themselves now, with their conditions. Codes are never listed."""
    raise Unavailable("That is not possible in this conversation yet: offer request_human.")
