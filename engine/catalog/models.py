"""Products, their variants, and the words they are found by."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Computed, Index, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from engine.catalog.shop_file import StockPolicy
from engine.kit import clock
from engine.kit.tenancy import TenantRow, tenant_fk


class ProductStatus(StrEnum):
    DRAFT = "draft"  # not sold yet
    ACTIVE = "active"
    ARCHIVED = "archived"  # not sold any more


class Product(TenantRow):
    __tablename__ = "products"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    slug: Mapped[str] = mapped_column(String(80))
    external_id: Mapped[str | None] = mapped_column(String(80))
    """What the merchant's own system calls it."""
    title: Mapped[str]
    brand: Mapped[str]
    category: Mapped[str]
    description: Mapped[str]
    motif: Mapped[str] = mapped_column(String(40))
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """features[], materials[], compatibility[], care, attributes{}, synonyms[] as in the catalog file."""
    options: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Option name → values in display order (order of names kept in ``facts.option_names``)."""
    collections: Mapped[list[str]] = mapped_column(default=list, server_default=text("'{}'"))
    """Slugs of the collections it is in, such as ``summer-sale``."""
    tax_category: Mapped[str] = mapped_column(String(20))
    restrictions: Mapped[list[str]] = mapped_column(default=list)
    warranty_months: Mapped[int]
    rating: Mapped[int] = mapped_column(default=0)
    rating_count: Mapped[int] = mapped_column(default=0)
    status: Mapped[str] = mapped_column(String(20), default="active")
    """A ``ProductStatus``: only what is active is sold."""
    position: Mapped[int] = mapped_column(default=0)
    search_strong: Mapped[str] = mapped_column(default="")
    """Title, brand, category, synonyms, option values: weight A of the full text."""
    search_weak: Mapped[str] = mapped_column(default="")
    """Description and facts: weight C."""
    search: Mapped[str] = mapped_column(
        TSVECTOR,
        Computed(
            "setweight(to_tsvector('english', search_strong), 'A') || "
            "setweight(to_tsvector('english', search_weak), 'C')",
            persisted=True,
        ),
    )
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now)
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 (SQLAlchemy's own idiom)
    __table_args__ = (
        UniqueConstraint("tenant_id", "slug"),
        Index("uq_products_external", "tenant_id", "external_id", unique=True),
        Index("ix_products_category", "tenant_id", "category", "position", "id"),
        Index("ix_products_search", "search", postgresql_using="gin"),
    )


class Variant(TenantRow):
    __tablename__ = "variants"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    product_id: Mapped[str] = mapped_column(String(40))
    sku: Mapped[str] = mapped_column(String(40))
    title: Mapped[str]
    """Product title and option values: ``Ridgeline 2 Tent (green)``."""
    options: Mapped[dict[str, Any]] = mapped_column(default=dict)
    price: Mapped[int]
    """Minor units of the tenant's home currency, where no row of ``prices`` is in force."""
    cost: Mapped[int]
    """Minor units of the home currency, whatever it is sold in."""
    weight_g: Mapped[int]
    length_mm: Mapped[int]
    width_mm: Mapped[int]
    height_mm: Mapped[int]
    sellable: Mapped[bool] = mapped_column(default=True)
    stock_policy: Mapped[StockPolicy] = mapped_column(
        String(12), default=StockPolicy.DENY, server_default=StockPolicy.DENY
    )
    backorder_limit: Mapped[int | None]
    """Most units that may wait at a time; ``None`` sets no limit."""
    available_on: Mapped[date | None]
    """The day a pre-order can ship from."""
    lead_days: Mapped[int | None]
    """Days that getting more takes when none is on its way."""
    digital: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """What a buyer is given of what has no parcel (``engine.shipping.digital.Digital``); ``None``: it is goods."""
    position: Mapped[int] = mapped_column(default=0)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        CheckConstraint("backorder_limit >= 0 AND lead_days >= 0", name="waiting_not_negative"),
        tenant_fk("product_id", "products", ondelete="CASCADE"),
        UniqueConstraint("tenant_id", "sku"),
        Index("ix_variants_product", "tenant_id", "product_id", "position"),
        CheckConstraint("price >= 0 AND cost >= 0", name="price_not_negative"),
        CheckConstraint("digital IS NULL OR stock_policy IN ('deny', 'untracked')", name="digital_is_counted_by_codes"),
    )


class ListedPrice(TenantRow):
    """A variant's price in one currency, always or for a time; ``engine/catalog/prices.py`` says which is in force."""

    __tablename__ = "prices"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    variant_id: Mapped[str] = mapped_column(String(40))
    currency: Mapped[str] = mapped_column(String(3))
    amount: Mapped[int]
    """Minor units of ``currency``."""
    compare_at: Mapped[int | None]
    """What it is shown to cost otherwise; always more than ``amount``."""
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    source: Mapped[str] = mapped_column(String(40))
    """Who made it: ``import``, or the key of staff."""
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        tenant_fk("variant_id", "variants", ondelete="CASCADE"),
        CheckConstraint("amount >= 0", name="amount_not_negative"),
        CheckConstraint("compare_at > amount", name="compare_at_more"),
        CheckConstraint("ends_at > starts_at", name="ends_after_start"),
        Index("ix_prices_variant", "tenant_id", "currency", "variant_id"),
        Index(
            "uq_prices_always",
            "tenant_id",
            "variant_id",
            "currency",
            unique=True,
            postgresql_where=text("starts_at IS NULL AND ends_at IS NULL"),
        ),
    )


class ProductSource(TenantRow):
    """Where a product comes from that another system sells as well, and how fresh is what we know of it."""

    __tablename__ = "product_sources"

    product_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    system: Mapped[str] = mapped_column(String(20))
    connection_id: Mapped[str] = mapped_column(String(40))
    source_id: Mapped[str] = mapped_column(String(80))
    """What it is called there."""
    seen_at: Mapped[datetime]
    """When it was last read: as old as what we know of it is."""
    changed_at: Mapped[datetime]
    """When it changed there, as it said itself."""
    images: Mapped[list[str]] = mapped_column(default=list, server_default=text("'{}'"))
    """Addresses of its pictures there."""
    made_here: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """It was ours before: its words are ours, and only its prices follow."""

    __table_args__ = (
        tenant_fk("product_id", "products", ondelete="CASCADE"),
        Index("uq_product_sources_source", "tenant_id", "connection_id", "source_id", unique=True),
    )
