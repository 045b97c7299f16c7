"""Checkout sessions by their id: opened, filled in, looked at and dropped by the agent's platform whose they are."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.agentic import groups, items, links, messages, placed, saying
from engine.agentic.errors import CurrencyNotSold, SessionClosed, SessionUnknown
from engine.agentic.messages import EMAIL, Message
from engine.agentic.policy import AgenticPolicy
from engine.agentic.seen import Bill, Door, Seen
from engine.agentic.session_models import AgentSession
from engine.agentic.wishes import EXTENSIONS, INTERVENTIONS, KEEP, Body, Opening, Unsaid, Wish
from engine.carts import discounts
from engine.carts.promotions import LeftOut, Why
from engine.checkout import consents, facts, pricing, ways
from engine.checkout.errors import CheckoutBusy
from engine.checkout.models import CheckoutSession, Consent, ConsentStatus, SessionStatus
from engine.checkout.pricing import Quote
from engine.checkout.states import OPEN_SESSIONS, SESSION
from engine.kit import audit, clock
from engine.kit.direct import Row
from engine.kit.identity import Identity
from engine.kit.ids import new_id
from engine.kit.policies import policy_of, read_policy
from engine.shipping import digital, pickup

BUSY: Final = "The payment for this checkout is being made right now. Please wait a moment."
_CLOSED: Final = {
    SessionStatus.COMPLETED: "This checkout is completed: its order is placed.",
    SessionStatus.CANCELED: "This checkout was canceled.",
    SessionStatus.EXPIRED: "This checkout was open for too long and has expired.",
}
_TELLING: Final = frozenset({Why.INVALID, Why.NOT_FOR_BUYER})
_OF_ATTEMPT: Final = frozenset({"payment_declined", "requires_3ds"})
"""Messages on the last attempt to pay: another may follow."""


def create(session: Session, door: Door, identity: Identity, opening: Opening) -> Seen:
    """Open a checkout.

    Raises ``CurrencyNotSold``, ``ItemUnknown``, ``PersonalData`` in an attribution, and what ``update`` raises.
    """
    checkout = CheckoutSession(**opened(identity, facts.shop_of(session, identity.tenant_id), opening))
    extra = AgentSession(**new_extra(checkout, opening))
    quote = _said(session, checkout, extra, opening)
    checkout.status = follows(checkout, extra, quote)
    session.add(checkout)
    session.flush()
    session.add(extra)
    audit.record(session, identity.tenant_id, actor=identity.id, action="checkout.started", subject=checkout.id)
    session.flush()
    return look(session, door, checkout, extra, quote=quote)


def opened(identity: Identity, shop: facts.Shop, opening: Opening) -> Row:
    """The row of a checkout with nothing in it. Raises ``CurrencyNotSold``."""
    currency, now = opening.currency.upper(), clock.now()
    if not shop.sells_in(currency):
        raise CurrencyNotSold("This shop does not sell in that currency.", param="$.currency")
    policy = read_policy(dict(shop.settings), AgenticPolicy)
    return {
        "tenant_id": identity.tenant_id,
        "id": new_id("checkout"),
        "owner_id": identity.id,
        "status": SessionStatus.NOT_READY,
        "currency": currency,
        "lines": [],
        "buyer": {},
        "discount_codes": [],
        "ship_to": None,
        "fulfillment_option_id": None,
        "ways": {},
        "payment_method": None,
        "tenders": [],
        "version": 1,
        "created_at": now,
        "updated_at": now,
        "expires_at": now + timedelta(hours=policy.session_hours),
    }


def get(session: Session, door: Door, identity: Identity, session_id: str) -> Seen:
    """The session as it is. Raises ``SessionUnknown`` for another's."""
    checkout, extra = own(session, identity, session_id)
    return look(session, door, checkout, extra)


def update(session: Session, door: Door, identity: Identity, session_id: str, wish: Wish) -> Seen:
    """Change what is said, and nothing else.

    Raises ``SessionUnknown``, ``SessionClosed``, ``CheckoutBusy`` while it is being paid, ``ItemUnknown``,
    ``InvalidInput`` for a way to deliver that is not offered, ``RateLimited`` for too many codes.
    """
    checkout, extra = open_session(session, identity, session_id)
    return _changed(session, door, checkout, extra, wish)


def taxed(session: Session, door: Door, identity: Identity, session_id: str) -> Seen:
    """The session after its taxes were asked for. Raises ``SessionUnknown``."""
    checkout, extra = own(session, identity, session_id, lock=True)
    quote = pricing.quote(session, checkout)
    if checkout.status in {SessionStatus.NOT_READY, SessionStatus.READY}:
        checkout.status = SESSION.check(checkout.status, follows(checkout, extra, quote))
        session.flush()
    return look(session, door, checkout, extra, quote=quote)


def cancel(session: Session, door: Door, identity: Identity, session_id: str, *, intent: Body | None = None) -> Seen:
    """Drop the session. Raises ``SessionUnknown``, ``SessionClosed``, ``CheckoutBusy``."""
    checkout, extra = open_session(session, identity, session_id)
    checkout.status = SESSION.check(checkout.status, SessionStatus.CANCELED)
    checkout.version += 1
    checkout.updated_at = clock.now()
    if intent:
        extra.kept_back = extra.kept_back | {"intent_trace": intent}
    consents.supersede(session, checkout)
    facts_of = {"reason": str((intent or {}).get("reason_code", ""))}
    action = "checkout.canceled"
    audit.record(session, checkout.tenant_id, actor=identity.id, action=action, subject=checkout.id, facts=facts_of)
    session.flush()
    return look(session, door, checkout, extra)


def open_session(session: Session, identity: Identity, session_id: str) -> tuple[CheckoutSession, AgentSession]:
    """The session, locked, to be changed. Raises ``SessionUnknown``, ``SessionClosed``, ``CheckoutBusy``."""
    checkout, extra = own(session, identity, session_id, lock=True)
    status = shown_status(checkout)
    if status in _CLOSED:
        raise SessionClosed(_CLOSED[status])
    if status == SessionStatus.IN_PROGRESS:
        raise CheckoutBusy(BUSY)
    return checkout, extra


def look(
    session: Session,
    door: Door,
    checkout: CheckoutSession,
    extra: AgentSession,
    *,
    quote: Quote | None = None,
    more: Sequence[Message] = (),
) -> Seen:
    """What is told of a session: of one that is completed, its order."""
    if checkout.status == SessionStatus.COMPLETED:
        return _completed(session, door, checkout, extra)
    quote = quote or pricing.quote(session, checkout)
    said = (*more, *told(checkout, extra, quote)) if checkout.status not in _CLOSED else ()
    status = shown_status(checkout)
    card = _waiting(session, checkout) if status == SessionStatus.PENDING_APPROVAL else None
    if status in OPEN_SESSIONS and not (card and status == SessionStatus.PENDING_APPROVAL):
        status = standing(checkout, quote, said[len(more) :])
    path = links.path_of(door.runtime, checkout.tenant_id, card.id, card.expires_at) if card else None
    waiting = (_approval(),) if card else ()
    bill, asks = Bill.of(quote), quote.asks if status in OPEN_SESSIONS else None
    return Seen(checkout, extra, quote.shop, bill, status, (*waiting, *said), continue_path=path, asks=asks)


def seen_open(checkout: CheckoutSession, extra: AgentSession, quote: Quote) -> Seen:
    """What is told of an open session that no card waits for."""
    said = told(checkout, extra, quote)
    status = standing(checkout, quote, said)
    return Seen(checkout, extra, quote.shop, Bill.of(quote), status, tuple(said))


def _completed(session: Session, door: Door, checkout: CheckoutSession, extra: AgentSession) -> Seen:
    shop = facts.shop_of(session, checkout.tenant_id)
    order, lines = placed.order_of(session, checkout)
    body = placed.shape(session, door, order, lines)
    bill = Bill.ordered(order, lines, placed.taken_of(session, order, lines))
    return Seen(checkout, extra, shop, bill, SessionStatus.COMPLETED, (), order=body)


def told(checkout: CheckoutSession, extra: AgentSession, quote: Quote) -> list[Message]:
    """Everything there is to say of an open session."""
    codes = extra.said.get("codes", [])
    wrong = [Message(**one) for one in extra.said.get("faults", [])]
    email_wrong = any(one.param.endswith(".email") for one in wrong)
    found = [one for one in messages.of_quote(quote, checkout.lines, codes) if not (email_wrong and one.param == EMAIL)]
    found += [*wrong, *groups.problems(checkout, extra.said.get("groups", []), quote)]
    found += [messages.left_out(_kept(one), codes) for one in extra.said.get("left_out", [])]
    if extra.refusal:
        found.append(messages.refused(extra.refusal["content"], param=extra.refusal["param"]))
    return found


def standing(checkout: CheckoutSession, quote: Quote, said: Sequence[Message]) -> SessionStatus:
    """The status that follows from what is known: people who look at it, or an authentication that was asked for, are
    waited for.
    """
    if checkout.status == SessionStatus.REQUIRES_ESCALATION:
        return SessionStatus.REQUIRES_ESCALATION
    if any(one.blocks and one.code not in _OF_ATTEMPT for one in said):
        return SessionStatus.NOT_READY
    if checkout.status == SessionStatus.AUTHENTICATION_REQUIRED or always_asks(quote):
        return SessionStatus.AUTHENTICATION_REQUIRED
    return SessionStatus.READY


def shown_status(checkout: CheckoutSession) -> SessionStatus:
    """The status as it is at this moment, whether or not somebody has written down that the time is over."""
    status = SessionStatus(checkout.status)
    if status in OPEN_SESSIONS and checkout.expires_at <= clock.now():
        return SessionStatus.EXPIRED
    return status


def new_extra(checkout: CheckoutSession, opening: Opening) -> Row:
    """The row of what only the protocol knows of a new session. Raises ``PersonalData`` in an attribution."""
    saying.check_attribution(opening.affiliate)
    said: Body = {
        "interventions": [one for one in opening.interventions if one in INTERVENTIONS],
        "extensions": [one for one in opening.extensions if one.partition("@")[0] in EXTENSIONS],
    }
    said |= {"metadata": opening.metadata} if opening.metadata is not None else {}
    said |= {"quote_id": opening.quote_id} if opening.quote_id else {}
    return {
        "tenant_id": checkout.tenant_id,
        "session_id": checkout.id,
        "locale": opening.locale,
        "timezone": opening.timezone,
        "said": said,
        "kept_back": {"affiliate_first": opening.affiliate} if opening.affiliate else {},
    }


def _changed(session: Session, door: Door, checkout: CheckoutSession, extra: AgentSession, wish: Wish) -> Seen:
    """Write what is wished, price it, and put aside a card that no longer says the truth."""
    with session.no_autoflush:  # everything is written at once, when it is priced
        quote = _said(session, checkout, extra, wish)
    extra.refusal = None
    put_aside = consents.supersede(session, checkout, unless=quote)
    if put_aside is not None or checkout.status != SessionStatus.PENDING_APPROVAL:
        checkout.status = SESSION.check(checkout.status, follows(checkout, extra, quote))
    checkout.version += 1
    checkout.updated_at = clock.now()
    session.flush()
    return look(session, door, checkout, extra, quote=quote)


def _said(session: Session, checkout: CheckoutSession, extra: AgentSession, wish: Wish) -> Quote:
    """Take in what is wished, and what it costs. Raises ``ItemUnknown``, ``InvalidInput``, ``RateLimited``."""
    before, reached = set(extra.said.get("codes", [])), checkout.buyer.get("email")
    _count_codes(session, checkout, extra, wish)
    saying.take_in(checkout, extra, wish)

    def look_now() -> facts.Facts:
        return facts.look(session, checkout, owner_id=checkout.owner_id)

    quote = priced(checkout, extra, wish, look_now(), again=look_now)
    _count_misses(session, checkout, extra, {code.strip().upper() for code in before}, reached)
    return quote


def _count_misses(
    session: Session, checkout: CheckoutSession, extra: AgentSession, known: Collection[str], reached: str | None
) -> None:
    """What codes tell that nobody could know: of ``known`` ones only where another buyer than before was named."""
    told_before = known if checkout.buyer.get("email") == reached else ()
    left_out = extra.said.get("left_out", [])
    missed = [one for one in left_out if one["why"] in _TELLING and one["code"] not in told_before]
    discounts.count_misses(session, checkout.owner_id, len(missed))


def priced(
    checkout: CheckoutSession, extra: AgentSession, wish: Wish, found: facts.Facts, *, again: Callable[[], facts.Facts]
) -> Quote:
    """What a session costs that ``wish`` was taken in to; ``again`` looks at what it says once more. Raises
    ``ItemUnknown``, ``InvalidInput``.
    """
    if not isinstance(wish.items, Unsaid):
        items.check(wish.items, found)
    found, quote = _choose(checkout, found, pricing.price(checkout, found), wish, again)
    return _without_bad_codes(checkout, extra, found, quote)


def repriced(
    session: Session, checkout: CheckoutSession, extra: AgentSession, *, reached: str | None
) -> tuple[Quote, bool]:
    """What the session costs now, and whether a code that took something off cannot be used any more: by this buyer, or
    by anybody. Such a code stands in nobody's way, but what it made cheaper is not sold without a word. ``reached`` is
    where its buyer was reached before.
    """
    if not extra.said.get("codes"):
        return pricing.quote(session, checkout), False
    applied, spelled = set(checkout.discount_codes), list(dict.fromkeys(saying.spelled(extra)))
    checkout.discount_codes = spelled
    found = facts.look(session, checkout, owner_id=checkout.owner_id)
    quote = _without_bad_codes(checkout, extra, found, pricing.price(checkout, found))
    _count_misses(session, checkout, extra, set(spelled) - applied, reached)
    return quote, not applied <= set(checkout.discount_codes)


def _count_codes(session: Session, checkout: CheckoutSession, extra: AgentSession, wish: Wish) -> None:
    """All codes that could be ours are tried; each try is counted, so that nobody guesses. With another buyer all are
    tried anew.
    """
    before = extra.said.get("codes", [])
    wanted = before if isinstance(wish.codes, Unsaid) else wish.codes
    tried = [code for code in wanted if code not in before]
    if not tried and not (wanted and wish.says_who):
        return
    policy = policy_of(session, checkout.tenant_id, AgenticPolicy)
    discounts.check_agent(session, checkout.owner_id, most=policy.code_misses_per_hour)
    for _ in tried:
        discounts.count_agents_try(session, checkout.id)


def follows(checkout: CheckoutSession, extra: AgentSession, quote: Quote) -> SessionStatus:
    """The status that is written down: whether it could be paid."""
    said = told(checkout, extra, quote)
    blocked = any(one.blocks for one in said)
    if blocked:
        return SessionStatus.NOT_READY
    return SessionStatus.AUTHENTICATION_REQUIRED if always_asks(quote) else SessionStatus.READY


def _without_bad_codes(checkout: CheckoutSession, extra: AgentSession, found: facts.Facts, quote: Quote) -> Quote:
    """Codes that cannot be used are told, and stand in nobody's way."""
    spelled = saying.spelled(extra)
    bad = [one for one in quote.left_out if one.problem]
    again = [code for number, code in enumerate(spelled) if code in spelled[:number]]
    repeated = [LeftOut(code, Why.REPEATED, f"{code} is applied already.", problem=False) for code in again]
    kept = [{"code": one.code, "why": one.why, "words": one.words} for one in (*bad, *repeated)]
    if extra.said.get("left_out", []) != kept:
        extra.said = extra.said | {"left_out": kept}
    if not bad:
        return quote
    refused = {one.code for one in bad}
    checkout.discount_codes = [code for code in checkout.discount_codes if code not in refused]
    return pricing.price(checkout, found)


def _choose(
    checkout: CheckoutSession, found: facts.Facts, quote: Quote, wish: Wish, again: Callable[[], facts.Facts]
) -> tuple[facts.Facts, Quote]:
    """The way to deliver that was chosen, if it is one of those offered: with where it is fetched the stock and the
    taxes change. Raises ``InvalidInput``, ``ItemUnknown``.
    """
    before = (checkout.fulfillment_option_id, dict(checkout.ways or {}))
    wanted = wish.selected if not isinstance(wish.selected, Unsaid) else None
    if not isinstance(wish.selected, Unsaid):
        _take(checkout, groups.selected(checkout, found, wish.selected or ()))
    elif not isinstance(wish.groups, Unsaid):
        _take(checkout, groups.grouped(checkout, found, wish.groups, quote))
    ways.by_itself(checkout, quote.lines, quote.selected)
    now = (checkout.fulfillment_option_id, dict(checkout.ways or {}))
    if now != before:
        if _looks_elsewhere(checkout, before, now):
            found = again()
        quote = pricing.price(checkout, found)
    if wanted:
        groups.check_selected(checkout, quote, wanted)
    return found, quote


def _take(checkout: CheckoutSession, choice: groups.Choice | None) -> None:
    if choice is not None:
        checkout.fulfillment_option_id, checkout.ways = choice.option_id, choice.ways


Went = tuple[str | None, Mapping[str, str]]


def _looks_elsewhere(checkout: CheckoutSession, before: Went, now: Went) -> bool:
    """Whether other facts count: a place where something is fetched, or the shop's country for what has no parcel."""
    if pickup.PREFIX in "".join(str(one) for went in (before, now) for one in (went[0], *went[1].values())):
        return True
    moved = before[0] != now[0] and digital.TYPE in {before[0], now[0]}
    return moved and not (checkout.ship_to or {}).get("country")


def _kept(one: Mapping[str, Any]) -> LeftOut:
    return LeftOut(one["code"], Why(one["why"]), one["words"], problem=False)


def always_asks(quote: Quote) -> bool:
    return read_policy(dict(quote.shop.settings), AgenticPolicy).three_d_secure == "always"


def _approval() -> Message:
    words = "The buyer has to agree to this order on the shop's own page: lead them to continue_url."
    return Message("error", words, "approval_required", "$.payment_data", "high", "requires_buyer_review")


def own(
    session: Session, identity: Identity, session_id: str, *, lock: bool = False
) -> tuple[CheckoutSession, AgentSession]:
    query = select(CheckoutSession).where(
        CheckoutSession.tenant_id == identity.tenant_id,
        CheckoutSession.id == session_id,
        CheckoutSession.owner_id == identity.id,
        CheckoutSession.cart_id.is_(None),
    )
    checkout = session.scalars(query.with_for_update() if lock else query).first()
    extra = session.get(AgentSession, (identity.tenant_id, session_id)) if checkout else None
    if checkout is None or extra is None:
        raise SessionUnknown("There is no such checkout session.")
    return checkout, extra


def _waiting(session: Session, checkout: CheckoutSession) -> Consent | None:
    """The card that a human is asked to agree to."""
    return session.scalars(
        select(Consent).where(
            Consent.tenant_id == checkout.tenant_id,
            Consent.session_id == checkout.id,
            Consent.status == ConsentStatus.OPEN,
            Consent.expires_at > clock.now(),
        )
    ).first()


__all__ = ["KEEP", "cancel", "create", "get", "open_session", "taxed", "update"]
