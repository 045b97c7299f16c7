# ruff: noqa: ARG001
"""Whether something can be had, and by when it arrives at an address."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from engine.kit.errors import Unavailable
from tools.naming import SHOP, Part
from tools.spec import Access, Outcome, Ref, ToolContext, tool


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
    raise Unavailable("That is not possible in this conversation yet: offer request_human.")
