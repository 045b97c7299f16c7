"""Where we ship, how, and for how much."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit.tenancy import TenantRow


class ShippingZone(TenantRow):
    __tablename__ = "shipping_zones"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str]
    countries: Mapped[list[str]]
    regions: Mapped[list[str]] = mapped_column(default=list)
    rates: Mapped[list[Any]]
    """[{code, title, carrier, price, per_kg, free_over, min_days, max_days, air, amounts}] as in the catalog file;
    ``amounts`` is other currency → {price, per_kg, free_over}."""
    position: Mapped[int] = mapped_column(default=0)

    __table_args__ = (Index("ix_shipping_zones_position", "tenant_id", "position"),)
