"""Paying by a delegated token: looked at by its gateway, agreed to in one transaction, taken by the one way there is.

The token of a trusted platform is the human's consent. It is written down as such with the session that it pays, and
from then on whoever asks again with the same key comes to the same end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.agentic import confirming, messages, saying, sessions
from engine.agentic.errors import AddressChanged, AuthenticationMissing, SessionClosed, Unserviceable
from engine.agentic.messages import Message
from engine.agentic.policy import REACHED_BY, AgenticPolicy
from engine.agentic.seen import Door, Seen
from engine.agentic.session_models import AgentSession
from engine.agentic.wishes import Payment
from engine.carts import discounts
from engine.checkout.complete import Completion, Result, complete
from engine.checkout.errors import CheckoutBusy
from engine.checkout.models import CheckoutSession, Consent, ConsentStatus, SessionStatus
from engine.checkout.pricing import Quote
from engine.checkout.states import OPEN_SESSIONS, SESSION
from engine.conversations.masking import mask_cards
from engine.customers.addresses import PARTS, normalize
from engine.customers.errors import AddressIncomplete
from engine.kit import audit, clock, limits
from engine.kit.errors import InvalidInput
from engine.kit.faults import fault_point
from engine.kit.identity import Identity
from engine.kit.money import Money
from engine.kit.policies import policy_of
from engine.payments.alerts import raise_alert
from engine.payments.gateway import DECLINES, TokenFacts
from engine.payments.gateways.manual import MANUAL
from engine.payments.naming import method_label
from engine.runtime import Runtime

CHANNEL: Final = "acp"
HANDLER: Final = "card_tokenized"
TRIES: Final = 20
WINDOW: Final = timedelta(minutes=1)
ESCALATIONS: Final = 60
"""Sessions in an hour with which a platform may call people of the shop."""
LIFE: Final = timedelta(minutes=10)
_UNDER_WAY: Final = timedelta(seconds=25)
"""So long somebody may still be about to use a consent that was approved by its token."""
_PROVEN: Final = frozenset({"authenticated", "attempt_acknowledged", "informational"})
_UNUSABLE: Final = "This token cannot pay for this checkout: it is unknown here, used up, or its time is over."
_CURRENCY: Final = "This token pays in another currency."
_TOO_MUCH: Final = "The total is more than this token may pay."
_CODES_LOST: Final = "The total changed: a discount code takes nothing off any more. Nothing was charged."
_NOT_PROVEN: Final = "The cardholder was not authenticated: {}."
_RESULT: Final = "$.authentication_result"


@dataclass(frozen=True, slots=True)
class Looked:
    """What its gateway says of a token, and of the proof that its holder was asked."""

    gateway: str
    facts: TokenFacts
    due: int
    """What the proof was held against, in minor units."""
    proven: bool | None = None
    """``None`` where there was nothing to prove."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """Where an attempt stands after its first commit: told as it is, or to be gone on with by its consent."""

    seen: Seen
    consent_id: str | None = None


def gateway_for(runtime: Runtime, *, demo: bool) -> str | None:
    """The gateway that takes delegated tokens for a shop: imaginary money for demo shops alone, and never the shop's
    own payment system, which takes nobody's token but ours.
    """
    takers = {name: one for name, one in runtime.gateways.items() if name != MANUAL and (demo or not one.demo_only)}
    return min(takers, key=lambda name: (not takers[name].demo_only, name), default=None)


def look(door: Door, identity: Identity, session_id: str, payment: Payment, *, demo: bool) -> Looked | None:
    """Ask the gateway, outside of any transaction; changes nothing. ``None`` where there is no token to ask about.

    Raises ``SessionUnknown``, ``InvalidInput`` for a handler that was not offered.
    """
    runtime = door.runtime
    if payment.token is None:
        return None
    name = gateway_for(runtime, demo=demo)
    if name is None or payment.handler_id != HANDLER:
        raise InvalidInput("That handler was not offered for this checkout.", param="$.payment_data.handler_id")
    gateway, tenant_id = runtime.gateways[name], identity.tenant_id
    due, proven = 0, None
    if details := (payment.authentication or {}).get("outcome_details"):
        with runtime.unit_of_work(tenant_id) as session:
            seen = sessions.get(session, door, identity, session_id)
        due = next(row["amount"] for row in seen.bill.totals if row["type"] == "total")
        amount = Money(due, seen.checkout.currency)
        proven = seen.status in OPEN_SESSIONS and gateway.check_authentication(
            session_id=session_id, merchant=tenant_id, amount=amount, result=details
        )
    return Looked(name, gateway.inspect(payment.token, merchant=tenant_id, session_id=session_id), due, proven)


def attempt(
    session: Session, door: Door, identity: Identity, session_id: str, payment: Payment, looked: Looked | None
) -> Attempt:
    """Agree to the session as it is, if everything is there and the token may pay it; else say what is wrong.

    Raises what ``sessions.open_session`` raises, ``RateLimited``, ``AuthenticationMissing``, ``AddressChanged``,
    ``Unserviceable``, ``PersonalData``.
    """
    checkout, extra = sessions.open_session(session, identity, session_id)
    limits.hit(session, f"agent-complete:{session_id}", limit=TRIES, window=WINDOW)
    _require_free(session, checkout)
    if wrong := saying.wrong_contact(payment.buyer, payment.details):
        more = [] if wrong in extra.said.get("faults", []) else [Message(**wrong)]
        return Attempt(sessions.look(session, door, checkout, extra, more=more))
    policy = policy_of(session, identity.tenant_id, AgenticPolicy)
    if (payment.buyer or payment.details) and extra.said.get("codes"):
        discounts.check_agent(session, checkout.owner_id, most=policy.code_misses_per_hour)
    reached = checkout.buyer.get("email")
    take_in(checkout, extra, payment, list(policy.marketing))
    if payment.by_people:
        return Attempt(_escalate(session, door, checkout, extra))
    if looked is not None and looked.facts.usable:  # what is no token may be a card's number: not even its digest stays
        checkout.payment_method = method(looked, payment.token or "")
    extra.refusal = None
    checkout.version += 1  # who read the session before this card does not write it
    session.flush()
    quote, lost = sessions.repriced(session, checkout, extra, reached=reached)
    if looked is not None and lost:
        return Attempt(_refused(session, door, checkout, extra, quote, (_CODES_LOST, "$.discounts.codes")))
    said = sessions.told(checkout, extra, quote)
    if looked is None or any(one.blocks for one in said):
        checkout.status = SESSION.check(checkout.status, _open_status(said))
        return Attempt(sessions.look(session, door, checkout, extra, quote=quote))
    if asks := _authentication(checkout, quote, payment, looked):
        return Attempt(_asked(session, door, checkout, extra, quote, asks))
    return _decided(session, door, identity, (checkout, extra, quote), payment, looked)


def _decided(
    session: Session,
    door: Door,
    identity: Identity,
    known: tuple[CheckoutSession, AgentSession, Quote],
    payment: Payment,
    looked: Looked,
) -> Attempt:
    """Everything is there: whose word the token is, and whether it pays."""
    checkout, extra, quote = known
    words = refusal(checkout, quote, payment, looked)
    if not confirming.speaks_for_human(session, identity):
        token = payment.token if words is None else None
        return Attempt(_human_asked(session, door, checkout, extra, quote, token))
    if words:
        return Attempt(_refused(session, door, checkout, extra, quote, words))
    return _agreed(session, door, identity, checkout, extra, quote, payment)


def go_on(
    door: Door, identity: Identity, session_id: str, consent_id: str, *, agreed: Attempt | None = None
) -> Callable[[Session], Seen]:
    """From a consent to its end, whether or not somebody was on the way before; ``agreed`` is what this request has
    just committed. What is told of it is read in the transaction that keeps the answer. Raises ``CheckoutBusy``.
    """
    runtime = door.runtime
    fault_point("agent_after_consent")
    if agreed is not None:
        signals = agreed.seen.extra.kept_back.get("risk_signals")
    else:
        with runtime.unit_of_work(identity.tenant_id) as session:
            extra = session.get_one(AgentSession, (identity.tenant_id, session_id))
            signals = extra.kept_back.get("risk_signals")
    done = complete(runtime, identity, consent_id, signals=signals)
    fault_point("agent_before_answer")
    return ending(door, identity, session_id, done)


def ending(door: Door, identity: Identity, session_id: str, done: Completion) -> Callable[[Session], Seen]:
    """What is told of an end, read in the transaction that keeps the answer."""
    return lambda session: _ended(session, door, identity, session_id, done)


def _require_free(session: Session, checkout: CheckoutSession) -> None:
    """Raises ``CheckoutBusy`` while another request may be about to use the session's consent."""
    fresh = session.scalar(
        select(Consent.id).where(
            Consent.tenant_id == checkout.tenant_id,
            Consent.session_id == checkout.id,
            Consent.status == ConsentStatus.APPROVED,
            Consent.decided_at > clock.now() - _UNDER_WAY,
        )
    )
    if fresh is not None:
        raise CheckoutBusy(sessions.BUSY)


def take_in(checkout: CheckoutSession, extra: AgentSession, payment: Payment, offered: Collection[str]) -> None:
    """What is said with the payment; ``offered`` are the channels that a buyer may ask to hear on."""
    saying.check_attribution(payment.affiliate)
    if payment.buyer:
        saying.remember_buyer(checkout, extra, payment.buyer)
    if payment.order_notes:
        extra.order_notes = mask_cards(payment.order_notes)
    if wanted := _offered(checkout, payment, offered):
        extra.said = extra.said | {"marketing": wanted}
    kept = {"affiliate_last": payment.affiliate, "risk_signals": payment.risk}
    extra.kept_back = extra.kept_back | {name: value for name, value in kept.items() if value}
    if payment.details:
        _take_details(checkout, extra, payment.details)


def _offered(checkout: CheckoutSession, payment: Payment, channels: Collection[str]) -> list[dict[str, Any]]:
    """Consents for channels that are offered and reach somebody; others mean nothing."""
    reached = {channel for channel in channels if checkout.buyer.get(REACHED_BY[channel])}
    return [dict(one) for one in payment.marketing if one["channel"] in reached]


def _take_details(checkout: CheckoutSession, extra: AgentSession, details: Mapping[str, Any]) -> None:
    """A contact may change with the payment; where it goes may not."""
    address = details.get("address")
    if address:
        try:
            given = normalize({part: address.get(part) for part in (*PARTS, "line_two")})
        except AddressIncomplete:
            raise Unserviceable("This order cannot go to that address.") from None
        if given != checkout.ship_to:
            raise AddressChanged("The address changed: update the session first, its price may change with it.")
    said = dict(extra.said.get("details") or {}) | {k: v for k, v in details.items() if k != "address"}
    extra.said = extra.said | {"details": said}
    saying.fold_contacts(checkout, extra)


def method(looked: Looked, token: str) -> dict[str, Any]:
    """The way to pay as it is bound: by a digest of the token, which tells nothing of it."""
    facts = looked.facts
    brand, last4 = facts.brand or "card", facts.last4 or "····"
    return {
        "gateway": looked.gateway,
        "ref": f"vt:{hashlib.sha256(token.encode()).hexdigest()[:32]}",
        "brand": brand,
        "last4": last4,
        "label": facts.label or method_label(brand, last4),
    }


def _open_status(said: list[Message]) -> SessionStatus:
    blocked = any(one.blocks for one in said)
    return SessionStatus.NOT_READY if blocked else SessionStatus.READY


def _authentication(checkout: CheckoutSession, quote: Quote, payment: Payment, looked: Looked) -> str:
    """Why the holder has to be asked first; empty where they do not. Raises ``AuthenticationMissing`` when that was
    said before.
    """
    needed = looked.facts.usable and (looked.facts.challenge_url or sessions.always_asks(quote))
    if not needed or looked.proven or payment.authentication:
        return ""
    if checkout.status == SessionStatus.AUTHENTICATION_REQUIRED:
        raise AuthenticationMissing("An authentication result is needed to pay with this card.", param=_RESULT)
    return "The card's bank wants to know that it is its holder: authenticate (3-D Secure) and complete again."


def refusal(checkout: CheckoutSession, quote: Quote, payment: Payment, looked: Looked) -> tuple[str, str] | None:
    """Why this token does not pay for this session, and what of the request is to blame."""
    facts, token = looked.facts, messages.TOKEN
    if facts.maximum is not None and facts.maximum.currency != checkout.currency:
        return _CURRENCY, token
    if not facts.usable:
        return _UNUSABLE, token
    if facts.maximum is not None and facts.maximum.amount < quote.due:
        return _TOO_MUCH, token
    given = payment.authentication
    if given and given["outcome"] not in _PROVEN:
        return _NOT_PROVEN.format(str(given["outcome"]).replace("_", " ")), f"{_RESULT}.outcome"
    if given and (looked.proven is False or (looked.proven and looked.due < quote.due)):
        return _NOT_PROVEN.format("its proof is not good for this purchase"), f"{_RESULT}.outcome_details"
    return None


def _agreed(
    session: Session,
    door: Door,
    identity: Identity,
    checkout: CheckoutSession,
    extra: AgentSession,
    quote: Quote,
    payment: Payment,
) -> Attempt:
    """The token is the human's word."""
    card = confirming.write(
        session, door.runtime, checkout, quote, payment.token, expires_at=clock.now() + LIFE, channel=CHANNEL
    )
    extra.consent_id = card.id
    checkout.status = SESSION.check(checkout.status, SessionStatus.READY)
    facts = {"digest": card.digest, "channel": CHANNEL, "key": identity.key_id}
    audit.record(session, card.tenant_id, actor=identity.id, action="consent.approved", subject=card.id, facts=facts)
    return Attempt(sessions.look(session, door, checkout, extra, quote=quote), card.id)


def _human_asked(
    session: Session, door: Door, checkout: CheckoutSession, extra: AgentSession, quote: Quote, token: str | None
) -> Seen:
    """The human decides on our page: with the card of the token, or without one that can pay, with a card of theirs."""
    if token is None:
        checkout.payment_method = None
        session.flush()
    card = confirming.ask_human(session, door.runtime, checkout, quote, token)
    extra.consent_id = card.id
    return sessions.look(session, door, checkout, extra, quote=quote)


def _asked(
    session: Session, door: Door, checkout: CheckoutSession, extra: AgentSession, quote: Quote, words: str
) -> Seen:
    checkout.status = SESSION.check(checkout.status, SessionStatus.AUTHENTICATION_REQUIRED)
    message = Message("error", words, "requires_3ds", _RESULT, "high", "requires_buyer_input")
    return sessions.look(session, door, checkout, extra, quote=quote, more=[message])


def _refused(
    session: Session,
    door: Door,
    checkout: CheckoutSession,
    extra: AgentSession,
    quote: Quote,
    why: tuple[str, str],
) -> Seen:
    """A token that was refused before any bank was asked: nothing happened, another may be tried."""
    words, param = why
    checkout.status = SESSION.check(checkout.status, SessionStatus.READY)
    extra.refusal = {"content": words, "param": param}
    facts = {"param": param}
    audit.record(
        session, checkout.tenant_id, actor=checkout.owner_id, action="token.refused", subject=checkout.id, facts=facts
    )
    return sessions.look(session, door, checkout, extra, quote=quote)


def _escalate(session: Session, door: Door, checkout: CheckoutSession, extra: AgentSession) -> Seen:
    """Terms that people of the shop have to agree to: they are told, and the buyer speaks with them. How often a
    platform may call people is limited: each is an item in their inbox.
    """
    limits.hit(session, f"agent-escalation:{checkout.owner_id}", limit=ESCALATIONS, window=timedelta(hours=1))
    checkout.status = SESSION.check(checkout.status, SessionStatus.REQUIRES_ESCALATION)
    words = "A buyer asks through an agent to pay by purchase order or with the shop's approval."
    raise_alert(session, checkout.tenant_id, "agent_escalation", checkout.id, words)
    audit.record(session, checkout.tenant_id, actor=checkout.owner_id, action="checkout.escalated", subject=checkout.id)
    session.flush()
    return sessions.look(session, door, checkout, extra)


def _ended(session: Session, door: Door, identity: Identity, session_id: str, done: Completion) -> Seen:
    """The session after an attempt, with the message of how it ended."""
    paid = done.result == Result.PAID
    checkout, extra = sessions.own(session, identity, session_id, lock=not paid)
    if done.result in {Result.PAID, Result.UNKNOWN} or extra.consent_id != done.consent_id:
        return sessions.look(session, door, checkout, extra)
    if checkout.status in OPEN_SESSIONS:
        extra.refusal = {"content": _words(done), "param": messages.TOKEN}
    session.flush()
    return sessions.look(session, door, checkout, extra)


def _words(done: Completion) -> str:
    return DECLINES.get(done.code, done.message) if done.result == Result.DECLINED else done.message


__all__ = ["Attempt", "Looked", "SessionClosed", "attempt", "go_on", "look"]
