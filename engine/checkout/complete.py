"""Complete: the one way money is taken. Two commits of ours around one call to the gateway.

Prepare (no transaction) → T1 claims everything or nothing → the gateway captures, or only authorizes what ships later
or a person has to look at → T2 settles. Whoever is killed
anywhere in between, recovery finds the payment row and brings it to the same end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import structlog
from psycopg.errors import UniqueViolation
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.checkout import consents, pricing
from engine.checkout.claim import BUSY, Changed, Prepared, claim, prepare
from engine.checkout.errors import CheckoutBusy
from engine.checkout.models import CheckoutSession, Consent, ConsentKind, ConsentStatus
from engine.checkout.sale import Card, Sale
from engine.checkout.service import lock_session
from engine.checkout.settlement import PLACED, Answer, Rows, Settled, settle
from engine.kit import audit
from engine.kit.envelope import unseal
from engine.kit.errors import NotFound, Unavailable
from engine.kit.faults import fault_point
from engine.kit.identity import Identity
from engine.kit.money import Money
from engine.orders.schemas import OrderView
from engine.payments.gateway import DECLINES, CaptureRequest, Charge, ChargeStatus, TokenFacts
from engine.payments.models import CaptureMode, Payment, PaymentStatus
from engine.payments.risk import Purchase, RiskAnswer, assess, watched
from engine.runtime import Runtime

_NOTHING_TO_INSPECT: Final = TokenFacts(usable=True)
"""A total of nothing needs no token."""
REFUSED: Final = "The shop cannot take this order. Nothing was charged."
_PLACED: Final = {
    PaymentStatus.AUTHORIZED: "Nothing was taken yet: the amount is set aside and will be charged when it ships.",
    PaymentStatus.PARTIALLY_CAPTURED: "Paid for what has shipped; the rest will be charged when it ships.",
    PaymentStatus.VOIDED: "Nothing was taken: what was set aside has been let go.",
    PaymentStatus.EXPIRED: "Nothing was taken: what was set aside has lapsed.",
}
log = structlog.get_logger(__name__)


class Result(StrEnum):
    PAID = "paid"
    DECLINED = "declined"
    CHANGED = "changed"  # price, stock or details are not what was agreed to: nothing happened, show a new card
    CHALLENGE = "challenge"  # the bank wants to see its customer first: nothing happened
    UNKNOWN = "unknown"  # the gateway did not answer: recovery finds out
    NOT_APPROVED = "not_approved"


@dataclass(frozen=True, slots=True)
class Completion:
    """How it ended. ``message`` is fit for the shopper."""

    result: Result
    consent_id: str
    message: str
    code: str = ""
    order: OrderView | None = None
    challenge_url: str | None = None
    rows: Rows | None = None
    """Of an order that was placed by this call: to be looked at, not to be written."""
    answered: bool = False
    """Whether the ``answer`` was written with the settlement; ``order`` is then not told."""


def complete(
    runtime: Runtime,
    identity: Identity,
    consent_id: str,
    *,
    signals: Mapping[str, Any] | None = None,
    known: tuple[Prepared, TokenFacts] | None = None,
    answer: Answer | None = None,
) -> Completion:
    """Take the money an approved consent allows, once. A repeat answers what became of the first. ``signals`` are for
    whoever judges the risk. ``known`` is what was read with the consent a moment ago, and what its gateway then said of
    its token; ``answer`` what is to be written with the settlement of an order that is placed.

    Raises ``NotFound`` for another identity's consent, ``CheckoutBusy`` while another attempt is under way.
    """
    seen = known[0] if known else prepare(runtime, identity, consent_id)
    card = seen.card
    if card.consent_status != ConsentStatus.APPROVED:
        return _unapproved(runtime, identity, card)
    token = _token_of(runtime, card)
    facts = known[1] if known else _inspected(runtime, card, token) if token else _NOTHING_TO_INSPECT
    if facts.challenge_url:
        return _challenge(runtime, identity, consent_id, facts.challenge_url)
    if not facts.usable:
        return _put_aside(runtime, identity, consent_id, DECLINES["token_expired"])
    risk = _risk(runtime, identity, seen, signals or {}, review=facts.review)
    if risk == RiskAnswer.REFUSE:
        return _refuse(runtime, identity, consent_id)
    try:
        draft = claim(runtime, identity, seen, token, review=risk == RiskAnswer.REVIEW)
    except Changed as changed:
        return _put_aside(runtime, identity, consent_id, changed.reason)
    except UniqueViolation:
        raise CheckoutBusy(BUSY) from None
    fault_point("after_t1_commit")
    charge = _charge(runtime, draft.sale, token)
    settled = settle(runtime, identity.tenant_id, draft.sale.payment_id, charge, draft=draft, answer=answer)
    return _answer(consent_id, settled)


def outcome_of(runtime: Runtime, identity: Identity, consent_id: str) -> Completion:
    """What became of a consent that was claimed before; also after a restart."""
    with runtime.unit_of_work(identity.tenant_id) as session:
        card = _own_card(session, identity, consent_id)
        payment = session.get(Payment, (identity.tenant_id, card.payment_id)) if card.payment_id else None
        if payment is None:
            return Completion(Result.NOT_APPROVED, consent_id, "This confirmation was not used for a payment.")
        return _answer(consent_id, Settled.of(session, payment))


def _unapproved(runtime: Runtime, identity: Identity, card: Card) -> Completion:
    if card.consent_status == ConsentStatus.CLAIMED:
        return outcome_of(runtime, identity, card.consent_id)
    if card.consent_status == ConsentStatus.SUPERSEDED:
        words = "The order changed after that card was shown."
        return Completion(Result.CHANGED, card.consent_id, words, "changed")
    words = "Nothing was paid: the card was not confirmed."
    return Completion(Result.NOT_APPROVED, card.consent_id, words)


def _token_of(runtime: Runtime, card: Card) -> str | None:
    if not card.token_sealed:
        return None
    return unseal(runtime.secret_key, card.tenant_id, f"consent|{card.consent_id}", card.token_sealed)


def _inspected(runtime: Runtime, card: Card, token: str) -> TokenFacts:
    return runtime.gateways[card.gateway].inspect(token, merchant=card.tenant_id, session_id=card.id)


def _risk(
    runtime: Runtime, identity: Identity, seen: Prepared, signals: Mapping[str, Any], *, review: bool
) -> RiskAnswer:
    """What is thought of the total the card shows; whether it is today's is found out by the claim."""
    card, settings = seen.card, seen.known.shop.settings
    if not watched(runtime.risk, settings, review=review):
        return RiskAnswer.ALLOW
    purchase = Purchase(
        tenant_id=card.tenant_id,
        session_id=card.id,
        buyer_id=identity.id,
        customer_id=identity.customer_id,
        amount=Money(pricing.price(card, seen.known).total, card.currency),
        buyer=card.buyer,
        ship_to=card.ship_to or {},
        method=card.payment_method or {},
        signals=signals,
        review=review,
    )
    return assess(runtime.risk, settings, seen.known.shop.currency, purchase)


def _refuse(runtime: Runtime, identity: Identity, consent_id: str) -> Completion:
    done = _put_aside(runtime, identity, consent_id, REFUSED)
    if done.result != Result.CHANGED:  # an equal request was faster
        return done
    with runtime.unit_of_work(identity.tenant_id) as session:
        audit.record(session, identity.tenant_id, actor="system", action="payment.refused", subject=consent_id)
    return Completion(Result.DECLINED, consent_id, REFUSED, "order_refused")


def _charge(runtime: Runtime, sale: Sale, token: str | None) -> Charge | None:
    """Call the gateway; ``None`` when nobody knows what became of it."""
    if sale.amount == 0:
        return Charge(sale.payment_id, ChargeStatus.CAPTURED)
    request = CaptureRequest(
        payment_id=sale.payment_id,
        merchant=sale.tenant_id,
        session_id=sale.session_id,
        token=token or "",
        amount=Money(sale.amount, sale.currency),
    )
    fault_point("before_capture")
    gateway = runtime.gateways[sale.gateway]
    charge: Charge | None
    try:
        charge = gateway.authorize(request) if sale.capture_mode == CaptureMode.AT_RELEASE else gateway.capture(request)
    except Unavailable:
        charge = _ask(runtime, sale)
    fault_point("after_capture")
    return charge


def _ask(runtime: Runtime, sale: Sale) -> Charge | None:
    """The answer was lost: ask once what happened. Recovery goes on asking."""
    try:
        found = runtime.gateways[sale.gateway].find(sale.payment_id, merchant=sale.tenant_id)
    except Unavailable:
        log.warning("gateway unreachable", payment_id=sale.payment_id)
        return None
    return found if found and found.status != ChargeStatus.PENDING else None


def _challenge(runtime: Runtime, identity: Identity, consent_id: str, url: str) -> Completion:
    done = _put_aside(runtime, identity, consent_id, DECLINES["authentication_required"])
    return Completion(Result.CHALLENGE, consent_id, done.message, "authentication_required", challenge_url=url)


def _put_aside(runtime: Runtime, identity: Identity, consent_id: str, reason: str) -> Completion:
    """The agreement no longer fits the world: it is closed unused, and nothing was charged."""
    with runtime.unit_of_work(identity.tenant_id) as session:
        _, card = _locked(session, identity, consent_id)
        if card.status == ConsentStatus.APPROVED:
            consents.end(session, card, ConsentStatus.SUPERSEDED)
        used = card.status == ConsentStatus.CLAIMED
    if used:  # an equal request was faster
        return outcome_of(runtime, identity, consent_id)
    return Completion(Result.CHANGED, consent_id, reason, "changed")


def _locked(session: Session, identity: Identity, consent_id: str) -> tuple[CheckoutSession, Consent]:
    """The session and the card, both locked, always in this order."""
    owned = select(Consent.session_id).where(
        Consent.tenant_id == identity.tenant_id, Consent.id == consent_id, Consent.owner_id == identity.id
    )
    session_id = session.scalar(owned)
    if session_id is None:
        raise NotFound("There is no such confirmation.")
    checkout = lock_session(session, identity.tenant_id, session_id)
    return checkout, session.get_one(Consent, (identity.tenant_id, consent_id), with_for_update=True)


def _own_card(session: Session, identity: Identity, consent_id: str) -> Consent:
    card = session.get(Consent, (identity.tenant_id, consent_id))
    if card is None or card.owner_id != identity.id or card.kind != ConsentKind.PAYMENT:
        raise NotFound("There is no such confirmation.")
    return card


def _answer(consent_id: str, settled: Settled) -> Completion:
    if settled.status in PLACED:
        return Completion(
            Result.PAID,
            consent_id,
            _PLACED.get(settled.status, "Paid."),
            order=settled.order,
            rows=settled.rows,
            answered=settled.answered,
        )
    if settled.status in {PaymentStatus.PROCESSING, PaymentStatus.UNKNOWN}:
        words = "The bank has not answered yet. Nothing will be charged twice; this page will say how it ended."
        return Completion(Result.UNKNOWN, consent_id, words, "payment_unknown")
    code = settled.decline_code or "card_declined"
    return Completion(Result.DECLINED, consent_id, DECLINES.get(code, DECLINES["card_declined"]), code)
