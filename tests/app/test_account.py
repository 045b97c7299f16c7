"""``/account``: one's own orders, and signing in and out, by plain forms."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import func, select

from app.identity import COOKIE, new_session
from engine.checkout import confirmation
from engine.checkout.models import Consent
from engine.conversations.models import Run
from engine.customers import service as customers
from engine.customers.models import EmailCode
from engine.kit.identity import Identity
from engine.orders.models import Order
from tests.app.conftest import WEB, Browser, counted
from tests.app.test_customers import ADA, newest_code
from tests.engine.orders.desk import Desk, buy
from tests.shop import Shop


def look(browser: Browser, shop: Shop) -> Any:
    return browser.http.get(f"/account?shop={shop.tenant.slug}")


def send(browser: Browser, shop: Shop, door: str, *, origin: str = WEB, form: str | None = None, **fields: str) -> Any:
    """A form of the page as it is now."""
    token = re.search(r'name="form" value="(\w+)"', look(browser, shop).text)
    assert token
    sent = {"form": token[1] if form is None else form} | fields
    path = f"/account/{door}?shop={shop.tenant.slug}"
    return browser.http.post(path, data=sent, headers={"origin": origin}, follow_redirects=False)


def sign_in(browser: Browser, shop: Shop, email: str = ADA) -> Any:
    assert send(browser, shop, "code", email=email).status_code == 200
    return send(browser, shop, "sign-in", email=email, code=newest_code(shop))


def session_of(browser: Browser) -> str | None:
    return browser.http.cookies.get(COOKIE, path="/")


def test_a_code_signs_in_under_a_new_cookie(browser: Browser, shop: Shop) -> None:
    asked = send(browser, shop, "code", email=ADA)
    before = session_of(browser)
    assert 'href="/outbox"' in asked.text
    answer = send(browser, shop, "sign-in", email=ADA, code=newest_code(shop))
    assert (answer.status_code, answer.headers["location"]) == (303, f"/account?shop={shop.tenant.slug}")
    assert session_of(browser) not in {None, before}
    assert ADA in look(browser, shop).text
    assert browser.get("/v1/me").json()["email"] == ADA
    browser.http.cookies.clear()
    browser.http.cookies.set(COOKIE, str(before))
    assert browser.get("/v1/me").status_code == 401


def test_a_known_and_an_unknown_address_are_answered_alike(open_browser, shop: Shop) -> None:
    sign_in(open_browser(), shop)
    told = []
    for email in (ADA, "bob@example.com"):
        page = send(open_browser(), shop, "code", email=email)
        told.append((page.status_code, re.sub(r'value="\w{64}"', "", page.text.replace(email, "E"))))
    assert told[0] == told[1]


def test_a_wrong_code_is_said_and_nobody_is_signed_in(browser: Browser, shop: Shop) -> None:
    send(browser, shop, "code", email=ADA)
    wrong = f"{(int(newest_code(shop)) + 1) % 1_000_000:06d}"
    answer = send(browser, shop, "sign-in", email=ADA, code=wrong)
    assert (answer.status_code, 'role="alert"' in answer.text, "one-time-code" in answer.text) == (422, True, True)
    assert browser.get("/v1/me").status_code == 401


def test_asking_is_limited(browser: Browser, shop: Shop) -> None:
    answers = [send(browser, shop, "code", email=ADA).status_code for _ in range(7)]
    assert answers == [200] * 6 + [429]
    assert counted(shop, EmailCode) == 6


@pytest.mark.parametrize("door", ["code", "sign-in", "sign-out"])
def test_forms_that_are_not_ours_do_nothing(browser: Browser, shop: Shop, door: str) -> None:
    sign_in(browser, shop)
    cookie = session_of(browser)
    fields = {"email": ADA, "code": "000000"}
    assert send(browser, shop, door, origin="https://evil.example", **fields).status_code == 403
    assert send(browser, shop, door, form="0" * 64, **fields).status_code == 403
    assert (session_of(browser), browser.get("/v1/me").status_code) == (cookie, 200)


def test_a_form_of_another_shop_is_not_good_here(open_browser, shop: Shop, make_tenant) -> None:
    browser, other = open_browser(), make_tenant()
    token = re.search(r'name="form" value="(\w+)"', browser.http.get(f"/account?shop={other.slug}").text)
    assert token
    assert send(browser, shop, "code", form=token[1], email=ADA).status_code == 403


def test_the_cart_the_conversation_and_the_open_card_go_on(open_browser, shop: Shop) -> None:
    shop.add("A")
    browser = open_browser()
    thread_id = browser.start(shop.tenant)
    guest = guest_of(shop)
    shop.ready(guest, "A")
    card = confirmation.request(shop.runtime, guest, thread_id=thread_id)
    assert sign_in(browser, shop).status_code == 303
    seen = browser.get(f"/v1/threads/{thread_id}").json()
    assert [line["quantity"] for line in seen["cart"]["lines"]] == [1]
    assert [one["id"] for one in seen["interrupts"]] == [card.id]
    with shop.uow() as session:
        runs = session.scalars(select(Run).where(Run.thread_id == thread_id).order_by(Run.number)).all()
        assert [run.input["action"]["name"] for run in runs] == ["signed_in", "request_confirmation"]
        assert {run.identity["customer_id"] is None for run in runs} == {False}
        assert session.get_one(Consent, (shop.tenant.id, card.id)).status == "open"
        assert session.scalar(select(func.count()).select_from(Order).where(Order.placed_at.is_not(None))) == 0


def guest_of(shop: Shop) -> Identity:
    with shop.uow() as session:
        found = session.scalars(select(customers.Shopper)).one()
        return Identity(shop.tenant.id, customers.Actor.SHOPPER, found.id)


def test_orders_of_the_guest_become_the_customers_and_nobody_elses(open_browser, shop: Shop) -> None:
    shop.add("A")
    desk: Desk = buy(shop, "A")
    browser, stranger = open_browser(), open_browser()
    with shop.uow() as session:
        browser.http.cookies.set(COOKIE, new_session(session, desk.buyer), path="/")
    sign_in(browser, shop)
    number = desk.look().number
    assert f'href="/order/{number}?shop={shop.tenant.slug}"' in look(browser, shop).text
    sign_in(stranger, shop, "bob@example.com")
    assert number not in look(stranger, shop).text


def test_signing_out_here_and_everywhere(open_browser, shop: Shop) -> None:
    here, there = open_browser(), open_browser()
    for browser in (here, there):
        sign_in(browser, shop)
    assert send(here, shop, "sign-out").status_code == 303
    assert (session_of(here), ADA in look(here, shop).text, ADA in look(there, shop).text) == (None, False, True)
    sign_in(here, shop)
    send(there, shop, "sign-out", everywhere="1")
    assert (ADA in look(here, shop).text, ADA in look(there, shop).text) == (False, False)
