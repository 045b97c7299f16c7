"""What an item costs in one currency at one moment. Nobody converts: without a price of its own it is not sold in it.

In force is, of the rows whose time it is: one that ends before one that does not, then the one that started last, then
the newest. In the home currency ``variants.price`` stands where no row is in force.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, case, func, literal, select
from sqlalchemy.orm import Session

from engine.catalog.errors import CurrencyNotSold
from engine.catalog.models import ListedPrice, Variant
from engine.catalog.policy import CatalogPolicy
from engine.kit import clock
from engine.kit.policies import read_policy
from engine.kit.tenancy import Tenant

IN_FORCE: Final = """
SELECT q.id, q.amount, q.xmin::text AS stamp FROM app.prices q
WHERE q.tenant_id = v.tenant_id AND q.variant_id = v.id AND q.currency = %(currency)s
  AND (q.starts_at IS NULL OR q.starts_at <= %(moment)s) AND (q.ends_at IS NULL OR q.ends_at > %(moment)s)
ORDER BY q.ends_at IS NULL, q.starts_at DESC NULLS LAST, q.id DESC LIMIT 1
"""
"""The row in force for the variant ``v`` of the enclosing query, for whoever speaks to the driver itself; the same
rule as ``amount_now``."""


@dataclass(frozen=True, slots=True)
class Selling:
    """The currency in which a tenant's prices are asked for."""

    tenant_id: str
    home: str
    currency: str

    @property
    def is_home(self) -> bool:
        return self.currency == self.home


def currencies_of(home: str, settings: Mapping[str, Any]) -> tuple[str, ...]:
    """What a shop sells in, its home currency first."""
    return tuple(dict.fromkeys((home, *read_policy(dict(settings), CatalogPolicy).currencies)))


def selling_in(session: Session, tenant_id: str, currency: str | None = None) -> Selling:
    """The tenant's prices in a currency, in the home currency without one. Raises ``CurrencyNotSold``."""
    tenant = session.get_one(Tenant, tenant_id)
    if currency in {None, tenant.currency}:
        return Selling(tenant_id, tenant.currency, tenant.currency)
    sold = currencies_of(tenant.currency, tenant.settings)
    if currency not in sold:
        raise CurrencyNotSold(f"This shop sells in {' and '.join(sold)}, not in {currency}.", param="currency")
    return Selling(tenant_id, tenant.currency, str(currency))


def currency_for(session: Session, tenant_id: str, country: str | None) -> str:
    """What a shopper with an address in ``country`` starts in: by the policy, if the shop sells in it; else home."""
    tenant = session.get_one(Tenant, tenant_id)
    rule = read_policy(tenant.settings, CatalogPolicy)
    wanted = rule.currency_by_country.get(country or "")
    return wanted if wanted in rule.currencies else tenant.currency


def amount_now(selling: Selling) -> ColumnElement[int | None]:
    """What the ``Variant`` of the enclosing query costs now in minor units; null when it is not sold in it."""
    listed = _in_force(select(ListedPrice.amount), selling, clock.now()).scalar_subquery()
    if not selling.is_home:
        return listed
    return func.coalesce(case((_any_listed(selling), listed)), Variant.price)


def compare_now(selling: Selling) -> ColumnElement[int | None]:
    """What the enclosing ``Variant`` is shown to cost otherwise; null when nothing is."""
    listed = _in_force(select(ListedPrice.compare_at), selling, clock.now()).scalar_subquery()
    return case((_any_listed(selling), listed))


def price_of(session: Session, selling: Selling, variant_id: str) -> int | None:
    """What a variant costs now in minor units; ``None`` when it is not sold in that currency."""
    query = select(amount_now(selling)).where(Variant.tenant_id == selling.tenant_id, Variant.id == variant_id)
    return session.scalar(query)


def its_time(row: type[ListedPrice], now: datetime) -> tuple[ColumnElement[bool], ...]:
    """Whether a row's time is now."""
    return row.starts_at.is_(None) | (row.starts_at <= now), row.ends_at.is_(None) | (row.ends_at > now)


def narrowest(row: type[ListedPrice]) -> tuple[ColumnElement[Any], ...]:
    """The order in which rows whose time it is come: the first is in force."""
    return row.ends_at.is_(None), row.starts_at.desc().nulls_last(), row.id.desc()


def _in_force(
    query: Select[tuple[int]] | Select[tuple[int | None]], selling: Selling, now: datetime
) -> Select[tuple[int]] | Select[tuple[int | None]]:
    return (
        query.where(
            ListedPrice.tenant_id == Variant.tenant_id,
            ListedPrice.variant_id == Variant.id,
            ListedPrice.currency == selling.currency,
            *its_time(ListedPrice, now),
        )
        .order_by(*narrowest(ListedPrice))
        .limit(1)
        .correlate(Variant)
    )


def _any_listed(selling: Selling) -> ColumnElement[bool]:
    """Whether the shop lists any price in the currency: asked once for a whole query, not for each of its rows."""
    mine = (ListedPrice.tenant_id == selling.tenant_id, ListedPrice.currency == selling.currency)
    return select(literal(value=True)).where(*mine).limit(1).scalar_subquery().is_not(None)
