"""Changing an order that is paid: each tool quotes and shows a card. Only its press changes anything."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from engine.orders.changes.propose import propose
from engine.orders.changes.wanted import Wanted, read
from engine.orders.errors import WrongStatus
from tools import brief
from tools.asking import change_card
from tools.naming import SERVICE, Given, MethodRef, OfOrder, OrderName, Text
from tools.spec import Access, Outcome, Ref, Risk, ToolContext, tool

WayRef = Annotated[str, Field(description="ref of a way to pay.", min_length=1, max_length=60)]
RefundTo = Annotated[Literal["original", "store_credit"] | WayRef, Ref]


class Units(Given):
    line_id: str
    quantity: Annotated[int, Field(ge=1, le=99)]


class Swap(OfOrder):
    to_variant_id: Annotated[str, Field(description="Of the same product.")]
    quantity: Annotated[int, Field(ge=1, le=99)] = 1


_BY_STAFF: Final = "Quoted. It is applied, or sent to its shopper, in the console: nothing has been changed."
_COME_BACK: Final = "Ask get_return_options whether it can be sent back."


def quoted(context: ToolContext, order: str, wanted: Wanted) -> Outcome:
    """The quote of a change, on the card that its shopper decides on."""
    thread_id = None if context.identity.is_staff else context.thread_id
    try:
        view = propose(context.runtime, context.identity, order, wanted, thread_id=thread_id)
    except WrongStatus as too_late:
        raise WrongStatus(f"{too_late.message} {_COME_BACK}") from None
    if context.identity.is_staff:
        return Outcome(brief.change(view) | {"note": _BY_STAFF, "change_id": view.id})
    return Outcome(brief.change(view) | {"card": "shown", "note": brief.NOTE_OF_CARD}, cards=(change_card(view),))


@tool(access=Access.WRITE, agents=SERVICE, risk=Risk.ASK)
def quote_cancel(
    context: ToolContext,
    order: OrderName,
    reason: Annotated[
        str,
        Field(
            description="no_longer_needed, ordered_by_mistake, found_cheaper, takes_too_long or other;"
            " the shop's own codes are get_order's cancel_reasons.",
            max_length=60,
        ),
    ] = "other",
    lines: Annotated[list[Units] | None, Ref, Field(description="Only these units; else all.")] = None,
    refund_to: RefundTo = "original",
) -> Outcome:
    """Work out what canceling an order, or units of it that have not shipped, gives back; shows the card for it."""
    units = [one.model_dump() for one in lines] if lines else None
    given = {"kind": "cancel", "reason": reason, "lines": units, "refund_to": refund_to}
    return quoted(context, order, read(given))


@tool(access=Access.WRITE, agents=SERVICE, risk=Risk.ASK)
def quote_address_change(
    context: ToolContext,
    order: OrderName,
    name: Annotated[str, Field(description="Who receives it.", max_length=200)],
    line_one: Annotated[str, Field(description="Street and number.", max_length=200)],
    city: Text,
    postal_code: Text,
    line_two: Text = "",
    state: Annotated[str, Field(description="State or province code.", max_length=200)] = "",
    country: Annotated[str, Field(description="Two-letter code; US if left out.", max_length=200)] = "",
    payment_method_ref: MethodRef = None,
) -> Outcome:
    """Work out what sending an order that has not shipped to another address costs or saves; shows the card for it.
    Give the whole new address, `name` as on the order unless it changes.
    """
    address = {
        "name": name,
        "line_one": line_one,
        "line_two": line_two,
        "city": city,
        "state": state,
        "postal_code": postal_code,
        "country": country,
    }
    given = {"kind": "address", "ship_to": address, "payment_method_ref": payment_method_ref}
    return quoted(context, order, read(given))


@tool(access=Access.WRITE, agents=SERVICE, risk=Risk.ASK)
def quote_payment_change(
    context: ToolContext,
    order: OrderName,
    payment_method_ref: Annotated[
        str, Ref, Field(description="ref from list_payment_methods.", min_length=1, max_length=60)
    ],
) -> Outcome:
    """Work out paying an unshipped order with another of the shopper's own methods; what was paid goes back to the old
    one. Shows the card for it.
    """
    return quoted(context, order, read({"kind": "payment_method", "payment_method_ref": payment_method_ref}))


@tool(access=Access.WRITE, agents=SERVICE, risk=Risk.ASK)
def quote_item_change(
    context: ToolContext,
    order: OrderName,
    swaps: Annotated[
        list[Swap],
        Ref,
        Field(description="line_id from get_order, to_variant_id from get_product.", min_length=1, max_length=20),
    ],
    payment_method_ref: MethodRef = None,
    refund_to: RefundTo = "original",
) -> Outcome:
    """Work out swapping unshipped units for other variants of the same product (size, color), with what is charged or
    given back; shows the card for it. What has arrived is exchanged by quote_return.
    """
    given = {
        "kind": "items",
        "swaps": [one.said() for one in swaps],
        "payment_method_ref": payment_method_ref,
        "refund_to": refund_to,
    }
    return quoted(context, order, read(given))
