"""The hosted card: the link alone shows little, the first browser holds it, and only that one pays."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from engine.agentic import hosted, links
from engine.agentic.models import AgentPlatform, PlatformStatus
from engine.catalog.models import Variant
from engine.checkout import confirmation, pricing
from engine.checkout.models import CheckoutSession, Consent, ConsentStatus, SessionStatus
from engine.checkout.recovery import recover_payments
from engine.checkout.views import digest
from engine.customers.models import Shopper
from engine.kit import clock, faults
from engine.kit.errors import DomainError
from engine.kit.identity import Actor, Identity
from engine.kit.ids import new_id
from engine.kit.tenancy import Tenant
from engine.orders.models import Order
from engine.payments.gateways.grants import read_grant
from engine.payments.gateways.sandbox.vault import CardEntry
from engine.runtime import Runtime
from tests.app.conftest import Browser
from tests.shop import ADDRESS, Shop, open_shop

VISA = {"gateway": "sandbox", "ref": "card_test_visa", "brand": "visa", "last4": "4242", "label": "Visa •••• 4242"}
GOOD, DECLINED, CHALLENGE = "4242424242424242", "4000000000000002", "4000000000003220"
Open = Callable[[], Browser]


def _prepared(shop: Shop) -> str:
    """An order that an agent prepared, and the path of its page."""
    agent = Identity(shop.tenant.id, Actor.API_KEY, new_id("agent_platform"))
    shop.add("MUG")
    with shop.uow() as session:
        checkout = CheckoutSession(
            tenant_id=shop.tenant.id,
            id=new_id("checkout"),
            owner_id=agent.id,
            status=SessionStatus.READY,
            currency="USD",
            lines=[{"variant_id": shop.variants["MUG"], "quantity": 1}],
            buyer={"name": "Ada Buyer", "email": "ada@example.com", "phone": ""},
            ship_to=ADDRESS | {"line_two": ""},
            discount_codes=[],
            payment_method=VISA,
            expires_at=clock.now() + timedelta(hours=1),
        )
        session.add(checkout)
        session.flush()
        quote = pricing.quote(session, checkout)
        bound = digest(checkout, quote)
    token = confirmation.delegate(shop.runtime, checkout, quote, bound)
    with shop.uow() as session:
        card = confirmation.show(session, shop.runtime, agent, checkout.id, bound, token, None)
        assert card is not None
        return links.path_of(shop.runtime, shop.tenant.id, card.id, card.expires_at)


def _consent_id(path: str) -> str:
    return path.removeprefix("/confirm/").partition("?")[0]


def _press(browser: Browser, page: Any, verb: str, **fields: str) -> Any:
    """Send the page's form, as a browser does."""
    (action,) = [found for found in re.findall(r'action="([^"]+)"', page.text) if f"/{verb}?" in found]
    return browser.http.post(action.replace("&amp;", "&"), data=fields, headers={"Origin": "http://127.0.0.1:8000"})


def _opened(browser: Browser, path: str) -> Any:
    return _press(browser, browser.get(path), "open")


def _orders(shop: Shop) -> list[Order]:
    with shop.uow() as session:
        return list(session.scalars(select(Order).where(Order.tenant_id == shop.tenant.id)))


def test_the_link_alone_shows_the_shop_and_the_total(shop: Shop, browser: Browser) -> None:
    path = _prepared(shop)
    page = browser.get(path)
    assert page.status_code == 200
    assert shop.tenant.name in page.text
    assert "$" in page.text
    for private in ("Ada", "Pine", "MUG", "4242", "/pay?"):
        assert private not in page.text
    assert not browser.http.cookies
    assert page.headers["referrer-policy"] == "same-origin"  # else Chromium sends the forms with ``Origin: null``
    with shop.uow() as session:
        assert session.get_one(Consent, (shop.tenant.id, _consent_id(path))).holder_id is None


def test_the_holder_sees_all_of_it_and_pays_once(shop: Shop, browser: Browser) -> None:
    page = _opened(browser, _prepared(shop))
    for bound in ("Ada Buyer", "12 Pine St", "MUG", "Visa •••• 4242", "Standard"):
        assert bound in page.text
    paid = _press(browser, page, "pay")
    assert "Thank you" in paid.text
    again = _press(browser, page, "pay")
    assert "Thank you" in again.text
    (order,) = _orders(shop)
    assert order.number in paid.text
    assert order.owner_id.startswith("agp_")
    with shop.uow() as session:
        (card,) = session.scalars(select(Consent).where(Consent.tenant_id == shop.tenant.id))
        assert (card.status, card.channel) == (ConsentStatus.CLAIMED, "hosted")


def test_a_page_of_a_suspended_platform_is_over(shop: Shop, browser: Browser) -> None:
    path = _prepared(shop)
    page = _opened(browser, path)
    with shop.uow() as session:
        owner = session.get_one(Consent, (shop.tenant.id, _consent_id(path))).owner_id
        closed = PlatformStatus.SUSPENDED
        session.add(AgentPlatform(tenant_id=shop.tenant.id, id=owner, name="Bad Co", status=closed))
    assert "/pay?" not in browser.get(path).text
    assert "Thank you" not in _press(browser, page, "pay").text
    assert not _orders(shop)
    with shop.uow() as session:
        session.get_one(AgentPlatform, (shop.tenant.id, owner)).status = PlatformStatus.ACTIVE
    assert "Thank you" in _press(browser, page, "pay").text


@pytest.mark.parametrize("point", ["before_t1_commit", "after_t1_commit", "settled"])
def test_what_was_agreed_to_before_a_suspension_is_told_as_it_ended(shop: Shop, browser: Browser, point: str) -> None:
    """Whenever it comes: who presses again is not told that nothing was charged."""
    path = _prepared(shop)
    page = _opened(browser, path)

    def suspend() -> None:
        with shop.uow() as session:
            owner = session.get_one(Consent, (shop.tenant.id, _consent_id(path))).owner_id
            closed = PlatformStatus.SUSPENDED
            session.add(AgentPlatform(tenant_id=shop.tenant.id, id=owner, name="Bad Co", status=closed))

    def hook(name: str) -> None:
        if name == point:
            faults.set_hook(None)
            suspend()
            raise RuntimeError(point)

    faults.set_hook(hook)
    _press(browser, page, "pay")
    faults.set_hook(None)
    if point == "settled":
        suspend()
    again = _press(browser, page, "pay")
    if point == "after_t1_commit":
        assert "Still being paid" in again.text
        with clock.shifted(timedelta(minutes=2)):
            recover_payments(shop.runtime, shop.tenant.id)
        again = _press(browser, page, "pay")
    assert "Thank you" in again.text
    assert "not charged" not in again.text
    assert len([order for order in _orders(shop) if order.placed_at]) == 1


def test_another_browser_is_turned_away(shop: Shop, open_browser: Open) -> None:
    path = _prepared(shop)
    mine, theirs = open_browser(), open_browser()
    held = _opened(mine, path)
    turned = _opened(theirs, path)
    assert turned.status_code == 403
    assert "another browser" in turned.text
    assert "Pine" not in theirs.get(path).text
    assert "Thank you" not in _press(theirs, held, "pay").text
    assert not _orders(shop)


def test_who_has_the_link_alone_learns_nothing_of_an_order_that_is_paid(shop: Shop, open_browser: Open) -> None:
    path = _prepared(shop)
    mine, theirs = open_browser(), open_browser()
    paid = _press(mine, _opened(mine, path), "pay")
    (order,) = _orders(shop)
    seen = theirs.get(path)
    assert "This order is paid." in seen.text
    for private in ("ada@example.com", order.number):
        assert private in paid.text
        assert private not in seen.text


def test_who_visits_the_chat_meanwhile_holds_the_card_still(shop: Shop, browser: Browser) -> None:
    path = _prepared(shop)
    _opened(browser, path)
    assert browser.post("/v1/threads", {"tenant": shop.tenant.slug}).status_code == 201
    page = browser.get(path)
    assert "12 Pine St" in page.text
    assert "Thank you" in _press(browser, page, "pay").text
    assert len(_orders(shop)) == 1


def test_of_many_who_open_it_at_once_one_holds_it_and_pays_once(shop: Shop) -> None:
    consent_id = _consent_id(_prepared(shop))
    shoppers = [shop.shopper() for _ in range(4)]

    def go(who: Identity) -> str:
        try:
            with shop.uow() as session:
                hosted.take(session, who, consent_id)
            return str(hosted.pay(shop.runtime, who, consent_id).result)
        except DomainError as error:
            return error.code

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(go, [*shoppers, *shoppers]))
    assert len(_orders(shop)) == 1
    with shop.uow() as session:
        holder = session.get_one(Consent, (shop.tenant.id, consent_id)).holder_id
    theirs = {one for who, one in zip([*shoppers, *shoppers], said, strict=True) if who.id != holder}
    assert theirs == {"forbidden"}
    assert "paid" in said


def test_no_other_site_presses_for_the_holder(shop: Shop, browser: Browser) -> None:
    path = _prepared(shop)
    page = _opened(browser, path)
    (action,) = [found for found in re.findall(r'action="([^"]+)"', page.text) if "/pay?" in found]
    answer = browser.http.post(action.replace("&amp;", "&"), headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert not _orders(shop)


def test_saying_no_charges_nothing(shop: Shop, browser: Browser) -> None:
    page = _opened(browser, _prepared(shop))
    said = _press(browser, page, "decline")
    assert "You said no" in said.text
    assert "Thank you" not in _press(browser, page, "pay").text
    assert not _orders(shop)


@pytest.mark.parametrize("spoil", [lambda p: p[:-1] + ("A" if p[-1] != "A" else "B"), lambda p: p.partition("?")[0]])
def test_a_link_that_was_changed_leads_nowhere(shop: Shop, browser: Browser, spoil: Callable[[str], str]) -> None:
    answer = browser.get(spoil(_prepared(shop)))
    assert answer.status_code in {400, 404}
    assert answer.headers["content-type"].startswith("text/html")
    assert shop.tenant.name not in answer.text


def test_a_link_opens_its_own_card_alone(shop: Shop, make_tenant: Callable[[], Tenant], browser: Browser) -> None:
    """Neither another card's ticket nor being somebody in another shop helps."""
    other = open_shop(shop.runtime, make_tenant())
    mine, theirs = _prepared(shop), _prepared(other)
    ticket = mine.partition("?")[2]
    answer = browser.get(f"/confirm/{_consent_id(theirs)}?{ticket}")
    assert answer.status_code == 404
    browser.start(other.tenant)
    page = _opened(browser, mine)
    assert "Check and pay" in page.text
    with shop.uow() as session:
        holder = session.get_one(Consent, (shop.tenant.id, _consent_id(mine))).holder_id
        assert session.get(Shopper, (shop.tenant.id, holder)) is not None


def test_a_changed_price_is_not_paid(shop: Shop, browser: Browser) -> None:
    page = _opened(browser, _prepared(shop))
    with shop.uow() as session:
        session.get_one(Variant, (shop.tenant.id, shop.variants["MUG"])).price = 6000
    said = _press(browser, page, "pay")
    assert "run out" in said.text
    assert not _orders(shop)


def _enter(shop: Shop, session_id: str, number: str) -> str:
    gateway = shop.runtime.gateways["sandbox"]
    grant = gateway.entry(merchant=shop.tenant.id, session_id=session_id).path.partition("grant=")[2]
    found = read_grant(shop.runtime.secret_key, grant)
    return gateway.vault.keep(found, CardEntry(number, 12, clock.now().year + 2, "123", "Ada")).ref  # type: ignore[attr-defined]


def _session_of(shop: Shop) -> str:
    with shop.uow() as session:
        return str(session.scalar(select(CheckoutSession.id).where(CheckoutSession.tenant_id == shop.tenant.id)))


def test_a_declined_card_gives_way_to_another(shop: Shop, browser: Browser) -> None:
    page = _opened(browser, _prepared(shop))
    page = _press(browser, page, "card", card_token=_enter(shop, _session_of(shop), DECLINED))
    refused = _press(browser, page, "pay")
    assert "Not paid yet" in refused.text
    page = _press(browser, refused, "card", card_token=_enter(shop, _session_of(shop), GOOD))
    assert "Thank you" in _press(browser, page, "pay").text
    assert len([one for one in _orders(shop) if one.placed_at]) == 1


def test_a_card_of_another_checkout_is_not_taken(shop: Shop, browser: Browser) -> None:
    page = _opened(browser, _prepared(shop))
    refused = _press(browser, page, "card", card_token=_enter(shop, new_id("checkout"), GOOD))
    assert "not entered for this checkout" in refused.text


def test_the_bank_asks_first(shop: Shop, browser: Browser) -> None:
    page = _opened(browser, _prepared(shop))
    page = _press(browser, page, "card", card_token=_enter(shop, _session_of(shop), CHALLENGE))
    asked = _press(browser, page, "pay")
    (url,) = re.findall(r'href="([^"]+/challenge/[^"]+)"', asked.text)
    assert not [one for one in _orders(shop) if one.placed_at]
    shop.runtime.gateways["sandbox"].pass_challenge(url.rpartition("/")[2])  # type: ignore[attr-defined]
    assert "Thank you" in _press(browser, asked, "pay").text


def test_a_signed_in_holder_is_the_orders_customer(runtime: Runtime, shop: Shop, browser: Browser) -> None:
    assert browser.start(shop.tenant)
    page = _opened(browser, _prepared(shop))
    assert "Check and pay" in page.text
    with shop.uow() as session:
        (card,) = session.scalars(select(Consent).where(Consent.tenant_id == shop.tenant.id))
        assert card.holder_id is not None
        assert card.holder_id.startswith("shp_")
    assert "ic_confirm" not in browser.http.cookies
