"""A cart: what an identity means to buy, and the promotions that make it cheaper. Prices are the catalog's of the
moment.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Index, String, func, text
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
        Index("ix_carts_owner", "tenant_id", "owner_id", "updated_at"),
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


class DiscountKind(StrEnum):
    OFF = "off"  # a percentage or an amount off what it is for
    BUY_GET = "buy_get"  # who buys so many gets so many others for less, or for nothing
    FREE_SHIPPING = "free_shipping"


class Stacking(StrEnum):
    COMBINABLE = "combinable"
    EXCLUSIVE = "exclusive"  # alone or not at all


class Discount(TenantRow):
    """A promotion: given for a code, or by itself to whoever buys what it asks for."""

    __tablename__ = "discounts"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    code: Mapped[str | None] = mapped_column(String(20))
    """``None``: it is automatic."""
    title: Mapped[str]
    kind: Mapped[DiscountKind] = mapped_column(String(14), default=DiscountKind.OFF, server_default=DiscountKind.OFF)
    percent_off: Mapped[int | None]
    amount_off: Mapped[int | None]
    """Minor units of the home currency, as is ``minimum``."""
    minimum: Mapped[int] = mapped_column(default=0)
    amounts: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'"))
    """Other currency → {amount_off, minimum}. A code that is worth money, or asks for a minimum, has no meaning in a
    currency that is not here.
    """
    category: Mapped[str | None]
    rules: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'"))
    """The rest of what it is for and asks for, as ``carts.promotions.Rules`` reads it."""
    priority: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """Higher ones are taken off first."""
    stacking: Mapped[Stacking] = mapped_column(
        String(10), default=Stacking.COMBINABLE, server_default=Stacking.COMBINABLE
    )
    first_order_only: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    per_customer_limit: Mapped[int | None]
    usage_limit: Mapped[int | None]
    used: Mapped[int] = mapped_column(default=0)
    """Uses that count: those of ``discount_uses`` that were not given back, and ``used_before``."""
    used_before: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """Uses from before each one was written down."""
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now, server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(default=clock.now, server_default=func.now())
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 (SQLAlchemy's own idiom)
    __table_args__ = (
        Index("uq_discounts_code", "tenant_id", "code", unique=True),
        Index("ix_discounts_automatic", "tenant_id", "ends_at", postgresql_where=text("code IS NULL")),
    )


class DiscountUse(TenantRow):
    """One order's use of a promotion. Whose it is, the order says."""

    __tablename__ = "discount_uses"

    discount_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    order_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    amount: Mapped[int]
    """What it took off the goods, in minor units of ``currency``."""
    shipping: Mapped[int] = mapped_column(default=0)
    """What it took off the shipping."""
    currency: Mapped[str] = mapped_column(String(3))
    used_at: Mapped[datetime] = mapped_column(default=clock.now)
    given_back_at: Mapped[datetime | None]

    __table_args__ = (
        tenant_fk("discount_id", "discounts"),
        tenant_fk("order_id", "orders", ondelete="CASCADE"),
        Index("ix_discount_uses_order", "tenant_id", "order_id"),
        CheckConstraint("amount >= 0 AND shipping >= 0", name="amount_not_negative"),
    )
