"""How claims end: closed, canceled, run out, or because their unit is gone. The caller holds the order's lock."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine.checkout.models import Consent, ConsentStatus
from engine.checkout.states import CONSENT
from engine.kit import clock
from engine.orders.models import Order, OrderStatus
from engine.payments.alerts import resolve_alert
from engine.payments.models import Refund, RefundStatus
from engine.warranties import news
from engine.warranties.models import Claim, ClaimStatus
from engine.warranties.states import CLAIM, OVER, UNDECIDED

LATE = "claim_late"
BLOCKED = "claim_blocked"
"""Kinds of inbox items; their subject is the claim."""


def finish(session: Session, order: Order, claim: Claim, status: ClaimStatus, words: str, *, actor: str) -> None:
    """End it, with words fit for its shopper. Raises ``IllegalTransition``."""
    move(session, claim, status)
    claim.message = words
    claim.closed_at = clock.now()
    _withdraw_card(session, claim)
    resolve_alert(session, claim.tenant_id, BLOCKED, claim.id)
    news.record(session, claim, str(status), actor=actor, text=words)
    news.tell(session, order, claim, "claim.closed")


def move(session: Session, claim: Claim, status: ClaimStatus) -> None:
    """The next state; what was to be done by when is open again. Raises ``IllegalTransition``."""
    claim.status = CLAIM.check(claim.status, status)
    claim.due_at = claim.answer_by = None
    claim.version += 1
    resolve_alert(session, claim.tenant_id, LATE, claim.id)


def open_claims(session: Session, tenant_id: str, warranty_ids: Sequence[str]) -> dict[str, Claim]:
    """Warranty → its claim that has not ended, locked."""
    query = (
        select(Claim)
        .where(Claim.tenant_id == tenant_id, Claim.warranty_id.in_(warranty_ids), Claim.status.not_in(sorted(OVER)))
        .order_by(Claim.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {claim.warranty_id: claim for claim in session.scalars(query)}


def unit_gone(session: Session, order: Order, claim: Claim) -> None:
    """What was claimed for was sent back, or never came. What is decided already takes its course."""
    if claim.status in UNDECIDED:
        finish(session, order, claim, ClaimStatus.CANCELED, "The unit is no longer with you.", actor="system")


def replacement_arrived(session: Session, order: Order) -> None:
    """Its replacement is there: nothing of the claim is left to do."""
    claim_id = (order.origin or {}).get("claim_id")
    if claim_id is None or order.status != OrderStatus.CLOSED:
        return
    claim = session.get(Claim, (order.tenant_id, claim_id), with_for_update=True, populate_existing=True)
    if claim is not None and claim.status == ClaimStatus.REPLACED:
        finish(session, order, claim, ClaimStatus.CLOSED, "The replacement has arrived.", actor="system")


def refund_arrived(session: Session, order: Order) -> None:
    """The money is there: nothing of the claim is left to do."""
    paid = select(Refund.claim_id).where(Refund.tenant_id == order.tenant_id, Refund.order_id == order.id)
    given = paid.where(Refund.claim_id.is_not(None)).group_by(Refund.claim_id)
    whole = given.having(func.bool_and(Refund.status == RefundStatus.SUCCEEDED))
    query = select(Claim).where(
        Claim.tenant_id == order.tenant_id, Claim.status == ClaimStatus.REFUNDED, Claim.id.in_(whole)
    )
    for claim in session.scalars(query.with_for_update().execution_options(populate_existing=True)).all():
        finish(session, order, claim, ClaimStatus.CLOSED, "The money went back.", actor="system")


def _withdraw_card(session: Session, claim: Claim) -> None:
    if claim.consent_id is None:
        return
    card = session.get_one(Consent, (claim.tenant_id, claim.consent_id), with_for_update=True, populate_existing=True)
    if card.status == ConsentStatus.OPEN:
        card.status = CONSENT.check(card.status, ConsentStatus.SUPERSEDED)
        card.decided_at = clock.now()
