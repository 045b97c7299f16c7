"""Tax rates by place with the days they hold, and the buyers who are free of some of them."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit import clock
from engine.kit.tenancy import TenantRow, tenant_fk


class Level(StrEnum):
    """How wide a jurisdiction is, the widest first."""

    COUNTRY = "country"
    REGION = "region"
    COUNTY = "county"
    CITY = "city"
    DISTRICT = "district"


class TaxRate(TenantRow):
    """What one jurisdiction asks for, from a day on. The rates of all jurisdictions an address lies in add up."""

    __tablename__ = "tax_rates"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    country: Mapped[str] = mapped_column(String(2))
    region: Mapped[str] = mapped_column(default="")
    level: Mapped[Level] = mapped_column(String(10), default=Level.REGION, server_default=Level.REGION)
    city: Mapped[str] = mapped_column(default="", server_default="")
    """Only addresses in this city, whatever its case; empty: in any."""
    postal_prefixes: Mapped[list[str]] = mapped_column(default=list, server_default="{}")
    """Only postal codes that start like one of these (without blanks); none: any."""
    name: Mapped[str]
    """The jurisdiction's: a newer rate of the same place and name takes the older one's place."""
    rate_ppm: Mapped[int]
    category_ppm: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Categories with another rate; 0 is exempt."""
    thresholds: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    """Category → {currency: minor units, taxes: "all"|"excess"}: a unit that costs less is free. One that does not is
    taxed in full, or only for what it costs beyond that."""
    taxes_shipping: Mapped[bool] = mapped_column(default=False)
    shipping_as_goods: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """Shipping is taxed like the goods it carries, each by its value, and not at the standard rate."""
    replaces_wider: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """Nothing is due to the wider jurisdictions here."""
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    """The last day."""

    __table_args__ = (
        Index(
            "uq_tax_rates_place",
            *("tenant_id", "country", "region", "city", "postal_prefixes", "name", "valid_from"),
            unique=True,
        ),
        CheckConstraint("rate_ppm BETWEEN 0 AND 1000000", name="rate_in_range"),
        CheckConstraint("valid_to >= valid_from", name="ends_after_start"),
    )


class ExemptionKind(StrEnum):
    RESALE = "resale"
    NONPROFIT = "nonprofit"
    GOVERNMENT = "government"
    REVERSE_CHARGE = "reverse_charge"  # a business that accounts for the tax itself


class ExemptionStatus(StrEnum):
    PENDING = "pending"
    VERIFIED = "verified"
    REJECTED = "rejected"
    REVOKED = "revoked"


class TaxExemption(TenantRow):
    """A customer's certificate. It counts once staff have verified it, where and as long as it is valid."""

    __tablename__ = "tax_exemptions"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    customer_id: Mapped[str] = mapped_column(String(40))
    kind: Mapped[ExemptionKind] = mapped_column(String(20))
    country: Mapped[str] = mapped_column(String(2))
    region: Mapped[str] = mapped_column(default="")
    """Empty: the whole country."""
    certificate: Mapped[str]
    """Its number, or the tax number that stands for it."""
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    """The last day."""
    status: Mapped[ExemptionStatus] = mapped_column(String(10), default=ExemptionStatus.PENDING)
    decided_by: Mapped[str | None] = mapped_column(String(80))
    decided_at: Mapped[datetime | None]
    note: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        tenant_fk("customer_id", "customers", ondelete="CASCADE"),
        Index("ix_tax_exemptions_customer", "tenant_id", "customer_id", "country"),
        Index("ix_tax_exemptions_created", "tenant_id", "created_at", "id"),
        CheckConstraint("valid_to >= valid_from", name="ends_after_start"),
        CheckConstraint("(status = 'pending') = (decided_by IS NULL)", name="decided_by_somebody"),
    )
