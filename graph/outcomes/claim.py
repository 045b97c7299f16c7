"""A choice on a claim's card: the press itself has written it, here it is carried out."""

from __future__ import annotations

from engine.checkout.models import Consent
from engine.warranties import queries, resolving
from engine.warranties.models import ClaimStatus, Resolution
from engine.warranties.schemas import ClaimView
from graph.outcomes.told import Told, as_it_is, shown
from graph.state import RunContext
from prompts import phrase


def settle(context: RunContext, card: Consent, approved: bool) -> Told:  # noqa: ARG001 (a claim is not declined)
    """Do what was chosen, as far as it can be done now."""
    assert card.subject_id is not None
    identity = context.claim.identity
    resolving.carry_out(context.runtime, context.tenant_id, card.subject_id, actor=identity.id)
    with context.tools.unit_of_work() as session:
        view = queries.one_claim(session, identity, card.subject_id)
    result = shown(context, "claim", view.model_dump(mode="json"), view.id)
    return Told(_words(view), [*as_it_is(context, card.id), *result])


def _words(view: ClaimView) -> str:
    key = f"claim_{view.resolution}"
    if view.comes_back and view.status == ClaimStatus.APPROVED:
        key = "claim_send_in"
    elif view.problem or (view.status == ClaimStatus.APPROVED and view.resolution != Resolution.REPAIR):
        key = "claim_later"
    return phrase(key).format(number=view.number, title=view.title, amount=view.refund)
