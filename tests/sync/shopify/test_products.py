"""A platform's products in our catalog, and the look before one of them is sold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from engine.catalog import price_list
from engine.catalog.models import Product, ProductSource, Variant
from engine.checkout.claim import UNASKED
from engine.checkout.complete import Result, complete
from engine.db import Store
from engine.kit import clock
from engine.kit.audit import AuditRow
from engine.kit.outbox import OutboxRow
from engine.kit.tenancy import Tenant
from engine.payments.models import Payment
from engine.policies import set_policy
from engine.runtime import Runtime
from engine.sync import connections, exceptions, products
from engine.sync.connectors.shopify.connector import ShopifyStorefront
from engine.sync.products import Became, Platforms, Unfit
from engine.sync.sandbox import World, emitting
from engine.sync.sandbox.merchants import Merchant
from engine.workflows import products_pull
from engine.workflows.products_pull import PullProducts
from engine.workflows.rehearsal import rehearse
from tests.contracts.connectors.bench import START, bent, line_to
from tests.contracts.connectors.calls_shopify import BUNDLE, TENT, variant
from tests.shop import Shop, open_shop


@pytest.fixture
def ours(runtime: Runtime, tenant: Tenant, world: World) -> Shop:
    made = open_shop(runtime, tenant)
    made.runtime = replace(runtime, platforms=Platforms(line_to(world)))
    return made


def told_of(shop: ShopifyStorefront, merchant: Merchant, sku: str = TENT) -> Any:
    [found] = shop.products([str(variant(merchant, sku).product.id)])
    return found


def bring(ours: Shop, connection_id: str, told: Any) -> Became:
    with ours.uow() as session:
        connection = connections.get(session, ours.tenant.id, connection_id)
        return products.apply(session, ours.tenant.id, connection, told)


def row(ours: Shop, sku: str = TENT) -> tuple[Variant, Product]:
    with ours.uow() as session:
        found = session.query(Variant).filter(Variant.sku == sku).one()
        return found, session.get_one(Product, (ours.tenant.id, found.product_id))


def source(ours: Shop) -> ProductSource:
    with ours.uow() as session:
        found: ProductSource = session.query(ProductSource).one()
        return found


def test_what_was_ours_follows_in_its_prices_and_keeps_its_words(
    ours: Shop, shop: ShopifyStorefront, merchant: Merchant, connection_id: str
) -> None:
    ours.add(TENT, price=1, title="Our own words")
    told = told_of(shop, merchant)

    assert bring(ours, connection_id, told) == Became.LINKED
    found, product = row(ours)
    assert (found.price, product.title) == (variant(merchant, TENT).price, "Our own words")
    kept = source(ours)
    assert (kept.system, kept.source_id, kept.made_here) == ("shopify", told.source_id, True)
    assert (kept.changed_at, kept.images) == (told.updated_at, list(told.images))
    assert START <= kept.seen_at <= clock.now()
    assert bring(ours, connection_id, told) == Became.SAME


def test_what_is_new_comes_as_a_draft_with_its_words(
    ours: Shop, shop: ShopifyStorefront, merchant: Merchant, connection_id: str, world: World
) -> None:
    told = told_of(shop, merchant)
    assert bring(ours, connection_id, told) == Became.CREATED
    found, product = row(ours)
    assert (product.title, product.status, found.price) == (told.title, "draft", variant(merchant, TENT).price)
    options = next(one.options for one in told.variants if one.sku == TENT)
    assert (product.description, found.options) == (told.description, dict(options))
    with ours.uow() as session:
        skus = {sku for (sku,) in session.query(Variant.sku)}
    assert skus == {one.sku for one in told.variants}

    world.advance(timedelta(seconds=5))
    emitting.change_product(world, merchant, sku=TENT, title="Another name", price=12_345)
    assert bring(ours, connection_id, told_of(shop, merchant)) == Became.CHANGED
    found, product = row(ours)
    assert (product.title, found.price) == ("Another name", 12_345)
    assert bring(ours, connection_id, told) == Became.OLD
    assert row(ours)[0].price == 12_345


def test_what_cannot_be_ours_is_left_alone(
    ours: Shop, shop: ShopifyStorefront, merchant: Merchant, connection_id: str
) -> None:
    told = told_of(shop, merchant)
    odd = told.model_copy(update={"variants": (told.variants[0].model_copy(update={"sku": ""}),)})
    with pytest.raises(Unfit, match="no variant with a SKU"):
        bring(ours, connection_id, odd)
    ours.add("AAA-1")
    ours.add("BBB-1")
    two = [told.variants[0].model_copy(update={"sku": sku}) for sku in ("AAA-1", "BBB-1")]
    with pytest.raises(Unfit, match="of 2 products here"):
        bring(ours, connection_id, told.model_copy(update={"variants": tuple(two)}))
    foreign = told.model_copy(update={"currency": "EUR"})
    with pytest.raises(Unfit, match="priced in EUR"):
        bring(ours, connection_id, foreign)
    assert [row(ours, sku)[0].price for sku in ("AAA-1", "BBB-1")] == [5000, 5000]
    with ours.uow() as session:
        assert session.query(ProductSource).count() == 0


def test_what_is_taken_off_there_is_not_sold_here(
    ours: Shop, shop: ShopifyStorefront, merchant: Merchant, connection_id: str
) -> None:
    ours.add(TENT)
    told = told_of(shop, merchant)
    bring(ours, connection_id, told.model_copy(update={"active": False}))
    assert row(ours)[1].status == "archived"
    bring(ours, connection_id, told)
    assert row(ours)[1].status == "active"


def test_a_pull_brings_all_and_then_what_changed(
    ours: Shop, merchant: Merchant, connection_id: str, world: World, hands: clock.OwnClock
) -> None:
    def pull(mark: str, since: str = "") -> dict[str, Any]:
        payload = PullProducts(connection_id=connection_id, mark=mark, since=since)
        done = rehearse(
            ours.runtime, ours.tenant.id, products_pull.WORKFLOW, payload, transport=line_to(world), hands=hands
        )
        assert (done.row().status, done.row().error) == ("done", "")
        return done.result

    assert pull("one") == {"created": len(merchant.shop.state.products), "unfit": 0, "refused": {}}
    moment = clock.now() + timedelta(minutes=5)
    world.advance(timedelta(minutes=10))
    emitting.change_product(world, merchant, sku=TENT, price=777)
    assert pull("two", moment.isoformat()) == {"changed": 1, "unfit": 0, "refused": {}}
    assert row(ours)[0].price == 777
    assert row(ours, BUNDLE)[1].status == "draft"


def asked(ours: Shop, sku: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Result, list[str]]:
    """What came of buying it, and what of the database was asked."""
    buyer = ours.shopper()
    card = ours.approved(buyer, sku)
    calls: list[str] = []
    asking, work = Store.asking, Store.unit_of_work

    def noted(name: str, does: Callable[..., Any]) -> Callable[..., Any]:
        def doing(*args: Any, **how: Any) -> Any:
            calls.append(name)
            return does(*args, **how)

        return doing

    with monkeypatch.context() as patch:
        patch.setattr(Store, "asking", noted("ask", asking))
        patch.setattr(Store, "unit_of_work", noted("work", work))
        return complete(ours.runtime, buyer, card).result, calls


def linked(ours: Shop, shop: ShopifyStorefront, merchant: Merchant, connection_id: str) -> None:
    ours.add(TENT)
    ours.add("OWN-1")
    bring(ours, connection_id, told_of(shop, merchant))


def platform_calls(world: World) -> int:
    return sum(one.operation == "products" for one in world.ground.journal.entries(system="shopify"))


def test_an_ordinary_sale_and_a_fresh_one_ask_nobody(
    ours: Shop,
    shop: ShopifyStorefront,
    merchant: Merchant,
    connection_id: str,
    world: World,
    hands: clock.OwnClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    linked(ours, shop, merchant, connection_id)
    before = platform_calls(world)
    assert asked(ours, TENT, monkeypatch) == (Result.PAID, ["ask", "ask", "ask"])
    hands.move(timedelta(hours=3))
    assert asked(ours, "OWN-1", monkeypatch) == (Result.PAID, ["ask", "ask", "ask"])
    assert platform_calls(world) == before


def test_what_is_stale_is_looked_at_and_sold_where_it_is_the_same(
    ours: Shop,
    shop: ShopifyStorefront,
    merchant: Merchant,
    connection_id: str,
    hands: clock.OwnClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    linked(ours, shop, merchant, connection_id)
    hands.move(timedelta(hours=3))
    result, calls = asked(ours, TENT, monkeypatch)
    assert (result, calls[0], calls[-3:]) == (Result.PAID, "ask", ["ask", "ask", "ask"])
    assert source(ours).seen_at >= START + timedelta(hours=3)
    assert asked(ours, TENT, monkeypatch)[1] == ["ask", "ask", "ask"]  # it is fresh again


def test_a_price_that_changed_there_is_not_charged_unseen(
    ours: Shop,
    shop: ShopifyStorefront,
    merchant: Merchant,
    connection_id: str,
    world: World,
    hands: clock.OwnClock,
) -> None:
    linked(ours, shop, merchant, connection_id)
    buyer = ours.shopper()
    hands.move(timedelta(hours=3))
    card = ours.approved(buyer, TENT)
    world.advance(timedelta(hours=3))
    emitting.change_product(world, merchant, sku=TENT, price=99_900)

    result = complete(ours.runtime, buyer, card).result

    assert result != Result.PAID
    assert row(ours)[0].price == 99_900
    with ours.uow() as session:
        assert session.query(Payment).count() == 0


@pytest.mark.parametrize("sells", [False, True])
@pytest.mark.parametrize("kind", ["http_503", "auth_expired", "timeout_before_commit"])
def test_what_is_stale_and_cannot_be_asked_for_is_sold_where_the_shop_says_so(
    ours: Shop,
    shop: ShopifyStorefront,
    merchant: Merchant,
    connection_id: str,
    hands: clock.OwnClock,
    put: Callable[..., Any],
    kind: str,
    sells: bool,
) -> None:
    linked(ours, shop, merchant, connection_id)
    with ours.uow() as session:
        set_policy(session, ours.tenant.id, "catalog", {"platform_sells_unasked": sells}, actor="test")
    hands.move(timedelta(minutes=61))
    put(kind, times=9)
    buyer = ours.shopper()
    card = ours.approved(buyer, TENT)

    done = complete(ours.runtime, buyer, card)

    wanted = (Result.PAID, 1) if sells else (Result.CHANGED, 0)
    assert START <= source(ours).seen_at < START + timedelta(minutes=1)
    with ours.uow() as session:
        assert (done.result, session.query(Payment).count()) == wanted
    assert sells or done.message == UNASKED.format(f"Thing {TENT}")


def test_a_throttled_platform_is_waited_for_a_second_at_most(
    ours: Shop,
    shop: ShopifyStorefront,
    merchant: Merchant,
    connection_id: str,
    hands: clock.OwnClock,
    put: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("engine.sync.products.time.sleep", slept.append)
    linked(ours, shop, merchant, connection_id)
    hands.move(timedelta(minutes=61))
    rule = put("throttled_points", match={"operation": "products"}, times=99)
    buyer = ours.shopper()
    card = ours.approved(buyer, TENT)

    assert complete(ours.runtime, buyer, card).result == Result.CHANGED

    assert 1 <= rule.struck <= 2
    assert sum(slept) <= 1.0
    put("throttled_points", match={"operation": "nothing"})
    again = ours.card(buyer)
    ours.approve(buyer, again.id)
    assert complete(ours.runtime, buyer, again.id).result == Result.PAID


def test_a_platform_that_was_disconnected_is_asked_no_more(
    ours: Shop, shop: ShopifyStorefront, merchant: Merchant, connection_id: str, hands: clock.OwnClock, world: World
) -> None:
    linked(ours, shop, merchant, connection_id)
    with ours.uow() as session:
        connections.close(session, ours.tenant.id, connection_id, actor="test", reason="moved")
    hands.move(timedelta(hours=3))
    before = platform_calls(world)
    buyer = ours.shopper()
    assert complete(ours.runtime, buyer, ours.approved(buyer, TENT)).result == Result.PAID
    assert platform_calls(world) == before


def test_what_cannot_be_read_there_is_not_sold_and_not_taken_for_gone(
    ours: Shop, shop: ShopifyStorefront, merchant: Merchant, connection_id: str, hands: clock.OwnClock, world: World
) -> None:
    linked(ours, shop, merchant, connection_id)
    ours.runtime = replace(ours.runtime, platforms=Platforms(bent(line_to(world), lambda said: untitled(said, TENT))))
    hands.move(timedelta(hours=3))
    buyer = ours.shopper()
    assert complete(ours.runtime, buyer, ours.approved(buyer, TENT)).result == Result.CHANGED
    assert row(ours)[1].status == "active"


def untitled(said: Any, sku: str) -> None:
    """The product of a SKU has no title any more."""
    for one in ((said.get("data") or {}).get("products") or {}).get("nodes", ()):
        if any(variant["sku"] == sku for variant in one["variants"]["nodes"]):
            one["title"] = None


def test_a_price_in_another_currency_is_listed_in_it(
    ours: Shop, shop: ShopifyStorefront, merchant: Merchant, connection_id: str
) -> None:
    variant_id = ours.add(TENT, price=4_000)
    told = told_of(shop, merchant).model_copy(update={"currency": "EUR"})
    assert bring(ours, connection_id, told) == Became.LINKED
    with ours.uow() as session:
        assert price_list.listed(session, ours.tenant.id).items == []  # the shop does not sell in it
        set_policy(session, ours.tenant.id, "catalog", {"currencies": ["EUR"]}, actor="test")

    assert bring(ours, connection_id, told) == Became.CHANGED
    assert bring(ours, connection_id, told) == Became.SAME

    amount = variant(merchant, TENT).price
    said = {"variant_id": variant_id, "currency": "EUR", "from": None, "to": amount}
    with ours.uow() as session:
        [listed] = price_list.listed(session, ours.tenant.id).items
        assert (listed.price.amount, listed.price.currency, listed.status) == (amount, "EUR", "in_force")
        acts = session.query(AuditRow).filter(AuditRow.subject == variant_id).all()
        events = session.query(OutboxRow).filter(OutboxRow.topic == "catalog.price_changed").all()
    assert [{**one.facts, "price_id": ""} for one in acts] == [said | {"price_id": ""}]
    assert [{name: one.payload[name] for name in said} for one in events] == [said]
    assert row(ours)[0].price == 4_000


def test_a_sku_that_stands_twice_prices_nothing(
    ours: Shop, shop: ShopifyStorefront, merchant: Merchant, connection_id: str
) -> None:
    ours.add(TENT, price=4_000)
    told = told_of(shop, merchant)
    mine = next(one for one in told.variants if one.sku == TENT)
    twice = told.model_copy(update={"variants": (mine, mine.model_copy(update={"price": 1}))})
    for _ in range(2):  # not linked, and linked
        with pytest.raises(Unfit, match=f"Several of its variants have the SKU {TENT}"):
            bring(ours, connection_id, twice)
        assert bring(ours, connection_id, told) in {Became.LINKED, Became.SAME}
    assert row(ours)[0].price == mine.price
    bring(ours, connection_id, twice.model_copy(update={"active": False}))
    assert (row(ours)[0].price, row(ours)[1].status) == (1, "archived")


def test_a_second_product_of_the_same_skus_takes_nothing_over(
    ours: Shop, shop: ShopifyStorefront, merchant: Merchant, connection_id: str
) -> None:
    ours.add(TENT)
    told = told_of(shop, merchant)
    bring(ours, connection_id, told)
    with pytest.raises(Unfit, match=f"follows {told.source_id} already"):
        bring(ours, connection_id, told.model_copy(update={"source_id": "77"}))
    assert source(ours).source_id == told.source_id


def test_what_cannot_be_ours_stops_no_pull_and_is_told(
    ours: Shop, merchant: Merchant, connection_id: str, world: World, hands: clock.OwnClock
) -> None:
    products_there = merchant.shop.state.products
    unreadable = variant(merchant, TENT).product
    first, second, *_ = (one for one in products_there.values() if one is not unreadable)
    second.variants[0].sku = first.variants[0].sku
    payload = PullProducts(connection_id=connection_id, mark="one")
    line = bent(line_to(world), lambda said: untitled(said, TENT))

    done = rehearse(ours.runtime, ours.tenant.id, products_pull.WORKFLOW, payload, transport=line, hands=hands)

    assert (done.row().status, done.result["unfit"]) == ("done", 2)
    assert done.result["created"] == len(products_there) - 2
    wanted = {
        str(second.id): f"What has its SKUs here follows {first.id} already.",
        str(unreadable.id): "The shop's answer is not what its schema promises. title: Input should be a valid string.",
    }
    assert done.result["refused"] == wanted
    with ours.uow() as session:
        [told] = exceptions.listed(session, ours.tenant.id).items
    assert {one["path"]: one["message"] for one in told.fields} == {f"products.{k}": why for k, why in wanted.items()}


def test_what_is_gone_there_is_not_sold(
    ours: Shop, shop: ShopifyStorefront, merchant: Merchant, connection_id: str, hands: clock.OwnClock
) -> None:
    linked(ours, shop, merchant, connection_id)
    hands.move(timedelta(hours=3))
    buyer = ours.shopper()
    card = ours.approved(buyer, TENT)
    state = merchant.shop.state
    del state.products[variant(merchant, TENT).product.id]
    assert complete(ours.runtime, buyer, card).result != Result.PAID
    assert row(ours)[1].status == "archived"
