"""What a shopper does about a fault: claim, show, answer, choose, give up."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine.checkout.models import ConsentStatus
from engine.checkout.states import CONSENT
from engine.conversations.masking import mask_cards
from engine.kit import audit, clock, evidence
from engine.kit.errors import Forbidden
from engine.kit.identity import Actor, Identity
from engine.kit.ids import new_id
from engine.kit.policies import policy_of
from engine.orders import service as orders
from engine.orders.models import Order
from engine.warranties import closing, eligibility, news, resolving
from engine.warranties.errors import NotOffered, NoWarranty, WrongClaimStep
from engine.warranties.locks import Held, hold
from engine.warranties.models import Claim, ClaimStatus, Evidence, Resolution, Warranty
from engine.warranties.policy import WarrantiesPolicy
from engine.warranties.states import UNDECIDED


def submit(
    session: Session, identity: Identity, warranty_id: str, *, symptom: str, description: str, serial: str | None = None
) -> Claim:
    """Tell a fault of one unit. ``warranty_id`` is of the identity's own (``queries.find_warranty`` says so).

    Raises ``NoWarranty``, ``UnitGone``, ``ClaimOpen``, ``OutOfTerm``, ``UnknownSymptom``, ``NotCovered``.
    """
    seen = session.get(Warranty, (identity.tenant_id, warranty_id))
    if seen is None:
        raise NoWarranty("There is no such warranty.")
    root = session.get_one(Warranty, (identity.tenant_id, seen.root_id))
    order = orders.lock(session, identity.tenant_id, root.order_id)
    warranty = session.get_one(Warranty, (identity.tenant_id, seen.id), with_for_update=True, populate_existing=True)
    policy = policy_of(session, identity.tenant_id, WarrantiesPolicy)
    eligibility.check_unit(session, warranty)
    eligibility.check_term(warranty, clock.now().date())
    eligibility.check_symptom(policy, symptom)
    eligibility.paid_line(session, order, root)
    if serial:
        warranty.serial = serial
    claim = _write(session, identity, order, warranty, policy, symptom, description)
    news.record(session, claim, "submitted", actor=identity.id, symptom=symptom)
    news.tell(session, order, claim, "claim.submitted")
    session.flush()
    return claim


def add_evidence(session: Session, identity: Identity, claim_id: str, *, name: str, content: bytes) -> Evidence:
    """Keep a picture, without anything else that its file holds, or a paper; the same again is the same piece.

    Raises ``NoClaim``, ``WrongClaimStep`` once it is decided, ``EvidenceRefused``.
    """
    held = hold(session, identity.tenant_id, claim_id)
    claim = held.claim
    if claim.status not in UNDECIDED:
        raise WrongClaimStep(f"A claim that is {ClaimStatus(claim.status).value} takes no more evidence.")
    most = policy_of(session, claim.tenant_id, WarrantiesPolicy).evidence_files
    owner = {"tenant_id": claim.tenant_id, "claim_id": claim.id}
    kinds = evidence.PICTURES | {evidence.PDF}
    piece, new = evidence.keep(session, Evidence, owner, identity, name=name, content=content, kinds=kinds, most=most)
    if new:
        claim.version += 1
        news.record(session, claim, "evidence", actor=identity.id, evidence=piece.id, sha256=piece.sha256)
        news.changed(session, claim)
        session.flush()
    return piece


def answer(session: Session, identity: Identity, claim_id: str, *, text: str) -> Claim:
    """What the shop asked for: it looks at the claim again. Raises ``NoClaim``, ``WrongClaimStep``."""
    held = hold(session, identity.tenant_id, claim_id)
    if held.claim.status != ClaimStatus.NEED_INFO:
        raise WrongClaimStep("The shop has asked nothing about this claim.")
    closing.move(session, held.claim, ClaimStatus.IN_REVIEW)
    policy = policy_of(session, identity.tenant_id, WarrantiesPolicy)
    held.claim.due_at = clock.now() + timedelta(hours=policy.decision_hours)
    news.record(session, held.claim, "answered", actor=identity.id, text=mask_cards(text))
    return held.claim


def choose(session: Session, identity: Identity, claim_id: str, *, resolution: Resolution, channel: str) -> Claim:
    """The shopper's own choice among what is offered, on the card that asked for it. The same choice again changes
    nothing.

    Raises ``Forbidden`` for staff and keys, ``NoClaim``, ``WrongClaimStep``, ``NotOffered``.
    """
    if identity.actor != Actor.SHOPPER:
        raise Forbidden("Only the shopper can choose.")
    held = hold(session, identity.tenant_id, claim_id)
    card, claim = held.card, held.claim
    if card is not None and card.status == ConsentStatus.CLAIMED and claim.resolution == resolution:
        return claim
    if resolution not in claim.offers:
        raise NotOffered(f"The shop offers {news.offered(claim) or 'nothing'}.")
    if card is None or card.status != ConsentStatus.OPEN or card.expires_at <= clock.now() or claim.resolution:
        raise WrongClaimStep("There is nothing to choose any more.")
    card.status = CONSENT.check(card.status, ConsentStatus.APPROVED)
    card.channel, card.decided_at, card.choice = channel, clock.now(), str(resolution)
    card.status = CONSENT.check(card.status, ConsentStatus.CLAIMED)
    facts = {"digest": card.digest, "channel": channel, "claim": claim.id, "resolution": str(resolution)}
    audit.record(session, claim.tenant_id, actor=identity.id, action="consent.approved", subject=card.id, facts=facts)
    news.record(session, claim, "chosen", actor=identity.id, resolution=str(resolution))
    resolving.settle_on(held, resolution, actor=identity.id)
    return claim


def cancel(session: Session, identity: Identity, claim_id: str) -> Claim:
    """It is given up. Raises ``NoClaim``, ``WrongClaimStep`` once something is on its way or has ended."""
    held = hold(session, identity.tenant_id, claim_id)
    if not _may_cancel(held):
        raise WrongClaimStep("It is being carried out, or has ended: it can no longer be given up.")
    closing.finish(
        session, held.order, held.claim, ClaimStatus.CANCELED, "It was given up by whoever made it.", actor=identity.id
    )
    return held.claim


def _may_cancel(held: Held) -> bool:
    claim = held.claim
    waits = claim.status == ClaimStatus.APPROVED and claim.received_at is None
    return claim.status in UNDECIDED or (waits and (claim.resolution is None or claim.comes_back))


def _write(
    session: Session,
    identity: Identity,
    order: Order,
    warranty: Warranty,
    policy: WarrantiesPolicy,
    symptom: str,
    description: str,
) -> Claim:
    before = session.scalar(select(func.count()).where(Claim.tenant_id == order.tenant_id, Claim.order_id == order.id))
    claim = Claim(
        tenant_id=order.tenant_id,
        id=new_id("claim"),
        number=f"{order.number}-W{(before or 0) + 1}",
        warranty_id=warranty.id,
        order_id=order.id,
        status=ClaimStatus.SUBMITTED,
        requested_by=identity.id,
        symptom=symptom,
        description=mask_cards(description),
        offers=[],
        currency=order.currency,
        refund_to=policy.refund_to,
        due_at=clock.now() + timedelta(hours=policy.review_hours),
    )
    session.add(claim)
    session.flush()
    return claim
