"""A tenant's state as the benchmark's file says it: users, orders and products, word for word and to the cent.

Nothing is remembered for it: everything is read from our own rows, each kind in one statement. What an action added to
an order is there only once it was done, in the order in which it was done.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from engine.db import Store
from engine.kit.direct import Ask, Statement
from evals.tau2.address_shape import PARTS, address_shape
from evals.tau2.amounts import dollars
from evals.tau2.order_shape import ALL_ORDERS, order_shape

Shape = dict[str, Any]
_PRODUCTS: Final = """
SELECT p.title, p.external_id, p.facts -> 'option_names' AS names,
  (SELECT json_agg(json_build_array(v.sku, v.options, v.sellable, v.price) ORDER BY v.position)
    FROM app.variants v WHERE v.tenant_id = p.tenant_id AND v.product_id = p.id) AS variants
FROM app.products p WHERE p.tenant_id = %(tenant)s
"""
_USERS: Final = """
SELECT c.external_id, c.given_name, c.family_name, c.email,
  (SELECT to_json(a) FROM app.addresses a
    WHERE a.tenant_id = c.tenant_id AND a.customer_id = c.id AND a.is_default) AS place,
  (SELECT json_agg(json_build_object('id', m.external_id, 'kind', m.kind, 'wallet', m.wallet, 'brand', m.brand,
      'last4', m.last4) ORDER BY m.id)
    FROM app.payment_methods m
    WHERE m.tenant_id = c.tenant_id AND m.customer_id = c.id AND m.removed_at IS NULL) AS methods,
  (SELECT json_agg(json_build_object('id', a.external_id, 'balance', a.balance) ORDER BY a.id)
    FROM app.stored_value_accounts a
    WHERE a.tenant_id = c.tenant_id AND a.customer_id = c.id AND a.kind = 'gift_card') AS gift_cards,
  (SELECT json_agg('#' || o.number ORDER BY o.placed_at, o.id) FROM app.orders o
    WHERE o.tenant_id = c.tenant_id AND o.customer_id = c.id AND o.placed_at IS NOT NULL) AS orders
FROM app.customers c WHERE c.tenant_id = %(tenant)s
"""
_ALL_PRODUCTS: Final = Statement(_PRODUCTS + "ORDER BY p.position")
_ONE_PRODUCT: Final = Statement(_PRODUCTS + "AND p.id = %(product)s")
_ALL_USERS: Final = Statement(_USERS + "ORDER BY c.created_at, c.id")
_ONE_USER: Final = Statement(_USERS + "AND c.id = %(customer)s")


def export_shop(store: Store, tenant_id: str) -> Shape:
    """The whole shop: ``{products, users, orders}``."""
    key = {"tenant": tenant_id}
    goods, people, orders = store.ask(tenant_id, (_ALL_PRODUCTS, key), (_ALL_USERS, key), (ALL_ORDERS, key))
    return {
        "products": {row["external_id"]: _product(row) for row in goods},
        "users": {row["external_id"]: _user(row) for row in people},
        "orders": {f"#{row['number']}": order_shape(row) for row in orders},
    }


def export_product(store: Store, tenant_id: str, product_id: str) -> Shape:
    """One product by our id, with all its variants, sold or not, in the shop's order."""
    return _product(_one(store, tenant_id, (_ONE_PRODUCT, {"tenant": tenant_id, "product": product_id})))


def export_user(store: Store, tenant_id: str, customer_id: str) -> Shape:
    """One customer by our id."""
    return _user(_one(store, tenant_id, (_ONE_USER, {"tenant": tenant_id, "customer": customer_id})))


def _one(store: Store, tenant_id: str, ask: Ask) -> Shape:
    ((row,),) = store.ask(tenant_id, ask)
    return row


def _product(row: Mapping[str, Any]) -> Shape:
    variants = {sku: _variant(row["names"], sku, *rest) for sku, *rest in row["variants"] or []}
    return {"name": row["title"], "product_id": row["external_id"], "variants": variants}


def _variant(names: list[str], sku: str, options: Mapping[str, str], sellable: bool, price: int) -> Shape:
    return {
        "item_id": sku,
        "options": {name: options[name] for name in names if name in options},
        "available": sellable,
        "price": dollars(price),
    }


def _user(row: Mapping[str, Any]) -> Shape:
    cards = [_gift_card(one) for one in row["gift_cards"] or []]
    return {
        "user_id": row["external_id"],
        "name": {"first_name": row["given_name"], "last_name": row["family_name"]},
        "address": address_shape({part: (row["place"] or {}).get(part) for part in PARTS.values()}),
        "email": row["email"],
        "payment_methods": {one["id"]: one for one in [*map(_method, row["methods"] or []), *cards]},
        "orders": row["orders"] or [],
    }


def _method(row: Mapping[str, Any]) -> Shape:
    if row["kind"] == "card":
        return {"source": "credit_card", "id": row["id"], "brand": row["brand"], "last_four": row["last4"]}
    return {"source": row["wallet"], "id": row["id"]}


def _gift_card(row: Mapping[str, Any]) -> Shape:
    return {"source": "gift_card", "id": row["id"], "balance": dollars(row["balance"])}
