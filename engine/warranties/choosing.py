"""The card on which a shopper chooses among what the shop offers for a claim."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.orm import Session

from engine.checkout import consents
from engine.checkout.models import Consent, ConsentKind, ConsentStatus
from engine.kit import audit, clock
from engine.kit.errors import Forbidden
from engine.kit.idempotency import fingerprint
from engine.kit.identity import Actor, Identity
from engine.kit.ids import new_id
from engine.kit.policies import policy_of
from engine.kit.tenancy import Tenant
from engine.warranties import queries
from engine.warranties.errors import WrongClaimStep
from engine.warranties.locks import Held, hold
from engine.warranties.policy import WarrantiesPolicy


def ask(held: Held, *, actor: str, owner_id: str | None = None, thread_id: str | None = None) -> Consent:
    """A fresh card: what is offered, to the cent. ``owner_id`` is whose it is, without one the buyer's."""
    session, claim, order = held.session, held.claim, held.order
    if claim.answer_by is None:
        days = policy_of(session, claim.tenant_id, WarrantiesPolicy).answer_days
        claim.answer_by = clock.now() + timedelta(days=days)
    summary = {
        "claim": {"id": claim.id, "number": claim.number, "title": held.warranty.title},
        "offers": claim.offers,
        "refund": {"amount": claim.amount, "currency": claim.currency},
        "merchant": session.get_one(Tenant, claim.tenant_id).name,
    }
    card = Consent(
        tenant_id=claim.tenant_id,
        id=new_id("consent"),
        kind=ConsentKind.WARRANTY,
        subject_id=claim.id,
        owner_id=owner_id or order.owner_id,
        thread_id=thread_id,
        digest=fingerprint(summary | {"version": claim.version}),
        summary=summary,
        status=ConsentStatus.OPEN,
        expires_at=claim.answer_by,
    )
    session.add(card)
    session.flush()
    claim.consent_id = card.id
    facts = {"digest": card.digest, "claim": claim.id}
    audit.record(session, claim.tenant_id, actor=actor, action="consent.shown", subject=card.id, facts=facts)
    return card


def show(session: Session, identity: Identity, claim_id: str, *, thread_id: str) -> Consent:
    """The card of one of the shopper's own claims in this conversation; one that another showed is put aside.

    Raises ``Forbidden`` for whoever is no shopper, ``NoClaim``, ``WrongClaimStep`` where nothing is to be chosen.
    """
    if identity.actor != Actor.SHOPPER:
        raise Forbidden("Only the shopper can choose.")
    held = hold(session, identity.tenant_id, queries.find_claim(session, identity, claim_id).id)
    card = held.card
    if card is None or card.status != ConsentStatus.OPEN or card.expires_at <= clock.now() or held.claim.resolution:
        raise WrongClaimStep("There is nothing to choose for this claim.")
    if card.owner_id == identity.id and card.thread_id in {None, thread_id}:
        card.thread_id = thread_id
        return card
    consents.end(session, card, ConsentStatus.SUPERSEDED)
    return ask(held, actor=identity.id, owner_id=identity.id, thread_id=thread_id)
