# ruff: noqa: ARG001
"""Where an order is, and where its money went back to."""

from __future__ import annotations

from engine.kit.errors import Unavailable
from tools.naming import SERVICE, OrderName
from tools.spec import Access, Outcome, ToolContext, tool


@tool(access=Access.READ, agents=SERVICE)
def track_order(context: ToolContext, order: OrderName) -> Outcome:
    """Where one of the shopper's own orders is: parcels with their last events, what has not shipped, and when it was
    promised.
    """
    raise Unavailable("That is not possible in this conversation yet: offer request_human.")


@tool(access=Access.READ, agents=SERVICE)
def get_refunds(context: ToolContext, order: OrderName) -> Outcome:
    """Money of an order that went back or is on its way: how much, why, to where, since when."""
    raise Unavailable("That is not possible in this conversation yet: offer request_human.")
