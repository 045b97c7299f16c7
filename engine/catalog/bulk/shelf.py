"""What the shop has of all that a chunk of a file names, read in a handful of statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from engine.catalog.bulk.reading import Item
from engine.catalog.models import ListedPrice, Product, Variant
from engine.inventory.models import Location, StockLevel


@dataclass(slots=True)
class Shelf:
    by_external: dict[str, Product] = field(default_factory=dict)
    by_slug: dict[str, Product] = field(default_factory=dict)
    variants: dict[str, list[Variant]] = field(default_factory=lambda: defaultdict(list))
    """Product → its variants, in order."""
    owners: dict[str, str] = field(default_factory=dict)
    """SKU → the product it belongs to."""
    prices: dict[tuple[str, str], int] = field(default_factory=dict)
    """(SKU, currency) → the price that always holds."""
    stock: dict[tuple[str, str], int] = field(default_factory=dict)
    """(SKU, location) → units on hand."""

    def find(self, said: dict[str, Any]) -> Product | None:
        """The product with the external id, else with the slug."""
        found = self.by_external.get(str(said.get("external_id") or ""))
        return found or self.by_slug.get(str(said.get("slug") or ""))


def read(session: Session, tenant_id: str, items: Sequence[Item]) -> Shelf:
    """The products are locked against other writers; who sells them does not wait."""
    shelf = Shelf()
    slugs, externals = (_named(items, name) for name in ("slug", "external_id"))
    products = session.scalars(
        select(Product)
        .where(Product.tenant_id == tenant_id, Product.slug.in_(slugs) | Product.external_id.in_(externals))
        .options(defer(Product.search))
        .order_by(Product.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).all()
    for product in products:
        shelf.by_slug[product.slug] = product
        if product.external_id:
            shelf.by_external[product.external_id] = product
    skus = {str(row.get("sku")) for item in items for row in item.variants}
    _variants(session, tenant_id, shelf, [one.id for one in products], skus)
    known = sorted(skus & set(shelf.owners))
    if known and any(row.get("prices") for item in items for row in item.variants):
        _prices(session, tenant_id, shelf, known)
    if known and any(row.get("stock") for item in items for row in item.variants):
        _stock(session, tenant_id, shelf, known)
    return shelf


def _named(items: Sequence[Item], name: str) -> list[str]:
    return sorted({str(item.said[name]) for item in items if item.said.get(name)})


def _variants(session: Session, tenant_id: str, shelf: Shelf, product_ids: list[str], skus: set[str]) -> None:
    mine = Variant.product_id.in_(product_ids) | Variant.sku.in_(sorted(skus))
    rows = session.scalars(
        select(Variant)
        .where(Variant.tenant_id == tenant_id, mine)
        .order_by(Variant.position, Variant.id)
        .execution_options(populate_existing=True)
    )
    for row in rows:
        shelf.variants[row.product_id].append(row)
        shelf.owners[row.sku] = row.product_id


def _prices(session: Session, tenant_id: str, shelf: Shelf, skus: list[str]) -> None:
    rows = session.execute(
        select(Variant.sku, ListedPrice.currency, ListedPrice.amount)
        .join(Variant, (Variant.tenant_id == ListedPrice.tenant_id) & (Variant.id == ListedPrice.variant_id))
        .where(Variant.tenant_id == tenant_id, Variant.sku.in_(skus))
        .where(ListedPrice.starts_at.is_(None), ListedPrice.ends_at.is_(None))
    )
    shelf.prices = {(sku, currency): amount for sku, currency, amount in rows}


def _stock(session: Session, tenant_id: str, shelf: Shelf, skus: list[str]) -> None:
    rows = session.execute(
        select(Variant.sku, Location.code, StockLevel.on_hand)
        .join(Variant, (Variant.tenant_id == StockLevel.tenant_id) & (Variant.id == StockLevel.variant_id))
        .join(Location, (Location.tenant_id == StockLevel.tenant_id) & (Location.id == StockLevel.location_id))
        .where(Variant.tenant_id == tenant_id, Variant.sku.in_(skus))
    )
    shelf.stock = {(sku, code): units for sku, code, units in rows}
