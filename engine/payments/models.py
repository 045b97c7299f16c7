"""Money as we know it: payments, captures, refunds, disputes. The gateway is the authority on what really happened."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import CheckConstraint, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit import clock
from engine.kit.tenancy import TenantRow, tenant_fk
from engine.payments.gateway import DisputeStatus
from engine.payments.stored_value_models import StoredValueAccount

_LIVE = text("status IN ('processing', 'unknown', 'authorized', 'partially_captured', 'captured')")
_PENDING = text("status = 'pending'")
STORED_VALUE = "stored_value"
"""The gateway of what no gateway is asked for: gift cards, store credit, and a lead payment of nothing."""
CARD = "card"
"""The tender of a sale's lead payment; the others are ``gift_card:<account>`` and ``store_credit:<account>``."""


class PaymentStatus(StrEnum):
    PROCESSING = "processing"
    UNKNOWN = "unknown"  # the gateway did not tell: nothing is released until it does
    AUTHORIZED = "authorized"  # held on the card, nothing taken yet
    PARTIALLY_CAPTURED = "partially_captured"  # some of it taken, the rest still held
    CAPTURED = "captured"  # taken in full, or in part with the rest let go
    FAILED = "failed"
    CANCELED = "canceled"  # never reached the gateway, and now never will
    VOIDED = "voided"  # was authorized, and let go
    EXPIRED = "expired"  # was authorized, and lapsed before anything was taken


HOLDING: Final = frozenset({PaymentStatus.CAPTURED, PaymentStatus.PARTIALLY_CAPTURED, PaymentStatus.AUTHORIZED})
"""States of a payment that has money, or holds some."""


class CaptureMode(StrEnum):
    NOW = "now"
    AT_RELEASE = "at_release"  # authorized at the sale, captured when the goods are released


class Payment(TenantRow):
    __tablename__ = "payments"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    session_id: Mapped[str | None] = mapped_column(String(40))
    """The checkout that is paid; a payment for a change of an order has ``change_id`` instead."""
    change_id: Mapped[str | None] = mapped_column(String(40))
    order_id: Mapped[str] = mapped_column(String(40))
    consent_id: Mapped[str | None] = mapped_column(String(40))
    token_hash: Mapped[str | None] = mapped_column(String(64))
    gateway: Mapped[str] = mapped_column(String(20))
    gateway_payment_id: Mapped[str | None]
    tender: Mapped[str] = mapped_column(String(60), default=CARD)
    stored_value_id: Mapped[str | None] = mapped_column(String(40))
    capture_mode: Mapped[CaptureMode] = mapped_column(String(12), default=CaptureMode.NOW)
    amount: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    method: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """brand, last4, label."""
    payment_method_id: Mapped[str | None] = mapped_column(String(40))
    """The saved way to pay that it was taken from, where that is known."""
    status: Mapped[PaymentStatus] = mapped_column(String(20))
    decline_code: Mapped[str | None] = mapped_column(String(40))
    lease_until: Mapped[datetime | None]
    """While this is in the future the request that started it still owns it; then recovery may."""
    recovery_attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    settled_at: Mapped[datetime | None]
    authorized_at: Mapped[datetime | None]
    authorization_expires_at: Mapped[datetime | None]
    void_requested_at: Mapped[datetime | None]
    """Set before the gateway is asked to let go: from then on nothing more is captured."""
    brought_at: Mapped[datetime | None]
    """When it was taken, of one from before our time: it was agreed to and paid in another system."""

    __table_args__ = (
        tenant_fk("session_id", "checkout_sessions"),
        tenant_fk("stored_value_id", StoredValueAccount.__tablename__),
        CheckConstraint("amount >= 0", name="amount_not_negative"),
        CheckConstraint("num_nonnulls(session_id, change_id) = 1", name="one_cause"),
        CheckConstraint("(tender = 'card') = (stored_value_id IS NULL)", name="tender_fits_account"),
        Index("uq_payments_live_session", "tenant_id", "session_id", "tender", unique=True, postgresql_where=_LIVE),
        Index("uq_payments_live_change", "tenant_id", "change_id", "tender", unique=True, postgresql_where=_LIVE),
        Index("uq_payments_live_token", "tenant_id", "token_hash", unique=True, postgresql_where=_LIVE),
        Index("uq_payments_live_consent", "tenant_id", "consent_id", "tender", unique=True, postgresql_where=_LIVE),
        Index(
            "ix_payments_unsettled",
            "tenant_id",
            "lease_until",
            postgresql_where=text("status IN ('processing', 'unknown')"),
        ),
        Index(
            "ix_payments_authorized",
            "tenant_id",
            "authorization_expires_at",
            postgresql_where=text("status IN ('authorized', 'partially_captured')"),
        ),
        Index("ix_payments_order", "tenant_id", "order_id"),
    )


class CaptureStatus(StrEnum):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Capture(TenantRow):
    """Money taken from a payment. Every captured cent has a row, also that of a sale which captures at once."""

    __tablename__ = "captures"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    payment_id: Mapped[str] = mapped_column(String(40))
    order_id: Mapped[str] = mapped_column(String(40))
    amount: Mapped[int]
    tax: Mapped[int]
    """How much of the amount is tax."""
    currency: Mapped[str] = mapped_column(String(3))
    status: Mapped[CaptureStatus] = mapped_column(String(12))
    final: Mapped[bool] = mapped_column(default=True)
    """Lets the rest of the authorization go."""
    gateway_capture_id: Mapped[str | None]
    failure_code: Mapped[str | None] = mapped_column(String(60))
    reason: Mapped[str] = mapped_column(default="")
    lease_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    settled_at: Mapped[datetime | None]

    __table_args__ = (
        tenant_fk("payment_id", "payments"),
        CheckConstraint("amount > 0 AND tax BETWEEN 0 AND amount", name="amount_positive"),
        Index("ix_captures_payment", "tenant_id", "payment_id"),
        Index("ix_captures_pending", "tenant_id", "lease_until", postgresql_where=_PENDING),
    )


class RefundStatus(StrEnum):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Destination(StrEnum):
    ORIGINAL = "original"  # the way it was paid
    STORE_CREDIT = "store_credit"
    ACCOUNT = "account"  # a gift card or store credit of the buyer's that was named
    METHOD = "method"  # another of the buyer's saved ways to pay


class Refund(TenantRow):
    """Money going back out of one payment."""

    __tablename__ = "refunds"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    payment_id: Mapped[str] = mapped_column(String(40))
    order_id: Mapped[str | None] = mapped_column(String(40))
    change_id: Mapped[str | None] = mapped_column(String(40))
    return_id: Mapped[str | None] = mapped_column(String(40))
    claim_id: Mapped[str | None] = mapped_column(String(40))
    amount: Mapped[int]
    tax: Mapped[int] = mapped_column(default=0)
    """How much of the amount is tax."""
    unearned: Mapped[int] = mapped_column(default=0)
    """How much of the amount is for goods that never left (without tax); the rest was earned and is taken back."""
    currency: Mapped[str] = mapped_column(String(3))
    reason: Mapped[str]
    """Told to the shopper."""
    note: Mapped[str] = mapped_column(default="")
    """The shop's own words, for its people only."""
    requested_by: Mapped[str] = mapped_column(String(80), default="system")
    approved: Mapped[str | None] = mapped_column(String(40))
    """The approval, or the shopper's consent, on whose word it was asked for; limits count only what has none."""
    tender: Mapped[str] = mapped_column(String(60), default=CARD)
    destination: Mapped[Destination] = mapped_column(String(12), default=Destination.ORIGINAL)
    stored_value_id: Mapped[str | None] = mapped_column(String(40))
    """The account that is credited, when no card is."""
    payment_method_id: Mapped[str | None] = mapped_column(String(40))
    """The saved way to pay that it goes to, where that is not the one it was paid by."""
    status: Mapped[RefundStatus] = mapped_column(String(12))
    gateway_refund_id: Mapped[str | None]
    failure_code: Mapped[str | None] = mapped_column(String(60))
    lease_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now)
    settled_at: Mapped[datetime | None]

    __table_args__ = (
        tenant_fk("payment_id", "payments"),
        tenant_fk("stored_value_id", StoredValueAccount.__tablename__),
        CheckConstraint("amount > 0", name="amount_positive"),
        CheckConstraint("tax >= 0 AND unearned >= 0 AND tax + unearned <= amount", name="parts_fit"),
        CheckConstraint("(destination = 'method') = (payment_method_id IS NOT NULL)", name="method_is_named"),
        Index("ix_refunds_payment", "tenant_id", "payment_id"),
        Index("ix_refunds_order", "tenant_id", "order_id"),
        Index("ix_refunds_recent", "tenant_id", "created_at"),
        Index("ix_refunds_pending", "tenant_id", "lease_until", postgresql_where=_PENDING),
    )


class Dispute(TenantRow):
    """A chargeback: the card's bank took money back, and we may object once."""

    __tablename__ = "disputes"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    payment_id: Mapped[str] = mapped_column(String(40))
    order_id: Mapped[str] = mapped_column(String(40))
    gateway: Mapped[str] = mapped_column(String(20))
    gateway_dispute_id: Mapped[str] = mapped_column(String(80))
    amount: Mapped[int]
    fee: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    reason: Mapped[str]
    status: Mapped[DisputeStatus] = mapped_column(String(16))
    evidence_due_at: Mapped[datetime | None]
    evidence: Mapped[dict[str, Any]] = mapped_column(default=dict)
    evidence_sent_at: Mapped[datetime | None]
    """When the gateway took our evidence; what is written and not sent waits in the inbox."""
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        tenant_fk("payment_id", "payments"),
        CheckConstraint("amount > 0 AND fee >= 0", name="amount_positive"),
        Index("uq_disputes_gateway", "tenant_id", "gateway", "gateway_dispute_id", unique=True),
        Index("ix_disputes_payment", "tenant_id", "payment_id"),
    )


class StoredGatewayEvent(TenantRow):
    """A verified webhook, stored once before anything is done about it."""

    __tablename__ = "gateway_events"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    gateway: Mapped[str] = mapped_column(String(20))
    event_id: Mapped[str] = mapped_column(String(120))
    kind: Mapped[str] = mapped_column(String(12))
    body: Mapped[dict[str, Any]]
    """The facts that we read from it; nothing secret."""
    occurred_at: Mapped[datetime]
    received_at: Mapped[datetime] = mapped_column(default=clock.now)
    available_at: Mapped[datetime] = mapped_column(default=clock.now)
    """Not to be applied again before this."""
    applied_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None]

    __table_args__ = (
        Index("uq_gateway_events_event", "tenant_id", "gateway", "event_id", unique=True),
        Index("ix_gateway_events_waiting", "tenant_id", "available_at", postgresql_where=text("applied_at IS NULL")),
    )


class Alert(TenantRow):
    """The reconciliation inbox: what a person must look at because money and records may differ."""

    __tablename__ = "alerts"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(80))
    detail: Mapped[str]
    action: Mapped[str | None] = mapped_column(String(40))
    """The one thing that can safely be done about it."""
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What the action needs."""
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    resolved_at: Mapped[datetime | None]

    __table_args__ = (
        Index(
            "uq_alerts_open",
            "tenant_id",
            "kind",
            "subject",
            unique=True,
            postgresql_where=text("resolved_at IS NULL"),
        ),
    )
