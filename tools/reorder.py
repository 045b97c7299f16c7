# ruff: noqa: ARG001
"""Buying again what an order had."""

from __future__ import annotations

from engine.kit.errors import Unavailable
from tools.naming import SHOP, OrderName
from tools.spec import Access, Outcome, ToolContext, tool


@tool(access=Access.WRITE, agents=SHOP)
def reorder(context: ToolContext, order: OrderName) -> Outcome:
    """Put what one of the shopper's own orders had into the cart, at today's prices. `left_out` says what cannot be had
    any more and why. Nothing is bought by it.
    """
    raise Unavailable("That is not possible in this conversation yet: offer request_human.")
