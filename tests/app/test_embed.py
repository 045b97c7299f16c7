"""The chat on other people's pages: who may frame it, with which cookie, and where it is paid."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from sqlalchemy import select

from app.identity import COOKIE, FRAMED
from engine.agentic import hosted
from engine.checkout import confirmation
from engine.checkout import service as checkout
from engine.checkout.models import CheckoutSession
from engine.kit.errors import Forbidden, InvalidInput
from engine.orders.models import Order
from engine.policies import set_policy
from tests.app.conftest import Browser, counted
from tests.app.test_account import guest_of
from tests.app.test_confirm import GOOD, _enter
from tests.shop import Shop

THEIRS = "https://www.merchant.example"


def allow(shop: Shop, *origins: str) -> None:
    with shop.uow() as session:
        set_policy(session, shop.tenant.id, "embed", {"origins": list(origins)}, actor="test")


def frame(browser: Browser, shop: Shop, *, page: str = THEIRS, **headers: str) -> Any:
    told = {"referer": f"{page}/", "sec-fetch-dest": "iframe", "sec-fetch-site": "cross-site"} | headers
    return browser.http.get(f"/embed/{shop.tenant.slug}", headers=told, follow_redirects=False)


def ancestors(answer: Any) -> str:
    found = re.search(r"frame-ancestors ([^;]+)", answer.headers["content-security-policy"])
    assert found
    return found[1]


def test_nobody_may_frame_it_unless_named(browser: Browser, shop: Shop) -> None:
    answer = frame(browser, shop)
    assert (answer.status_code, ancestors(answer), "set-cookie" in answer.headers) == (403, "'none'", False)


def test_a_named_page_may_and_its_frame_has_a_cookie_of_its_own(browser: Browser, shop: Shop) -> None:
    allow(shop, THEIRS, "https://shop.example:8443")
    answer = frame(browser, shop)
    assert (answer.status_code, ancestors(answer)) == (200, f"{THEIRS} https://shop.example:8443")
    (cookie,) = answer.headers.get_list("set-cookie")
    assert re.fullmatch(
        rf"{FRAMED}=[\w-]{{43}}; Max-Age=15552000; Path=/; HttpOnly; Secure; SameSite=None; Partitioned", cookie
    )
    assert re.search(r"/static/v-[0-9a-f]{12}/embed/framed\.js", answer.text)


def test_another_page_may_not_though_some_may(browser: Browser, shop: Shop) -> None:
    allow(shop, THEIRS)
    for page in ("https://evil.example", "https://www.merchant.example.evil.example", "http://www.merchant.example"):
        answer = frame(browser, shop, page=page)
        assert (answer.status_code, ancestors(answer), "set-cookie" in answer.headers) == (403, "'none'", False)


def test_only_where_a_browser_keeps_a_secure_cookie(browser: Browser, shop: Shop) -> None:
    allow(shop, THEIRS)
    with shop.runtime.store.without_tenant() as session:
        row = session.merge(shop.tenant)
        row.host = f"{shop.tenant.slug}.example"
    assert frame(browser, shop, host=f"{shop.tenant.slug}.example").status_code == 403


def test_a_page_of_the_same_site_uses_the_usual_cookie(browser: Browser, shop: Shop) -> None:
    allow(shop, THEIRS)
    answer = frame(browser, shop, **{"sec-fetch-site": "same-site"})
    assert (answer.status_code, "set-cookie" in answer.headers) == (200, False)


def test_opened_by_itself_it_is_the_shop(browser: Browser, shop: Shop) -> None:
    answer = frame(browser, shop, **{"sec-fetch-dest": "document"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/?shop={shop.tenant.slug}")


@pytest.mark.parametrize("path", ["/", "/account", "/products/nothing", "/docs", "/staff/sign-in", "/order/X"])
def test_every_other_page_stays_out_of_frames(browser: Browser, shop: Shop, path: str) -> None:
    allow(shop, THEIRS)
    assert ancestors(browser.http.get(path)) == "'none'"


def test_the_session_of_a_frame_talks_and_stays_its_own(browser: Browser, open_browser, shop: Shop) -> None:
    allow(shop, THEIRS)
    frame(browser, shop)
    token = browser.http.cookies[FRAMED]
    browser.http.cookies.clear()
    framed = open_browser()
    framed.http.cookies.set(FRAMED, token)
    made = framed.post("/v1/threads", {"tenant": shop.tenant.slug})
    assert (made.status_code, "set-cookie" in made.headers) == (201, False)
    assert framed.get(f"/v1/threads/{made.json()['id']}").status_code == 200
    assert open_browser().get(f"/v1/threads/{made.json()['id']}").status_code == 404
    refused = framed.post("/v1/threads", {"tenant": shop.tenant.slug}, origin=THEIRS)
    assert refused.status_code == 403


@pytest.mark.parametrize(
    "origin",
    [
        "http://merchant.example",
        "https://*.merchant.example",
        "https://merchant.example/",
        "https://merchant.example; script-src *",
        "https://user@merchant.example",
        "https://localhost",
        "*",
        "'self'",
        "data:",
    ],
)
def test_what_is_no_origin_is_refused(shop: Shop, origin: str) -> None:
    with pytest.raises(InvalidInput), shop.uow() as session:
        set_policy(session, shop.tenant.id, "embed", {"origins": [origin]}, actor="test")


def test_the_script_is_small_and_for_everybody(browser: Browser, shop: Shop) -> None:
    answer = browser.http.get(f"/embed.js?shop={shop.tenant.slug}")
    assert (answer.status_code, answer.headers["cross-origin-resource-policy"]) == (200, "cross-origin")
    assert len(answer.content) <= 6_000
    assert f'"/embed/{shop.tenant.slug}"' in answer.text
    told = json.loads(answer.text.split("const told = ")[1].split(";\n")[0])
    assert {tag: one["dir"] for tag, one in told["words"].items()} == {"en": "ltr", "ar": "rtl", "es": "ltr"}
    assert browser.http.get("/embed.js?shop=nobody").status_code == 404


def test_its_card_is_paid_on_our_own_page_once(browser: Browser, open_browser, shop: Shop) -> None:
    shop.add("A")
    thread_id = browser.start(shop.tenant)
    guest = guest_of(shop)
    shop.ready(guest, "A")
    card = confirmation.request(shop.runtime, guest, thread_id=thread_id)
    found = browser.get(f"/v1/checkout/page?card={card.id}").json()
    assert (found["card"], found["status"]) == (card.id, "open")
    tab, origin = open_browser(), {"origin": "http://127.0.0.1:8000"}
    opened, pay = (found["url"].replace("?", f"/{verb}?") for verb in ("open", "pay"))
    for path in (opened, pay, pay):
        assert tab.http.post(path, headers=origin).status_code == 200
    assert browser.get(f"/v1/checkout/page?card={card.id}").json()["status"] == "claimed"
    assert [order["lines"][0]["title"] for order in browser.get("/v1/orders").json()["items"]] == ["Thing A"]
    assert counted(shop, Order) == 1
    again = browser.post(
        f"/v1/threads/{thread_id}/runs",
        {"resume": [{"interruptId": card.id, "status": "resolved", "payload": {"approved": True}}]},
    )
    assert again.status_code == 202
    shown = hosted.look(shop.runtime, shop.tenant.id, guest, card.id)
    assert shown.outcome is not None
    assert shown.outcome.result == "paid"


def test_the_page_of_a_card_is_its_owners_alone(browser: Browser, open_browser, shop: Shop) -> None:
    shop.add("A")
    browser.start(shop.tenant)
    guest = guest_of(shop)
    shop.ready(guest, "A")
    card = shop.card(guest)
    stranger = open_browser()
    assert stranger.get(f"/v1/checkout/page?card={card.id}").status_code == 404
    stranger.start(shop.tenant)
    assert stranger.get(f"/v1/checkout/page?card={card.id}").status_code == 404
    assert browser.http.cookies.get(COOKIE, path="/")


def test_what_the_holder_entered_pays_by_the_holders_yes_alone(browser: Browser, open_browser, shop: Shop) -> None:
    """The owner may change the order and be shown it anew; the other's payment card is not theirs to charge."""
    shop.add("A")
    browser.start(shop.tenant)
    guest = guest_of(shop)
    session_id = shop.ready(guest, "A")
    url = browser.get(f"/v1/checkout/page?card={shop.card(guest).id}").json()["url"]
    tab, origin = open_browser(), {"origin": "http://127.0.0.1:8000"}
    tab.http.post(url.replace("?", "/open?"), headers=origin)
    entered = tab.http.post(
        url.replace("?", "/card?"), data={"card_token": _enter(shop, session_id, GOOD)}, headers=origin
    )
    assert "Visa •••• 4242" in entered.text
    theirs = shop.card(guest)
    with pytest.raises(Forbidden):
        shop.approve(guest, theirs.id)
    shop.fill(guest, "A", 3)
    more = shop.card(guest)
    assert more.id != theirs.id
    with pytest.raises(Forbidden):
        shop.approve(guest, more.id)
    assert counted(shop, Order) == 0
    url = browser.get(f"/v1/checkout/page?card={more.id}").json()["url"]
    tab.http.post(url.replace("?", "/open?"), headers=origin)
    assert "Thank you" in tab.http.post(url.replace("?", "/pay?"), headers=origin).text
    assert counted(shop, Order) == 1


@pytest.fixture
def no_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shop whose guests have no test card to begin with."""
    monkeypatch.setattr(checkout, "payment_methods", lambda *_: [])


@pytest.mark.usefixtures("no_card")
def test_a_first_card_is_entered_on_our_own_page(browser: Browser, open_browser, shop: Shop) -> None:
    shop.add("A")
    thread_id = browser.start(shop.tenant)
    guest = guest_of(shop)
    session_id = shop.ready(guest, "A")
    with shop.uow() as session:
        session.get_one(CheckoutSession, (shop.tenant.id, session_id)).payment_method = None
    answer = browser.post("/v1/checkout/page", {"thread_id": thread_id})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["status"] == "open"
    tab, origin = open_browser(), {"origin": "http://127.0.0.1:8000"}
    url = found["url"]
    opened = tab.http.post(url.replace("?", "/open?"), headers=origin)
    assert "No card yet" in opened.text
    token = _enter(shop, session_id, GOOD)
    entered = tab.http.post(url.replace("?", "/card?"), data={"card_token": token}, headers=origin)
    assert "Visa •••• 4242" in entered.text
    now = browser.get(f"/v1/checkout/page?card={found['card']}").json()
    assert (now["status"], now["card"] != found["card"]) == ("open", True)
    assert "Thank you" in tab.http.post(now["url"].replace("?", "/pay?"), headers=origin).text
    assert browser.get(f"/v1/checkout/page?card={found['card']}").json()["status"] == "claimed"
    assert [order["lines"][0]["title"] for order in browser.get("/v1/orders").json()["items"]] == ["Thing A"]
    with shop.uow() as session:
        (order,) = session.scalars(select(Order))
        assert (order.thread_id, order.owner_id) == (thread_id, guest.id)


def test_the_page_to_pay_on_is_for_a_checkout_that_lacks_nothing_else(
    browser: Browser, open_browser, shop: Shop, make_key
) -> None:
    shop.add("A")
    thread_id = browser.start(shop.tenant)
    refused = browser.post("/v1/checkout/page", {})
    assert (refused.status_code, refused.json()["code"]) == (404, "no_checkout")
    guest = guest_of(shop)
    session_id = shop.ready(guest, "A")
    with_card = browser.post("/v1/checkout/page", {"thread_id": thread_id}).json()
    assert browser.get(f"/v1/checkout/page?card={with_card['card']}").json()["status"] == "open"
    with shop.uow() as session:
        row = session.get_one(CheckoutSession, (shop.tenant.id, session_id))
        row.payment_method, row.buyer = None, {}
    refused = browser.post("/v1/checkout/page", {})
    assert (refused.status_code, refused.json()["code"]) == (422, "not_ready_for_payment")
    stranger = open_browser()
    stranger.start(shop.tenant)
    shop.ready(guest, "A")
    assert stranger.post("/v1/checkout/page", {"thread_id": thread_id}).status_code == 404
    key = make_key(shop.tenant, "staff")
    assert open_browser().post("/v1/checkout/page", {}, Authorization=key).status_code == 403
