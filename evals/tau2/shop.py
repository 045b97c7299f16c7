"""The benchmark's shop as its file says it, checked for form: products, users and orders, money in cents."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter, ValidationError

from engine.kit.errors import InvalidInput
from evals.tau2.amounts import cents

Cents = Annotated[int, BeforeValidator(cents)]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class VariantRow(_Row):
    item_id: str
    options: dict[str, str]
    available: bool
    price: Cents


class ProductRow(_Row):
    name: str
    product_id: str
    variants: dict[str, VariantRow]


class NameRow(_Row):
    first_name: str
    last_name: str


class AddressRow(_Row):
    address1: str
    address2: str
    city: str
    country: str
    state: str
    zip: str


class MethodRow(_Row):
    """A card has brand and digits, a gift card its balance, PayPal nothing more."""

    source: Literal["credit_card", "gift_card", "paypal"]
    id: str
    brand: str = ""
    last_four: str = ""
    balance: Cents = 0


class UserRow(_Row):
    user_id: str
    name: NameRow
    address: AddressRow
    email: str
    payment_methods: dict[str, MethodRow]
    orders: list[str]


class ItemRow(_Row):
    name: str
    product_id: str
    item_id: str
    price: Cents
    options: dict[str, str]


class ParcelRow(_Row):
    tracking_id: list[str]
    item_ids: list[str]


class EntryRow(_Row):
    transaction_type: Literal["payment", "refund"]
    amount: Cents
    payment_method_id: str


class OrderRow(_Row):
    order_id: str
    user_id: str
    address: AddressRow
    items: list[ItemRow]
    status: Literal["pending", "processed", "delivered", "cancelled"]
    fulfillments: list[ParcelRow]
    payment_history: list[EntryRow]


class ShopFile(_Row):
    products: dict[str, ProductRow]
    users: dict[str, UserRow]
    orders: dict[str, OrderRow]


class NotThisShop(InvalidInput):
    """The file is not a shop that can be brought along; ``param`` is where it says something else."""

    code = "shop_file_invalid"


_FILE: TypeAdapter[ShopFile] = TypeAdapter(ShopFile)


def read_shop(db: dict[str, Any]) -> ShopFile:
    """Raises ``NotThisShop`` naming the first thing that cannot be: orders come as they were before anybody changed
    them.
    """
    try:
        shop = _FILE.validate_python(db)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise NotThisShop(f"{where}: {first['msg']}.", param=where) from None
    for key, order in shop.orders.items():
        _check(shop, key, order)
    return shop


def _check(shop: ShopFile, key: str, order: OrderRow) -> None:
    """What we take for granted of an order: it is somebody's, of goods we sell, paid once and to the cent, and sent in
    one parcel if it was sent.
    """
    user = shop.users.get(order.user_id)
    paid = [entry for entry in order.payment_history if entry.transaction_type == "payment"]
    back = [entry for entry in order.payment_history if entry.transaction_type == "refund"]
    problems = {
        "its user is not in the file": user is None,
        "it is not paid once": len(paid) != 1 or order.payment_history[:1] != paid,
        "it is not paid to the cent": sum(item.price for item in order.items) != sum(entry.amount for entry in paid),
        "what was refunded is not what was paid": [e.amount for e in back] != [e.amount for e in paid][: len(back)],
        "it is refunded and not cancelled, or the other way round": bool(back) != (order.status == "cancelled"),
        "it was sent in another way than one parcel": [parcel.item_ids for parcel in order.fulfillments]
        != [[item.item_id for item in order.items]] * (order.status != "pending"),
        "a way to pay is not its user's": user is not None
        and any(entry.payment_method_id not in user.payment_methods for entry in order.payment_history),
        "it is of goods that the shop does not have": any(
            item.product_id not in shop.products or item.item_id not in shop.products[item.product_id].variants
            for item in order.items
        ),
    }
    for words, so in problems.items():
        if so:
            raise NotThisShop(f"orders.{key}: {words}.", param=f"orders.{key}")
