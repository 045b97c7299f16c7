"""Ways to ship a parcel somewhere, and what each costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

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
    """One way to ship; ``amount`` in minor units of the shop's currency."""

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
) -> list[Option]:
    """Ways to ship, cheapest first; empty where we do not ship. ``goods`` is the goods value after discount."""
    place = {"country": country, "region": region}
    return offered(zones(session, tenant_id), **place, weight_g=weight_g, goods=goods, ground_only=ground_only)


def offered(
    rows: Sequence[Zone], *, country: str, region: str, weight_g: int, goods: int, ground_only: bool
) -> list[Option]:
    """What ``options`` says, with the zones at hand in their order."""
    zone = _zone_for(rows, country, region)
    if zone is None:
        return []
    found = [
        Option(r["code"], r["title"], r["carrier"], _price(r, weight_g, goods), r["min_days"], r["max_days"])
        for r in zone.rates
        if not (ground_only and r["air"])
    ]
    return sorted(found, key=lambda option: (option.amount, option.max_days, option.id))


def _zone_for(rows: Sequence[Zone], country: str, region: str) -> Zone | None:
    here = [zone for zone in rows if country in zone.countries]
    exact = [zone for zone in here if region in zone.regions]
    whole = [zone for zone in here if not zone.regions]
    return next(iter(exact + whole), None)


def _price(rate: dict[str, int], weight_g: int, goods: int) -> int:
    free_over = rate.get("free_over")
    if free_over is not None and goods >= free_over:
        return 0
    kilograms = -(-weight_g // 1000)
    return rate["price"] + rate["per_kg"] * max(0, kilograms - 1)
