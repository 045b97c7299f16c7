"""Payments and refunds as we know them; the gateway is the authority on what really happened."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit import clock
from engine.kit.tenancy import TenantRow, tenant_fk

_LIVE = text("status IN ('processing', 'unknown', 'captured')")


class PaymentStatus(StrEnum):
    PROCESSING = "processing"
    UNKNOWN = "unknown"  # the gateway did not tell: nothing is released until it does
    CAPTURED = "captured"
    FAILED = "failed"
    CANCELED = "canceled"  # never reached the gateway, and now never will


class Payment(TenantRow):
    __tablename__ = "payments"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    session_id: Mapped[str] = mapped_column(String(40))
    order_id: Mapped[str] = mapped_column(String(40))
    consent_id: Mapped[str | None] = mapped_column(String(40))
    token_hash: Mapped[str | None] = mapped_column(String(64))
    gateway: Mapped[str] = mapped_column(String(20))
    gateway_payment_id: Mapped[str | None]
    amount: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    method: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """brand, last4, label."""
    status: Mapped[PaymentStatus] = mapped_column(String(12))
    decline_code: Mapped[str | None] = mapped_column(String(40))
    lease_until: Mapped[datetime | None]
    """While this is in the future the request that started it still owns it; then recovery may."""
    recovery_attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    settled_at: Mapped[datetime | None]

    __table_args__ = (
        tenant_fk("session_id", "checkout_sessions"),
        CheckConstraint("amount >= 0", name="amount_not_negative"),
        Index("uq_payments_live_session", "tenant_id", "session_id", unique=True, postgresql_where=_LIVE),
        Index("uq_payments_live_token", "tenant_id", "token_hash", unique=True, postgresql_where=_LIVE),
        Index("uq_payments_live_consent", "tenant_id", "consent_id", unique=True, postgresql_where=_LIVE),
        Index(
            "ix_payments_unsettled",
            "tenant_id",
            "lease_until",
            postgresql_where=text("status IN ('processing', 'unknown')"),
        ),
        Index("ix_payments_order", "tenant_id", "order_id"),
    )


class RefundStatus(StrEnum):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Refund(TenantRow):
    __tablename__ = "refunds"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    payment_id: Mapped[str] = mapped_column(String(40))
    order_id: Mapped[str | None] = mapped_column(String(40))
    amount: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    reason: Mapped[str]
    status: Mapped[RefundStatus] = mapped_column(String(12))
    gateway_refund_id: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        tenant_fk("payment_id", "payments"),
        CheckConstraint("amount > 0", name="amount_positive"),
        Index("ix_refunds_payment", "tenant_id", "payment_id"),
        Index("ix_refunds_order", "tenant_id", "order_id"),
    )


class Alert(TenantRow):
    """The reconciliation inbox: what a person must look at because money and records may differ."""

    __tablename__ = "alerts"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(40))
    detail: Mapped[str]
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
