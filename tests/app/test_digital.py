"""Codes over HTTP: only staff bring them, and only who bought one reads it, on the order's page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import select

from app.identity import COOKIE, new_session
from engine.digital.delivering import deliver_due
from engine.digital.models import DigitalCode, DigitalDelivery
from tests.app.conftest import Browser, counted
from tests.engine.digital.goods import add_digital
from tests.engine.digital.test_delivering import bought
from tests.shop import Shop

MakeKey = Callable[..., str]
BASE = "/v1/staff/digital"


def test_only_staff_bring_codes_and_no_answer_holds_one(browser: Browser, shop: Shop, make_key: MakeKey) -> None:
    variant = add_digital(shop, "KEY", digital={"codes": True})
    path, body = f"{BASE}/pools/{variant}/codes", {"codes": ["AAAA-1111", "BBBB-2222"]}
    browser.start(shop.tenant)
    for headers in ({}, {"authorization": make_key(shop.tenant, "acp")}):
        assert browser.post(path, body, **headers).status_code == 403
    assert counted(shop, DigitalCode) == 0
    key = make_key(shop.tenant, "staff")
    made = browser.post(path, body, authorization=key)
    assert (made.status_code, made.json()["added"], made.json()["free"]) == (201, 2, 2)
    again = browser.post(path, {"codes": ["AAAA-1111"]}, authorization=key).json()
    assert (again["added"], again["known"]) == (0, 1)
    wrong = browser.post(path, {"codes": ["CCCC-3333", "D" * 501]}, authorization=key)
    gone = browser.post(f"{BASE}/pools/{variant}/withdrawals", {"units": 1}, authorization=key)
    pool = browser.get(f"{BASE}/pools/{variant}", authorization=key)
    assert (wrong.status_code // 100, gone.json()["free"], pool.json()["free"]) == (4, 1, 1)
    for answer in (made, wrong, gone, pool):
        assert not any(code in answer.text for code in ("AAAA", "BBBB", "CCCC", "DDDD"))


def test_the_orders_page_shows_it_to_its_buyer_alone(browser: Browser, shop: Shop, make_key: MakeKey) -> None:
    add_digital(
        shop, "BOOK", digital={"access_url": "https://read.example/{access}", "codes": True}, codes=["AAAA-1111"]
    )
    buyer, done = bought(shop, "BOOK")
    assert done.order is not None
    deliver_due(shop.runtime, shop.tenant.id)
    path = f"/order/{done.order.number}?shop={shop.tenant.slug}"
    assert "AAAA-1111" not in browser.http.get(path).text
    with shop.uow() as session:
        browser.http.cookies.set(COOKIE, new_session(session, buyer))
        delivery_id = session.scalars(select(DigitalDelivery.id)).one()
    page = browser.http.get(path).text
    key = page.partition("https://read.example/")[2].partition('"')[0]
    assert "AAAA-1111" in page
    staff = {"authorization": make_key(shop.tenant, "staff")}
    assert granted(browser, key, staff)["good"] is True
    revoked = browser.post(f"{BASE}/deliveries/{delivery_id}/revoke", {"reason": "charged back"}, **staff)
    assert revoked.status_code == 200
    assert granted(browser, key, staff)["good"] is False
    after = browser.http.get(path).text
    assert ("AAAA-1111" in after, "No longer valid" in after) == (False, True)


def granted(browser: Browser, key: str, staff: dict[str, Any]) -> dict[str, Any]:
    answer = browser.get(f"{BASE}/access/{key}", **staff)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())
