"""Licence codes that a merchant has brought, and what buyers were given."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit import clock
from engine.kit.tenancy import TenantRow, tenant_fk


class CodeStatus(StrEnum):
    FREE = "free"
    CLAIMED = "claimed"  # one unit of an order has it
    REVOKED = "revoked"  # given out, and not good any more


class DigitalCode(TenantRow):
    """A licence code of a variant's pool. Free ones are its units on hand."""

    __tablename__ = "digital_codes"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    variant_id: Mapped[str] = mapped_column(String(40))
    code_sealed: Mapped[bytes]
    """Encrypted for this tenant and this row."""
    code_hash: Mapped[str] = mapped_column(String(64))
    """Keyed: tells a code that is there already, and nothing else."""
    status: Mapped[CodeStatus] = mapped_column(String(10), default=CodeStatus.FREE)
    delivery_id: Mapped[str | None] = mapped_column(String(40))
    """What it was given out with."""
    added_by: Mapped[str] = mapped_column(String(40))
    added_at: Mapped[datetime] = mapped_column(default=clock.now)
    claimed_at: Mapped[datetime | None]

    __table_args__ = (
        tenant_fk("variant_id", "variants"),
        tenant_fk("delivery_id", "digital_deliveries"),
        CheckConstraint(
            "(status = 'free') = (delivery_id IS NULL) AND (status = 'free') = (claimed_at IS NULL)",
            name="given_out_says_to_whom",
        ),
        Index("uq_digital_codes_code", "tenant_id", "variant_id", "code_hash", unique=True),
        Index("ix_digital_codes_free", "tenant_id", "variant_id", "id", postgresql_where=text("status = 'free'")),
        Index("ix_digital_codes_delivery", "tenant_id", "delivery_id"),
    )


class DigitalDelivery(TenantRow):
    """Units of an order line that their buyer has been given: where they are had, and until when."""

    __tablename__ = "digital_deliveries"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    order_id: Mapped[str] = mapped_column(String(40))
    order_line_id: Mapped[str] = mapped_column(String(40))
    shipment_id: Mapped[str] = mapped_column(String(40))
    variant_id: Mapped[str] = mapped_column(String(40))
    quantity: Mapped[int]
    url_sealed: Mapped[bytes | None]
    """The address that gives access, encrypted; none where codes are all there is."""
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    revoke_reason: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        tenant_fk("order_id", "orders", ondelete="CASCADE"),
        tenant_fk("order_line_id", "order_lines", ondelete="CASCADE"),
        tenant_fk("shipment_id", "shipments"),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        Index("ix_digital_deliveries_order", "tenant_id", "order_id"),
        Index("ix_digital_deliveries_line", "tenant_id", "order_line_id"),
        Index("ix_digital_deliveries_shipment", "tenant_id", "shipment_id"),
    )
