"""Tax rates by place, with the day they start."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit.tenancy import TenantRow


class TaxRate(TenantRow):
    __tablename__ = "tax_rates"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    country: Mapped[str] = mapped_column(String(2))
    region: Mapped[str] = mapped_column(default="")
    name: Mapped[str]
    rate_ppm: Mapped[int]
    category_ppm: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Categories with another rate; 0 is exempt."""
    taxes_shipping: Mapped[bool] = mapped_column(default=False)
    valid_from: Mapped[date]

    __table_args__ = (Index("uq_tax_rates_place", "tenant_id", "country", "region", "valid_from", unique=True),)
