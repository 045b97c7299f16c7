"""Sales tax by place and category, per line, rounded half up per line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.kit import clock
from engine.kit.money import share_ppm
from engine.tax.models import TaxRate


@dataclass(frozen=True, slots=True)
class Jurisdiction:
    """The rate in force at a place. No row means no tax is collected there."""

    name: str
    rate_ppm: int
    category_ppm: dict[str, Any]
    taxes_shipping: bool

    def on(self, category: str, amount: int) -> int:
        """Tax on ``amount`` minor units of goods of ``category``."""
        return share_ppm(amount, int(self.category_ppm.get(category, self.rate_ppm)))

    def on_shipping(self, amount: int) -> int:
        return share_ppm(amount, self.rate_ppm) if self.taxes_shipping else 0


NO_TAX = Jurisdiction("none", 0, {}, taxes_shipping=False)


def jurisdiction(
    session: Session, tenant_id: str, *, country: str, region: str, on: date | None = None
) -> Jurisdiction:
    """The narrowest place with a rate: the region's, else the country's; the newest that has started by ``on``, which
    is today unless said.
    """
    row = session.scalars(
        select(TaxRate)
        .where(
            TaxRate.tenant_id == tenant_id,
            TaxRate.country == country,
            TaxRate.region.in_([region, ""]),
            TaxRate.valid_from <= (on or clock.now().date()),
        )
        .order_by(TaxRate.region.desc(), TaxRate.valid_from.desc())
        .limit(1)
    ).first()
    if row is None:
        return NO_TAX
    return Jurisdiction(row.name, row.rate_ppm, row.category_ppm, row.taxes_shipping)
