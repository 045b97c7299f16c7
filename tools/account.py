"""Who the shopper is known to be: signing in by e-mail code, and addresses kept for them."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field
from sqlalchemy.orm import Session

from engine.checkout import new_address
from engine.checkout import service as checkout
from engine.checkout.schemas import CheckoutView
from engine.conversations import asking
from engine.customers import book, codes, known
from engine.customers.addresses import PARTS
from engine.customers.schemas import SavedAddressView
from engine.orders import queries as orders
from tools import brief, brief_after
from tools.asking import asked_card, sign_in_card
from tools.checkout import checkout_shown
from tools.naming import COMMERCE, SERVICE, SHOP, Text
from tools.spec import Access, Outcome, Ref, Risk, ToolContext, tool

_NUMBERS: Final = 50
_SENT: Final = (
    "If this address can receive mail, a code is on its way. Say so, and that it is typed into the form shown here; say"
    " nothing about whether the address is known."
)


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
    if context.identity.customer_id is not None:
        return Outcome({"signed_in": True, "note": "The shopper is signed in already: go on."})
    address = codes.limit_asking(context.runtime, context.identity, email)
    with context.unit_of_work() as session:
        row = codes.ask(session, context.runtime, context.identity, address)
    return Outcome({"card": "shown", "note": _SENT}, cards=(sign_in_card(address, row.expires_at),))


@tool(access=Access.READ, agents=SHOP)
def list_addresses(context: ToolContext) -> Outcome:
    """The signed-in shopper's saved addresses, the default first."""
    if context.identity.customer_id is None:
        raise book.EmailNeeded("The shopper is not signed in: ask for the address, or offer send_sign_in_code.")
    with context.unit_of_work() as session:
        profile = book.own_profile(session, context.identity)
        rows = [SavedAddressView.of(row) for row in book.addresses(session, profile.tenant_id, profile.id)]
    items = [{"ref": row.id} | row.model_dump(exclude={"id"}) for row in rows]
    return Outcome({"items": items})


@tool(access=Access.WRITE, agents=COMMERCE)
def use_address(
    context: ToolContext,
    address_ref: Annotated[str, Ref, Field(description="ref from list_addresses.", max_length=60)],
) -> Outcome:
    """Send the running checkout to a saved address."""

    def work(session: Session) -> CheckoutView:
        row = book.own_address(session, context.identity, address_ref)
        details = checkout.Details(**{part: getattr(row, part) for part in (*PARTS, "line_two")})
        return checkout.update(session, context.identity, details, thread_id=context.thread_id)

    return checkout_shown(context, work)


@tool(access=Access.READ, agents=SERVICE)
def get_profile(context: ToolContext) -> Outcome:
    """Who the signed-in shopper is: name, e-mail, default address, all their ways to pay (gift cards and credit with
    what is on them) and the numbers of their orders, newest first.
    """
    with context.unit_of_work() as session:
        found = known.profile(session, context.identity)
        numbers = orders.own_numbers(session, context.identity, limit=_NUMBERS)
        return Outcome(brief.profile(found) | {"orders": numbers})


@tool(access=Access.WRITE, agents=SERVICE, risk=Risk.ASK)
def quote_default_address(
    context: ToolContext,
    name: Annotated[str, Field(description="Who lives there.", max_length=200)],
    line_one: Annotated[str, Field(description="Street and number.", max_length=200)],
    city: Text,
    postal_code: Text,
    line_two: Text = "",
    state: Text = "",
    country: Text = "",
) -> Outcome:
    """Show the card on which the signed-in shopper's default address becomes another one. Orders that are placed keep
    theirs: quote_address_change is for those.
    """
    parts = {"name": name, "line_one": line_one, "line_two": line_two, "city": city, "state": state}
    parts |= {"postal_code": postal_code, "country": country}
    with context.unit_of_work() as session:
        row = new_address.ask(session, context.identity, parts, thread_id=context.thread_id)
        card = asking.view(session, row)
    return Outcome(brief_after.asked(card), cards=(asked_card(card),))
