"""Worlds as scenarios have them. The goods are those of the first demo shop, read from its own file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from importlib import resources
from itertools import islice
from typing import Any, Final

import yaml

from engine.sync.sandbox import emitting
from engine.sync.sandbox.dcl.state import Item
from engine.sync.sandbox.merchants import Merchant, open_merchant
from engine.sync.sandbox.netsuite.state import Balance, Record
from engine.sync.sandbox.shopify.state import Component, Level, Location, Product, Variant
from engine.sync.sandbox.wire import Json
from engine.sync.sandbox.world import World

SHOP: Final = "summit-outdoor"
THIRD_PARTY: Final = "RNO"
"""The place that DCL runs: its stock there is the warehouse's."""
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAGS: Final = re.compile(r"<[^>]+>")
_OPENED_AT: Final = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
KITS: Final = (
    ("KIT-CAMP-DUO", "Camp for Two", ((0, 2), (1, 1))),
    ("KIT-TRAIL-SET", "Trail Set", ((2, 1), (3, 2), (4, 1))),
)
"""Kits of the ERP: SKU, title, and members as places among the goods with how many of each. The first is a native
bundle in the shop, the second an ordinary variant whose stock somebody must push.
"""


CHARGES: Final = (("SALES-TAX", "Sales Tax"), ("SHOP-DISCOUNT", "Discount of the Shop"), ("SHIPPING", "Shipping"))
"""Items of the ERP that lie on no shelf: what a connector may write taxes and discounts to."""


@dataclass(frozen=True)
class Goods:
    """The demo shop's file, as much of it as vendors know."""

    name: str
    currency: str
    locations: tuple[Json, ...]
    products: tuple[Json, ...]
    customers: tuple[Json, ...]


@lru_cache(maxsize=1)
def read_goods() -> Goods:
    """Read the shop's file, once in a process."""
    folder = resources.files("engine.demo") / "data" / SHOP
    whole: dict[str, Any] = {"products": [], "customers": []}
    for file in sorted(folder.iterdir(), key=lambda one: one.name):
        if file.name.endswith(".yaml"):
            part = yaml.load(file.read_text(), Loader=_LOADER)  # noqa: S506 (a safe loader)
            whole["products"] += part.pop("products", [])
            whole["customers"] += part.pop("customers", [])
            whole |= part
    shop = whole["shop"]
    return Goods(
        shop["name"], shop["currency"], tuple(whole["locations"]), tuple(whole["products"]), tuple(whole["customers"])
    )


def summit(world: World, merchants: int = 1) -> None:
    """Shop, ERP and warehouse with the same goods and stock, and nothing sold yet."""
    goods = read_goods()
    for number in range(merchants):
        merchant = open_merchant(world, SHOP if not number else f"{SHOP}-{number + 1}", currency=goods.currency)
        merchant.shop.state.name = goods.name
        stock_up(merchant, goods)


def summit_orders(world: World, merchants: int = 1) -> None:
    """As ``summit``, with twelve paid orders in each shop."""
    summit(world, merchants)
    for merchant in world.merchants:
        for number in range(12):
            emitting.place_order(world, merchant, basket(merchant, read_goods(), number))


def summit_purchasing(world: World, merchants: int = 1) -> None:
    """As ``summit``, with two purchase orders and a transfer order under way to the warehouse."""
    summit(world, merchants)
    for merchant in world.merchants:
        skus = [one.fields["itemId"] for one in islice(merchant.account.kind("inventoryItem").values(), 6)]
        emitting.purchase(world, merchant, lines=[(skus[0], 40), (skus[1], 25)], location=THIRD_PARTY)
        emitting.purchase(world, merchant, lines=[(skus[2], 12)], location=THIRD_PARTY)
        emitting.transfer(world, merchant, lines=[(skus[3], 5)], source="CMH", target=THIRD_PARTY)


PRESETS: Final[dict[str, Callable[[World, int], None]]] = {
    "summit": summit,
    "summit_orders": summit_orders,
    "summit_purchasing": summit_purchasing,
}


def stock_up(merchant: Merchant, goods: Goods) -> None:
    """Give a merchant its places and goods at every vendor."""
    places = _places(merchant, goods)
    _vendor(merchant)
    made = [variant for product in goods.products for variant in _product(merchant, product, places)]
    for number, (sku, title, members) in enumerate(KITS):
        _kit(merchant, sku, title, [(made[place], count) for place, count in members], native=number == 0)


def _vendor(merchant: Merchant) -> None:
    account = merchant.account
    vendor = Record("vendor", account.take_id(), {"entityId": "Ridgeline Supply"}, _OPENED_AT, _OPENED_AT)
    account.kind("vendor")[vendor.id] = vendor
    for sku, name in CHARGES:
        _record(merchant, "otherChargeSaleItem", {"itemId": sku, "displayName": name, "basePrice": Decimal(0)})


def _places(merchant: Merchant, goods: Goods) -> dict[str, tuple[int, int]]:
    """The numbers of each place, in the shop and in the ERP."""
    found = {}
    for row in goods.locations:
        address = {
            "address1": row.get("line_one"),
            "address2": None,
            "city": row["city"],
            "provinceCode": row["region"],
            "countryCode": row["country"],
            "zip": row["postal_code"],
        }
        place = Location(merchant.shop.number(), row["name"], address)
        merchant.shop.state.locations[place.id] = place
        fields = {"name": row["code"], "subsidiary": {"id": "1", "refName": "Parent Company"}}
        record = _record(merchant, "location", fields, external_id=row["code"])
        found[row["code"]] = (place.id, record.id)
    return found


def _record(merchant: Merchant, kind: str, fields: Json, *, external_id: str | None = None) -> Record:
    account = merchant.account
    made = Record(kind, account.take_id(), fields, _OPENED_AT, _OPENED_AT, external_id=external_id)
    account.kind(kind)[made.id] = made
    if external_id:
        account.external[(kind, external_id)] = made.id
    return made


def _product(merchant: Merchant, row: Json, places: dict[str, tuple[int, int]]) -> Iterator[Variant]:
    shop = merchant.shop
    product = Product(
        shop.number(),
        row["title"],
        row["slug"],
        row["brand"],
        row["category"],
        f"<p>{_TAGS.sub('', row['description'])}</p>",
        _OPENED_AT,
        _OPENED_AT,
        f"https://cdn.shopify.example/{row['slug']}.jpg",
    )
    shop.state.products[product.id] = product
    for given in row["variants"]:
        variant = _variant(merchant, product, given)
        fields = {
            "itemId": given["sku"],
            "displayName": row["title"],
            "basePrice": Decimal(given["price"]) / 100,
            "cost": Decimal(given["cost"]) / 100,
        }
        item = _record(merchant, "inventoryItem", fields)
        _stock(merchant, variant, item, given.get("stock") or {}, places)
        yield variant


def _variant(merchant: Merchant, product: Product, given: Json) -> Variant:
    shop = merchant.shop
    options = {name: str(value) for name, value in (given.get("options") or {}).items()}
    title = " / ".join(options.values()) or "Default Title"
    made = Variant(shop.number(), product, title, given["sku"], given["price"], given["cost"], options, shop.number())
    product.variants.append(made)
    shop.state.variants[made.id] = made
    shop.state.items[made.item_id] = made
    return made


def _stock(
    merchant: Merchant, variant: Variant, item: Record, stock: dict[str, int], places: dict[str, tuple[int, int]]
) -> None:
    for code, (place_id, record_id) in places.items():
        quantity = stock.get(code, 0)
        variant.levels[place_id] = Level(available=quantity)
        merchant.account.balances[(item.id, record_id)] = Balance(Decimal(quantity))
    kept = stock.get(THIRD_PARTY, 0)
    merchant.house.items[variant.sku] = Item(variant.sku, variant.product.title, kept)


def _kit(merchant: Merchant, sku: str, title: str, members: list[tuple[Variant, int]], *, native: bool) -> None:
    shop, account = merchant.shop, merchant.account
    price = sum(variant.price * count for variant, count in members) * 9 // 10
    cost = sum(variant.cost * count for variant, count in members)
    product = Product(
        shop.number(), title, sku.lower(), "Summit & Pine", "kits", f"<p>{title}</p>", _OPENED_AT, _OPENED_AT
    )
    shop.state.products[product.id] = product
    made = _variant(merchant, product, {"sku": sku, "price": price, "cost": cost})
    if native:
        made.components = [Component(shop.number(), variant, count) for variant, count in members]
    else:
        made.levels = {place: Level() for place in shop.state.locations}
    record = _record(merchant, "kitItem", {"itemId": sku, "displayName": title, "basePrice": Decimal(price) / 100})
    by_sku = {one.fields["itemId"]: one for one in account.kind("inventoryItem").values()}
    record.sublists["member"] = [
        {"item": by_sku[variant.sku].ref(), "quantity": Decimal(count)} for variant, count in members
    ]


def basket(merchant: Merchant, goods: Goods, number: int) -> Json:
    """What the ``number``-th buyer orders: the input of ``orderCreate``."""
    buyer = goods.customers[number % len(goods.customers)]
    address = buyer["addresses"][0]
    first, _, last = address["name"].partition(" ")
    variants = [one for one in merchant.shop.state.variants.values() if one.available() > 5 and not one.components]
    chosen = [variants[(number * 7 + step * 13) % len(variants)] for step in range(1 + number % 3)]
    lines = [{"variantId": one.gid, "quantity": 1 + place} for place, one in enumerate(chosen)]
    total = sum(one.price * (1 + place) for place, one in enumerate(chosen)) + 795
    amount = {"shopMoney": {"amount": f"{total // 100}.{total % 100:02d}", "currencyCode": goods.currency}}
    return {
        "email": buyer["email"],
        "lineItems": lines,
        "shippingAddress": {
            "firstName": first,
            "lastName": last,
            "address1": address["line_one"],
            "address2": address.get("line_two"),
            "city": address["city"],
            "provinceCode": address.get("state"),
            "zip": address["postal_code"],
            "countryCode": address["country"],
        },
        "shippingLines": [
            {
                "title": "Standard",
                "code": "standard",
                "priceSet": {"shopMoney": {"amount": "7.95", "currencyCode": goods.currency}},
            }
        ],
        "transactions": [{"kind": "SALE", "status": "SUCCESS", "gateway": "bogus", "amountSet": amount}],
    }
