"""Consent rows: made when a card is shown, decided by the card's own endpoint, put aside when they stop being true."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.checkout.models import CheckoutSession, Consent, ConsentKind, ConsentStatus
from engine.checkout.pricing import Quote
from engine.checkout.schemas import ConfirmationSummary, ConsentView
from engine.checkout.states import CONSENT
from engine.checkout.views import digest
from engine.kit import clock, outbox
from engine.kit.identity import Identity

_LIVE = (ConsentStatus.OPEN, ConsentStatus.APPROVED)


def live(session: Session, checkout: CheckoutSession) -> Consent | None:
    """The session's card that is open, or approved and not yet used."""
    return session.scalars(
        select(Consent)
        .where(
            Consent.tenant_id == checkout.tenant_id,
            Consent.session_id == checkout.id,
            Consent.status.in_(_LIVE),
        )
        .with_for_update()
    ).first()


def supersede(session: Session, checkout: CheckoutSession, *, unless: Quote | None = None) -> Consent | None:
    """Put the session's live card aside, unless it still says what ``unless`` says; returns the card put aside."""
    card = live(session, checkout)
    if card is None or (unless is not None and not unless.problems and _still_true(card, checkout, unless)):
        return None
    end(session, card, ConsentStatus.SUPERSEDED)
    return card


def end(session: Session, card: Consent, status: ConsentStatus) -> None:
    """Close a card without payment and tell its conversation."""
    card.status = CONSENT.check(card.status, status)
    session.flush()
    tell(session, card)


def tell(session: Session, card: Consent) -> None:
    """Its conversation, if it is in one, hears how it stands."""
    if card.thread_id:
        payload = {"thread_id": card.thread_id, "consent_id": card.id, "status": str(card.status)}
        outbox.emit(session, card.tenant_id, "checkout.changed", card.session_id or card.id, payload)


def open_cards(session: Session, identity: Identity, thread_id: str) -> list[ConsentView]:
    """The cards of a conversation that can be decided now. Only its own identity (or staff) is answered."""
    query = select(Consent).where(
        Consent.tenant_id == identity.tenant_id,
        Consent.thread_id == thread_id,
        Consent.kind == ConsentKind.PAYMENT,
        Consent.status == ConsentStatus.OPEN,
        Consent.expires_at > clock.now(),
    )
    if not identity.is_staff:
        query = query.where(Consent.owner_id == identity.id)
    return [view(row) for row in session.scalars(query.order_by(Consent.created_at))]


def of_thread(session: Session, tenant_id: str, thread_id: str, statuses: Sequence[ConsentStatus]) -> list[Consent]:
    """The thread's cards in these states, oldest first."""
    rows = session.scalars(
        select(Consent)
        .where(
            Consent.tenant_id == tenant_id,
            Consent.thread_id == thread_id,
            Consent.kind == ConsentKind.PAYMENT,
            Consent.status.in_(statuses),
        )
        .order_by(Consent.created_at)
    )
    return list(rows)


def view(card: Consent) -> ConsentView:
    """The card as its holder sees it; an open card past its time shows as expired."""
    status = card.status
    if status == ConsentStatus.OPEN and card.expires_at <= clock.now():
        status = ConsentStatus.EXPIRED
    return ConsentView(
        id=card.id,
        status=status,
        expires_at=card.expires_at,
        checkout=ConfirmationSummary.model_validate(card.summary),
    )


def _still_true(card: Consent, checkout: CheckoutSession, quote: Quote) -> bool:
    return not quote.missing and card.digest == digest(checkout, quote)
