"""A press on a card of the shop's own people."""

from __future__ import annotations

from engine.checkout.models import Consent
from engine.kit.errors import DomainError
from engine.operations import asking
from graph.outcomes.told import Told, as_it_is
from graph.state import RunContext
from prompts import phrase


def settle(context: RunContext, card: Consent, approved: bool) -> Told:
    """Do it, if that is what was agreed to."""
    if not approved:
        return Told(phrase("act_declined"))
    try:
        view = asking.carry_out(context.runtime, context.claim.identity, card.id)
    except DomainError as error:
        return Told(phrase("act_not_done").format(message=error.message), as_it_is(context, card.id))
    return Told(view.outcome, as_it_is(context, card.id))
