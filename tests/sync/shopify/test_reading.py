"""A shop's words in canonical ones: money, what may be missing, and that both tellings of an order are one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.sync.canonical import OrderCreated, Product, Settlement
from engine.sync.connectors.shopify import reading
from engine.sync.connectors.shopify.connector import ShopifyStorefront
from engine.sync.errors import Rejected
from engine.sync.sandbox import World, emitting
from engine.sync.sandbox.merchants import Merchant
from engine.sync.sandbox.shopify import changing
from engine.sync.sandbox.shopify.bodies import order_body, product_body, refund_body
from engine.sync.sandbox.shopify.state import Order
from tests.contracts.connectors.bench import START
from tests.contracts.connectors.calls_shopify import BUNDLE, TENT, basket, money, variant


def place(world: World, merchant: Merchant, **more: Any) -> Order:
    return emitting.place_order(world, merchant, basket(merchant, **more))


def take_back(merchant: Merchant, order: Order, quantity: int = 1) -> Any:
    merchant.shop.begin_act()
    given = {
        "orderId": order.gid,
        "refundLineItems": [{"lineItemId": order.lines[0].gid, "quantity": quantity, "restockType": "CANCEL"}],
        "transactions": [{"amount": "50.00", "gateway": "bogus", "kind": "REFUND", "orderId": order.gid}],
    }
    return changing.refund_create(merchant.shop, {"input": given})["refund"]


@pytest.mark.parametrize(
    ("text", "currency", "wanted"),
    [("129.90", "USD", 12990), ("0.00", "USD", 0), ("1200", "JPY", 1200), ("1.005", "KWD", 1005), ("7", "EUR", 700)],
)
def test_money_is_whole_minor_units(text: str, currency: str, wanted: int) -> None:
    assert reading.minor(text, currency) == wanted


@pytest.mark.parametrize(("text", "currency"), [("1.005", "USD"), ("NaN", "USD"), ("x", "USD"), ("1", "XXX"), ("", "")])
def test_what_is_no_amount_is_refused(text: str, currency: str) -> None:
    with pytest.raises(Rejected):
        reading.minor(text, currency)


def test_an_order_adds_up(shop: ShopifyStorefront, world: World, merchant: Merchant) -> None:
    order = place(world, merchant)

    found = shop.order(str(order.id))

    tent, engraving = found.lines
    assert (tent.sku, tent.quantity, tent.unit_price) == (TENT, 2, variant(merchant, TENT).price)
    assert (engraving.sku, engraving.unit_price, engraving.requires_shipping) == ("", 1250, False)
    assert tent.discount + engraving.discount == found.discount > 0
    goods = sum(one.unit_price * one.quantity for one in found.lines)
    assert found.total == goods - found.discount + found.tax + 795
    assert [(one.code, one.price, one.discount) for one in found.shipping] == [("standard", 795, 0)]
    assert [(one.gateway, one.amount) for one in found.payments] == [("bogus", 10000)]
    assert (found.source_ref, found.key) == (order.name, f"shopify:{merchant.credentials.shop_domain}:{order.id}")
    assert found.ship_to is not None
    assert (found.ship_to.name, found.ship_to.region, found.ship_to.country) == ("Maya Lindqvist", "CO", "US")


@pytest.mark.parametrize("after", ["placed", "taken back", "canceled"])
def test_both_tellings_are_one(shop: ShopifyStorefront, world: World, merchant: Merchant, after: str) -> None:
    order = place(world, merchant)
    if after == "taken back":
        take_back(merchant, order)
    if after == "canceled":
        emitting.cancel_order(world, merchant, order.name)

    [told] = shop.read("orders/updated", json.dumps(order_body(order)).encode())
    asked = shop.order(str(order.id))

    assert isinstance(told, OrderCreated)
    out = {"raw", "payments", "refunded"}  # a letter knows no money that moved
    assert told.model_dump(exclude=out) == asked.model_dump(exclude=out)
    assert asked.lines[0].quantity == {"placed": 2, "taken back": 1, "canceled": 0}[after]


def test_what_is_left_of_a_line_has_its_part_of_discount_and_tax(
    shop: ShopifyStorefront, world: World, merchant: Merchant
) -> None:
    order = place(world, merchant)
    whole = shop.order(str(order.id)).lines[0]

    take_back(merchant, order)

    left = shop.order(str(order.id)).lines[0]
    assert (left.quantity, left.discount, left.tax) == (1, whole.discount // 2, whole.tax // 2)


def test_nobodys_order_is_an_order(shop: ShopifyStorefront, world: World, merchant: Merchant) -> None:
    lines = [
        {"title": "Gift wrap", "quantity": 3, "priceSet": {"shopMoney": {"amount": "1.00", "currencyCode": "USD"}}}
    ]
    order = emitting.place_order(world, merchant, {"lineItems": lines})
    for found in (shop.order(str(order.id)), *shop.read("orders/create", json.dumps(order_body(order)).encode())):
        assert isinstance(found, OrderCreated)
        assert (found.buyer.source_id, found.buyer.email, found.ship_to, found.bill_to) == (None, "", None, None)
        assert (found.lines[0].sku, found.total, found.payments) == ("", 300, ())


def test_a_native_bundle_comes_as_its_parts(shop: ShopifyStorefront, world: World, merchant: Merchant) -> None:
    lines = [{"variantId": variant(merchant, BUNDLE).gid, "quantity": 1}]
    order = emitting.place_order(world, merchant, {"lineItems": lines})
    found = shop.order(str(order.id))
    assert {one.bundle_parent for one in found.lines} == {BUNDLE}
    assert BUNDLE not in {one.sku for one in found.lines}


def test_money_that_came_and_went(shop: ShopifyStorefront, world: World, merchant: Merchant) -> None:
    order = place(world, merchant)
    refund = take_back(merchant, order)

    came, went = shop.settlements(str(order.id))

    assert (came.amount, came.refund, came.order_ref, came.order_id) == (10000, False, order.name, str(order.id))
    assert (went.amount, went.refund, went.currency) == (5000, True, "USD")
    [told] = shop.read("refunds/create", json.dumps(refund_body(refund)).encode())
    assert isinstance(told, Settlement)
    assert (told.charge_id, told.amount, told.refund) == (went.charge_id, 5000, True)


def test_a_product_says_what_it_is(shop: ShopifyStorefront, merchant: Merchant) -> None:
    product = variant(merchant, TENT).product
    product.description_html = "<p>Two people.</p><ul><li>1.4&nbsp;kg</li></ul><script>x()</script>"
    [asked] = shop.products([str(product.id), "1"])
    [told] = shop.read("products/update", json.dumps(product_body(product, "USD")).encode())

    assert isinstance(told, Product)
    assert asked.description == told.description == "Two people.\n1.4 kg"
    assert [one.price for one in asked.variants] == [one.price for one in told.variants]
    assert [one.inventory_item_id for one in asked.variants] == [str(one.item_id) for one in product.variants]
    assert (asked.title, asked.currency, asked.active) == (product.title, "USD", True)


@pytest.mark.parametrize("topic", ["app/uninstalled", "inventory_levels/update", "products/delete"])
def test_what_says_nothing_to_us(shop: ShopifyStorefront, topic: str) -> None:
    assert shop.read(topic, b'{"id": 1}') == []


def test_more_ways_of_shipping_than_a_page_holds_are_all_charged(
    shop: ShopifyStorefront, world: World, merchant: Merchant
) -> None:
    ways = [{"code": f"way-{n}", "title": "Way", "priceSet": money(f"{n}.00")} for n in range(1, 6)]
    order = place(world, merchant, shippingLines=ways)

    found = shop.order(str(order.id))

    assert [(one.code, one.price) for one in found.shipping] == [(f"way-{n}", n * 100) for n in range(1, 6)]
    [told] = shop.read("orders/updated", json.dumps(order_body(order)).encode())
    assert isinstance(told, OrderCreated)
    assert (told.shipping, told.total) == (found.shipping, found.total)
    assert [one.shipping for one in shop.orders_since(START)] == [found.shipping]


def test_a_refund_to_several_ways_of_paying_is_all_of_it(
    shop: ShopifyStorefront, world: World, merchant: Merchant
) -> None:
    body = refund_body(take_back(merchant, place(world, merchant)))
    [card] = body["transactions"]
    gift = card | {"id": card["id"] + 1, "gateway": "gift_card", "amount": "7.50"}
    failed, nothing = card | {"id": 8, "status": "failure"}, card | {"id": 9, "amount": "0.00"}

    told = shop.read("refunds/create", json.dumps(body | {"transactions": [card, gift, failed, nothing]}).encode())

    assert [(one.source_id, one.gateway, one.amount) for one in told if isinstance(one, Settlement)] == [
        (str(card["id"]), "bogus", 5000),
        (str(card["id"] + 1), "gift_card", 750),
    ]
    assert shop.read("refunds/create", json.dumps(body | {"transactions": []}).encode()) == []
