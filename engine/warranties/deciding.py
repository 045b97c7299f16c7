"""What the shop's people decide about a claim: take it up, ask, say yes, say no."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy.orm import Session

from engine.kit import clock
from engine.kit.errors import InvalidInput
from engine.kit.policies import policy_of
from engine.warranties import choosing, closing, eligibility, news, resolving
from engine.warranties.errors import NotOffered, WrongClaimStep
from engine.warranties.locks import hold
from engine.warranties.models import Claim, ClaimStatus, Resolution
from engine.warranties.policy import WarrantiesPolicy


def review(session: Session, tenant_id: str, claim_id: str, *, actor: str) -> Claim:
    """Take it up; a denied claim once more. Raises ``NoClaim``, ``IllegalTransition``."""
    held = hold(session, tenant_id, claim_id)
    closing.move(session, held.claim, ClaimStatus.IN_REVIEW)
    hours = policy_of(session, tenant_id, WarrantiesPolicy).decision_hours
    held.claim.due_at = clock.now() + timedelta(hours=hours)
    held.claim.reviewed_by, held.claim.message = actor, None
    news.record(session, held.claim, "in_review", actor=actor)
    return held.claim


def ask(session: Session, tenant_id: str, claim_id: str, *, question: str, actor: str) -> Claim:
    """Ask its shopper something; the claim waits for the answer. Raises ``NoClaim``, ``IllegalTransition``."""
    held = hold(session, tenant_id, claim_id)
    closing.move(session, held.claim, ClaimStatus.NEED_INFO)
    days = policy_of(session, tenant_id, WarrantiesPolicy).answer_days
    held.claim.answer_by = clock.now() + timedelta(days=days)
    held.claim.message = question
    news.record(session, held.claim, "asked", actor=actor, text=question)
    news.tell(session, held.order, held.claim, "claim.asked")
    return held.claim


def approve(
    session: Session,
    tenant_id: str,
    claim_id: str,
    *,
    offers: Sequence[Resolution],
    message: str = "",
    note: str = "",
    comes_back: bool | None = None,
    actor: str,
    approved: str | None = None,
) -> Claim:
    """Say yes, and what the shop does about it: with more than one offer its shopper chooses. Also decides anew what
    could not be carried out, or not be repaired. ``message`` is for the shopper, ``note`` is not; ``comes_back``
    overrides whether the unit is sent in. ``approved`` names the approval that lifts the limits of a refund.

    Nothing is carried out yet: ``resolving.carry_out`` does, or the job. Raises ``NoClaim``, ``WrongClaimStep``,
    ``UnitGone``, ``NotOffered``, ``IllegalTransition``.
    """
    held = hold(session, tenant_id, claim_id)
    claim, policy = held.claim, policy_of(session, tenant_id, WarrantiesPolicy)
    if not offers or len(set(offers)) < len(offers):
        raise InvalidInput("Say once each what is offered.", param="offers")
    if wrong := [one for one in offers if one not in policy.offers]:
        raise NotOffered(f"This shop offers no {wrong[0].value}.")
    if claim.status == ClaimStatus.APPROVED and claim.problem is None:
        raise WrongClaimStep("It is decided already.")
    eligibility.check_unit(session, held.warranty, but_claim=claim.id)
    eligibility.paid_line(session, held.order, held.root)
    closing.move(session, claim, ClaimStatus.APPROVED)
    claim.offers, claim.resolution, claim.problem = [str(one) for one in offers], None, None
    claim.message, claim.staff_note = message or None, note or claim.staff_note
    claim.decided_by, claim.decided_at = actor, claim.decided_at or clock.now()
    claim.approval_id = approved or claim.approval_id
    claim.amount = claim.tax = 0
    if Resolution.REFUND in offers:
        owed = resolving.owed(held)
        claim.amount, claim.tax = owed.amount, owed.tax
    news.record(
        session,
        claim,
        "approved",
        actor=actor,
        text=message,
        offers=claim.offers,
        amount=claim.amount,
        approved=approved,
    )
    _note(session, claim, note, actor)
    if len(offers) == 1:
        resolving.settle_on(held, offers[0], actor=actor, comes_back=comes_back)
    else:
        choosing.ask(held, actor=actor)
    news.tell(session, held.order, claim, "claim.approved")
    session.flush()
    return claim


def deny(session: Session, tenant_id: str, claim_id: str, *, message: str, note: str = "", actor: str) -> Claim:
    """Say no: ``message`` tells its shopper why. Raises ``NoClaim``, ``IllegalTransition``."""
    held = hold(session, tenant_id, claim_id)
    claim = held.claim
    closing.move(session, claim, ClaimStatus.DENIED)
    claim.message, claim.staff_note = message, note or claim.staff_note
    claim.decided_by, claim.decided_at = actor, clock.now()
    claim.answer_by = clock.now() + timedelta(days=policy_of(session, tenant_id, WarrantiesPolicy).answer_days)
    news.record(session, claim, "denied", actor=actor, text=message)
    _note(session, claim, note, actor)
    news.tell(session, held.order, claim, "claim.denied")
    return claim


def close(session: Session, tenant_id: str, claim_id: str, *, message: str = "", actor: str) -> Claim:
    """Nothing is left to do about it. Raises ``NoClaim``, ``WrongClaimStep`` while the unit is being repaired,
    ``IllegalTransition``.
    """
    held = hold(session, tenant_id, claim_id)
    if held.claim.status == ClaimStatus.REPAIRING:
        raise WrongClaimStep("The unit is here: send it back first, or decide anew.")
    words = message or held.claim.message or "It is closed."
    closing.finish(session, held.order, held.claim, ClaimStatus.CLOSED, words, actor=actor)
    return held.claim


def _note(session: Session, claim: Claim, note: str, actor: str) -> None:
    if note:
        news.record(session, claim, "note", actor=actor, text=note, staff_only=True)
