"""What the stock tests ask a shop for."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from engine.catalog.models import Variant
from engine.checks import check_tenant
from engine.inventory import service as inventory
from engine.inventory.models import BundleComponent, StockLevel
from engine.kit.ids import new_id
from tests.shop import Shop

STOCK_RULES = {
    "stock is never negative and never promised twice",
    "reserved stock equals the live reservations",
    "stock equals its ledger",
}


def set_variant(shop: Shop, sku: str, **values: Any) -> None:
    """Change the item itself."""
    with shop.uow() as session:
        row = session.get_one(Variant, (shop.tenant.id, shop.variants[sku]))
        for name, value in values.items():
            setattr(row, name, value)


def set_level(shop: Shop, sku: str, code: str, **values: Any) -> None:
    """Change how a level is watched."""
    with shop.uow() as session:
        key = (shop.tenant.id, shop.variants[sku], shop.locations[code])
        row = session.get_one(StockLevel, key)
        for name, value in values.items():
            setattr(row, name, value)


def bundle(shop: Shop, sku: str, of: dict[str, int], **values: Any) -> str:
    """A bundle of items the shop has."""
    variant_id = shop.add(sku, stock={})
    with shop.uow() as session:
        for part, quantity in of.items():
            session.add(
                BundleComponent(
                    tenant_id=shop.tenant.id,
                    bundle_variant_id=variant_id,
                    component_variant_id=shop.variants[part],
                    quantity=quantity,
                )
            )
    if values:
        set_variant(shop, sku, **values)
    return variant_id


def levels(shop: Shop, sku: str) -> dict[str, tuple[int, int]]:
    """Location code → (on hand, reserved), where there is a level."""
    codes = {place: code for code, place in shop.locations.items()}
    with shop.uow() as session:
        rows = session.scalars(
            select(StockLevel).where(
                StockLevel.tenant_id == shop.tenant.id, StockLevel.variant_id == shop.variants[sku]
            )
        )
        return {codes[row.location_id]: (row.on_hand, row.reserved) for row in rows}


def sellable(shop: Shop, sku: str) -> dict[str, int]:
    """Location code → units of it that can ship from there."""
    codes = {place: code for code, place in shop.locations.items()}
    with shop.uow() as session:
        found = inventory.shippable(session, shop.tenant.id, [shop.variants[sku]])
    return {codes[place.location_id]: place.available for place in found[shop.variants[sku]]}


def line_of(shop: Shop, sku: str, quantity: int, *, region: str = "") -> tuple[str, str]:
    """Reserve for a new order line; returns order and line id."""
    order_id, line_id = new_id("order"), new_id("order_line")
    with shop.uow() as session:
        inventory.hold_line(
            session,
            shop.tenant.id,
            order_line_id=line_id,
            order_id=order_id,
            variant_id=shop.variants[sku],
            quantity=quantity,
            region=region,
        )
    return order_id, line_id


def assert_stock_adds_up(shop: Shop) -> None:
    """The standing invariants of stock hold for the shop."""
    found = {r.name: r for r in check_tenant(shop.runtime, shop.tenant.id, shop.tenant.slug)}
    assert [found[name] for name in STOCK_RULES if not found[name].ok] == []
