"""A press on the card on which a return is given up."""

from __future__ import annotations

from engine.checkout.models import Consent
from engine.kit.errors import DomainError
from engine.kit.money import format_minor
from engine.returns import giving_up
from graph.outcomes.told import Told, as_it_is, refused, shown
from graph.state import RunContext
from prompts import phrase


def settle(context: RunContext, card: Consent, approved: bool) -> Told:
    """Give the return up, if that is what was agreed to."""
    if not approved:
        return Told(phrase("return_kept"))
    try:
        view = giving_up.carry_out(context.runtime, context.claim.identity, card.id)
    except DomainError as error:
        words = phrase("not_changed").format(message=error.message)
        return Told(words, [*as_it_is(context, card.id), refused(card.id, error, again=True)])
    words = phrase("return_given_up").format(number=view.number)
    back = card.summary["return_cancel"]["refund"]
    if back["amount"]:
        words += " " + phrase("return_refunded").format(amount=format_minor(back["amount"], back["currency"]))
    result = shown(context, "return", view.model_dump(mode="json"), view.id)
    return Told(words, [*as_it_is(context, card.id), *result])
