"""What a shop of Shopify is asked, and a letter of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import httpx

from engine.sync.canonical import Parcel, ParcelItem, Parcels
from engine.sync.port import Capability, StockChange
from engine.sync.sandbox import World, emitting
from engine.sync.sandbox.merchants import Merchant
from engine.sync.sandbox.shopify import subscriptions
from engine.sync.sandbox.shopify.state import Variant
from tests.contracts.connectors.bench import START
from tests.contracts.connectors.scenes import Call, Letter

ADDRESS: Final = "https://us.example.com/webhooks/sync/con_1"
TENT, STOVE, KIT, BUNDLE = "TH-FELL1-ORG", "TH-FELL2-ORG", "KIT-TRAIL-SET", "KIT-CAMP-DUO"


def variant(merchant: Merchant, sku: str) -> Variant:
    found = merchant.shop.state.variant_of_sku(sku)
    assert found is not None
    return found


def money(amount: str) -> dict[str, Any]:
    return {"shopMoney": {"amount": amount, "currencyCode": "USD"}}


def basket(merchant: Merchant, **more: Any) -> dict[str, Any]:
    """Two tents with tax and a code that takes 10 % off, an engraving without a SKU, sent for 7.95."""
    tent = variant(merchant, TENT)
    tax = [{"title": "CO", "rate": "0.029"}]
    return {
        "email": "maya@example.com",
        "customer": {"toUpsert": {"email": "maya@example.com", "firstName": "Maya", "lastName": "Lindqvist"}},
        "lineItems": [
            {"variantId": tent.gid, "quantity": 2, "taxLines": tax, "requiresShipping": True},
            {"title": "Engraving", "quantity": 1, "priceSet": money("12.50"), "requiresShipping": False},
        ],
        "discountCode": {"itemPercentageDiscountCode": {"code": "TEN", "percentage": 10.0}},
        "shippingAddress": {
            "firstName": "Maya",
            "lastName": "Lindqvist",
            "address1": "2719 Quivas Street",
            "city": "Denver",
            "provinceCode": "CO",
            "zip": "80211",
            "countryCode": "US",
        },
        "shippingLines": [{"title": "Standard", "code": "standard", "priceSet": money("7.95")}],
        "transactions": [{"kind": "SALE", "status": "SUCCESS", "gateway": "bogus", "amountSet": money("100.00")}],
    } | more


def _one(world: World, merchant: Merchant, **more: Any) -> str:
    return str(emitting.place_order(world, merchant, basket(merchant, **more)).id)


def _bare(world: World, merchant: Merchant) -> str:
    """Nobody's order: no customer, no address, no SKU, nothing paid."""
    lines = [{"title": "Gift wrap", "quantity": 3, "priceSet": money("1.00")}]
    return str(emitting.place_order(world, merchant, {"lineItems": lines}).id)


def _canceled(world: World, merchant: Merchant) -> str:
    made = emitting.place_order(world, merchant, basket(merchant, test=True))
    emitting.cancel_order(world, merchant, made.name)
    return str(made.id)


def _long(world: World, merchant: Merchant) -> str:
    """An order of more lines than a page has."""
    lines = [{"title": f"Peg {n}", "quantity": 1, "priceSet": money("0.50")} for n in range(130)]
    return str(emitting.place_order(world, merchant, {"lineItems": lines}).id)


def _many(world: World, merchant: Merchant) -> None:
    for _ in range(20):
        _one(world, merchant)
        world.advance(timedelta(seconds=1))


def _bundle(world: World, merchant: Merchant) -> str:
    lines = [{"variantId": variant(merchant, BUNDLE).gid, "quantity": 1}]
    return str(emitting.place_order(world, merchant, {"lineItems": lines}).id)


def _level(world: World, merchant: Merchant) -> list[Any]:
    """What is there of the tent: item, place, pieces."""
    item = variant(merchant, TENT)
    place, level = next(iter(item.levels.items()))
    return [str(item.item_id), str(place), level.available]


def _set(shop: Any, told: list[Any]) -> None:
    item, place, there = told
    shop.set_stock([StockChange(item, place, 7, there)], key="key-1", reference="icommerce://sync/stock/slot-1")


def parcels(*numbers: str, quantity: int = 1) -> Parcels:
    boxes = [
        Parcel(
            ref=f"C{number}", tracking_number=number, carrier="ups", items=(ParcelItem(sku=TENT, quantity=quantity),)
        )
        for number in numbers
    ]
    return Parcels(
        source="dcl", account="20001", source_id="S1", order_ref="#1001", parcels=tuple(boxes), shipped_at=START
    )


def _subscribe(_world: World, merchant: Merchant) -> None:
    if any(one.topic == "ORDERS_CREATE" for one in merchant.shop.state.subscriptions.values()):
        return
    wanted = {"topic": "ORDERS_CREATE", "webhookSubscription": {"uri": ADDRESS, "format": "JSON"}}
    subscriptions.create(merchant.shop, wanted)


def letter(world: World, merchant: Merchant) -> Letter:
    """An order is placed, and the shop tells of it."""
    _subscribe(world, merchant)
    told: list[httpx.Request] = []

    def take(request: httpx.Request) -> httpx.Response:
        told.append(request)
        return httpx.Response(200)

    with httpx.Client(transport=httpx.MockTransport(take)) as post:
        world.hooks.use(post)
        _one(world, merchant)
        world.settle()
    return Letter({name.lower(): value for name, value in told[0].headers.items()}, told[0].read())


def _sent(world: World, merchant: Merchant) -> int:
    orders = merchant.shop.state.orders.values()
    return sum(1 for order in orders for made in order.fulfillments if made.tracking[0]["number"] == "1Z1")


CALLS: Final[dict[str, Call]] = {
    "order": Call(
        Capability.ORDERS, lambda shop, told: shop.order(told), prepare=_one, lists="data.order.lineItems.nodes"
    ),
    "order_of_nobody": Call(Capability.ORDERS, lambda shop, told: shop.order(told), prepare=_bare),
    "order_canceled": Call(Capability.ORDERS, lambda shop, told: shop.order(told), prepare=_canceled),
    "order_of_a_bundle": Call(Capability.ORDERS, lambda shop, told: shop.order(told), prepare=_bundle),
    "order_in_pages": Call(
        Capability.ORDERS, lambda shop, told: [one.title for one in shop.order(told).lines], prepare=_long
    ),
    "orders_since": Call(
        Capability.ORDERS, lambda shop, _: shop.orders_since(START), prepare=_one, lists="data.orders.nodes"
    ),
    "orders_in_pages": Call(
        Capability.ORDERS,
        lambda shop, _: [one.source_ref for one in shop.orders_since(START + timedelta(seconds=2))],
        prepare=_many,
        lists="data.orders.nodes",
    ),
    "settlements": Call(
        Capability.SETTLEMENTS,
        lambda shop, told: shop.settlements(told),
        prepare=_canceled,
        lists="data.order.transactions",
    ),
    "letter": Call(
        Capability.WEBHOOKS,
        lambda shop, told: shop.read("orders/create", told.encode())[0],
        prepare=lambda world, merchant: letter(world, merchant).body.decode(),
        asks=False,
    ),
    "listen": Call(
        Capability.SUBSCRIPTIONS,
        lambda shop, _: shop.listen(ADDRESS, ["orders/updated"]),
        prepare=_subscribe,
        done=lambda _, merchant: len(merchant.shop.state.subscriptions) - 1,
        match={"operation": "webhookSubscriptionCreate"},
    ),
    "tag": Call(
        Capability.TAGS,
        lambda shop, told: shop.tag(told, ["SENT_TO_NS"]),
        prepare=_one,
        done=lambda _, merchant: sum(one.tags.count("SENT_TO_NS") for one in merchant.shop.state.orders.values()),
    ),
    "ship": Call(
        Capability.SHIPMENTS,
        lambda shop, told: shop.ship(told, parcels("1Z1")),
        prepare=_one,
        done=_sent,
        match={"operation": "fulfillmentCreate"},
    ),
    "stock": Call(
        Capability.STOCK, lambda shop, _: shop.stock([TENT, STOVE, "NOBODY-S"]), lists="data.inventoryItems.nodes"
    ),
    "stock_of_all": Call(
        Capability.STOCK,
        lambda shop, _: len([*shop.stock()]),
        lists="data.inventoryItems.nodes.*.inventoryLevels.nodes",
    ),
    "set_stock": Call(
        Capability.SET_STOCK,
        _set,
        prepare=_level,
        done=lambda _, merchant: sum(level.available == 7 for level in variant(merchant, TENT).levels.values()),
    ),
    "native_bundles": Call(
        Capability.BUNDLES, lambda shop, _: shop.native_bundles(), lists="data.productVariants.nodes"
    ),
    "products_since": Call(
        Capability.PRODUCTS,
        lambda shop, _: [(one.title, len(one.variants)) for one in shop.products_since(None)],
        lists="data.products.nodes",
    ),
    "products": Call(
        Capability.PRODUCTS,
        lambda shop, told: shop.products([told, "1"]),
        prepare=lambda _, merchant: str(variant(merchant, TENT).product.id),
        lists="data.products.nodes",
    ),
}
