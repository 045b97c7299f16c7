"""Putting several known items into the cart at once: what can be had goes in, of the rest it is said why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from engine.carts import service
from engine.carts.models import CartLine
from engine.carts.schemas import CartView
from engine.catalog import repository
from engine.catalog.models import Product, Variant
from engine.catalog.prices import selling_in
from engine.inventory import service as inventory
from engine.kit import clock
from engine.kit.identity import Identity

NOT_SOLD: Final = "It is not sold any more."
SOLD_OUT: Final = "It is sold out."
FULL: Final = f"The cart holds at most {service.MAX_LINES} different items."


@dataclass(frozen=True, slots=True)
class Again:
    """``added`` units by variant (fewer than wanted where there are no more); ``left_out`` says why, by variant."""

    cart: CartView
    added: Mapping[str, int]
    left_out: Mapping[str, str]


def put_in(session: Session, identity: Identity, wanted: Mapping[str, int]) -> Again:
    """Put so many units of these variants in, at today's prices, in a few statements however many they are.

    What is in the cart already stays, and counts.
    """
    currency = service.currency_of(session, identity)
    sold = _sold(session, identity.tenant_id, list(wanted), currency)
    left_out = {one: NOT_SOLD for one in wanted if one not in sold}
    present = {line.variant_id: line.quantity for line in service.view(session, identity).lines}
    asked = {one: min(service.MAX_QUANTITY, wanted[one] + present.get(one, 0)) for one in wanted if one in sold}
    promised = inventory.promises(session, identity.tenant_id, asked) if asked else {}
    quantities: dict[str, int] = {}
    for one, units in asked.items():
        promise = promised[one]
        possible = units if promise.later else min(units, promise.available_now)
        if possible <= present.get(one, 0):
            left_out[one] = SOLD_OUT
        elif one not in present and len(present.keys() | quantities.keys()) >= service.MAX_LINES:
            left_out[one] = FULL
        else:
            quantities[one] = possible
    if quantities:
        _write(session, identity, quantities)
    added = {one: units - present.get(one, 0) for one, units in quantities.items()}
    return Again(service.view(session, identity), added, left_out)


def _sold(session: Session, tenant_id: str, variant_ids: list[str], currency: str) -> set[str]:
    """Those that have a price in the currency and belong to a product on sale."""
    active = select(Product.id).where(Product.tenant_id == tenant_id, Product.status == repository.SOLD)
    condition = Variant.id.in_(variant_ids) & Variant.product_id.in_(active)
    found = repository.variants_of(session, selling_in(session, tenant_id, currency), condition)
    return {one.variant.id for several in found.values() for one in several}


def _write(session: Session, identity: Identity, quantities: Mapping[str, int]) -> None:
    cart = service.ensure(session, identity)
    now = clock.now()
    rows = [
        {"tenant_id": cart.tenant_id, "cart_id": cart.id, "variant_id": one, "quantity": units, "added_at": now}
        for one, units in quantities.items()
    ]
    statement = insert(CartLine).values(rows)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant_id", "cart_id", "variant_id"], set_={"quantity": statement.excluded.quantity}
        )
    )
    cart.updated_at = now
