"""A press on the card on which a default address becomes another one."""

from __future__ import annotations

from engine.checkout import new_address
from engine.checkout.models import Consent
from engine.kit.errors import DomainError
from graph.outcomes.told import Told, as_it_is, refused
from graph.state import RunContext
from prompts import phrase


def settle(context: RunContext, card: Consent, approved: bool) -> Told:
    """Keep the new address, if that is what was agreed to."""
    if not approved:
        return Told(phrase("address_kept"))
    try:
        view = new_address.carry_out(context.runtime, context.claim.identity, card.id)
    except DomainError as error:
        words = phrase("not_changed").format(message=error.message)
        return Told(words, [*as_it_is(context, card.id), refused(card.id, error)])
    where = ", ".join(part for part in (view.line_one, view.city) if part)
    return Told(phrase("address_changed").format(where=where), as_it_is(context, card.id))
