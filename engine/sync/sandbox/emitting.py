"""What people and goods do at the vendors: a buyer orders, a buyer at the ERP buys in, a warehouse hand counts short.

These are the events of a story, told through ``/_sandbox/emit`` or by a test; a connector has no part in them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

from engine.sync.sandbox.dcl import warehouse
from engine.sync.sandbox.dcl.state import Order as WarehouseOrder
from engine.sync.sandbox.merchants import Merchant
from engine.sync.sandbox.netsuite import stock as erp_stock
from engine.sync.sandbox.netsuite.ledger import Book
from engine.sync.sandbox.netsuite.state import Record
from engine.sync.sandbox.shopify import changing, ordering
from engine.sync.sandbox.shopify import stock as shop_stock
from engine.sync.sandbox.shopify.bodies import product_body
from engine.sync.sandbox.shopify.state import Order
from engine.sync.sandbox.wire import Call, Json
from engine.sync.sandbox.world import World

_CALL: Final = Call("POST", "", {}, {}, b"", "")


class NoSuchThing(Exception):
    """The story speaks of what is not there."""


def place_order(world: World, merchant: Merchant, given: Json) -> Order:
    """A buyer orders; stock is committed as a shop does it."""
    with world.ground.lock:
        merchant.shop.begin_act()
        options = {"inventoryBehaviour": "DECREMENT_IGNORING_POLICY"}
        made = ordering.order_create(merchant.shop, {"order": given, "options": options})["order"]
        assert isinstance(made, Order)
        return made


def cancel_order(world: World, merchant: Merchant, name: str, *, reason: str = "CUSTOMER") -> Order:
    """The merchant calls an order off in the admin."""
    with world.ground.lock:
        found = next((one for one in merchant.shop.state.orders.values() if one.name == name), None)
        if found is None:
            raise NoSuchThing(name)
        merchant.shop.begin_act()
        args = {"orderId": found.gid, "reason": reason, "restock": True, "refund": True}
        changing.order_cancel(merchant.shop, args)
        return found


def purchase(world: World, merchant: Merchant, *, lines: Sequence[tuple[str, int]], location: str) -> Record:
    """The merchant buys in."""
    vendor = next(iter(merchant.account.kind("vendor").values()))
    return _erp_order(
        world, merchant, "purchaseOrder", {"entity": vendor.ref(), "location": {"externalId": location}}, lines
    )


def transfer(world: World, merchant: Merchant, *, lines: Sequence[tuple[str, int]], source: str, target: str) -> Record:
    """Goods move between two places, and have left the first."""
    from engine.sync.sandbox.netsuite import transforms

    places = {"location": {"externalId": source}, "transferlocation": {"externalId": target}}
    made = _erp_order(world, merchant, "transferOrder", places, lines)
    with world.ground.lock:
        transforms.transform(_book(world, merchant), made, "itemFulfillment", {"shipStatus": {"id": "C"}})
    return made


def _erp_order(world: World, merchant: Merchant, kind: str, head: Json, lines: Sequence[tuple[str, int]]) -> Record:
    with world.ground.lock:
        items = [{"item": {"id": str(_item(merchant, sku).id)}, "quantity": quantity} for sku, quantity in lines]
        return _book(world, merchant).create(kind, head | {"item": {"items": items}})


def _book(world: World, merchant: Merchant) -> Book:
    return Book(merchant.account, _CALL, world.now())


def _item(merchant: Merchant, sku: str) -> Record:
    items = (*merchant.account.kind("inventoryItem").values(), *merchant.account.kind("kitItem").values())
    found = next((one for one in items if one.fields.get("itemId") == sku), None)
    if found is None:
        raise NoSuchThing(sku)
    return found


def count_stock(world: World, merchant: Merchant, *, sku: str, location: str, by: int) -> None:
    """Somebody counted in the ERP: so many more, or fewer."""
    with world.ground.lock:
        place = merchant.account.external.get(("location", location))
        if place is None:
            raise NoSuchThing(location)
        erp_stock.move(merchant.account, _item(merchant, sku).id, place, Decimal(by))


def sell_over_counter(world: World, merchant: Merchant, *, sku: str, quantity: int) -> None:
    """The shop's stock changes under the engine's hands."""
    with world.ground.lock:
        variant = merchant.shop.state.variant_of_sku(sku)
        if variant is None:
            raise NoSuchThing(sku)
        merchant.shop.begin_act()
        place, _ = shop_stock.place_for(merchant.shop, variant, quantity)
        shop_stock.sell(merchant.shop, variant, place.id, quantity)


def change_product(world: World, merchant: Merchant, *, sku: str, price: int | None = None, title: str = "") -> None:
    """The merchant edits a product in the admin: another price (minor units), another title."""
    with world.ground.lock:
        shop = merchant.shop
        variant = shop.state.variant_of_sku(sku)
        if variant is None:
            raise NoSuchThing(sku)
        product = variant.product
        variant.price = variant.price if price is None else price
        product.title = title or product.title
        variant.updated_at = product.updated_at = shop.now()
        shop.begin_act()
        shop.emit("PRODUCTS_UPDATE", product.gid, product_body(product, shop.state.currency))


def order_at_woocommerce(world: World, merchant: Merchant, given: Json) -> Json:
    """A buyer orders in the merchant's WooCommerce store."""
    with world.ground.lock:
        store = world.woocommerce.stores[merchant.credentials.woocommerce_store]
        return world.woocommerce.place(store, given)


def _warehouse_order(merchant: Merchant, number: str) -> WarehouseOrder:
    found = merchant.house.orders.get(number)
    if found is None:
        raise NoSuchThing(number)
    return found


def ship(world: World, merchant: Merchant, number: str, *, short: bool = False) -> None:
    """The warehouse ships now, wholly or short."""
    with world.ground.lock:
        warehouse.ship(world.ground, merchant.house, _warehouse_order(merchant, number), short=short)


def cancel_at_warehouse(world: World, merchant: Merchant, number: str) -> bool:
    with world.ground.lock:
        return warehouse.cancel(world.ground, _warehouse_order(merchant, number))


def receive(world: World, merchant: Merchant, number: str, quantities: dict[int, int] | None = None) -> Json:
    """Announced goods come, as announced or as counted."""
    with world.ground.lock:
        if number not in merchant.house.expected:
            raise NoSuchThing(number)
        return warehouse.receive(world.ground, merchant.house, number, quantities)


def move_parcel(world: World, merchant: Merchant, code: str, status: str) -> None:
    """A parcel is somewhere else."""
    with world.ground.lock:
        found = next(
            (one for one in world.trackers.trackers.values() if (one.tenant, one.code) == (merchant.slug, code)), None
        )
        if found is None:
            raise NoSuchThing(code)
        world.trackers.move(found, status)


Told = Callable[[World, Merchant, Json], Any]
STORIES: Final[dict[tuple[str, str], Told]] = {
    ("shopify", "order"): lambda world, who, told: {"name": place_order(world, who, told["order"]).name},
    ("shopify", "cancel"): lambda world, who, told: {"name": cancel_order(world, who, told["name"]).name},
    ("shopify", "sale"): lambda world, who, told: sell_over_counter(
        world, who, sku=told["sku"], quantity=int(told["quantity"])
    ),
    ("shopify", "product"): lambda world, who, told: change_product(
        world, who, sku=told["sku"], price=told.get("price"), title=str(told.get("title") or "")
    ),
    ("woocommerce", "order"): lambda world, who, told: order_at_woocommerce(world, who, told["order"]),
    ("netsuite", "purchase"): lambda world, who, told: {
        "id": purchase(world, who, lines=_pairs(told), location=told["location"]).id
    },
    ("netsuite", "transfer"): lambda world, who, told: {
        "id": transfer(world, who, lines=_pairs(told), source=told["source"], target=told["target"]).id
    },
    ("netsuite", "count"): lambda world, who, told: count_stock(
        world, who, sku=told["sku"], location=told["location"], by=int(told["by"])
    ),
    ("dcl", "ship"): lambda world, who, told: ship(world, who, told["order_number"], short=bool(told.get("short"))),
    ("dcl", "cancel"): lambda world, who, told: {"done": cancel_at_warehouse(world, who, told["order_number"])},
    ("dcl", "receive"): lambda world, who, told: receive(world, who, told["po_number"], _counted(told)),
    ("trackers", "move"): lambda world, who, told: move_parcel(world, who, told["tracking_code"], told["status"]),
}


def _pairs(told: Json) -> list[tuple[str, int]]:
    return [(str(one["sku"]), int(one["quantity"])) for one in told["lines"]]


def _counted(told: Json) -> dict[int, int] | None:
    given = told.get("quantities")
    return None if given is None else {int(line): int(quantity) for line, quantity in given.items()}
