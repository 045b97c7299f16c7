"""Asking a human: who may prepare an order but not agree to it leads its buyer to the card on our own page."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from engine.agentic.models import AgentPlatform, PlatformStatus
from engine.agentic.policy import AgenticPolicy
from engine.checkout import consents
from engine.checkout.models import CheckoutSession, Consent, ConsentStatus, SessionStatus
from engine.checkout.pricing import Quote
from engine.checkout.states import SESSION
from engine.checkout.views import confirmation_summary, digest
from engine.kit import audit, clock
from engine.kit.direct import Row, document
from engine.kit.envelope import seal
from engine.kit.identity import Identity, Scope
from engine.kit.ids import new_id
from engine.kit.policies import read_policy
from engine.runtime import Runtime


def speaks_for_human(session: Session, identity: Identity) -> bool:
    """Whether a token that this caller brings says that a human agreed: a key of scope ``acp``, of a platform that is
    trusted and not suspended.
    """
    if Scope.ACP not in identity.scopes or identity.platform_id is None:
        return False
    platform = session.get(AgentPlatform, (identity.tenant_id, identity.platform_id))
    return platform is not None and platform.trusted and platform.status == PlatformStatus.ACTIVE


def ask_human(
    session: Session, runtime: Runtime, checkout: CheckoutSession, quote: Quote, token: str | None
) -> Consent:
    """The card that the human sees; the session waits for them. The caller holds the session, which is ready to be
    paid, and knows what the token pays with.
    """
    policy = read_policy(dict(quote.shop.settings), AgenticPolicy)
    expires_at = clock.now() + timedelta(minutes=policy.approval_minutes)
    card = write(session, runtime, checkout, quote, token, expires_at=expires_at)
    checkout.status = SESSION.check(checkout.status, SessionStatus.PENDING_APPROVAL)
    audit.record(
        session,
        checkout.tenant_id,
        actor=checkout.owner_id,
        action="consent.shown",
        subject=card.id,
        facts={"digest": card.digest},
    )
    return card


def write(
    session: Session,
    runtime: Runtime,
    checkout: CheckoutSession,
    quote: Quote,
    token: str | None,
    *,
    expires_at: datetime,
    channel: str | None = None,
) -> Consent:
    """A consent to what the session says now, in place of any other that is live: open, or approved by the token that
    came through ``channel``.
    """
    consents.supersede(session, checkout)
    card = Consent(
        tenant_id=checkout.tenant_id,
        id=new_id("consent"),
        session_id=checkout.id,
        owner_id=checkout.owner_id,
        digest=digest(checkout, quote),
        summary=confirmation_summary(checkout, quote).model_dump(mode="json"),
        status=ConsentStatus.APPROVED if channel else ConsentStatus.OPEN,
        channel=channel,
        decided_at=clock.now() if channel else None,
        expires_at=expires_at,
    )
    if token:
        card.token_sealed = seal(runtime.secret_key, checkout.tenant_id, f"consent|{card.id}", token)
    session.add(card)
    session.flush()
    return card


def draft(
    runtime: Runtime, checkout: CheckoutSession, quote: Quote, token: str | None, *, consent_id: str, now: datetime
) -> Row:
    """What ``write`` writes of an approved consent, as the driver takes it."""
    sealed = seal(runtime.secret_key, checkout.tenant_id, f"consent|{consent_id}", token) if token else None
    summary = confirmation_summary(checkout, quote)
    return {
        "tenant": checkout.tenant_id,
        "consent": consent_id,
        "id": checkout.id,
        "digest": summary.digest,
        "summary": document(summary.model_dump(mode="json")),
        "token": sealed,
        "now": now,
    }
