"""Complete: the one way money is taken. Two commits of ours around one call to the gateway.

Prepare (no transaction) → T1 claims everything or nothing → the gateway captures → T2 settles. Whoever is killed
anywhere in between, recovery finds the payment row and brings it to the same end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

import structlog
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from engine.carts import discounts
from engine.carts import service as carts
from engine.checkout import consents
from engine.checkout.errors import CheckoutBusy
from engine.checkout.models import CheckoutSession, Consent, ConsentKind, ConsentStatus, SessionStatus
from engine.checkout.pricing import Quote
from engine.checkout.service import lock_session, quote_of
from engine.checkout.settlement import Settled, settle
from engine.checkout.states import CONSENT, OPEN_SESSIONS, SESSION
from engine.checkout.views import digest
from engine.inventory import service as inventory
from engine.inventory.errors import OutOfStock
from engine.kit import audit, clock
from engine.kit.envelope import unseal
from engine.kit.errors import NotFound, Unavailable
from engine.kit.faults import fault_point
from engine.kit.identity import Identity
from engine.kit.ids import new_id
from engine.kit.money import Money
from engine.kit.tenancy import hash_secret
from engine.orders import service as orders
from engine.orders.schemas import OrderView
from engine.payments.gateway import DECLINES, CaptureRequest, Charge, ChargeStatus, TokenFacts
from engine.payments.models import Payment, PaymentStatus
from engine.runtime import Runtime

LEASE: Final = timedelta(seconds=20)
"""Longer than the gateway's time-out: while it runs, only this request may settle the payment."""
_ROUTING_TRIES: Final = 3
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


@dataclass(frozen=True, slots=True)
class _Claimed:
    """What T1 committed: enough to call the gateway without another look at the database."""

    payment_id: str
    request: CaptureRequest | None
    gateway: str


class _Changed(Exception):
    """T1 must end without a trace: the world is not what was agreed to."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def complete(runtime: Runtime, identity: Identity, consent_id: str) -> Completion:
    """Take the money an approved consent allows, once. A repeat answers what became of the first.

    Raises ``NotFound`` for another identity's consent, ``CheckoutBusy`` while another attempt is under way.
    """
    token, facts, early = _prepare(runtime, identity, consent_id)
    if early is not None:
        return early
    if facts is not None and facts.challenge_url:
        return _challenge(runtime, identity, consent_id, facts.challenge_url)
    if facts is not None and not facts.usable:
        return _put_aside(runtime, identity, consent_id, DECLINES["token_expired"])
    try:
        claimed = _claim(runtime, identity, consent_id, token)
    except _Changed as changed:
        return _put_aside(runtime, identity, consent_id, changed.reason)
    except IntegrityError:
        raise CheckoutBusy("The payment for this checkout is being made right now. Please wait a moment.") from None
    fault_point("after_t1_commit")
    charge = _capture(runtime, claimed)
    settled = settle(runtime, identity.tenant_id, claimed.payment_id, charge)
    return _answer(consent_id, settled)


def outcome_of(runtime: Runtime, identity: Identity, consent_id: str) -> Completion:
    """What became of a consent that was claimed before; also after a restart."""
    with runtime.unit_of_work(identity.tenant_id) as session:
        card = _own_card(session, identity, consent_id)
        payment = session.get(Payment, (identity.tenant_id, card.payment_id)) if card.payment_id else None
        if payment is None:
            return Completion(Result.NOT_APPROVED, consent_id, "This confirmation was not used for a payment.")
        return _answer(consent_id, Settled.of(session, payment))


def _prepare(
    runtime: Runtime, identity: Identity, consent_id: str
) -> tuple[str | None, TokenFacts | None, Completion | None]:
    with runtime.unit_of_work(identity.tenant_id) as session:
        card = _own_card(session, identity, consent_id)
        status, sealed, session_id = card.status, card.token_sealed, card.session_id
        gateway = _gateway_of(session, card)
    if status == ConsentStatus.CLAIMED:
        return None, None, outcome_of(runtime, identity, consent_id)
    if status == ConsentStatus.SUPERSEDED:
        return (
            None,
            None,
            Completion(Result.CHANGED, consent_id, "The order changed after that card was shown.", "changed"),
        )
    if status != ConsentStatus.APPROVED:
        return (
            None,
            None,
            Completion(Result.NOT_APPROVED, consent_id, "Nothing was paid: the card was not confirmed."),
        )
    if not sealed or session_id is None:
        return None, None, None
    token = unseal(runtime.secret_key, identity.tenant_id, f"consent|{consent_id}", sealed)
    facts = runtime.gateways[gateway].inspect(token, merchant=identity.tenant_id, session_id=session_id)
    return token, facts, None


def _claim(runtime: Runtime, identity: Identity, consent_id: str, token: str | None) -> _Claimed:
    """T1: everything scarce is held in one fixed order, or nothing is."""
    with runtime.unit_of_work(identity.tenant_id) as session:
        checkout, card = _locked(session, identity, consent_id)
        quote = _agreed_quote(session, checkout, card)
        payment_id, order_id = new_id("payment"), new_id("order")
        lines = orders.place(session, checkout, quote, order_id=order_id, customer_id=identity.customer_id)
        _start_payment(session, checkout, card, quote, payment_id=payment_id, order_id=order_id, token=token)
        session.flush()
        _hold_stock(session, checkout, quote, payment_id, lines)  # last: others wait for these rows
        if not discounts.use(session, checkout.tenant_id, checkout.discount_codes):
            raise _Changed("The discount code has just been used up.")
        request = CaptureRequest(
            payment_id=payment_id,
            merchant=checkout.tenant_id,
            session_id=checkout.id,
            token=token or "",
            amount=Money(quote.total, checkout.currency),
        )
        fault_point("before_t1_commit")
        return _Claimed(payment_id, request if quote.total else None, (checkout.payment_method or {})["gateway"])


def _agreed_quote(session: Session, checkout: CheckoutSession, card: Consent) -> Quote:
    if checkout.status == SessionStatus.IN_PROGRESS:
        raise CheckoutBusy("The payment for this checkout is being made right now. Please wait a moment.")
    if card.status != ConsentStatus.APPROVED or checkout.status not in OPEN_SESSIONS:
        raise _Changed("This checkout has ended or changed since the card was shown.")
    if checkout.expires_at <= clock.now():
        raise _Changed("This checkout was open for too long.")
    quote = quote_of(session, checkout)
    if quote.problems:
        raise _Changed(" ".join(quote.problems))
    if quote.missing or digest(checkout, quote) != card.digest:
        raise _Changed("The total or the details changed after the card was shown.")
    if checkout.cart_id and not _fits_cart(session, checkout, checkout.cart_id):
        raise _Changed("The cart changed after the card was shown.")
    return quote


def _fits_cart(session: Session, checkout: CheckoutSession, cart_id: str) -> bool:
    lines = {line["variant_id"]: line["quantity"] for line in checkout.lines}
    return carts.holds(session, checkout.tenant_id, cart_id, lines, checkout.discount_codes)


def _hold_stock(
    session: Session, checkout: CheckoutSession, quote: Quote, payment_id: str, lines: Mapping[str, str]
) -> None:
    wanted = {line.variant_id: line.quantity for line in quote.lines}
    region = (checkout.ship_to or {}).get("state", "")
    stock = quote.stock
    titles = {line.variant_id: line.title for line in quote.lines}
    for attempt in range(_ROUTING_TRIES):
        try:
            allocations = inventory.route(wanted, stock, region=region)
            inventory.hold(session, checkout.tenant_id, payment_id, allocations, lines)
        except OutOfStock as gone:
            stock = inventory.shippable(session, checkout.tenant_id, list(wanted))
            left = sum(place.available for place in stock[gone.variant_id])
            if attempt + 1 < _ROUTING_TRIES and left >= wanted[gone.variant_id]:
                continue
            title = titles[gone.variant_id]
            raise _Changed(f"Only {left} of {title} left." if left else f"{title} has just sold out.") from None
        return


def _start_payment(
    session: Session,
    checkout: CheckoutSession,
    card: Consent,
    quote: Quote,
    *,
    payment_id: str,
    order_id: str,
    token: str | None,
) -> None:
    method = checkout.payment_method or {}
    session.add(
        Payment(
            tenant_id=checkout.tenant_id,
            id=payment_id,
            session_id=checkout.id,
            order_id=order_id,
            consent_id=card.id,
            token_hash=hash_secret(token) if token else None,
            gateway=method["gateway"],
            amount=quote.total,
            currency=checkout.currency,
            method={key: method[key] for key in ("brand", "last4", "label")},
            status=PaymentStatus.PROCESSING,
            lease_until=clock.now() + LEASE,
        )
    )
    card.status = CONSENT.check(card.status, ConsentStatus.CLAIMED)
    card.payment_id = payment_id
    checkout.status = SESSION.check(_ready(checkout), SessionStatus.IN_PROGRESS)
    checkout.version += 1
    facts = {"amount": quote.total, "currency": checkout.currency, "consent": card.id, "order": order_id}
    audit.record(
        session,
        checkout.tenant_id,
        actor=card.owner_id,
        action="payment.started",
        subject=payment_id,
        facts=facts,
    )


def _ready(checkout: CheckoutSession) -> SessionStatus:
    return SessionStatus.READY if checkout.status == SessionStatus.NOT_READY else checkout.status


def _capture(runtime: Runtime, claimed: _Claimed) -> Charge | None:
    """Call the gateway; ``None`` when nobody knows what became of it."""
    if claimed.request is None:
        return Charge(claimed.payment_id, ChargeStatus.CAPTURED)
    gateway = runtime.gateways[claimed.gateway]
    fault_point("before_capture")
    charge: Charge | None
    try:
        charge = gateway.capture(claimed.request)
    except Unavailable:
        charge = _ask(runtime, claimed)
    fault_point("after_capture")
    return charge


def _ask(runtime: Runtime, claimed: _Claimed) -> Charge | None:
    """The answer was lost: ask once what happened. Recovery goes on asking."""
    assert claimed.request is not None
    try:
        found = runtime.gateways[claimed.gateway].find(claimed.payment_id, merchant=claimed.request.merchant)
    except Unavailable:
        log.warning("gateway unreachable", payment_id=claimed.payment_id)
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


def _gateway_of(session: Session, card: Consent) -> str:
    checkout = session.get_one(CheckoutSession, (card.tenant_id, card.session_id))
    return str((checkout.payment_method or {})["gateway"])


def _answer(consent_id: str, settled: Settled) -> Completion:
    if settled.status == PaymentStatus.CAPTURED:
        return Completion(Result.PAID, consent_id, "Paid.", order=settled.order)
    if settled.status in {PaymentStatus.PROCESSING, PaymentStatus.UNKNOWN}:
        words = "The bank has not answered yet. Nothing will be charged twice; this page will say how it ended."
        return Completion(Result.UNKNOWN, consent_id, words, "payment_unknown")
    code = settled.decline_code or "card_declined"
    return Completion(Result.DECLINED, consent_id, DECLINES.get(code, DECLINES["card_declined"]), code)
