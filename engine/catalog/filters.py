"""What a shopper insists on, as conditions PostgreSQL checks on live prices and stock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Select, and_, exists, false, func, not_, select

from engine.catalog.models import Product, Variant
from engine.catalog.repository import SOLD
from engine.compliance import service as compliance
from engine.demo.catalog_file import Restriction
from engine.inventory.models import StockLevel
from engine.shipping.models import ShippingZone

MINE: Final = and_(Variant.tenant_id == Product.tenant_id, Variant.product_id == Product.id, Variant.sellable)


@dataclass(frozen=True, slots=True)
class Filters:
    """Read against the shop's own words. Prices in minor units; one variant must meet price, options and stock."""

    categories: tuple[str, ...] | None = None
    """Any of these; ``None`` is all, and an empty tuple nothing (the shop has no such category)."""
    min_price: int | None = None
    max_price: int | None = None
    options: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Option name and the values that will do; no values match nothing."""
    in_stock: bool = False
    ships_to: str | None = None
    home: str = ""
    """The shop's own country, for ``ships_to``."""


def conditions(tenant_id: str, filters: Filters) -> list[ColumnElement[bool]]:
    """For a query over ``Product``: on sale in this tenant and meeting every filter."""
    found = [Product.tenant_id == tenant_id, Product.status == SOLD, _has_variant(filters)]
    if filters.categories is not None:
        found.append(Product.category.in_(filters.categories) if filters.categories else false())
    if filters.ships_to:
        found += _ships(tenant_id, filters.ships_to.upper(), filters.home)
    return found


def cheapest() -> ColumnElement[int]:
    """The price of a product's cheapest variant on sale."""
    return select(func.min(Variant.price)).where(MINE).correlate(Product).scalar_subquery()


def _has_variant(filters: Filters) -> ColumnElement[bool]:
    wanted = [MINE]
    if filters.min_price is not None:
        wanted.append(Variant.price >= filters.min_price)
    if filters.max_price is not None:
        wanted.append(Variant.price <= filters.max_price)
    for name, values in filters.options:
        wanted.append(Variant.options[name].astext.in_(values) if values else false())
    if filters.in_stock:
        wanted.append(_in_stock())
    return _any(select(Variant.id).where(*wanted).correlate(Product))


def _any(rows: Select[str]) -> ColumnElement[bool]:
    """Whether there is a row, asked row by row through the index.

    ``EXISTS`` may be planned as a join over all variants: without fresh statistics, as after a large import, that
    was measured to take over 20 s at 20,000 products.
    """
    return rows.limit(1).scalar_subquery().is_not(None)


def _in_stock() -> ColumnElement[bool]:
    return _any(
        select(StockLevel.variant_id)
        .where(
            StockLevel.tenant_id == Variant.tenant_id,
            StockLevel.variant_id == Variant.id,
            StockLevel.on_hand > StockLevel.reserved,
        )
        .correlate(Variant)
    )


def _ships(tenant_id: str, country: str, home: str) -> list[ColumnElement[bool]]:
    served = exists().where(ShippingZone.tenant_id == tenant_id, ShippingZone.countries.contains([country]))
    barred = barred_restrictions(home=home, country=country)
    if not barred:
        return [served]
    return [served, not_(Product.restrictions.overlap(barred))]


def barred_restrictions(*, home: str, country: str) -> list[str]:
    """Restrictions that keep an item from a country altogether, as the compliance rules say."""
    where = {"home": home, "country": country, "region": "", "line_one": ""}
    return [one.value for one in Restriction if compliance.problems([("", [one.value])], **where)]
