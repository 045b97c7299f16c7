"""Stock by item and place, what is promised of it, and the ledger it can be rebuilt from."""

from __future__ import annotations

from datetime import date, datetime, time
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import BigInteger, CheckConstraint, Double, Identity, Index, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
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
    line_one: Mapped[str] = mapped_column(default="", server_default="")
    """Street and number, where shoppers come to it."""
    ships: Mapped[bool] = mapped_column(default=True)
    """Whether orders may be routed here; a store that does not ship still counts as available at the store."""
    position: Mapped[int] = mapped_column(default=0)
    latitude: Mapped[float | None] = mapped_column(Double)
    longitude: Mapped[float | None] = mapped_column(Double)
    handling_days: Mapped[int] = mapped_column(default=0, server_default="0")
    """Working days between release and the carrier's van."""
    handling_cost: Mapped[int] = mapped_column(default=0, server_default="0")
    """Minor units of the tenant's currency for each parcel that leaves."""
    cannot_ship: Mapped[list[str]] = mapped_column(default=list, server_default="{}")
    """Restrictions of products (``Product.restrictions``) that may not leave from here."""
    time_zone: Mapped[str] = mapped_column(default="UTC", server_default="UTC")
    """IANA name: where the clock of ``cut_off`` hangs."""
    cut_off: Mapped[time | None]
    """What is ordered by then leaves a day earlier than what comes after; ``None``: the shop's policy says."""
    pickup: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """On what terms orders are fetched here (``engine.shipping.pickup.Pickup``); ``None``: they are not."""

    __table_args__ = (UniqueConstraint("tenant_id", "code"),)


class StockLevel(TenantRow):
    """Units of a variant at a location. ``available = on_hand - reserved`` can never be negative.

    ``sellable = max(0, available - safety_stock)`` is what may be sold or promised.
    """

    __tablename__ = "stock_levels"

    variant_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    location_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    on_hand: Mapped[int] = mapped_column(default=0)
    reserved: Mapped[int] = mapped_column(default=0)
    safety_stock: Mapped[int] = mapped_column(default=0, server_default="0")
    """Units that are there but never sold: the cushion for miscounts and breakage."""
    low_stock_at: Mapped[int | None]
    """Alert when no more than this is sellable here; ``None`` follows the shop's policy."""

    __table_args__ = (
        tenant_fk("variant_id", "variants", ondelete="CASCADE"),
        tenant_fk("location_id", "locations"),
        CheckConstraint("safety_stock >= 0", name="safety_stock_not_negative"),
        CheckConstraint("on_hand >= 0 AND reserved >= 0 AND reserved <= on_hand", name="available_not_negative"),
    )


class BundleComponent(TenantRow):
    """A unit of the bundle is ``quantity`` units of each of its components, picked at one place.

    A bundle has no stock level of its own, and no bundle is part of another.
    """

    __tablename__ = "bundle_components"

    bundle_variant_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    component_variant_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    quantity: Mapped[int]

    __table_args__ = (
        tenant_fk("bundle_variant_id", "variants", ondelete="CASCADE"),
        tenant_fk("component_variant_id", "variants"),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint("bundle_variant_id <> component_variant_id", name="not_of_itself"),
        Index("ix_bundle_components_component", "tenant_id", "component_variant_id"),
    )


class ReservationStatus(StrEnum):
    HELD = "held"  # for a payment under way; freed if it fails
    COMMITTED = "committed"  # sold: waits to be shipped
    RELEASED = "released"
    SHIPPED = "shipped"


class Reservation(TenantRow):
    """Units of one variant at one location that are promised. A line of a bundle has one for each component."""

    __tablename__ = "reservations"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    variant_id: Mapped[str] = mapped_column(String(40))
    location_id: Mapped[str] = mapped_column(String(40))
    quantity: Mapped[int]
    status: Mapped[ReservationStatus] = mapped_column(String(12))
    payment_id: Mapped[str | None] = mapped_column(String(40))
    order_line_id: Mapped[str | None] = mapped_column(String(40))
    per_unit: Mapped[int] = mapped_column(default=1, server_default="1")
    """Units of this variant in one unit of the order line, as the bundle was when it was sold."""
    tracked: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    """Whether the units count in the stock level; of an untracked item nothing is counted."""
    expires_at: Mapped[datetime | None]
    """When a hold by hand ends by itself; the hold of a payment under way has none."""
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        tenant_fk("variant_id", "variants"),
        tenant_fk("location_id", "locations"),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint("per_unit > 0 AND quantity % per_unit = 0", name="whole_line_units"),
        Index(
            "ix_reservations_expiring",
            "tenant_id",
            "expires_at",
            postgresql_where=text("status = 'held' AND expires_at IS NOT NULL"),
        ),
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
    TRANSFER = "transfer"
    COUNT = "count"


class StockMovement(TenantRow, AppendOnly):
    """One line of the stock ledger: how on-hand and reserved changed, and because of what."""

    __tablename__ = "stock_movements"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True, autoincrement=True)
    variant_id: Mapped[str] = mapped_column(String(40))
    location_id: Mapped[str] = mapped_column(String(40))
    kind: Mapped[MovementKind] = mapped_column(String(12))
    on_hand_delta: Mapped[int] = mapped_column(default=0)
    reserved_delta: Mapped[int] = mapped_column(default=0)
    subject: Mapped[str] = mapped_column(String(40))
    """The payment, order line, shipment, inbound, count or import behind it."""
    reason: Mapped[str | None]
    """Why, in the words of who adjusted by hand."""
    at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (Index("ix_stock_movements_item", "tenant_id", "variant_id", "location_id"),)


class HandAdjustment(TenantRow, AppendOnly):
    """What one person wrote on or off by hand at once, by an adjustment or a file: what their limit counts."""

    __tablename__ = "stock_adjustments"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    """Its subject in the stock ledger."""
    actor: Mapped[str] = mapped_column(String(80))
    units: Mapped[int] = mapped_column(BigInteger)
    value: Mapped[int] = mapped_column(BigInteger)
    """At cost, minor units; on and off both count up, as ``units`` do."""
    approved: Mapped[str | None] = mapped_column(String(40))
    """The approval it rests on; the limit counts only what has none."""
    at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        CheckConstraint("units >= 0 AND value >= 0", name="counts_up"),
        Index("ix_stock_adjustments_actor", "tenant_id", "actor", "at"),
    )


class InboundKind(StrEnum):
    PURCHASE = "purchase"
    TRANSFER = "transfer"


class InboundStatus(StrEnum):
    EXPECTED = "expected"
    PARTLY_RECEIVED = "partly_received"
    RECEIVED = "received"
    CANCELED = "canceled"


OPEN_INBOUNDS: Final = (InboundStatus.EXPECTED, InboundStatus.PARTLY_RECEIVED)
"""Of these the rest is still to come."""


class Inbound(TenantRow):
    """Goods on their way to a location: bought from a supplier, or sent by another location."""

    __tablename__ = "inbounds"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[InboundKind] = mapped_column(String(12))
    location_id: Mapped[str] = mapped_column(String(40))
    source_location_id: Mapped[str | None] = mapped_column(String(40))
    reference: Mapped[str] = mapped_column(String(80), default="")
    """The supplier's or the warehouse's own number."""
    expected_on: Mapped[date | None]
    status: Mapped[InboundStatus] = mapped_column(String(20))
    created_by: Mapped[str] = mapped_column(String(40))
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        tenant_fk("location_id", "locations"),
        tenant_fk("source_location_id", "locations"),
        CheckConstraint(
            "(kind = 'transfer') = (source_location_id IS NOT NULL) AND source_location_id <> location_id",
            name="transfer_has_source",
        ),
        Index("ix_inbounds_status", "tenant_id", "status", "expected_on"),
    )


class InboundLine(TenantRow):
    """How many units of a variant an inbound brings, and how many have come."""

    __tablename__ = "inbound_lines"

    inbound_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    variant_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    expected: Mapped[int]
    received: Mapped[int] = mapped_column(default=0, server_default="0")
    unit_cost: Mapped[int]
    """Minor units of the tenant's currency."""

    __table_args__ = (
        tenant_fk("inbound_id", "inbounds", ondelete="CASCADE"),
        tenant_fk("variant_id", "variants"),
        CheckConstraint("expected > 0 AND received >= 0 AND unit_cost >= 0", name="quantities_add_up"),
        Index("ix_inbound_lines_variant", "tenant_id", "variant_id"),
    )


class BackorderKind(StrEnum):
    BACKORDER = "backorder"
    PREORDER = "preorder"


class BackorderStatus(StrEnum):
    HELD = "held"  # for a payment under way
    WAITING = "waiting"  # sold: waits for stock
    ALLOCATED = "allocated"
    CANCELED = "canceled"


class Backorder(TenantRow):
    """Units of an order line that were sold before they are there, served first come first served.

    Waiting units are ``quantity - allocated - canceled``.
    """

    __tablename__ = "backorders"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    order_id: Mapped[str] = mapped_column(String(40))
    order_line_id: Mapped[str] = mapped_column(String(40))
    variant_id: Mapped[str] = mapped_column(String(40))
    quantity: Mapped[int]
    allocated: Mapped[int] = mapped_column(default=0, server_default="0")
    canceled: Mapped[int] = mapped_column(default=0, server_default="0")
    kind: Mapped[BackorderKind] = mapped_column(String(12))
    promised_on: Mapped[date | None]
    status: Mapped[BackorderStatus] = mapped_column(String(12))
    payment_id: Mapped[str | None] = mapped_column(String(40))
    components: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    """[{variant_id, quantity, tracked}]: what a unit takes from the shelf, as it was when it was sold."""
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        tenant_fk("variant_id", "variants"),
        CheckConstraint(
            "quantity > 0 AND allocated >= 0 AND canceled >= 0 AND allocated + canceled <= quantity",
            name="quantities_add_up",
        ),
        Index(
            "ix_backorders_waiting",
            "tenant_id",
            "variant_id",
            "created_at",
            "id",
            postgresql_where=text("status IN ('held', 'waiting')"),
        ),
        Index("ix_backorders_line", "tenant_id", "order_line_id"),
        Index("ix_backorders_payment", "tenant_id", "payment_id"),
    )

    @property
    def waiting(self) -> int:
        """Units that have no stock yet."""
        return self.quantity - self.allocated - self.canceled


class CountStatus(StrEnum):
    OPEN = "open"
    SUBMITTED = "submitted"  # waits for another person's approval
    APPROVED = "approved"
    REJECTED = "rejected"


class StockCount(TenantRow):
    """A cycle count of some items at a location."""

    __tablename__ = "stock_counts"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    location_id: Mapped[str] = mapped_column(String(40))
    status: Mapped[CountStatus] = mapped_column(String(12))
    note: Mapped[str] = mapped_column(default="", server_default="")
    opened_by: Mapped[str] = mapped_column(String(40))
    opened_at: Mapped[datetime] = mapped_column(default=clock.now)
    submitted_by: Mapped[str | None] = mapped_column(String(40))
    submitted_at: Mapped[datetime | None]
    decided_by: Mapped[str | None] = mapped_column(String(40))
    """``policy`` when the variance was small enough to need nobody."""
    decided_at: Mapped[datetime | None]

    __table_args__ = (
        tenant_fk("location_id", "locations"),
        Index("ix_stock_counts_status", "tenant_id", "status", "id"),
    )


class StockCountLine(TenantRow):
    """What the ledger said when the count was handed in, and what was found."""

    __tablename__ = "stock_count_lines"

    count_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    variant_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    expected: Mapped[int]
    counted: Mapped[int | None]

    __table_args__ = (
        tenant_fk("count_id", "stock_counts", ondelete="CASCADE"),
        tenant_fk("variant_id", "variants"),
        CheckConstraint("counted >= 0", name="counted_not_negative"),
    )
