"""A checkout session from the cart to the moment it can be paid. Nothing here takes money."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.carts import service as carts
from engine.checkout import facts, pricing, ways
from engine.checkout.consents import supersede
from engine.checkout.errors import CheckoutBusy, CheckoutClosed, NoCheckout, NothingToBuy, OptionUnknown
from engine.checkout.models import CheckoutSession, SessionStatus
from engine.checkout.schemas import CheckoutView, PaymentMethodChoice
from engine.checkout.states import OPEN_SESSIONS, SESSION
from engine.checkout.views import checkout_view
from engine.customers import service as customers
from engine.customers import wallet
from engine.customers.addresses import PARTS, check_email, normalize
from engine.customers.book import known
from engine.kit import audit, clock
from engine.kit.errors import InvalidInput, NotFound
from engine.kit.identity import Identity
from engine.kit.ids import new_id
from engine.payments import entering, stored_value
from engine.payments.gateway import EntryElement
from engine.payments.naming import method_label
from engine.payments.stored_value_models import StoredValueAccount
from engine.runtime import Runtime

SESSION_LIFE: Final = timedelta(hours=6)
MAX_TENDERS: Final = 5
_ADDRESS: Final = (*PARTS, "line_two")
TEST_REF: Final = "test_visa"
_TEST_VISA: Final = {
    "gateway": "sandbox",
    "ref": "card_test_visa",
    "brand": "visa",
    "last4": "4242",
    "label": "Test Visa •••• 4242",
}


@dataclass(frozen=True, slots=True)
class Details:
    """What a shopper said; ``None`` leaves a part as it is."""

    name: str | None = None
    email: str | None = None
    phone: str | None = None
    line_one: str | None = None
    line_two: str | None = None
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    country: str | None = None
    fulfillment_option_id: str | None = None
    payment_method_ref: str | None = None


def start(session: Session, identity: Identity, *, thread_id: str | None = None) -> CheckoutView:
    """Begin checking out the cart, or bring the running checkout in line with it. A checkout keeps its currency: when
    the cart is in another one by now, it ends and a new one begins with what the shopper has said.

    Raises ``NothingToBuy`` for an empty cart, ``CheckoutBusy`` while a payment is under way.
    """
    checkout = _running(session, identity)
    cart = carts.open_cart(session, identity, lock=True)
    lines = _cart_lines(session, identity)
    if not lines or cart is None:
        raise NothingToBuy("The cart is empty.")
    currency = carts.currency_of(session, identity)
    before = checkout
    if before is not None and before.currency != currency:
        _end(session, identity, before)
        checkout = None
    if checkout is None:
        checkout = _new(session, identity, cart.id, lines, thread_id, currency)
        _go_on(checkout, before)
    _match_cart(checkout, cart.id, lines, list(cart.discount_codes))
    return _refreshed(session, identity, checkout)


def update(session: Session, identity: Identity, details: Details, *, thread_id: str | None = None) -> CheckoutView:
    """Fill in details; starts the checkout if there is none. Raises what ``start`` raises, ``InvalidInput`` for a
    detail that cannot be right and ``OptionUnknown`` for a way of shipping that is not offered.
    """
    start(session, identity, thread_id=thread_id)
    checkout = _require(session, identity)
    _set_buyer(checkout, details)
    _set_address(checkout, details)
    if details.payment_method_ref:
        checkout.payment_method = method_of(session, identity, details.payment_method_ref)
    if details.fulfillment_option_id:
        _choose_option(session, checkout, details.fulfillment_option_id)
    return _refreshed(session, identity, checkout)


def card_entry(runtime: Runtime, identity: Identity) -> EntryElement:
    """Where to enter a card for the running checkout. Raises ``NoCheckout``, and what ``element_of`` raises."""
    with runtime.unit_of_work(identity.tenant_id) as session:
        session_id = running_session_id(session, identity)
        demo = facts.shop_of(session, identity.tenant_id).demo
    if session_id is None:
        raise NoCheckout("There is no checkout running.")
    return entering.element_of(runtime, identity.tenant_id, session_id=session_id, demo=demo)


def use_card(runtime: Runtime, identity: Identity, card_token: str, *, save: bool = False) -> CheckoutView:
    """Pay with a card, or one in a wallet, that was just entered on the gateway's own element; the gateway is asked
    between two transactions. ``save``: its shopper wants it kept for the next purchase, once it has paid for this one;
    the card they confirm says so.

    Raises ``InvalidInput`` for a token not of this checkout, ``EmailNeeded`` where nobody known wants it kept,
    ``TooMuchKept``.
    """
    if save:
        known(identity)
    with runtime.unit_of_work(identity.tenant_id) as session:
        session_id = _require(session, identity).id
        demo = facts.shop_of(session, identity.tenant_id).demo
    offered = entering.element_of(runtime, identity.tenant_id, session_id=session_id, demo=demo)
    gateway = runtime.gateways[offered.gateway]
    card = gateway.describe(card_token, merchant=identity.tenant_id, session_id=session_id)
    with runtime.unit_of_work(identity.tenant_id) as session:
        checkout = _require(session, identity)
        if card is None or not card.entered or checkout.id != session_id:
            raise InvalidInput("That card was not entered for this checkout.", param="card_token")
        checkout.payment_method = {
            "gateway": gateway.name,
            "ref": card.ref,
            "brand": card.brand,
            "last4": card.last4,
            "label": method_label(card.brand, card.last4, wallet=card.wallet),
            **({"keep": True} if save else {}),
        }
        if save:
            wallet.want(session, identity, session_id, gateway.name, card)
        else:
            wallet.want_no_more(session, identity.tenant_id, session_id, card.ref)
        return _refreshed(session, identity, checkout)


def use_gift_card(session: Session, identity: Identity, account: StoredValueAccount) -> CheckoutView:
    """Pay with a gift card (of ``stored_value.find_by_code``) as far as it reaches. Raises ``InvalidInput`` for one of
    another currency.
    """
    checkout = _require(session, identity)
    if account.currency != checkout.currency:
        raise InvalidInput("That gift card is in another currency.", param="code")
    return _tendered(session, identity, checkout, [account.id])


def use_store_credit(session: Session, identity: Identity) -> CheckoutView:
    """Pay with the identity's own store credit as far as it reaches. Raises ``NotFound`` when there is none."""
    checkout = _require(session, identity)
    rows = stored_value.own_accounts(session, identity)
    own = [row.id for row in rows if row.currency == checkout.currency]
    if not own:
        raise NotFound("There is no store credit.")
    return _tendered(session, identity, checkout, own)


def drop_tenders(session: Session, identity: Identity) -> CheckoutView:
    """Pay without gift cards and store credit."""
    checkout = _require(session, identity)
    checkout.tenders = []
    return _refreshed(session, identity, checkout)


def _tendered(
    session: Session, identity: Identity, checkout: CheckoutSession, account_ids: Sequence[str]
) -> CheckoutView:
    before = [tender["stored_value_id"] for tender in checkout.tenders]
    new = [one for one in account_ids if one not in before]
    if len(before) + len(new) > MAX_TENDERS:
        raise InvalidInput(f"At most {MAX_TENDERS} gift cards and credits pay one order.", param="code")
    checkout.tenders = [*checkout.tenders, *({"stored_value_id": one, "amount": "all"} for one in new)]
    tenant_id = identity.tenant_id
    for one in new:
        facts_of = {"account": one}
        audit.record(
            session, tenant_id, actor=identity.id, action="checkout.tendered", subject=checkout.id, facts=facts_of
        )
    return _refreshed(session, identity, checkout)


def current(session: Session, identity: Identity) -> CheckoutView:
    """The running checkout. Raises ``NoCheckout``."""
    checkout = _running(session, identity, lock=False)
    if checkout is None:
        raise NoCheckout("There is no checkout running.")
    return checkout_view(checkout, quote_of(session, checkout))


def refresh(session: Session, identity: Identity) -> CheckoutView:
    """The running checkout, its status brought in line with what is known now. Raises ``NoCheckout``."""
    return _refreshed(session, identity, _require(session, identity))


def cancel(session: Session, identity: Identity) -> CheckoutView:
    """Drop the running checkout and its open card; the cart stays."""
    checkout = _require(session, identity)
    _end(session, identity, checkout)
    return checkout_view(checkout, quote_of(session, checkout))


def payment_methods(session: Session, identity: Identity) -> list[PaymentMethodChoice]:
    """Ways to pay that this identity has: saved ones first, then the open test card of a demo shop."""
    saved = [
        PaymentMethodChoice(
            ref=row.id,
            kind=row.kind,
            brand=row.brand,
            last4=row.last4,
            label=method_label(row.brand, row.last4, wallet=row.wallet),
        )
        for row in customers.payment_methods(session, identity)
    ]
    if facts.shop_of(session, identity.tenant_id).demo:
        saved.append(PaymentMethodChoice(ref=TEST_REF, brand="visa", last4="4242", label=_TEST_VISA["label"]))
    return saved


def lock_session(session: Session, tenant_id: str, session_id: str) -> CheckoutSession:
    """The session's row, locked. Raises ``NoCheckout``."""
    checkout = session.get(CheckoutSession, (tenant_id, session_id), with_for_update=True)
    if checkout is None:
        raise NoCheckout("There is no such checkout.")
    return checkout


def quote_of(session: Session, checkout: CheckoutSession) -> pricing.Quote:
    """The session's present price."""
    return pricing.quote(session, checkout)


def running_session_id(session: Session, identity: Identity) -> str | None:
    """The id of the identity's running checkout."""
    checkout = _running(session, identity, lock=False, allow_busy=True)
    return checkout.id if checkout else None


def _running(
    session: Session, identity: Identity, *, lock: bool = True, allow_busy: bool = False
) -> CheckoutSession | None:
    query = (
        select(CheckoutSession)
        .where(
            CheckoutSession.tenant_id == identity.tenant_id,
            CheckoutSession.owner_id == identity.id,
            CheckoutSession.cart_id.is_not(None),
            CheckoutSession.status.in_([*OPEN_SESSIONS, SessionStatus.IN_PROGRESS]),
            CheckoutSession.expires_at > clock.now(),
        )
        .order_by(CheckoutSession.created_at.desc())
        .limit(1)
    )
    checkout = session.scalars(query.with_for_update() if lock else query).first()
    if lock and not allow_busy and checkout is not None and checkout.status == SessionStatus.IN_PROGRESS:
        raise CheckoutBusy("The payment for this checkout is being made right now. Please wait a moment.")
    return checkout


def _end(session: Session, identity: Identity, checkout: CheckoutSession) -> None:
    checkout.status = SESSION.check(checkout.status, SessionStatus.CANCELED)
    supersede(session, checkout)
    audit.record(session, identity.tenant_id, actor=identity.id, action="checkout.canceled", subject=checkout.id)
    session.flush()


def _go_on(checkout: CheckoutSession, before: CheckoutSession | None) -> None:
    """What was said in the checkout before; not how it is paid: cards, codes and credit were given to that one."""
    if before is not None:
        checkout.buyer, checkout.ship_to = dict(before.buyer), before.ship_to
        checkout.thread_id = checkout.thread_id or before.thread_id


def _require(session: Session, identity: Identity) -> CheckoutSession:
    checkout = _running(session, identity)
    if checkout is None:
        raise NoCheckout("There is no checkout running.")
    if checkout.status not in OPEN_SESSIONS:
        raise CheckoutClosed("This checkout has ended.")
    return checkout


def _new(
    session: Session,
    identity: Identity,
    cart_id: str,
    lines: list[dict[str, Any]],
    thread_id: str | None,
    currency: str,
) -> CheckoutSession:
    checkout = CheckoutSession(
        tenant_id=identity.tenant_id,
        id=new_id("checkout"),
        owner_id=identity.id,
        thread_id=thread_id,
        cart_id=cart_id,
        status=SessionStatus.NOT_READY,
        currency=currency,
        lines=lines,
        expires_at=clock.now() + SESSION_LIFE,
    )
    _prefill(session, identity, checkout)
    session.add(checkout)
    audit.record(session, identity.tenant_id, actor=identity.id, action="checkout.started", subject=checkout.id)
    return checkout


def _prefill(session: Session, identity: Identity, checkout: CheckoutSession) -> None:
    """A signed-in customer's stored profile and address; a guest starts empty."""
    person, address = customers.profile(session, identity), customers.default_address(session, identity)
    checkout.buyer = {"name": person.name, "email": person.email, "phone": person.phone} if person else {}
    checkout.ship_to = {part: getattr(address, part) for part in _ADDRESS} if address else None
    checkout.discount_codes = []


def _cart_lines(session: Session, identity: Identity) -> list[dict[str, Any]]:
    return [{"variant_id": line.variant_id, "quantity": line.quantity} for line in carts.view(session, identity).lines]


def _match_cart(checkout: CheckoutSession, cart_id: str, lines: list[dict[str, Any]], codes: list[str]) -> None:
    checkout.cart_id = cart_id
    if checkout.lines != lines:
        checkout.lines = lines
    if checkout.discount_codes != codes:
        checkout.discount_codes = codes


def _set_buyer(checkout: CheckoutSession, details: Details) -> None:
    said = {"name": details.name, "phone": details.phone}
    buyer = dict(checkout.buyer) | {key: " ".join(value.split()) for key, value in said.items() if value}
    if details.email:
        buyer["email"] = check_email(details.email)
    checkout.buyer = buyer


def _set_address(checkout: CheckoutSession, details: Details) -> None:
    said = {part: value for part in _ADDRESS if (value := getattr(details, part)) is not None}
    if not said:
        return
    moved = details.line_one and (checkout.ship_to or {}).get("line_one") not in {None, "", details.line_one}
    keep = {"name": (checkout.ship_to or {}).get("name", "")} if moved else (checkout.ship_to or {})
    if not keep.get("name") and checkout.buyer.get("name"):
        keep = dict(keep) | {"name": checkout.buyer["name"]}
    checkout.ship_to = normalize(dict(keep) | said)


def method_of(session: Session, identity: Identity, ref: str) -> dict[str, Any]:
    """The way to pay behind a reference: gateway, ref, brand, last4, label. Raises ``InvalidInput`` for another's."""
    for row in customers.payment_methods(session, identity):
        if row.id == ref:
            return {
                "gateway": row.gateway,
                "ref": row.gateway_ref,
                "brand": row.brand,
                "last4": row.last4,
                "label": method_label(row.brand, row.last4, wallet=row.wallet),
            }
    if ref == TEST_REF and facts.shop_of(session, identity.tenant_id).demo:
        return dict(_TEST_VISA)
    raise InvalidInput("That is not one of your ways to pay.", param="payment_method_ref")


def _choose_option(session: Session, checkout: CheckoutSession, wanted: str) -> None:
    offered: Sequence[str] = [option.id for option in quote_of(session, checkout).options]
    if offered and wanted not in offered:
        raise OptionUnknown(f"That way of shipping is not offered. Choose one of: {', '.join(offered)}.")
    checkout.fulfillment_option_id = wanted


def _refreshed(session: Session, identity: Identity, checkout: CheckoutSession) -> CheckoutView:
    """Write the status that follows from the details, and put aside a card that no longer says the truth."""
    if checkout.payment_method is None:
        methods = payment_methods(session, identity)
        checkout.payment_method = method_of(session, identity, methods[0].ref) if methods else None
    session.flush()
    quote = quote_of(session, checkout)
    if ways.by_itself(checkout, quote.lines, quote.selected):
        quote = quote_of(session, checkout)
    ready = not quote.problems and not quote.missing
    checkout.status = SESSION.check(checkout.status, SessionStatus.READY if ready else SessionStatus.NOT_READY)
    checkout.version += 1
    checkout.updated_at = clock.now()
    supersede(session, checkout, unless=quote)
    return checkout_view(checkout, quote)
