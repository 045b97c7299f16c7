"""``/v1/products`` as ARCHITECTURE §8 has it."""

from __future__ import annotations

import pytest

from tests.app.conftest import Browser
from tests.shop import Shop


@pytest.fixture
def stocked(browser: Browser, shop: Shop) -> Shop:
    for number in range(5):
        shop.add(
            f"TENT{number}",
            price=10_000 + number,
            stock={"EAST": number},
            category="tents",
            search_strong=f"number{number}",
        )
    browser.start(shop.tenant)
    return shop


def test_the_shape(browser: Browser, stocked: Shop) -> None:
    body = browser.get("/v1/products?limit=1").json()

    assert set(body) == {"items", "next_cursor"}
    [item] = body["items"]
    assert {"id", "title", "category", "description", "image", "price", "variants"} <= set(item)
    assert item["price"] == {"amount": 10_000, "currency": "USD"}
    assert set(item["variants"][0]) == {"id", "sku", "title", "options", "price", "available"}


def test_pages_follow_each_other(browser: Browser, stocked: Shop) -> None:
    skus, cursor = [], ""
    for _ in range(4):
        page = browser.get(f"/v1/products?limit=2{cursor}").json()
        skus += [variant["sku"] for item in page["items"] for variant in item["variants"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"

    assert skus == [f"TENT{number}" for number in range(5)]


def test_filters(browser: Browser, stocked: Shop) -> None:
    def skus(query: str) -> list[str]:
        items = browser.get(f"/v1/products?{query}").json()["items"]
        return [variant["sku"] for item in items for variant in item["variants"]]

    assert skus("max_price=10001") == ["TENT0", "TENT1"]
    assert skus("in_stock=true&max_price=10001") == ["TENT1"]
    assert len(skus("category=tents")) == 5
    assert skus("category=boats") == []
    assert skus("q=number3") == ["TENT3"]


def test_one_product_by_its_id_or_its_variants(browser: Browser, stocked: Shop) -> None:
    item = browser.get("/v1/products?limit=1").json()["items"][0]

    by_id = browser.get(f"/v1/products/{item['id']}").json()
    by_variant = browser.get(f"/v1/products/{item['variants'][0]['id']}").json()

    assert by_id == by_variant
    assert by_id["title"] == item["title"]


def test_cost_and_places_are_for_staff(browser: Browser, stocked: Shop, make_key) -> None:
    path = "/v1/products?q=number3"
    staff = {"authorization": make_key(stocked.tenant, "staff")}

    [seen] = browser.get(path, **staff).json()["items"][0]["variants"]

    assert seen["cost"] == {"amount": 5001, "currency": "USD"}
    assert {"code": "EAST", "on_hand": 3, "reserved": 0, "available": 3, "sellable": 3} in seen["locations"]
    for answer in (browser.get(path), browser.get(path, authorization=make_key(stocked.tenant, "acp"))):
        assert "cost" not in answer.text
        assert "EAST" not in answer.text
