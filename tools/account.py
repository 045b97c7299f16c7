# ruff: noqa: ARG001
"""Who the shopper is known to be: signing in by e-mail code, and addresses kept for them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from engine.kit.errors import Unavailable
from tools.naming import COMMERCE, SHOP
from tools.spec import Access, Outcome, Ref, Risk, ToolContext, tool


@tool(access=Access.WRITE, agents=SHOP, risk=Risk.ASK, caps={"thread": 4, "day": 6})
def send_sign_in_code(
    context: ToolContext,
    email: Annotated[
        str, Field(description="The shopper's own e-mail address, as said.", min_length=3, max_length=254)
    ],
) -> Outcome:
    """Send a six-digit code to an e-mail address and show the form to type it in: for orders, addresses or cards of
    another session. The code is never typed in the chat and never told by you.
    """
    raise Unavailable("That is not possible in this conversation yet: offer request_human.")


@tool(access=Access.READ, agents=SHOP)
def list_addresses(context: ToolContext) -> Outcome:
    """The signed-in shopper's saved addresses, the default first."""
    raise Unavailable("That is not possible in this conversation yet: offer request_human.")


@tool(access=Access.WRITE, agents=COMMERCE)
def use_address(
    context: ToolContext,
    address_ref: Annotated[str, Ref, Field(description="ref from list_addresses.", max_length=60)],
) -> Outcome:
    """Send the running checkout to a saved address."""
    raise Unavailable("That is not possible in this conversation yet: offer request_human.")
