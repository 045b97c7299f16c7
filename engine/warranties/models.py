"""Warranties and claims: one promise for each unit that arrived, and what became of a fault."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit import clock
from engine.kit.evidence import EvidenceColumns
from engine.kit.tenancy import AppendOnly, TenantRow, tenant_fk

OVER = "status IN ('closed', 'canceled', 'expired')"


class WarrantyStatus(StrEnum):
    ACTIVE = "active"  # whether its term has ended, its date says
    REPLACED = "replaced"  # another unit took its place, with a warranty of its own
    REFUNDED = "refunded"
    RETURNED = "returned"  # the unit was sent back
    VOID = "void"  # the unit did not arrive after all


class Warranty(TenantRow):
    """What is promised for one unit of an order line. Whoever bought the order may claim it."""

    __tablename__ = "warranties"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    order_id: Mapped[str] = mapped_column(String(40))
    order_line_id: Mapped[str] = mapped_column(String(40))
    unit: Mapped[int]
    """Which of the line's units (of a bundle: of this component's), from 1, in the order in which they arrived."""
    variant_id: Mapped[str] = mapped_column(String(40))
    """The line's, or one of the components' of a bundle: each of their units has a warranty of its own."""
    sku: Mapped[str] = mapped_column(String(40))
    title: Mapped[str]
    serial: Mapped[str | None] = mapped_column(String(60))
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    """The last day on which a fault can be told."""
    terms: Mapped[dict[str, Any]]
    """{months, extra_months, category, exclusions} as they were when the unit arrived."""
    status: Mapped[WarrantyStatus] = mapped_column(String(10))
    root_id: Mapped[str] = mapped_column(String(40))
    """The warranty of the unit that was paid for; its own id where nothing was replaced before."""
    follows_id: Mapped[str | None] = mapped_column(String(40))
    """The warranty whose unit this one took the place of."""
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        tenant_fk("order_id", "orders", ondelete="CASCADE"),
        tenant_fk("order_line_id", "order_lines", ondelete="CASCADE"),
        CheckConstraint("unit > 0 AND ends_on >= starts_on", name="term_is_one"),
        Index("uq_warranties_unit", "tenant_id", "order_line_id", "variant_id", "unit", unique=True),
        Index("uq_warranties_follows", "tenant_id", "follows_id", unique=True),
        Index("ix_warranties_order", "tenant_id", "order_id"),
        Index("ix_warranties_root", "tenant_id", "root_id"),
        Index("ix_warranties_created", "tenant_id", "created_at", "id"),
        Index("ix_warranties_serial", "tenant_id", "serial"),
    )


class ClaimStatus(StrEnum):
    SUBMITTED = "submitted"
    IN_REVIEW = "in_review"
    NEED_INFO = "need_info"  # the shop asked its shopper something
    APPROVED = "approved"
    DENIED = "denied"
    REPAIRING = "repairing"
    REPLACED = "replaced"
    REFUNDED = "refunded"
    CLOSED = "closed"
    CANCELED = "canceled"
    EXPIRED = "expired"  # its shopper did not answer, choose or send in time


class Resolution(StrEnum):
    REPAIR = "repair"
    REPLACEMENT = "replacement"
    REFUND = "refund"


class Claim(TenantRow):
    """A fault of one unit, and what the shop does about it. Amounts are minor units of ``currency``."""

    __tablename__ = "warranty_claims"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    number: Mapped[str] = mapped_column(String(30))
    warranty_id: Mapped[str] = mapped_column(String(40))
    order_id: Mapped[str] = mapped_column(String(40))
    """The order that paid for the unit, or for the first one it took the place of: its money is what can go back."""
    status: Mapped[ClaimStatus] = mapped_column(String(12))
    requested_by: Mapped[str] = mapped_column(String(80))
    symptom: Mapped[str] = mapped_column(String(60))
    """Code of the shop's closed list."""
    description: Mapped[str]
    offers: Mapped[list[str]]
    """What the shop offers; with more than one, its shopper chooses."""
    resolution: Mapped[Resolution | None] = mapped_column(String(12))
    """What is done: decided by the shop, or chosen."""
    comes_back: Mapped[bool] = mapped_column(default=False)
    """The unit is to be sent in before anything else happens."""
    message: Mapped[str | None]
    """Why so, and how it stands, in words fit for the shopper."""
    staff_note: Mapped[str | None]
    reviewed_by: Mapped[str | None] = mapped_column(String(80))
    decided_by: Mapped[str | None] = mapped_column(String(80))
    approval_id: Mapped[str | None] = mapped_column(String(40))
    consent_id: Mapped[str | None] = mapped_column(String(40))
    """The card on which the shopper chooses."""
    currency: Mapped[str] = mapped_column(String(3))
    amount: Mapped[int] = mapped_column(default=0)
    """What a refund gives back, tax included: as it was decided, then as it was done."""
    tax: Mapped[int] = mapped_column(default=0)
    refund_to: Mapped[str] = mapped_column(String(12))
    replacement_order_id: Mapped[str | None] = mapped_column(String(40))
    problem: Mapped[str | None] = mapped_column(String(60))
    """Code of what keeps the decision from being carried out."""
    location_id: Mapped[str | None] = mapped_column(String(40))
    """Where the unit is to come."""
    carrier: Mapped[str | None]
    tracking_number: Mapped[str | None]
    label_cost: Mapped[int] = mapped_column(default=0)
    label_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    """When its shopper handed it in."""
    events: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'::jsonb"))
    """[{id, at, status, text}] of the parcel that comes in, oldest first."""
    received_at: Mapped[datetime | None]
    back_carrier: Mapped[str | None]
    """Of the parcel with the repaired unit."""
    back_number: Mapped[str | None]
    back_cost: Mapped[int] = mapped_column(default=0)
    sent_back_at: Mapped[datetime | None]
    back_events: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'::jsonb"))
    """The same of the parcel that goes back."""
    back_at: Mapped[datetime | None]
    """When the repaired unit arrived."""
    due_at: Mapped[datetime | None]
    """When the shop must have done its next step."""
    answer_by: Mapped[datetime | None]
    """When its shopper must have answered, chosen or sent the unit in."""
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    decided_at: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)

    __table_args__ = (
        tenant_fk("warranty_id", "warranties", ondelete="CASCADE"),
        tenant_fk("order_id", "orders", ondelete="CASCADE"),
        tenant_fk("location_id", "locations"),
        CheckConstraint("amount >= 0 AND tax BETWEEN 0 AND amount", name="amounts_add_up"),
        CheckConstraint("replacement_order_id IS NULL OR resolution = 'replacement'", name="one_resolution"),
        Index("uq_warranty_claims_number", "tenant_id", "number", unique=True),
        Index("uq_warranty_claims_approval", "tenant_id", "approval_id", unique=True),
        Index("uq_warranty_claims_replacement", "tenant_id", "replacement_order_id", unique=True),
        Index("uq_warranty_claims_open", "tenant_id", "warranty_id", unique=True, postgresql_where=text(f"NOT {OVER}")),
        Index("ix_warranty_claims_order", "tenant_id", "order_id"),
        Index("ix_warranty_claims_warranty", "tenant_id", "warranty_id", "created_at"),
        Index("ix_warranty_claims_created", "tenant_id", "created_at", "id"),
        Index("ix_warranty_claims_status", "tenant_id", "status", "created_at", "id"),
        Index(
            "ix_warranty_claims_parcels",
            "tenant_id",
            "id",
            postgresql_where=text(
                "sent_at IS NOT NULL AND received_at IS NULL OR sent_back_at IS NOT NULL AND back_at IS NULL"
            ),
        ),
        Index("ix_warranty_claims_due", "tenant_id", "due_at", postgresql_where=text(f"NOT {OVER}")),
    )


class Evidence(EvidenceColumns, TenantRow):
    """A picture or paper that shows the fault."""

    __tablename__ = "claim_evidence"

    claim_id: Mapped[str] = mapped_column(String(40))

    __table_args__ = (
        tenant_fk("claim_id", "warranty_claims", ondelete="CASCADE"),
        CheckConstraint("size > 0", name="not_empty"),
        Index("uq_claim_evidence_content", "tenant_id", "claim_id", "sha256", unique=True),
    )


class Audience(StrEnum):
    SHOPPER = "shopper"
    STAFF = "staff"


class ClaimEvent(TenantRow, AppendOnly):
    """One step of a claim, and what was said with it. A shopper sees only what is meant for one."""

    __tablename__ = "claim_events"
    erasable = ("text",)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    claim_id: Mapped[str] = mapped_column(String(40))
    step: Mapped[str] = mapped_column(String(20))
    actor: Mapped[str] = mapped_column(String(80))
    audience: Mapped[Audience] = mapped_column(String(10))
    text: Mapped[str] = mapped_column(default="")
    at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        tenant_fk("claim_id", "warranty_claims", ondelete="CASCADE"),
        Index("ix_claim_events_claim", "tenant_id", "claim_id", "at"),
    )
