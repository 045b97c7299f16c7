"""Returns and exchanges: what was agreed to come back, how far its units got, and what followed from it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Index, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit import clock
from engine.kit.evidence import EvidenceColumns
from engine.kit.tenancy import AppendOnly, TenantRow, tenant_fk

_ENDED = "status IN ('closed', 'declined', 'canceled', 'expired')"


class ReturnKind(StrEnum):
    RETURN = "return"
    EXCHANGE = "exchange"


class ReturnStatus(StrEnum):
    REQUESTED = "requested"  # the shopper has agreed; the shop looks at it first
    APPROVED = "approved"  # may be sent
    LABEL_READY = "label_ready"
    IN_TRANSIT = "in_transit"  # the carrier has it
    RECEIVED = "received"  # some or all of it is here
    INSPECTED = "inspected"  # whatever is here was looked at
    CLOSED = "closed"
    DECLINED = "declined"
    CANCELED = "canceled"
    EXPIRED = "expired"  # it was never sent


class Condition(StrEnum):
    UNOPENED = "unopened"
    OPENED = "opened"
    USED = "used"
    DAMAGED = "damaged"


class Disposition(StrEnum):
    RESTOCK = "restock"
    REFURBISH = "refurbish"
    SCRAP = "scrap"
    RETURN_TO_VENDOR = "return_to_vendor"
    QUARANTINE = "quarantine"


class Return(TenantRow):
    """One agreement to send goods back. What was agreed to, and by whom, is its change of the order (``change_id``).

    Amounts are minor units of the order's currency; what is taken or still to be taken makes up for goods that cost
    more: ``credit - fee - replacement + charge + to_charge = refund``.
    """

    __tablename__ = "returns"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    number: Mapped[str] = mapped_column(String(30))
    order_id: Mapped[str] = mapped_column(String(40))
    change_id: Mapped[str] = mapped_column(String(40))
    kind: Mapped[ReturnKind] = mapped_column(String(10))
    status: Mapped[ReturnStatus] = mapped_column(String(12))
    requested_by: Mapped[str] = mapped_column(String(80))
    approved_by: Mapped[str | None] = mapped_column(String(80))
    approval_id: Mapped[str | None] = mapped_column(String(40))
    refund_to: Mapped[str] = mapped_column(String(12))
    refund_account: Mapped[str | None] = mapped_column(String(40))
    """The gift card, store credit or saved way to pay that was named."""
    refund_at: Mapped[str] = mapped_column(String(12))
    """received, inspected, in_transit, or approved where the goods need not come back."""
    keep: Mapped[bool] = mapped_column(default=False)
    """The money goes back and the goods stay where they are."""
    credit: Mapped[int]
    """What the goods and their part of the shipping stand for, tax included."""
    credit_tax: Mapped[int]
    fee: Mapped[int] = mapped_column(default=0)
    """Kept for restocking and the label."""
    replacement: Mapped[int] = mapped_column(default=0)
    """What the goods in exchange cost, tax included."""
    replacement_tax: Mapped[int] = mapped_column(default=0)
    charge: Mapped[int] = mapped_column(default=0)
    """Taken so far for goods that cost more: when it was approved, or when the old ones had come."""
    charge_tax: Mapped[int] = mapped_column(default=0)
    to_charge: Mapped[int] = mapped_column(default=0, server_default="0")
    """What is still to be taken, once the old goods are here."""
    to_charge_tax: Mapped[int] = mapped_column(default=0, server_default="0")
    pays_with: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """The way to pay that it is to be taken from, as it was agreed to."""
    collected: Mapped[int] = mapped_column(default=0, server_default="0")
    """What of ``charge`` was taken when the old goods had come."""
    refund: Mapped[int]
    """What goes back once everything is here."""
    given: Mapped[int] = mapped_column(default=0)
    """What went back so far, or is on its way."""
    moved_tax: Mapped[int] = mapped_column(default=0)
    """Tax that moved in the books without money to carry it."""
    location_id: Mapped[str] = mapped_column(String(40))
    """Where it is to come."""
    carrier: Mapped[str | None]
    tracking_number: Mapped[str | None]
    label_cost: Mapped[int] = mapped_column(default=0)
    label_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    """When the shopper handed it in, as they say."""
    scanned_at: Mapped[datetime | None]
    """When its carrier, or somebody of the shop, first said that it is on its way."""
    events: Mapped[list[Any]] = mapped_column(default=list)
    """[{id, at, status, text}] of the parcel, oldest first."""
    unexpected: Mapped[list[Any]] = mapped_column(default=list)
    """[{what, quantity, note, at}]: what was in the parcel and belongs to no line, or is too many."""
    problem: Mapped[str | None] = mapped_column(String(60))
    """Code of what keeps the money from going back."""
    message: Mapped[str | None]
    """How it stands or ended, in words fit for the shopper."""
    expires_at: Mapped[datetime]
    """When it must be on its way."""
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    approved_at: Mapped[datetime | None]
    received_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)

    __table_args__ = (
        tenant_fk("order_id", "orders", ondelete="CASCADE"),
        tenant_fk("location_id", "locations"),
        CheckConstraint("credit - fee - replacement + charge + to_charge = refund", name="money_adds_up"),
        CheckConstraint(
            "to_charge >= 0 AND to_charge_tax BETWEEN 0 AND to_charge AND collected BETWEEN 0 AND charge"
            " AND (to_charge = 0 OR pays_with IS NOT NULL)",
            name="is_to_be_taken_from_something",
        ),
        CheckConstraint("refund >= 0 AND given BETWEEN 0 AND credit + charge", name="given_is_bounded"),
        Index("uq_returns_number", "tenant_id", "number", unique=True),
        Index("uq_returns_change", "tenant_id", "change_id", unique=True),
        Index("ix_returns_order", "tenant_id", "order_id", "created_at"),
        Index("ix_returns_created", "tenant_id", "created_at", "id"),
        Index("ix_returns_status", "tenant_id", "status", "created_at", "id"),
        Index("uq_returns_tracking", "tenant_id", "carrier", "tracking_number", unique=True),
        Index("ix_returns_open", "tenant_id", "expires_at", postgresql_where=text(f"NOT {_ENDED}")),
    )


class ReturnLine(TenantRow):
    """Units of one order line (or of one part of a bundle) that come back, for one reason. Amounts belong to all
    ``quantity`` units; those of some are their share.
    """

    __tablename__ = "return_lines"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    return_id: Mapped[str] = mapped_column(String(40))
    order_line_id: Mapped[str] = mapped_column(String(40))
    component_variant_id: Mapped[str | None] = mapped_column(String(40))
    """The part of a bundle; ``quantity`` counts its own units then."""
    position: Mapped[int]
    title: Mapped[str]
    quantity: Mapped[int]
    reason: Mapped[str] = mapped_column(String(60))
    condition: Mapped[Condition] = mapped_column(String(12))
    """As the shopper said."""
    goods: Mapped[int]
    discount: Mapped[int]
    tax: Mapped[int]
    shipping: Mapped[int] = mapped_column(default=0)
    shipping_tax: Mapped[int] = mapped_column(default=0)
    fee: Mapped[int] = mapped_column(default=0)
    waived_fee: Mapped[int] = mapped_column(default=0, server_default="0")
    """What restocking would cost, of units that are exchanged: it is kept when the exchange does not last."""
    withheld: Mapped[int] = mapped_column(default=0)
    """Of its worth, what was given back before as goodwill."""
    withheld_tax: Mapped[int] = mapped_column(default=0)
    received: Mapped[int] = mapped_column(default=0)
    inspected: Mapped[int] = mapped_column(default=0)
    rejected: Mapped[int] = mapped_column(default=0)
    """Inspected, and not what was agreed to: no money for them."""
    settled: Mapped[int] = mapped_column(default=0)
    """Units whose money went back, or that were exchanged."""
    restocked: Mapped[int] = mapped_column(default=0)
    refurbished: Mapped[int] = mapped_column(default=0)
    scrapped: Mapped[int] = mapped_column(default=0)
    to_vendor: Mapped[int] = mapped_column(default=0)
    quarantined: Mapped[int] = mapped_column(default=0)
    apart_location_id: Mapped[str | None] = mapped_column(String(40))
    """Where those to refurbish or in quarantine lie; none: in no stock."""
    apart_cost: Mapped[int | None]
    """What they cost when they were sold; none: nobody wrote it down."""
    exchange: Mapped[dict[str, Any] | None]
    """The line that takes their place: its id and what it costs, as it was agreed to."""

    __table_args__ = (
        tenant_fk("return_id", "returns", ondelete="CASCADE"),
        tenant_fk("order_line_id", "order_lines", ondelete="CASCADE"),
        CheckConstraint(
            "quantity > 0 AND received BETWEEN 0 AND quantity AND inspected BETWEEN 0 AND received"
            " AND rejected BETWEEN 0 AND inspected AND settled BETWEEN 0 AND quantity",
            name="units_add_up",
        ),
        CheckConstraint(
            "restocked + refurbished + scrapped + to_vendor + quarantined = inspected", name="dispositions_add_up"
        ),
        Index("ix_return_lines_return", "tenant_id", "return_id", "position"),
        Index("ix_return_lines_line", "tenant_id", "order_line_id"),
    )


class ReturnEvidence(EvidenceColumns, TenantRow):
    """A picture of what is wrong with what comes back."""

    __tablename__ = "return_evidence"

    return_id: Mapped[str] = mapped_column(String(40))

    __table_args__ = (
        tenant_fk("return_id", "returns", ondelete="CASCADE"),
        CheckConstraint("size > 0", name="not_empty"),
        Index("uq_return_evidence_content", "tenant_id", "return_id", "sha256", unique=True),
    )


class ReturnStep(StrEnum):
    RECEIVED = "received"
    INSPECTED = "inspected"
    MOVED = "moved"  # what lay set apart found its place
    SETTLED = "settled"  # money went back
    EXCHANGED = "exchanged"  # the new line came
    UNDONE = "undone"  # an exchange that came to nothing gave its charge back


class ReturnEvent(TenantRow, AppendOnly):
    """One step of a return: what the stock ledger and the books name as their cause."""

    __tablename__ = "return_events"
    erasable = ("note",)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    return_id: Mapped[str] = mapped_column(String(40))
    step: Mapped[ReturnStep] = mapped_column(String(10))
    lines: Mapped[list[Any]]
    """[{return_line_id, quantity, …}]"""
    amount: Mapped[int] = mapped_column(default=0)
    """Money that went back by it, tax included."""
    tax: Mapped[int] = mapped_column(default=0)
    actor: Mapped[str] = mapped_column(String(80))
    note: Mapped[str] = mapped_column(default="")
    at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        tenant_fk("return_id", "returns", ondelete="CASCADE"),
        Index("ix_return_events_return", "tenant_id", "return_id", "at"),
    )
