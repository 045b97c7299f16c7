"""A cart: what an identity means to buy, and the codes that make it cheaper. Prices are the catalog's of the moment."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit import clock
from engine.kit.tenancy import TenantRow, tenant_fk


class Cart(TenantRow):
    __tablename__ = "carts"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    owner_id: Mapped[str] = mapped_column(String(40))
    """The shopper (``shp_``) or key (``key_``) that made it."""
    status: Mapped[str] = mapped_column(String(12), default="open")  # open | ordered
    currency: Mapped[str | None] = mapped_column(String(3))
    """What its prices are in; ``None`` is the shop's home currency."""
    discount_codes: Mapped[list[str]] = mapped_column(default=list)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        Index("uq_carts_open", "tenant_id", "owner_id", unique=True, postgresql_where=text("status = 'open'")),
    )


class CartLine(TenantRow):
    __tablename__ = "cart_lines"

    cart_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    variant_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    quantity: Mapped[int]
    added_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        tenant_fk("cart_id", "carts", ondelete="CASCADE"),
        tenant_fk("variant_id", "variants", ondelete="CASCADE"),
        CheckConstraint("quantity BETWEEN 1 AND 99", name="quantity_in_range"),
    )


class Discount(TenantRow):
    __tablename__ = "discounts"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    code: Mapped[str] = mapped_column(String(20))
    title: Mapped[str]
    percent_off: Mapped[int | None]
    amount_off: Mapped[int | None]
    """Minor units of the home currency, as is ``minimum``."""
    minimum: Mapped[int] = mapped_column(default=0)
    amounts: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'"))
    """Other currency → {amount_off, minimum}. A code that is worth money, or asks for a minimum, has no meaning in a
    currency that is not here.
    """
    category: Mapped[str | None]
    usage_limit: Mapped[int | None]
    used: Mapped[int] = mapped_column(default=0)
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]

    __table_args__ = (Index("uq_discounts_code", "tenant_id", "code", unique=True),)
