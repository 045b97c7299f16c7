"""What a WooCommerce store is asked, and a letter of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import httpx

from engine.sync.port import Capability
from engine.sync.sandbox import World, emitting
from engine.sync.sandbox.merchants import Merchant
from engine.sync.sandbox.small.woocommerce import Webhook
from tests.contracts.connectors.bench import START
from tests.contracts.connectors.scenes import Call, Letter

ORDER: Final[dict[str, Any]] = {
    "line_items": [
        {"sku": "TH-FELL1-ORG", "name": "Fell 1", "quantity": 2, "price": "249.00"},
        {"sku": "", "name": "Engraving", "quantity": 1, "price": "12.50"},
    ],
    "billing": {
        "first_name": "Maya",
        "last_name": "Lindqvist",
        "address_1": "2719 Quivas Street",
        "city": "Denver",
        "state": "CO",
        "postcode": "80211",
        "country": "US",
        "email": "maya@example.com",
    },
    "shipping_lines": [{"method_id": "flat_rate", "method_title": "Standard", "total": "7.95"}],
}


def _one(world: World, merchant: Merchant) -> str:
    return str(emitting.order_at_woocommerce(world, merchant, ORDER)["id"])


def _many(world: World, merchant: Merchant) -> None:
    for _ in range(130):
        emitting.order_at_woocommerce(world, merchant, ORDER)
    store = world.woocommerce.stores[merchant.credentials.woocommerce_store]
    next(iter(store.orders.values()))["status"] = "pending"


def letter(world: World, merchant: Merchant) -> Letter:
    """An order is placed, and the store tells of it."""
    store = world.woocommerce.stores[merchant.credentials.woocommerce_store]
    store.webhooks[1] = Webhook(1, "order.created", "https://us.example.com/hooks", store.secret)
    told: list[httpx.Request] = []

    def take(request: httpx.Request) -> httpx.Response:
        told.append(request)
        return httpx.Response(200)

    with httpx.Client(transport=httpx.MockTransport(take)) as post:
        world.hooks.use(post)
        emitting.order_at_woocommerce(world, merchant, ORDER)
        world.settle()
    return Letter({name.lower(): value for name, value in told[0].headers.items()}, told[0].read())


def _letter(world: World, merchant: Merchant) -> str:
    return letter(world, merchant).body.decode()


CALLS: Final[dict[str, Call]] = {
    "order": Call(Capability.ORDERS, lambda woo, told: woo.order(told), prepare=_one),
    "orders_since": Call(Capability.ORDERS, lambda woo, _: woo.orders_since(START), prepare=_one),
    "orders_in_pages": Call(
        Capability.ORDERS, lambda woo, _: [one.source_ref for one in woo.orders_since(START)], prepare=_many
    ),
    "orders_later": Call(
        Capability.ORDERS, lambda woo, _: woo.orders_since(START + timedelta(seconds=2)), prepare=_one
    ),
    "letter": Call(
        Capability.WEBHOOKS, lambda woo, told: woo.read("order.created", told.encode())[0], prepare=_letter, asks=False
    ),
}
