"""Tax rates by place with the days they hold, the buyers who are free of some of them, and what another engine said."""

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


class TaxSource(StrEnum):
    """Who worked a tax out."""

    TABLES = "tables"
    STRIPE = "stripe_tax"
    FALLBACK = "tables_fallback"  # the tables, as the shop's engine did not answer


class QuoteStatus(StrEnum):
    ANSWERED = "answered"
    FAILED = "failed"


class TaxQuote(TenantRow):
    """What a tax engine that has to be asked last said of a checkout. It holds for the very question it answers."""

    __tablename__ = "tax_quotes"

    session_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    engine: Mapped[str] = mapped_column(String(20))
    question_hash: Mapped[str] = mapped_column(String(64))
    """Of lines, amounts, shipping, address, exemption, currency and day."""
    status: Mapped[QuoteStatus] = mapped_column(String(10))
    answer: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """{lines: {reference: [{jurisdiction, level, rate_ppm, amount}]}, shipping: [...]}; empty where it failed."""
    calculation_id: Mapped[str | None] = mapped_column(String(80))
    """The engine's own name for it."""
    asked_at: Mapped[datetime] = mapped_column(default=clock.now)
    expires_at: Mapped[datetime]

    __table_args__ = (
        tenant_fk("session_id", "checkout_sessions", ondelete="CASCADE"),
        CheckConstraint("(status = 'answered') = (calculation_id IS NOT NULL)", name="answered_has_calculation"),
    )


class FilingKind(StrEnum):
    SALE = "sale"
    REVERSAL = "reversal"


class FilingStatus(StrEnum):
    PENDING = "pending"
    FILED = "filed"
    FAILED = "failed"


class TaxFiling(TenantRow):
    """A sale, or what became less of it, that is told to the engine which worked its tax out: once each."""

    __tablename__ = "tax_filings"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    order_id: Mapped[str] = mapped_column(String(40))
    kind: Mapped[FilingKind] = mapped_column(String(10))
    subject_id: Mapped[str] = mapped_column(String(40))
    """The order, or the adjustment that made it less."""
    amount: Mapped[int]
    """Tax included, minor units of the order's currency; what is taken back is negative."""
    status: Mapped[FilingStatus] = mapped_column(String(10), default=FilingStatus.PENDING)
    transaction_id: Mapped[str | None] = mapped_column(String(80))
    attempts: Mapped[int] = mapped_column(default=0)
    problem: Mapped[str] = mapped_column(default="")
    available_at: Mapped[datetime] = mapped_column(default=clock.now)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        tenant_fk("order_id", "orders", ondelete="CASCADE"),
        Index("uq_tax_filings_subject", "tenant_id", "subject_id", unique=True),
        Index("ix_tax_filings_order", "tenant_id", "order_id"),
        Index("ix_tax_filings_pending", "tenant_id", "available_at", postgresql_where=text("status = 'pending'")),
        CheckConstraint("(status = 'filed') = (transaction_id IS NOT NULL)", name="filed_has_transaction"),
        CheckConstraint("(kind = 'sale') = (amount >= 0)", name="reversal_is_negative"),
    )
