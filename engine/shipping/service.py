"""Ways to ship a parcel somewhere, and what each costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.kit.tenancy import Tenant
from engine.shipping.models import ShippingZone


class Zone(Protocol):
    """A zone's row, wherever it was read."""

    @property
    def countries(self) -> list[str]: ...
    @property
    def regions(self) -> list[str]: ...
    @property
    def rates(self) -> list[Any]: ...


@dataclass(frozen=True, slots=True)
class Option:
    """One way to ship; ``amount`` in minor units of the currency asked for."""

    id: str
    title: str
    carrier: str
    amount: int
    min_days: int
    max_days: int


def zones(session: Session, tenant_id: str) -> list[ShippingZone]:
    """All zones in their order."""
    rows = session.scalars(
        select(ShippingZone).where(ShippingZone.tenant_id == tenant_id).order_by(ShippingZone.position)
    )
    return list(rows)


def options(
    session: Session,
    tenant_id: str,
    *,
    country: str,
    region: str,
    weight_g: int,
    goods: int,
    ground_only: bool,
    currency: str,
) -> list[Option]:
    """Ways to ship, cheapest first; empty where we do not ship. ``goods`` is the goods value after discount.

    A way without a price in ``currency`` is not offered in it.
    """
    home = session.get_one(Tenant, tenant_id).currency
    return offered(
        zones(session, tenant_id),
        country=country,
        region=region,
        weight_g=weight_g,
        goods=goods,
        ground_only=ground_only,
        abroad=None if currency == home else currency,
    )


def offered(
    rows: Sequence[Zone],
    *,
    country: str,
    region: str,
    weight_g: int,
    goods: int,
    ground_only: bool,
    abroad: str | None = None,
) -> list[Option]:
    """What ``options`` says, with the zones at hand in their order; ``abroad`` is a currency that is not the home's."""
    zone = _zone_for(rows, country, region)
    if zone is None:
        return []
    found = [
        Option(r["code"], r["title"], r["carrier"], _price(terms, weight_g, goods), r["min_days"], r["max_days"])
        for r in zone.rates
        if not (ground_only and r["air"]) and (terms := terms_of(r, abroad)) is not None
    ]
    return sorted(found, key=lambda option: (option.amount, option.max_days, option.id))


def terms_of(rate: Mapping[str, Any], abroad: str | None) -> Mapping[str, Any] | None:
    """price, per_kg and free_over of a rate, in the home currency or in another; ``None`` when it has none there."""
    if abroad is None:
        return rate
    found: Mapping[str, Any] | None = rate.get("amounts", {}).get(abroad)
    return found


def _zone_for(rows: Sequence[Zone], country: str, region: str) -> Zone | None:
    here = [zone for zone in rows if country in zone.countries]
    exact = [zone for zone in here if region in zone.regions]
    whole = [zone for zone in here if not zone.regions]
    return next(iter(exact + whole), None)


def _price(terms: Mapping[str, Any], weight_g: int, goods: int) -> int:
    free_over = terms.get("free_over")
    if free_over is not None and goods >= free_over:
        return 0
    kilograms = -(-weight_g // 1000)
    return int(terms["price"]) + int(terms.get("per_kg", 0)) * max(0, kilograms - 1)
