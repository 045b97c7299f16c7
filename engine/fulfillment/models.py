"""Work given to a place that ships: which units of an order it is to send, and how far it got."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import CheckConstraint, Index, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit import clock
from engine.kit.tenancy import TenantRow, tenant_fk

OWN: Final = "own"
"""The partner of a location that the merchant runs itself."""


class FulfillmentStatus(StrEnum):
    RELEASED = "released"  # handed over, not yet taken up
    ACCEPTED = "accepted"
    CANCEL_REQUESTED = "cancel_requested"  # the partner has not answered yet; nothing is shipped until it does
    PARTIALLY_SHIPPED = "partially_shipped"
    SHIPPED = "shipped"
    EXCEPTION = "exception"  # units could not be found, and nowhere else has them
    CANCELED = "canceled"


class Fulfillment(TenantRow):
    """One order's work for one location."""

    __tablename__ = "fulfillments"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    order_id: Mapped[str] = mapped_column(String(40))
    location_id: Mapped[str] = mapped_column(String(40))
    partner: Mapped[str] = mapped_column(String(40), default=OWN)
    status: Mapped[FulfillmentStatus] = mapped_column(String(20))
    routing: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Why this place: the plan's weights, its cost and the next best ones, as ``routing.Reasons`` says it."""
    way: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """The option by which its lines go, where that is not the order's."""
    capture_ids: Mapped[list[str]] = mapped_column(default=list)
    """Captures that must have succeeded before its goods may leave; none for an order that was paid at once."""
    cancel_change_id: Mapped[str | None] = mapped_column(String(40))
    released_at: Mapped[datetime] = mapped_column(default=clock.now)
    accepted_at: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(default=clock.now)
    version: Mapped[int] = mapped_column(default=1)

    __table_args__ = (
        tenant_fk("order_id", "orders", ondelete="CASCADE"),
        tenant_fk("location_id", "locations"),
        Index("ix_fulfillments_order", "tenant_id", "order_id"),
        Index("ix_fulfillments_released", "tenant_id", "released_at", "id"),
        Index(
            "ix_fulfillments_open",
            "tenant_id",
            "location_id",
            postgresql_where=text("status NOT IN ('shipped', 'canceled')"),
        ),
    )


class FulfillmentLine(TenantRow):
    """Units of one order line in a fulfillment. ``quantity - shipped - canceled`` are still to be sent."""

    __tablename__ = "fulfillment_lines"

    fulfillment_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    order_line_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    quantity: Mapped[int]
    shipped: Mapped[int] = mapped_column(default=0)
    canceled: Mapped[int] = mapped_column(default=0)
    cancel_requested: Mapped[int] = mapped_column(default=0)
    """Units the shopper wants canceled and the partner has not answered for."""

    __table_args__ = (
        tenant_fk("fulfillment_id", "fulfillments", ondelete="CASCADE"),
        tenant_fk("order_line_id", "order_lines", ondelete="CASCADE"),
        Index("ix_fulfillment_lines_line", "tenant_id", "order_line_id"),
        CheckConstraint(
            "quantity > 0 AND shipped >= 0 AND canceled >= 0 AND cancel_requested >= 0"
            " AND shipped + canceled + cancel_requested <= quantity",
            name="quantities_add_up",
        ),
    )

    @property
    def open(self) -> int:
        """Units still to be sent."""
        return self.quantity - self.shipped - self.canceled
