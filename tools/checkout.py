"""From the cart to a card that a human may confirm. No tool here, or anywhere, confirms or captures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy.orm import Session

from engine.checkout import confirmation, service
from engine.checkout.schemas import CheckoutView, ConfirmationSummary
from engine.checkout.taxing import with_tax
from engine.customers import known
from tools import brief
from tools.naming import COMMERCE, SHOP
from tools.spec import Access, Card, Outcome, Ref, Risk, ToolContext, tool

Text = Annotated[str | None, Field(max_length=200)]


def _pays_with(card: ConfirmationSummary) -> str:
    """Everything that pays, stored value first."""
    method = [card.payment_method.label] if card.payment_method else []
    return " and ".join([*(one.label for one in card.tenders), *method])


def _outcome(view: CheckoutView) -> Outcome:
    return Outcome(brief.checkout(view), cards=(Card("checkout", view.model_dump(mode="json"), key=view.id),))


def checkout_shown(context: ToolContext, work: Callable[[Session], CheckoutView]) -> Outcome:
    """What is left of the checkout after ``work``, taxed."""
    return _outcome(with_tax(context.runtime, context.identity, work))


@tool(access=Access.WRITE, agents=COMMERCE)
def start_checkout(context: ToolContext) -> Outcome:
    """Begin (or go on with) checking out the cart. `missing` lists what is still needed from the shopper;
    `problems` what stands in the way.
    """
    return checkout_shown(
        context, lambda session: service.start(session, context.identity, thread_id=context.thread_id)
    )


@tool(access=Access.READ, agents=COMMERCE)
def get_checkout(context: ToolContext) -> Outcome:
    """The running checkout: totals, address, shipping options, payment method, what is missing."""
    return checkout_shown(context, lambda session: service.current(session, context.identity))


@tool(access=Access.WRITE, agents=COMMERCE)
def update_checkout(
    context: ToolContext,
    name: Annotated[Text, Field(description="Full name of the person who receives it.")] = None,
    email: Annotated[Text, Field(description="The buyer's e-mail address.")] = None,
    phone: Text = None,
    line_one: Annotated[Text, Field(description="Street and number.")] = None,
    line_two: Annotated[Text, Field(description="Apartment, suite, unit.")] = None,
    city: Text = None,
    state: Annotated[Text, Field(description="State or province code, such as OR.")] = None,
    postal_code: Text = None,
    country: Annotated[Text, Field(description="ISO 3166 two-letter code; US if the address looks American.")] = None,
    fulfillment_option_id: Annotated[Text, Field(description="id of one of fulfillment_options.")] = None,
    payment_method_ref: Annotated[Text, Ref, Field(description="ref from list_payment_methods.")] = None,
) -> Outcome:
    """Fill in or change checkout details; give only what the shopper said. Starts the checkout if there is none.
    The cheapest shipping is chosen until the shopper chooses.
    """
    details = service.Details(
        name=name,
        email=email,
        phone=phone,
        line_one=line_one,
        line_two=line_two,
        city=city,
        state=state,
        postal_code=postal_code,
        country=country,
        fulfillment_option_id=fulfillment_option_id,
        payment_method_ref=payment_method_ref,
    )
    thread_id = context.thread_id
    return checkout_shown(
        context, lambda session: service.update(session, context.identity, details, thread_id=thread_id)
    )


@tool(access=Access.READ, agents=SHOP)
def list_payment_methods(context: ToolContext) -> Outcome:
    """Ways to pay that this shopper has: saved cards once signed in, and the open test card in a demo shop; gift cards
    and credit of theirs with what is on them. A new card is entered on the payment provider's own form, never in the
    chat.
    """
    with context.unit_of_work() as session:
        methods = service.payment_methods(session, context.identity)
        accounts = known.accounts(session, context.identity)
    told: dict[str, Any] = {"methods": [m.model_dump() for m in methods], "card_entry": "on the checkout card"}
    return Outcome(told | ({"gift_cards_and_credit": [brief.purse(one) for one in accounts]} if accounts else {}))


@tool(access=Access.WRITE, agents=COMMERCE)
def use_store_credit(context: ToolContext) -> Outcome:
    """Pay the running checkout with the shopper's own store credit as far as it reaches. A gift card's code is entered
    in the checkout card's own field, never in the chat: ask the shopper to type it there.
    """
    return checkout_shown(context, lambda session: service.use_store_credit(session, context.identity))


@tool(access=Access.WRITE, agents=COMMERCE)
def drop_stored_value(context: ToolContext) -> Outcome:
    """Pay the running checkout without gift cards and store credit."""
    return checkout_shown(context, lambda session: service.drop_tenders(session, context.identity))


@tool(access=Access.WRITE, agents=COMMERCE, risk=Risk.ASK)
def request_confirmation(context: ToolContext) -> Outcome:
    """Show the shopper the payment card with every line and the total. Only the shopper's press on that card pays;
    nothing said in the chat does. Fails with what is missing when the checkout is not complete.
    """
    consent = confirmation.request(context.runtime, context.identity, thread_id=context.thread_id)
    data = {
        "id": consent.id,
        "status": consent.status,
        "expires_at": consent.expires_at.isoformat(),
        "checkout": consent.checkout.model_dump(mode="json"),
    }
    result = {
        "card": "shown",
        "total": str(consent.checkout.total),
        "payment_method": _pays_with(consent.checkout),
        "note": "Wait for the shopper to press Pay on the card. Do not say that anything was paid.",
    }
    return Outcome(result, cards=(Card("confirmation", data, key=consent.id),))


@tool(access=Access.WRITE, agents=COMMERCE)
def cancel_checkout(context: ToolContext) -> Outcome:
    """Drop the running checkout and its open payment card. The cart stays as it is; nothing was charged."""
    with context.unit_of_work() as session:
        view = service.cancel(session, context.identity)
    return _outcome(view)
