"""The people: a shopper is whoever holds this browser session; a customer is a known person with a profile."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, String, func
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit import clock
from engine.kit.tenancy import TenantRow, tenant_fk


class Customer(TenantRow):
    __tablename__ = "customers"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    email: Mapped[str]
    name: Mapped[str]
    phone: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(default=clock.now)


Index("uq_customers_email", Customer.tenant_id, func.lower(Customer.email), unique=True)


class Shopper(TenantRow):
    """A session identity. Its carts, checkouts and orders are its own; a profile needs ``customer_id``, which only
    a verified e-mail sets.
    """

    __tablename__ = "shoppers"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    customer_id: Mapped[str | None] = mapped_column(String(40))
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    last_seen_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        tenant_fk("customer_id", "customers"),
        Index("ix_shoppers_customer", "tenant_id", "customer_id"),
    )


class Address(TenantRow):
    __tablename__ = "addresses"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    customer_id: Mapped[str] = mapped_column(String(40))
    name: Mapped[str]
    line_one: Mapped[str]
    line_two: Mapped[str] = mapped_column(default="")
    city: Mapped[str]
    state: Mapped[str]
    postal_code: Mapped[str]
    country: Mapped[str] = mapped_column(String(2))
    is_default: Mapped[bool] = mapped_column(default=False)

    __table_args__ = (
        tenant_fk("customer_id", "customers", ondelete="CASCADE"),
        Index("ix_addresses_customer", "tenant_id", "customer_id"),
    )


class PaymentMethod(TenantRow):
    """A card or wallet saved at a gateway. ``gateway_ref`` is useless without the merchant's own gateway session."""

    __tablename__ = "payment_methods"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    customer_id: Mapped[str] = mapped_column(String(40))
    kind: Mapped[str] = mapped_column(String(12), default="card")  # card | wallet
    gateway: Mapped[str] = mapped_column(String(20))
    gateway_ref: Mapped[str]
    brand: Mapped[str] = mapped_column(String(20))
    last4: Mapped[str] = mapped_column(String(4))
    exp_month: Mapped[int]
    exp_year: Mapped[int]
    is_default: Mapped[bool] = mapped_column(default=False)

    __table_args__ = (
        tenant_fk("customer_id", "customers", ondelete="CASCADE"),
        Index("ix_payment_methods_customer", "tenant_id", "customer_id"),
    )
