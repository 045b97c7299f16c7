"""The hosted card: a human agrees, on our own page, to what an agent that may not agree for them has prepared.

Whoever opens the card first holds it: its link is good in that browser alone. The holder decides as a shopper does on a
card in the chat; the order stays the platform's that prepared it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.orm import Session

from engine.agentic import confirming
from engine.agentic.models import AgentPlatform, PlatformStatus
from engine.checkout import confirmation, consents, facts, taxing
from engine.checkout import service as checkouts
from engine.checkout.complete import Completion, complete, outcome_of
from engine.checkout.errors import CheckoutBusy, CheckoutClosed, CheckoutIncomplete
from engine.checkout.models import CheckoutSession, Consent, ConsentKind, ConsentStatus, SessionStatus
from engine.checkout.schemas import ConfirmationSummary, ConsentView, PaymentMethodView
from engine.checkout.states import OPEN_SESSIONS
from engine.checkout.views import digest
from engine.customers import service as customers
from engine.kit import audit, clock
from engine.kit.envelope import unseal
from engine.kit.errors import Forbidden, InvalidInput, NotFound
from engine.kit.identity import Actor, Identity
from engine.kit.ids import is_id
from engine.payments import entering
from engine.payments.gateway import EntryElement
from engine.payments.naming import method_label
from engine.runtime import Runtime

CHANNEL: Final = "hosted"
_ELSEWHERE: Final = "This page was opened in another browser. Ask your assistant for a fresh link."
_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Shown:
    """The card as its page shows it."""

    card: ConsentView
    held: bool
    """Whether the one who looks may decide."""
    outcome: Completion | None
    """What became of a card that was used."""
    payable: bool
    """Whether its checkout can still be paid, with this card or a fresh one."""

    @property
    def method(self) -> PaymentMethodView | None:
        return self.card.checkout.payment_method

    @property
    def summary(self) -> ConfirmationSummary:
        return self.card.checkout


def look(runtime: Runtime, tenant_id: str, shopper: Identity | None, consent_id: str) -> Shown:
    """The card, for whoever has its link. Raises ``NotFound``."""
    with runtime.unit_of_work(tenant_id) as session:
        row = _card(session, tenant_id, consent_id)
        checkout = session.get_one(CheckoutSession, (tenant_id, row.session_id))
        held = shopper is not None and shopper.id in {row.owner_id, row.holder_id}
        used = row.status == ConsentStatus.CLAIMED
        card, owner = consents.view(row), _acting(session, tenant_id, row.owner_id, shopper)
        payable = _is_open(checkout) and (row.status == ConsentStatus.APPROVED or not _of_suspended(session, row))
    outcome = outcome_of(runtime, owner, consent_id) if used else None
    return Shown(card, held, outcome, payable)


def lead_out(runtime: Runtime, shopper: Identity, *, thread_id: str | None) -> ConsentView:
    """The card of a shopper's own running checkout, for where their conversation may take no payment card: also while a
    way to pay is all that is missing, which is then entered on the card's page.

    Raises what ``confirmation.request`` raises.
    """
    for _ in range(_TRIES):
        with runtime.unit_of_work(shopper.tenant_id) as session:
            checkout = confirmation.running_session(session, shopper)
            quote = checkouts.quote_of(session, checkout)
            if quote.asks is None and list(quote.missing) == ["payment_method"] and not quote.problems:
                checkout.thread_id = thread_id or checkout.thread_id
                ends = clock.now() + confirmation.CARD_LIFE
                card = confirming.write(session, runtime, checkout, quote, None, expires_at=ends)
                card.thread_id = checkout.thread_id
                audit.record(session, card.tenant_id, actor=shopper.id, action="consent.shown", subject=card.id)
                session.flush()
                return consents.view(card)
        if quote.asks is None:
            break
        taxing.ask_about(runtime, shopper.tenant_id, checkout.id, quote.asks)
    return confirmation.request(runtime, shopper, thread_id=thread_id)


def deciding(runtime: Runtime, tenant_id: str, shoppers: Sequence[Identity], consent_id: str) -> Identity | None:
    """Of all that one browser is in the shop, whoever may decide on the card; else the first, if there is any."""
    if len(shoppers) > 1:
        with runtime.unit_of_work(tenant_id) as session:
            row = session.get(Consent, (tenant_id, consent_id))
        theirs = {row.owner_id, row.holder_id} if row else set()
        shoppers = sorted(shoppers, key=lambda one: one.id not in theirs)
    return shoppers[0] if shoppers else None


def take(session: Session, shopper: Identity, consent_id: str) -> None:
    """Become the card's holder. Raises ``NotFound``, and ``Forbidden`` when another browser was first."""
    row = _card(session, shopper.tenant_id, consent_id, lock=True)
    if shopper.id in {row.owner_id, row.holder_id}:
        return
    if row.holder_id is not None:
        raise Forbidden(_ELSEWHERE)
    row.holder_id = shopper.id
    audit.record(session, row.tenant_id, actor=shopper.id, action="consent.held", subject=row.id)


def pay(runtime: Runtime, shopper: Identity, consent_id: str) -> Completion:
    """The holder says yes, and the money is taken.

    Raises ``CheckoutIncomplete`` while there is nothing to pay with, ``CheckoutClosed`` where the platform that
    prepared it was suspended before they said so, and what ``confirmation.decide`` and ``complete`` raise.
    """
    with runtime.unit_of_work(shopper.tenant_id) as session:
        summary = consents.view(_held(session, shopper, consent_id, again=True)).checkout
    if summary.payment_method is None and not summary.tenders and summary.total.amount:
        raise CheckoutIncomplete("Enter a card first.")
    return complete(runtime, _decided(runtime, shopper, consent_id, approved=True), consent_id)


def decline(runtime: Runtime, shopper: Identity, consent_id: str) -> None:
    """The holder says no; the agent may prepare it anew. Raises what ``confirmation.decide`` raises."""
    _decided(runtime, shopper, consent_id, approved=False)


def card_entry(runtime: Runtime, shopper: Identity, consent_id: str) -> EntryElement:
    """Where the holder enters a card. Raises what ``element_of`` raises, ``NotFound`` for anybody else."""
    with runtime.unit_of_work(shopper.tenant_id) as session:
        row = _held(session, shopper, consent_id)
        demo = facts.shop_of(session, shopper.tenant_id).demo
        assert row.session_id is not None
        session_id = row.session_id
    return entering.element_of(runtime, shopper.tenant_id, session_id=session_id, demo=demo)


def use_card(runtime: Runtime, shopper: Identity, consent_id: str, card_token: str) -> ConsentView:
    """Pay with a card that the holder has just entered: a fresh card in place of this one, held by the same shopper.

    Raises ``InvalidInput`` for a token not of this checkout, ``CheckoutClosed`` and ``CheckoutBusy``.
    """
    tenant_id = shopper.tenant_id
    offered = card_entry(runtime, shopper, consent_id)
    with runtime.unit_of_work(tenant_id) as session:
        row = _held(session, shopper, consent_id)
        owner, session_id = _acting(session, tenant_id, row.owner_id, shopper), str(row.session_id)
    gateway = runtime.gateways[offered.gateway]
    card = gateway.describe(card_token, merchant=tenant_id, session_id=session_id)
    if card is None or not card.entered:
        raise InvalidInput("That card was not entered for this checkout.", param="card_token")
    method = {
        "gateway": gateway.name,
        "ref": card.ref,
        "brand": card.brand,
        "last4": card.last4,
        "label": method_label(card.brand, card.last4, wallet=card.wallet),
        "entered_by": shopper.id,
    }
    return _shown_anew(runtime, owner, session_id, method, holder_id=shopper.id)


def again(runtime: Runtime, shopper: Identity, consent_id: str) -> ConsentView:
    """The same card once more, for a holder whose bank asked something first: its token was not used."""
    tenant_id = shopper.tenant_id
    with runtime.unit_of_work(tenant_id) as session:
        row = _held(session, shopper, consent_id)
        checkout = _locked(session, tenant_id, str(row.session_id))
        owner = _acting(session, tenant_id, row.owner_id, shopper)
        holder_id, token = row.holder_id, token_of(runtime, row)
        bound = digest(checkout, checkouts.quote_of(session, checkout))
        shown = confirmation.show(session, runtime, owner, checkout.id, bound, token, None)
        if shown is None:
            raise CheckoutClosed("The order changed. Ask your assistant for a fresh link.")
        session.flush()
        session.get_one(Consent, (tenant_id, shown.id)).holder_id = holder_id
        return shown


def token_of(runtime: Runtime, row: Consent) -> str | None:
    """The delegated token that a card was made with."""
    if row.token_sealed is None:
        return None
    return unseal(runtime.secret_key, row.tenant_id, f"consent|{row.id}", row.token_sealed)


def _shown_anew(
    runtime: Runtime, owner: Identity, session_id: str, method: dict[str, Any], *, holder_id: str
) -> ConsentView:
    """A card for the session as it is with this way to pay; the gateway is asked between two transactions."""
    for _ in range(_TRIES):
        with runtime.unit_of_work(owner.tenant_id) as session:
            checkout = _locked(session, owner.tenant_id, session_id)
            checkout.payment_method = method
            checkout.version += 1
            session.flush()
            quote = checkouts.quote_of(session, checkout)
            bound = digest(checkout, quote)
            consents.supersede(session, checkout)
        if quote.asks is not None:
            taxing.ask_about(runtime, owner.tenant_id, session_id, quote.asks)
            continue
        token = confirmation.delegate(runtime, checkout, quote, bound) if quote.due else None
        with runtime.unit_of_work(owner.tenant_id) as session:
            _locked(session, owner.tenant_id, session_id)
            shown = confirmation.show(session, runtime, owner, session_id, bound, token, None)
            if shown is not None:
                session.flush()
                session.get_one(Consent, (owner.tenant_id, shown.id)).holder_id = holder_id
                return shown
    raise CheckoutClosed("The order keeps changing. Ask your assistant for a fresh link.")


def _decided(runtime: Runtime, shopper: Identity, consent_id: str, *, approved: bool) -> Identity:
    """Write the decision; returns whose card it is."""
    with runtime.unit_of_work(shopper.tenant_id) as session:
        confirmation.decide(session, shopper, consent_id, approved=approved, channel=CHANNEL)
        owner_id = session.get_one(Consent, (shopper.tenant_id, consent_id)).owner_id
        return _acting(session, shopper.tenant_id, owner_id, shopper)


def _acting(session: Session, tenant_id: str, owner_id: str, shopper: Identity | None) -> Identity:
    """The card's owner, for whom its holder decides; a holder that the shop knows is the order's customer. A shopper's
    own card, made in the chat, stays that shopper's whoever holds it.
    """
    if is_id(owner_id, "shopper") and (owner := customers.shopper(session, tenant_id, owner_id)):
        return owner
    known = shopper.customer_id if shopper else None
    return Identity(tenant_id, Actor.API_KEY, owner_id, customer_id=known)


def _card(session: Session, tenant_id: str, consent_id: str, *, lock: bool = False) -> Consent:
    row = session.get(Consent, (tenant_id, consent_id), with_for_update=lock or None)
    if row is None or row.kind != ConsentKind.PAYMENT:
        raise NotFound("There is no such confirmation.")
    return row


def _held(session: Session, shopper: Identity, consent_id: str, *, again: bool = False) -> Consent:
    """The holder's own card. Raises ``CheckoutClosed`` for one of a suspended platform, but with ``again`` not for one
    that they agreed to before: its money may be taken already.
    """
    row = _card(session, shopper.tenant_id, consent_id)
    if shopper.id not in {row.owner_id, row.holder_id}:
        raise NotFound("There is no such confirmation.")
    agreed = again and row.status in {ConsentStatus.APPROVED, ConsentStatus.CLAIMED}
    if not agreed and _of_suspended(session, row):
        raise CheckoutClosed("The assistant that prepared this order may not buy here any more. You were not charged.")
    return row


def _of_suspended(session: Session, row: Consent) -> bool:
    """Whether the card was prepared by a platform that the shop has closed its door to since."""
    platform = session.get(AgentPlatform, (row.tenant_id, row.owner_id))
    return platform is not None and platform.status == PlatformStatus.SUSPENDED


def _locked(session: Session, tenant_id: str, session_id: str) -> CheckoutSession:
    checkout = checkouts.lock_session(session, tenant_id, session_id)
    if checkout.status == SessionStatus.IN_PROGRESS:
        raise CheckoutBusy("The payment for this checkout is being made right now. Please wait a moment.")
    if not _is_open(checkout):
        raise CheckoutClosed("This checkout has ended. You were not charged by this page.")
    return checkout


def _is_open(checkout: CheckoutSession) -> bool:
    return checkout.status in OPEN_SESSIONS and checkout.expires_at > clock.now()
