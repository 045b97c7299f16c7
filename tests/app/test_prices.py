"""Prices over HTTP: staff set, schedule and end them; shoppers ask in a currency."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from engine.catalog.models import ListedPrice
from engine.kit import clock
from tests.app.conftest import Browser, counted
from tests.currencies import sell_in
from tests.shop import Shop

PATH = "/v1/staff/prices"


@pytest.fixture
def key(shop: Shop, make_key) -> str:
    shop.add("A", price=5000)
    return str(make_key(shop.tenant, "staff"))


def put(browser: Browser, key: str, *prices: dict[str, Any], idempotency: str = "p-1") -> Any:
    headers = {"Idempotency-Key": idempotency, "Authorization": key}
    return browser.http.put(PATH, json={"prices": list(prices)}, headers=headers)


def test_set_schedule_list_and_end(browser: Browser, shop: Shop, key: str) -> None:
    now = clock.now()
    sale = {"sku": "A", "amount": 4000, "compare_at": 5000, "ends_at": (now + timedelta(hours=1)).isoformat()}
    answer = put(browser, key, {"sku": "A", "amount": 4600, "currency": "EUR"}, sale, {"sku": "A", "amount": 4900})
    assert answer.status_code == 200, answer.text
    euros, dollars, own = answer.json()["items"]
    assert (euros["price"], euros["status"]) == ({"amount": 4600, "currency": "EUR"}, "in_force")
    assert (dollars["compare_at"], dollars["status"]) == ({"amount": 5000, "currency": "USD"}, "in_force")
    assert (own["id"], own["price"]["amount"]) == (None, 4900)
    again = put(browser, key, {"sku": "A", "amount": 4600, "currency": "EUR"}, sale, {"sku": "A", "amount": 4900})
    assert (again.json(), counted(shop, ListedPrice)) == (answer.json(), 2)

    listed = browser.get("/v1/prices?currency=EUR&status=in_force", authorization=key).json()
    assert ([row["id"] for row in listed["items"]], listed["next_cursor"]) == ([euros["id"]], None)
    ended = browser.post(f"{PATH}/{euros['id']}/end", authorization=key)
    assert (ended.status_code, ended.json()["status"]) == (200, "ended")
    over = browser.post(f"{PATH}/{euros['id']}/end", authorization=key)
    assert (over.status_code, over.json()["code"]) == (409, "price_over")


def test_nobody_else_sees_or_sets_them(browser: Browser, shop: Shop, key: str, make_key) -> None:
    assert key
    browser.start(shop.tenant)
    for other in ("", make_key(shop.tenant, "acp")):
        headers = {"Idempotency-Key": "x"} | ({"Authorization": other} if other else {})
        answer = browser.http.put(PATH, json={"prices": [{"sku": "A", "amount": 1}]}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert browser.http.get("/v1/prices", headers=headers).status_code == 403
        assert browser.http.post(f"{PATH}/prc_x/end", json={}, headers=headers).status_code == 403
    assert counted(shop, ListedPrice) == 0


@pytest.mark.parametrize(
    "bad",
    [
        {"amount": 1.5},
        {"amount": -1},
        {"amount": "5"},
        {"amount": 5, "currency": "eur"},
        {"amount": 5, "currency": "XXX"},
        {"amount": 5, "ends_at": "2020-01-01T00:00:00Z"},
        {"amount": 5, "starts_at": "2026-01-01T00:00:00"},
        {"amount": 5, "converted_from": "USD"},
    ],
)
def test_what_cannot_be_changes_nothing(browser: Browser, shop: Shop, key: str, bad: dict[str, Any]) -> None:
    answer = put(browser, key, {"sku": "A", "amount": 1, "currency": "GBP"}, {"sku": "A"} | bad)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert counted(shop, ListedPrice) == 0


def test_products_and_the_cart_in_a_currency(browser: Browser, shop: Shop, key: str) -> None:
    shop.add("B", price=7000)
    sell_in(shop, "EUR")
    assert put(browser, key, {"sku": "A", "amount": 4600, "currency": "EUR"}).status_code == 200
    browser.start(shop.tenant)
    shown = browser.get("/v1/products?currency=EUR").json()["items"]
    assert [item["price"] for item in shown] == [{"amount": 4600, "currency": "EUR"}]
    assert [item["price"]["amount"] for item in browser.get("/v1/products").json()["items"]] == [5000, 7000]
    one = f"/v1/products/{shop.variants['A']}"
    assert browser.get(f"{one}?currency=EUR").json()["price"]["amount"] == 4600
    assert browser.get(f"/v1/products/{shop.variants['B']}?currency=EUR").status_code == 404
    for path in ("/v1/products?currency=GBP", f"{one}?currency=GBP"):
        answer = browser.get(path)
        assert (answer.status_code, answer.json()["code"]) == (400, "currency_not_sold")
    assert browser.get("/v1/products?currency=euro").json()["code"] == "invalid_request"

    assert browser.get("/v1/cart").json()["total"] == {"amount": 0, "currency": "USD"}
    changed = browser.post("/v1/cart/currency", {"currency": "EUR"})
    assert (changed.status_code, changed.json()["total"]) == (200, {"amount": 0, "currency": "EUR"})
    refused = browser.post("/v1/cart/currency", {"currency": "GBP"})
    assert (refused.status_code, refused.json()["code"]) == (400, "currency_not_sold")
    assert browser.get("/v1/cart").json()["total"]["currency"] == "EUR"


@pytest.mark.parametrize("currency", ["XXX", "ZZZ"])
def test_a_gift_card_in_a_currency_there_is_not(browser: Browser, shop: Shop, make_key, currency: str) -> None:
    admin = make_key(shop.tenant, "staff", "admin")
    answer = browser.post("/v1/staff/gift-cards", {"amount": 100, "currency": currency}, authorization=admin)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
