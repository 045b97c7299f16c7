"""Orders, their lines and shipments. Few states are stored; the rest is computed from quantities and payments."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Index, Sequence, String, text
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit import clock
from engine.kit.tenancy import SCHEMA, Base, TenantRow, tenant_fk

order_numbers = Sequence("order_numbers", start=10_000, schema=SCHEMA, metadata=Base.metadata)


class OrderStatus(StrEnum):
    PENDING_PAYMENT = "pending_payment"  # invisible to shopper, webhooks and sync
    ON_HOLD = "on_hold"
    OPEN = "open"
    CANCELED = "canceled"
    CLOSED = "closed"


class Order(TenantRow):
    __tablename__ = "orders"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    number: Mapped[str] = mapped_column(String(20))
    session_id: Mapped[str | None] = mapped_column(String(40))
    owner_id: Mapped[str] = mapped_column(String(40))
    """The session identity that bought it; it may always see it."""
    customer_id: Mapped[str | None] = mapped_column(String(40))
    """Set when the buyer was a verified customer at the time."""
    thread_id: Mapped[str | None] = mapped_column(String(40))
    status: Mapped[OrderStatus] = mapped_column(String(20))
    currency: Mapped[str] = mapped_column(String(3))
    totals: Mapped[list[Any]]
    """[{type, display_text, amount}] as agreed to, ACP total types; amounts in minor units."""
    total: Mapped[int]
    tax: Mapped[int]
    buyer: Mapped[dict[str, Any]]
    ship_to: Mapped[dict[str, Any] | None]
    fulfillment: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """id, title, carrier, amount, min_days, max_days of the chosen option."""
    discount_codes: Mapped[list[str]] = mapped_column(default=list)
    placed_at: Mapped[datetime | None]
    """When its payment came in; an order without it never was, and nobody outside sees it."""
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now)
    version: Mapped[int] = mapped_column(default=1)

    __table_args__ = (
        Index("uq_orders_number", "tenant_id", "number", unique=True),
        Index(
            "uq_orders_live_session",
            "tenant_id",
            "session_id",
            unique=True,
            postgresql_where=text("status <> 'canceled'"),
        ),
        Index("ix_orders_owner", "tenant_id", "owner_id", "placed_at", "id"),
        Index("ix_orders_customer", "tenant_id", "customer_id", "placed_at", "id"),
        Index("ix_orders_placed", "tenant_id", "placed_at", "id"),
    )


class OrderLine(TenantRow):
    """A line and how far each unit got; money is the line's share of what was agreed to."""

    __tablename__ = "order_lines"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    order_id: Mapped[str] = mapped_column(String(40))
    position: Mapped[int]
    product_id: Mapped[str] = mapped_column(String(40))
    variant_id: Mapped[str] = mapped_column(String(40))
    sku: Mapped[str] = mapped_column(String(40))
    title: Mapped[str]
    options: Mapped[dict[str, Any]] = mapped_column(default=dict)
    unit_price: Mapped[int]
    unit_cost: Mapped[int]
    ordered: Mapped[int]
    canceled: Mapped[int] = mapped_column(default=0)
    shipped: Mapped[int] = mapped_column(default=0)
    delivered: Mapped[int] = mapped_column(default=0)
    returned: Mapped[int] = mapped_column(default=0)
    discount: Mapped[int] = mapped_column(default=0)
    tax: Mapped[int] = mapped_column(default=0)

    __table_args__ = (
        tenant_fk("order_id", "orders", ondelete="CASCADE"),
        Index("ix_order_lines_order", "tenant_id", "order_id", "position"),
        CheckConstraint(
            "ordered > 0 AND canceled >= 0 AND shipped >= 0 AND canceled + shipped <= ordered"
            " AND delivered BETWEEN 0 AND shipped AND returned BETWEEN 0 AND delivered",
            name="quantities_add_up",
        ),
    )


class ShipmentStatus(StrEnum):
    LABEL_CREATED = "label_created"  # packed and labeled: it has left our stock, the carrier has not scanned it yet
    SHIPPED = "shipped"
    IN_TRANSIT = "in_transit"
    OUT_FOR_DELIVERY = "out_for_delivery"
    DELIVERED = "delivered"
    EXCEPTION = "exception"
    LOST = "lost"
    RETURNED = "returned"  # came back to the sender


class Shipment(TenantRow):
    """Parcels of one order that left one location together under one tracking number."""

    __tablename__ = "shipments"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    order_id: Mapped[str] = mapped_column(String(40))
    location_id: Mapped[str] = mapped_column(String(40))
    carrier: Mapped[str]
    tracking_number: Mapped[str]
    fulfillment_id: Mapped[str | None] = mapped_column(String(40))
    """None for parcels of before our time."""
    service: Mapped[str] = mapped_column(default="")
    label_cost: Mapped[int] = mapped_column(default=0)
    status: Mapped[ShipmentStatus] = mapped_column(String(20))
    lines: Mapped[list[Any]]
    """[{order_line_id, quantity}]"""
    packages: Mapped[list[Any]] = mapped_column(default=list)
    """[{weight_g, items: [{order_line_id, quantity}]}]"""
    events: Mapped[list[Any]] = mapped_column(default=list)
    """[{id?, at, status, text}] oldest first; ``id`` is the carrier's own, unique within the shipment."""
    expected_on: Mapped[date | None]
    shipped_at: Mapped[datetime]
    """When it left our stock."""
    delivered_at: Mapped[datetime | None]
    lost_at: Mapped[datetime | None]
    returned_at: Mapped[datetime | None]

    __table_args__ = (
        tenant_fk("order_id", "orders", ondelete="CASCADE"),
        tenant_fk("location_id", "locations"),
        tenant_fk("fulfillment_id", "fulfillments"),
        CheckConstraint("label_cost >= 0", name="label_cost_not_negative"),
        Index("ix_shipments_order", "tenant_id", "order_id"),
        Index("ix_shipments_fulfillment", "tenant_id", "fulfillment_id"),
        Index("ix_shipments_shipped", "tenant_id", "shipped_at", "id"),
        Index("uq_shipments_tracking", "tenant_id", "carrier", "tracking_number", unique=True),
        Index(
            "ix_shipments_under_way",
            "tenant_id",
            "carrier",
            "id",
            postgresql_where=text("status NOT IN ('delivered', 'lost', 'returned')"),
        ),
    )
