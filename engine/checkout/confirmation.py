"""The card: shown with the exact price, decided once by its own shopper, for a short while."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy.orm import Session

from engine.checkout import consents, taxing
from engine.checkout.consents import open_cards
from engine.checkout.errors import CheckoutIncomplete, ConsentDecided, ConsentExpired, NoCheckout
from engine.checkout.models import CheckoutSession, Consent, ConsentKind, ConsentStatus
from engine.checkout.pricing import Quote
from engine.checkout.schemas import ConsentView
from engine.checkout.service import lock_session, quote_of, running_session_id, start
from engine.checkout.states import CONSENT
from engine.checkout.views import confirmation_summary, digest
from engine.kit import audit, clock
from engine.kit.envelope import seal
from engine.kit.errors import Forbidden, NotFound
from engine.kit.identity import Actor, Identity
from engine.kit.ids import new_id
from engine.kit.money import Money
from engine.payments.gateway import Allowance
from engine.runtime import Runtime

__all__ = ["CARD_LIFE", "Decision", "decide", "delegate", "open_cards", "request", "running_session", "show"]

CARD_LIFE: Final = timedelta(minutes=10)
_TOKEN_GRACE: Final = timedelta(minutes=5)
"""The token outlives the card a little, so that a press in the last second still finds it good."""
_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided. ``first`` is false for a repeat of the same decision."""

    consent: ConsentView
    approved: bool
    first: bool


def request(runtime: Runtime, identity: Identity, *, thread_id: str | None) -> ConsentView:
    """Show the payment card for the identity's running checkout. The same card again while nothing changed.

    Raises ``NoCheckout``, ``CheckoutBusy``, ``CheckoutIncomplete`` (what is missing or stands in the way).
    """
    for _ in range(_TRIES):
        with runtime.unit_of_work(identity.tenant_id) as session:
            checkout = running_session(session, identity)
            quote = quote_of(session, checkout)
            if quote.asks is None:
                _require_ready(quote)
                present = consents.live(session, checkout)
                bound = digest(checkout, quote)
                if present and _still_good(present, bound, thread_id):
                    return consents.view(present)
        if quote.asks is not None:
            taxing.ask_about(runtime, identity.tenant_id, checkout.id, quote.asks)
            continue
        keep_for = identity.customer_id or ""
        token = delegate(runtime, checkout, quote, bound, keep_for=keep_for) if quote.due else None
        with runtime.unit_of_work(identity.tenant_id) as session:
            card = show(session, runtime, identity, checkout.id, bound, token, thread_id)
            if card is not None:
                return card
    raise CheckoutIncomplete("The price kept changing while the payment card was made. Please try again.")


def decide(
    session: Session,
    identity: Identity,
    consent_id: str,
    *,
    approved: bool,
    channel: str,
    thread_id: str | None = None,
) -> Decision:
    """Write the human's decision into the row. Only the card's own shopper may, in the conversation that shows it.

    Raises ``Forbidden`` for staff and keys, and for a yes with a payment card that somebody else entered, ``NotFound``
    for anybody else's card, ``ConsentExpired`` too late, ``ConsentDecided`` when it was decided otherwise or replaced.
    """
    if identity.actor != Actor.SHOPPER:
        raise Forbidden("Only the shopper can confirm a payment.")
    card = session.get(Consent, (identity.tenant_id, consent_id), with_for_update=True)
    if card is not None and card.kind != ConsentKind.PAYMENT:
        card = None
    elsewhere = card is not None and thread_id is not None and card.thread_id not in {None, thread_id}
    if card is None or identity.id not in {card.owner_id, card.holder_id} or elsewhere:
        raise NotFound("There is no such confirmation.")
    if _repeats(card, approved=approved):
        return Decision(consents.view(card), approved, first=False)
    _require_open(card)
    if approved:
        _require_own_method(session, identity, card)
    card.status = CONSENT.check(card.status, ConsentStatus.APPROVED if approved else ConsentStatus.DECLINED)
    card.channel = channel
    card.decided_at = clock.now()
    action = "consent.approved" if approved else "consent.declined"
    facts = {"digest": card.digest, "channel": channel}
    audit.record(session, card.tenant_id, actor=identity.id, action=action, subject=card.id, facts=facts)
    return Decision(consents.view(card), approved, first=True)


def _still_good(card: Consent, bound: str, thread_id: str | None) -> bool:
    """Whether the card can be pressed as it is, here. One that was approved and never used cannot."""
    here = thread_id is None or card.thread_id in {None, thread_id}
    return card.status == ConsentStatus.OPEN and card.digest == bound and card.expires_at > clock.now() and here


def running_session(session: Session, identity: Identity) -> CheckoutSession:
    """The identity's running checkout, locked, with the cart of now. Raises ``NoCheckout``, ``CheckoutBusy``."""
    session_id = running_session_id(session, identity)
    if session_id is None:
        raise NoCheckout("There is no checkout running.")
    start(session, identity)  # the cart of this moment, not of an hour ago
    return lock_session(session, identity.tenant_id, session_id)


def _require_ready(quote: Quote) -> None:
    if quote.problems:
        raise CheckoutIncomplete(" ".join(quote.problems))
    if quote.missing:
        raise CheckoutIncomplete("Still needed: " + ", ".join(quote.missing).replace("_", " ") + ".")


def delegate(runtime: Runtime, checkout: CheckoutSession, quote: Quote, bound: str, *, keep_for: str = "") -> str:
    """A token that pays the quote with the session's method, for as long as its card is shown; ``keep_for`` is whose it
    is, where they want it kept.
    """
    method = checkout.payment_method or {}
    allowance = Allowance(
        merchant=checkout.tenant_id,
        session_id=checkout.id,
        maximum=Money(quote.due, checkout.currency),
        expires_at=clock.now() + CARD_LIFE + _TOKEN_GRACE,
        keep_for=keep_for if method.get("keep") else "",
    )
    return runtime.gateways[method["gateway"]].delegate(method["ref"], allowance, key=f"{bound}:{new_id('consent')}")


def show(
    session: Session,
    runtime: Runtime,
    identity: Identity,
    session_id: str,
    bound: str,
    token: str | None,
    thread_id: str | None,
) -> ConsentView | None:
    """Write the card, if the price is still the one the token was made for."""
    checkout = lock_session(session, identity.tenant_id, session_id)
    quote = quote_of(session, checkout)
    if quote.problems or quote.missing or digest(checkout, quote) != bound:
        return None
    consents.supersede(session, checkout)
    checkout.version += 1  # who read the session before this card does not write it
    checkout.thread_id = thread_id or checkout.thread_id  # what becomes of the payment is told where it was asked for
    card = Consent(
        tenant_id=identity.tenant_id,
        id=new_id("consent"),
        session_id=session_id,
        owner_id=identity.id,
        thread_id=checkout.thread_id,
        digest=bound,
        summary=confirmation_summary(checkout, quote).model_dump(mode="json"),
        status=ConsentStatus.OPEN,
        expires_at=clock.now() + CARD_LIFE,
    )
    if token:
        card.token_sealed = seal(runtime.secret_key, identity.tenant_id, f"consent|{card.id}", token)
    session.add(card)
    audit.record(
        session,
        identity.tenant_id,
        actor=identity.id,
        action="consent.shown",
        subject=card.id,
        facts={"digest": bound},
    )
    return consents.view(card)


def _require_own_method(session: Session, identity: Identity, card: Consent) -> None:
    """Of the two who may decide on a hosted card, only the one who entered what it pays with may say yes to it."""
    checkout = session.get_one(CheckoutSession, (card.tenant_id, card.session_id))
    if (checkout.payment_method or {}).get("entered_by", identity.id) != identity.id:
        raise Forbidden("This payment card was entered in another browser. Choose a way to pay of your own.")


def _repeats(card: Consent, *, approved: bool) -> bool:
    if approved:
        return card.status in {ConsentStatus.APPROVED, ConsentStatus.CLAIMED}
    return card.status == ConsentStatus.DECLINED


def _require_open(card: Consent) -> None:
    if card.status == ConsentStatus.EXPIRED or (card.status == ConsentStatus.OPEN and card.expires_at <= clock.now()):
        raise ConsentExpired("This payment card has run out. You were not charged; ask for a fresh one.")
    if card.status == ConsentStatus.SUPERSEDED:
        raise ConsentDecided("This payment card was replaced by a newer one. You were not charged by it.")
    if card.status != ConsentStatus.OPEN:
        raise ConsentDecided("This payment card was decided already.")
