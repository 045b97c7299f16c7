"""Stock by item and place, what is promised of it, and the ledger it can be rebuilt from."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit import clock
from engine.kit.tenancy import AppendOnly, TenantRow, tenant_fk


class Location(TenantRow):
    __tablename__ = "locations"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    code: Mapped[str] = mapped_column(String(12))
    name: Mapped[str]
    kind: Mapped[str] = mapped_column(String(12))
    country: Mapped[str] = mapped_column(String(2))
    region: Mapped[str]
    city: Mapped[str]
    postal_code: Mapped[str]
    ships: Mapped[bool] = mapped_column(default=True)
    """Whether orders may be routed here; a store that does not ship still counts as available at the store."""
    position: Mapped[int] = mapped_column(default=0)

    __table_args__ = (UniqueConstraint("tenant_id", "code"),)


class StockLevel(TenantRow):
    """Units of a variant at a location. ``available = on_hand - reserved`` can never be negative."""

    __tablename__ = "stock_levels"

    variant_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    location_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    on_hand: Mapped[int] = mapped_column(default=0)
    reserved: Mapped[int] = mapped_column(default=0)

    __table_args__ = (
        tenant_fk("variant_id", "variants", ondelete="CASCADE"),
        tenant_fk("location_id", "locations"),
        CheckConstraint("on_hand >= 0 AND reserved >= 0 AND reserved <= on_hand", name="available_not_negative"),
    )


class ReservationStatus(StrEnum):
    HELD = "held"  # for a payment under way; freed if it fails
    COMMITTED = "committed"  # sold: waits to be shipped
    RELEASED = "released"
    SHIPPED = "shipped"


class Reservation(TenantRow):
    __tablename__ = "reservations"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    variant_id: Mapped[str] = mapped_column(String(40))
    location_id: Mapped[str] = mapped_column(String(40))
    quantity: Mapped[int]
    status: Mapped[ReservationStatus] = mapped_column(String(12))
    payment_id: Mapped[str | None] = mapped_column(String(40))
    order_line_id: Mapped[str | None] = mapped_column(String(40))
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        tenant_fk("variant_id", "variants"),
        tenant_fk("location_id", "locations"),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        Index("ix_reservations_payment", "tenant_id", "payment_id"),
        Index("ix_reservations_line", "tenant_id", "order_line_id"),
        Index(
            "ix_reservations_live",
            "tenant_id",
            "variant_id",
            "location_id",
            postgresql_where=text("status IN ('held', 'committed')"),
        ),
    )


class MovementKind(StrEnum):
    RECEIPT = "receipt"
    RESERVE = "reserve"
    RELEASE = "release"
    SHIP = "ship"
    RETURN = "return"
    ADJUST = "adjust"


class StockMovement(TenantRow, AppendOnly):
    """One line of the stock ledger: how on-hand and reserved changed, and because of what."""

    __tablename__ = "stock_movements"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    variant_id: Mapped[str] = mapped_column(String(40))
    location_id: Mapped[str] = mapped_column(String(40))
    kind: Mapped[MovementKind] = mapped_column(String(12))
    on_hand_delta: Mapped[int] = mapped_column(default=0)
    reserved_delta: Mapped[int] = mapped_column(default=0)
    subject: Mapped[str] = mapped_column(String(40))
    """The payment, order line, shipment or import behind it."""
    at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (Index("ix_stock_movements_item", "tenant_id", "variant_id", "location_id"),)
