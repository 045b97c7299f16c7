"""What a shopper insists on, as conditions PostgreSQL checks on live prices and stock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Integer, Select, exists, false, func, not_, select, type_coerce
from sqlalchemy.orm import InstrumentedAttribute

from engine.catalog.models import Product, Variant
from engine.catalog.prices import Selling, amount_now
from engine.catalog.repository import SOLD
from engine.compliance import service as compliance
from engine.compliance.policy import CompliancePolicy
from engine.inventory.availability import is_available
from engine.shipping.models import ShippingZone

Column: TypeAlias = ColumnElement[str] | InstrumentedAttribute[str]


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
    rules: CompliancePolicy = compliance.USUAL
    """The shop's restrictions, for ``ships_to``."""
    selling: Selling | None = None
    """The currency of prices, in which it must be sold; ``None`` looks at no list and takes the home price."""

    @property
    def amount(self) -> ColumnElement[Any]:
        """What the ``Variant`` of the enclosing query costs: a whole number, or null when it is not sold like that."""
        return amount_now(self.selling) if self.selling else type_coerce(Variant.price, Integer)


def conditions(tenant_id: str, filters: Filters) -> list[ColumnElement[bool]]:
    """For a query over ``Product``: on sale in this tenant and meeting every filter."""
    return [*product_conditions(tenant_id, filters), has_variant(filters, Product.tenant_id, Product.id)]


def product_conditions(tenant_id: str, filters: Filters) -> list[ColumnElement[bool]]:
    """The part that the product's own row decides."""
    found = [Product.tenant_id == tenant_id, Product.status == SOLD]
    if filters.categories is not None:
        found.append(Product.category.in_(filters.categories) if filters.categories else false())
    if filters.ships_to:
        found += _ships(tenant_id, filters.ships_to.upper(), filters.home, filters.rules)
    return found


def has_variant(filters: Filters, tenant_id: Column, product_id: Column) -> ColumnElement[bool]:
    """Whether the product of those columns has a variant on sale that meets price, options and stock together."""
    wanted = _sold(tenant_id, product_id)
    if filters.selling and not filters.selling.is_home:
        wanted.append(filters.amount.is_not(None))
    if filters.min_price is not None:
        wanted.append(filters.amount >= filters.min_price)
    if filters.max_price is not None:
        wanted.append(filters.amount <= filters.max_price)
    for name, values in filters.options:
        wanted.append(Variant.options[name].astext.in_(values) if values else false())
    if filters.in_stock:
        wanted.append(is_available())
    return _any(select(Variant.id).where(*wanted).correlate_except(Variant))


def cheapest(
    filters: Filters, tenant_id: Column = Product.tenant_id, product_id: Column = Product.id
) -> ColumnElement[int]:
    """The price of a product's cheapest variant on sale, in the currency of the filters."""
    query = select(func.min(filters.amount)).where(*_sold(tenant_id, product_id))
    return query.correlate_except(Variant).scalar_subquery()


def _sold(tenant_id: Column, product_id: Column) -> list[ColumnElement[bool]]:
    return [Variant.tenant_id == tenant_id, Variant.product_id == product_id, Variant.sellable.is_(True)]


def _any(rows: Select[str]) -> ColumnElement[bool]:
    """Whether there is a row, asked row by row through the index.

    ``EXISTS`` may be planned as a join over all variants: without fresh statistics, as after a large import, that
    was measured to take over 20 s at 20,000 products.
    """
    return rows.limit(1).scalar_subquery().is_not(None)


def _ships(tenant_id: str, country: str, home: str, rules: CompliancePolicy) -> list[ColumnElement[bool]]:
    if country in rules.embargoed and country != home:
        return [false()]
    served = exists().where(ShippingZone.tenant_id == tenant_id, ShippingZone.countries.contains([country]))
    barred = barred_restrictions(home=home, country=country, rules=rules)
    if not barred:
        return [served]
    return [served, not_(Product.restrictions.overlap(barred))]


def barred_restrictions(*, home: str, country: str, rules: CompliancePolicy = compliance.USUAL) -> list[str]:
    """Restrictions that keep an item from a country altogether, as the shop's rules of today say."""
    place = compliance.Place(home=home, country=country)
    tags = dict.fromkeys(rule.tag for rule in rules.in_force())
    return [tag for tag in tags if compliance.findings([compliance.Item("", [tag])], place, rules)]
