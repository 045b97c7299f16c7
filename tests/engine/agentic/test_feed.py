"""Products for platforms: every line is the official schema's, and a platform's copy is kept through its own API."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, update

from engine.agentic import feed, feed_push, receivers
from engine.agentic.feed_push import FeedRefused, Pushed
from engine.agentic.webhook_models import ProductFeed
from engine.catalog.models import Product, Variant
from engine.catalog.shop_file import StockPolicy
from engine.kit.errors import InvalidInput, NotFound
from engine.kit.ids import new_id
from engine.kit.outward import AddressRefused, Outward
from engine.kit.tenancy import Tenant
from tests.app.acp.official import no_nulls, valid
from tests.engine.agentic.platform_orders import ORIGIN, platform
from tests.engine.inventory.stocked import set_variant
from tests.engine.orders.desk import sibling
from tests.receiver import Heard, Receiver, Says, receiving
from tests.shop import Shop, new_product

SCHEMA = "schema.feed.json"


def lines(shop: Shop, country: str | None = None) -> list[dict[str, Any]]:
    with shop.uow() as session:
        wanted = feed.feed_of(session, shop.tenant.id, country, web_origin=ORIGIN)
        found = list(feed.products(session, wanted))
    for one in found:
        valid("Product", one, file=SCHEMA)
        no_nulls(one)
    return found


def test_a_product_with_its_variants(shop: Shop) -> None:
    shop.add("A", price=5000, stock={"EAST": 10})
    sibling(shop, "A", "A2", price=6000, units=3)
    with shop.uow() as session:
        tenant = session.get_one(Tenant, shop.tenant.id)
        tenant.settings = tenant.settings | {"privacy_policy_url": "https://shop.example/privacy", "faq_url": "no"}
    (one,) = lines(shop)

    assert one["title"] == "Thing A"
    assert one["description"] == {"plain": "A thing."}
    assert one["media"] == [
        {
            "type": "image",
            "url": f"{ORIGIN}/media/products/{one['id']}.svg?shop={shop.tenant.slug}",
            "alt_text": "Thing A",
        }
    ]
    first, second = one["variants"]
    assert (first["id"], first["price"]) == (shop.variants["A"], {"amount": 5000, "currency": "USD"})
    assert first["availability"] == {"available": True, "status": "in_stock"}
    assert second["availability"] == {"available": True, "status": "limited_stock"}
    assert second["variant_options"] == [{"name": "kind", "value": "A2"}]
    assert first["categories"] == [{"value": "things", "taxonomy": "merchant"}]
    links = [{"type": "privacy_policy", "url": "https://shop.example/privacy"}]
    assert first["seller"] == {"name": "Test Shop", "links": links}


@pytest.mark.parametrize(
    ("units", "policy", "told"),
    [
        (6, StockPolicy.DENY, (True, "in_stock")),
        (5, StockPolicy.DENY, (True, "limited_stock")),
        (0, StockPolicy.DENY, (False, "out_of_stock")),
        (0, StockPolicy.BACKORDER, (True, "backorder")),
        (0, StockPolicy.PREORDER, (True, "preorder")),
        (0, StockPolicy.UNTRACKED, (True, "in_stock")),
    ],
)
def test_availability(units: int, policy: StockPolicy, told: tuple[bool, str]) -> None:
    assert feed.availability(units, policy) == {"available": told[0], "status": told[1]}


def test_stock_that_is_waited_for_is_said(shop: Shop) -> None:
    shop.add("A", stock={})
    set_variant(shop, "A", stock_policy="backorder")

    assert lines(shop)[0]["variants"][0]["availability"]["status"] == "backorder"


def many(shop: Shop, products: int, variants: int) -> None:
    with shop.uow() as session:
        for number in range(products):
            product = new_product(shop.tenant.id, f"P{number}", position=number)
            session.add(product)
            session.flush()
            for place in range(variants):
                session.add(
                    Variant(
                        tenant_id=shop.tenant.id,
                        id=new_id("variant"),
                        product_id=product.id,
                        sku=f"P{number}-{place}",
                        title=product.title,
                        options={"size": str(place)},
                        price=100,
                        cost=50,
                        weight_g=1,
                        length_mm=1,
                        width_mm=1,
                        height_mm=1,
                    )
                )


def test_more_than_a_page_comes_whole_and_once(shop: Shop) -> None:
    many(shop, 2 * feed.PAGE + 3, 2)
    found = lines(shop)

    assert len({one["id"] for one in found}) == len(found) == 2 * feed.PAGE + 3
    assert sum(len(one["variants"]) for one in found) == 4 * feed.PAGE + 6


class Double:
    """A platform's feed API, as the official document describes it."""

    def __init__(self) -> None:
        self.feeds: dict[str, dict[str, Any]] = {}
        self.trouble: list[int] = []

    def __call__(self, heard: Heard) -> Says:
        if self.trouble:
            return Says(self.trouble.pop(0), b'{"type":"invalid_request","code":"x","message":"secret words"}')
        if heard.method == "POST":
            valid("CreateFeedRequest", heard.json, file=SCHEMA)
            made = f"feed/{len(self.feeds) + 1}"
            self.feeds[made] = {}
            return Says(201, json.dumps({"id": made}).encode())
        valid("UpsertProductsRequest", heard.json, file=SCHEMA)
        name = heard.path.removeprefix("/api/feeds/").removesuffix("/products").replace("%2F", "/")
        if name not in self.feeds:
            return Says(404, b"{}")
        self.feeds[name] |= {one["id"]: one for one in heard.json["products"]}
        return Says(200, json.dumps({"id": name, "accepted": True}).encode())


def open_feed(shop: Shop, there: Receiver, **more: str) -> str:
    buyer = platform(shop)
    with shop.uow() as session:
        row = receivers.find(session, shop.tenant.id, buyer.id)
        url = more.get("url", f"{there.url}/api/")
        feed_push.set_feed(
            session, shop.runtime, row, country=more.get("country", "US"), api_url=url, token="sesame", actor="test"
        )
    return buyer.id


def push(shop: Shop, platform_id: str, **more: Any) -> Pushed:
    return feed_push.push(shop.runtime, shop.tenant.id, platform_id, wait=lambda _: None, **more)


def test_a_feed_is_made_once_and_told_of_everything(shop: Shop) -> None:
    many(shop, feed_push.BATCH + 2, 1)
    double = Double()
    with receiving(says=double) as there:
        platform_id = open_feed(shop, there)
        assert push(shop, platform_id) == Pushed("feed/1", feed_push.BATCH + 2, 0)
        with shop.uow() as session:
            session.execute(update(Product).where(Product.slug == "p1").values(status="archived"))
        assert push(shop, platform_id) == Pushed("feed/1", feed_push.BATCH + 1, 1)
        told = double.feeds["feed/1"]
        assert len(told) == feed_push.BATCH + 2
        over = [one for one in told.values() if one["variants"][0]["availability"]["status"] == "discontinued"]
        assert len(over) == 1
        assert [heard.method for heard in there.heard] == ["POST", "PATCH", "PATCH", "PATCH", "PATCH", "PATCH"]
        assert {heard.headers["authorization"] for heard in there.heard} == {"Bearer sesame"}
        assert {heard.headers["api-version"] for heard in there.heard} == {"2026-04-17"}
    with shop.uow() as session:
        row = session.scalars(select(ProductFeed)).one()
        assert (row.remote_id, row.products, row.pushed_at is not None) == ("feed/1", feed_push.BATCH + 1, True)
        assert b"sesame" not in (row.token_sealed or b"")


def test_trouble_that_passes_is_waited_for(shop: Shop) -> None:
    shop.add("A")
    double = Double()
    double.trouble = [503, 429]
    with receiving(says=double) as there:
        assert push(shop, open_feed(shop, there)).products == 1


@pytest.mark.parametrize("trouble", [[503] * 4, [400]])
def test_trouble_that_stays_ends_the_push_without_its_words(shop: Shop, trouble: list[int]) -> None:
    shop.add("A")
    double = Double()
    double.trouble = trouble
    with receiving(says=double) as there:
        platform_id = open_feed(shop, there)
        with pytest.raises(FeedRefused) as no:
            push(shop, platform_id)

    assert "secret" not in str(no.value)


def test_a_feed_that_the_platform_has_forgotten_is_made_anew(shop: Shop) -> None:
    shop.add("A")
    double = Double()
    with receiving(says=double) as there:
        platform_id = open_feed(shop, there)
        push(shop, platform_id)
        double.feeds.clear()
        assert push(shop, platform_id).products == 1
        assert len(double.feeds) == 1


def test_only_addresses_that_may_be_called(shop: Shop) -> None:
    with receiving() as there:
        for url in ("http://shop.example", "https://10.0.0.1:22", f"{there.url}/#x"):
            with pytest.raises(AddressRefused):
                open_feed(shop, there, url=url)
        for wrong in ({"country": "us"}, {"url": f"{there.url}/?a=b"}):
            with pytest.raises(InvalidInput):
                open_feed(shop, there, **wrong)
        platform_id = open_feed(shop, there, url="https://feeds.example")
        with pytest.raises(NotFound):
            push(shop, platform_id, country="DE")
        inside = replace(shop.runtime, outward=Outward(resolve=lambda *_: ["10.0.0.1"]))
        with pytest.raises(AddressRefused):
            feed_push.push(inside, shop.tenant.id, platform_id, wait=lambda _: None)

    assert there.heard == []


def test_a_token_goes_to_nobody_but_whom_it_was_given_for(shop: Shop) -> None:
    shop.add("A")
    with receiving(says=Double()) as there, receiving(says=Double()) as elsewhere:
        platform_id = open_feed(shop, there)
        for url, known in ((f"{there.url}/api/v2", True), (f"{elsewhere.url}/api", False)):
            with shop.uow() as session:
                row = receivers.find(session, shop.tenant.id, platform_id)
                feed_push.set_feed(session, shop.runtime, row, country="US", api_url=url, token="", actor="test")
            with shop.uow() as session:
                kept = session.scalars(select(ProductFeed)).one()
                assert ((kept.token_sealed is not None), kept.remote_id) == (known, None)
        push(shop, platform_id)
        assert elsewhere.heard
        assert not any("authorization" in heard.headers for heard in elsewhere.heard)
