"""Gift cards and store credit: accounts, and the ledger their balances come from."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit import clock
from engine.kit.tenancy import AppendOnly, TenantRow, tenant_fk


class StoredValueKind(StrEnum):
    GIFT_CARD = "gift_card"  # whoever has its code may spend it
    STORE_CREDIT = "store_credit"  # its customer's alone


class StoredValueStatus(StrEnum):
    ACTIVE = "active"
    BLOCKED = "blocked"


class StoredValueAccount(TenantRow):
    __tablename__ = "stored_value_accounts"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[StoredValueKind] = mapped_column(String(12))
    customer_id: Mapped[str | None] = mapped_column(String(40))
    owner_id: Mapped[str | None] = mapped_column(String(40))
    """The session identity a store credit belongs to when no customer is known."""
    external_id: Mapped[str | None] = mapped_column(String(80))
    """What the merchant's own system calls it."""
    code_hash: Mapped[str | None] = mapped_column(String(64))
    """Keyed: without the shop's secret nobody can tell a code from it."""
    last4: Mapped[str] = mapped_column(String(4), default="")
    currency: Mapped[str] = mapped_column(String(3))
    balance: Mapped[int] = mapped_column(default=0)
    """What can be spent: the sum of its entries."""
    status: Mapped[StoredValueStatus] = mapped_column(String(12), default=StoredValueStatus.ACTIVE)
    expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        CheckConstraint("balance >= 0", name="balance_not_negative"),
        Index("uq_stored_value_accounts_code", "tenant_id", "code_hash", unique=True),
        Index("uq_stored_value_accounts_external", "tenant_id", "external_id", unique=True),
        Index("ix_stored_value_accounts_customer", "tenant_id", "customer_id"),
        Index("ix_stored_value_accounts_owner", "tenant_id", "owner_id"),
        Index("ix_stored_value_accounts_expiry", "tenant_id", "expires_at", postgresql_where=text("balance > 0")),
    )


class EntryKind(StrEnum):
    ISSUE = "issue"
    HOLD = "hold"  # for a payment under way; it stays when the payment is captured
    RELEASE = "release"
    REFUND = "refund"
    EXPIRE = "expire"
    ADJUST = "adjust"


class StoredValueEntry(TenantRow, AppendOnly):
    """One movement of an account. ``(kind, subject)`` is unique: nothing is held, released or credited twice."""

    __tablename__ = "stored_value_entries"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True, autoincrement=True)
    account_id: Mapped[str] = mapped_column(String(40))
    kind: Mapped[EntryKind] = mapped_column(String(12))
    delta: Mapped[int]
    subject: Mapped[str] = mapped_column(String(60))
    at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        tenant_fk("account_id", "stored_value_accounts"),
        CheckConstraint("delta <> 0", name="delta_not_zero"),
        Index("uq_stored_value_entries_event", "tenant_id", "account_id", "kind", "subject", unique=True),
        Index("ix_stored_value_entries_subject", "tenant_id", "subject"),
    )
