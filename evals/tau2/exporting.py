"""A tenant's state as the benchmark's file says it: users, orders and products, word for word and to the cent.

Nothing is remembered for it: everything is read from our own rows. What an action added to an order is there only once
it was done, in the order in which it was done.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.catalog.models import Product, Variant
from engine.customers.models import Address, Customer, PaymentMethod
from engine.orders.models import Order
from engine.payments.stored_value_models import StoredValueAccount
from evals.tau2.address_shape import PARTS, address_shape
from evals.tau2.amounts import dollars
from evals.tau2.order_shape import shape_orders


def export_shop(session: Session, tenant_id: str) -> dict[str, Any]:
    """The whole shop: ``{products, users, orders}``."""
    return {
        "products": {row["product_id"]: row for row in products(session, tenant_id)},
        "users": {row["user_id"]: row for row in users(session, tenant_id)},
        "orders": {row["order_id"]: row for row in shape_orders(session, tenant_id)},
    }


def products(session: Session, tenant_id: str, product_ids: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Products (of these ids of ours) with all their variants, sold or not, in the shop's order."""
    query = select(Product).where(Product.tenant_id == tenant_id).order_by(Product.position)
    kinds = select(Variant).where(Variant.tenant_id == tenant_id).order_by(Variant.product_id, Variant.position)
    if product_ids is not None:
        query, kinds = query.where(Product.id.in_(product_ids)), kinds.where(Variant.product_id.in_(product_ids))
    found: dict[str, list[Variant]] = {}
    for row in session.scalars(kinds):
        found.setdefault(row.product_id, []).append(row)
    return [_product(row, found.get(row.id, [])) for row in session.scalars(query)]


def _product(row: Product, variants: list[Variant]) -> dict[str, Any]:
    return {
        "name": row.title,
        "product_id": row.external_id,
        "variants": {one.sku: variant_shape(one, row.facts["option_names"]) for one in variants},
    }


def variant_shape(row: Variant, names: Sequence[str]) -> dict[str, Any]:
    """One variant; ``names`` are the options in the order in which the shop shows them."""
    return {
        "item_id": row.sku,
        "options": {name: row.options[name] for name in names if name in row.options},
        "available": row.sellable,
        "price": dollars(row.price),
    }


def users(session: Session, tenant_id: str, customer_ids: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Customers (of these ids of ours) in the order in which they came."""
    query = select(Customer).where(Customer.tenant_id == tenant_id).order_by(Customer.created_at, Customer.id)
    if customer_ids is not None:
        query = query.where(Customer.id.in_(customer_ids))
    rows = session.scalars(query).all()
    ids = [row.id for row in rows]
    places = _of_each(session, select(Address).where(Address.tenant_id == tenant_id, Address.is_default), Address, ids)
    methods = _of_each(session, select(PaymentMethod).where(PaymentMethod.tenant_id == tenant_id), PaymentMethod, ids)
    account = StoredValueAccount
    accounts = _of_each(session, select(account).where(account.tenant_id == tenant_id), account, ids)
    numbers = select(Order.customer_id, Order.number).where(Order.tenant_id == tenant_id, Order.placed_at.is_not(None))
    orders = _of_each(session, numbers, Order, ids)
    return [
        _user(row, places[row.id][0], [*methods.get(row.id, []), *accounts.get(row.id, [])], orders.get(row.id, []))
        for row in rows
    ]


def _of_each(session: Session, query: Any, model: Any, ids: Sequence[str]) -> dict[str, list[Any]]:
    """Rows by customer, in the order in which they were made."""
    found: dict[str, list[Any]] = {}
    placed = Order.placed_at if model is Order else model.id
    rows = session.execute(query.where(model.customer_id.in_(ids)).order_by(placed, model.id)).all()
    for row in rows:
        whole = row[0] if len(row) == 1 else row
        found.setdefault(whole.customer_id, []).append(whole)
    return found


def _user(row: Customer, place: Address, ways: Sequence[Any], orders: Sequence[Any]) -> dict[str, Any]:
    first, _, last = row.name.partition(" ")
    return {
        "user_id": row.external_id,
        "name": {"first_name": first, "last_name": last},
        "address": address_shape({part: getattr(place, part) for part in PARTS.values()}),
        "email": row.email,
        "payment_methods": {way.external_id: _method(way) for way in ways},
        "orders": [f"#{order.number}" for order in orders],
    }


def _method(way: PaymentMethod | StoredValueAccount) -> dict[str, Any]:
    if isinstance(way, StoredValueAccount):
        return {"source": "gift_card", "id": way.external_id, "balance": dollars(way.balance)}
    if way.kind == "card":
        return {"source": "credit_card", "id": way.external_id, "brand": way.brand, "last_four": way.last4}
    return {"source": way.wallet, "id": way.external_id}
