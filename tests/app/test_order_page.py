"""``/order/{number}``: its address opens nothing."""

from __future__ import annotations

from typing import Any

import pytest

from app.identity import COOKIE, new_session
from tests.app.conftest import Browser
from tests.conftest import MakeTenant
from tests.engine.agentic.platform_orders import shaped
from tests.engine.orders.desk import Desk, buy
from tests.shop import Shop


@pytest.fixture
def desk(shop: Shop) -> Desk:
    shop.add("A")
    with shop.runtime.store.without_tenant() as session:
        row = session.merge(shop.tenant)
        row.host = f"{shop.tenant.slug}.example"
    return buy(shop, "A")


def open_page(browser: Browser, desk: Desk) -> Any:
    return browser.http.get(f"/order/{number(desk)}", headers={"host": f"{desk.shop.tenant.slug}.example"})


def ask(browser: Browser, desk: Desk, email: str, **headers: str) -> Any:
    host = f"{desk.shop.tenant.slug}.example"
    return browser.http.post(
        f"/order/{number(desk)}", data={"email": email}, headers={"host": host, "origin": f"http://{host}"} | headers
    )


def number(desk: Desk) -> str:
    return desk.look().number


def test_a_stranger_sees_a_question(browser: Browser, desk: Desk) -> None:
    page = open_page(browser, desk)

    assert page.status_code == 200
    assert 'type="email"' in page.text
    assert "Thing A" not in page.text
    assert page.headers["cache-control"] == "private, no-store"


def test_number_and_e_mail_tell_the_bare_state(browser: Browser, desk: Desk) -> None:
    page = ask(browser, desk, "Ada@example.com")

    assert page.status_code == 200
    assert "unfulfilled" in page.text
    for hidden in ("Thing A", "Ada Buyer", "12 Pine St", "61.55"):
        assert hidden not in page.text


def test_a_wrong_e_mail_tells_nothing_and_tries_are_counted(browser: Browser, desk: Desk) -> None:
    for _ in range(5):
        page = ask(browser, desk, "eve@example.com")
        assert (page.status_code, "unfulfilled" in page.text) == (404, False)

    assert ask(browser, desk, "ada@example.com").status_code == 429


def test_the_browser_that_bought_it_sees_it(browser: Browser, desk: Desk) -> None:
    with desk.shop.uow() as session:
        cookie = new_session(session, desk.buyer)
    browser.http.cookies.set(COOKIE, cookie)
    page = open_page(browser, desk)

    assert "Thing A" in page.text
    assert "$61.55" in page.text


def test_another_shopper_sees_a_question(browser: Browser, desk: Desk) -> None:
    with desk.shop.uow() as session:
        cookie = new_session(session, desk.shop.shopper())
    browser.http.cookies.set(COOKIE, cookie)
    assert "Thing A" not in open_page(browser, desk).text


def test_another_sites_form_is_refused(browser: Browser, desk: Desk) -> None:
    assert ask(browser, desk, "ada@example.com", origin="https://evil.example").status_code == 403


@pytest.mark.parametrize("number", ["<script>", "a" * 21, "%00", "..%2f"])
def test_what_is_no_number_is_not_found(browser: Browser, number: str) -> None:
    page = browser.http.get(f"/order/{number}")

    assert page.status_code == 404
    assert "<script>" not in page.text


def test_a_shop_without_a_host_is_named_in_the_address(browser: Browser, shop: Shop) -> None:
    shop.add("A")
    desk = buy(shop, "A")
    path = f"/order/{number(desk)}"
    asked = {"data": {"email": "ada@example.com"}, "headers": {"origin": str(browser.http.base_url).rstrip("/")}}

    assert browser.http.get(f"{path}?shop={shop.tenant.slug}").status_code == 200
    assert "unfulfilled" in browser.http.post(f"{path}?shop={shop.tenant.slug}", **asked).text
    assert browser.http.get(f"{path}?shop=nobody").status_code == 404


def test_a_shop_with_a_host_is_not_shown_at_anothers(browser: Browser, desk: Desk, make_tenant: MakeTenant) -> None:
    other = make_tenant()
    host = {"host": f"{desk.shop.tenant.slug}.example"}

    assert browser.http.get(f"/order/X?shop={desk.shop.tenant.slug}").status_code == 404
    assert browser.http.get(f"/order/X?shop={other.slug}", headers=host).status_code == 404


def test_its_pictures_are_found_by_anybody(browser: Browser, shop: Shop) -> None:
    shop.add("A")
    path = shaped(buy(shop, "A"))["line_items"][0]["image_url"].removeprefix("https://shop.example")

    assert browser.http.get(path).headers["content-type"].startswith("image/svg+xml")
    assert browser.http.get(path.replace(shop.tenant.slug, "nobody")).status_code == 404
