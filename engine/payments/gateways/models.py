"""What we keep of gateways that are somebody else's house: the merchant's account, tokens of ours, who is who there."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit import clock
from engine.kit.tenancy import TenantRow, tenant_fk


class AccountMode(StrEnum):
    TEST = "test"
    LIVE = "live"


class GatewayAccount(TenantRow):
    """A merchant's own account at a gateway. Its secrets are sealed and open with the shop's secret key alone."""

    __tablename__ = "gateway_accounts"

    gateway: Mapped[str] = mapped_column(String(20), primary_key=True)
    mode: Mapped[AccountMode] = mapped_column(String(4))
    publishable_key: Mapped[str] = mapped_column(default="")
    secrets_sealed: Mapped[bytes]
    """The secret key and up to two webhook secrets (the second while one is being replaced), as sealed JSON."""
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)

    __table_args__ = (CheckConstraint("mode IN ('test', 'live')", name="mode_known"),)


class DelegatedToken(TenantRow):
    """A single-use token of ours for a payment method at a gateway that has no such tokens. Only its hash is kept."""

    __tablename__ = "delegated_tokens"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    gateway: Mapped[str] = mapped_column(String(20))
    session_id: Mapped[str] = mapped_column(String(40))
    method_hash: Mapped[str] = mapped_column(String(64))
    """A keyed digest that tells whether two tokens are for one card."""
    method_sealed: Mapped[bytes]
    kind: Mapped[str] = mapped_column(String(8), default="card", server_default="card")
    """card or wallet."""
    brand: Mapped[str] = mapped_column(String(20), default="", server_default="")
    last4: Mapped[str] = mapped_column(String(4), default="", server_default="")
    wallet: Mapped[str] = mapped_column(String(20), default="", server_default="")
    keep_for: Mapped[str | None]
    """Whom at the gateway the card is kept for once it has paid."""
    currency: Mapped[str] = mapped_column(String(3))
    max_amount: Mapped[int]
    expires_at: Mapped[datetime]
    consumed_by: Mapped[str | None] = mapped_column(String(40))
    """The payment id that used it up: that one may come again, no other may."""
    consumed_at: Mapped[datetime | None]
    challenge_id: Mapped[str | None]
    """The gateway's id of a charge on hold until the card's holder has proved who they are."""
    challenge_used_by: Mapped[str | None] = mapped_column(String(40))
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        CheckConstraint("max_amount >= 0", name="max_amount_not_negative"),
        CheckConstraint("(consumed_by IS NULL) = (consumed_at IS NULL)", name="consumed_by_and_at"),
        Index("ix_delegated_tokens_method", "tenant_id", "method_hash", "session_id"),
        Index(
            "uq_delegated_tokens_consumed_by",
            "tenant_id",
            "consumed_by",
            unique=True,
            postgresql_where=text("consumed_by IS NOT NULL"),
        ),
    )


class HandleKind(StrEnum):
    PAYMENT = "payment"
    HOLD = "hold"  # a payment that is only to be authorized
    CAPTURE = "capture"
    REFUND = "refund"


class GatewayHandle(TenantRow):
    """One id of ours and what it is called at the gateway, written before money can move under it."""

    __tablename__ = "gateway_handles"

    gateway: Mapped[str] = mapped_column(String(20), primary_key=True)
    key: Mapped[str] = mapped_column(String(80), primary_key=True)
    """Our payment, capture or refund id."""
    kind: Mapped[HandleKind] = mapped_column(String(8))
    payment_id: Mapped[str] = mapped_column(String(40))
    body_hash: Mapped[str] = mapped_column(String(64))
    amount: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    gateway_id: Mapped[str | None]
    outcome: Mapped[str | None] = mapped_column(String(40))
    """Set when it ended without the gateway: a decline code, or ``canceled``."""
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        CheckConstraint("amount >= 0", name="amount_not_negative"),
        Index("ix_gateway_handles_gateway_id", "tenant_id", "gateway", "gateway_id"),
    )


class GatewayCustomer(TenantRow):
    """Who one of our customers is at a gateway that keeps cards by person. It is told our id of them, nothing else."""

    __tablename__ = "gateway_customers"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    gateway: Mapped[str] = mapped_column(String(20))
    customer_id: Mapped[str] = mapped_column(String(40))
    gateway_ref: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        tenant_fk("customer_id", "customers", ondelete="CASCADE"),
        Index("ix_gateway_customers_customer", "tenant_id", "customer_id", "gateway"),
    )
