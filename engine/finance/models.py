"""The books: entries of postings that add up to zero, append-only."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit import clock
from engine.kit.tenancy import AppendOnly, TenantRow, tenant_fk


class Account(StrEnum):
    """The chart of accounts."""

    PSP_CLEARING = "psp_clearing"  # asset: captured, not yet paid out
    INVENTORY = "inventory"  # asset
    CUSTOMER_DEPOSITS = "customer_deposits"  # liability: paid, not yet shipped
    TAX_PAYABLE = "tax_payable"  # liability
    REVENUE = "revenue"
    SALES_RETURNS = "sales_returns"  # contra revenue
    COGS = "cogs"
    OPENING_STOCK = "opening_stock"  # equity: the other side of stock that was there before us


class JournalEntry(TenantRow, AppendOnly):
    """One event in the books. ``(kind, subject)`` is unique: an event posts once."""

    __tablename__ = "journal_entries"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(40))
    order_id: Mapped[str | None] = mapped_column(String(40))
    occurred_at: Mapped[datetime] = mapped_column(default=clock.now)
    posted_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        Index("uq_journal_entries_event", "tenant_id", "kind", "subject", unique=True),
        Index("ix_journal_entries_order", "tenant_id", "order_id"),
        Index("ix_journal_entries_occurred", "tenant_id", "occurred_at"),
    )


class Posting(TenantRow, AppendOnly):
    """Debit is positive, credit negative; the database refuses an entry whose postings do not add up to zero."""

    __tablename__ = "postings"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    entry_id: Mapped[str] = mapped_column(String(40))
    account: Mapped[Account] = mapped_column(String(30))
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))

    __table_args__ = (
        tenant_fk("entry_id", "journal_entries"),
        CheckConstraint("amount <> 0", name="amount_not_zero"),
        Index("ix_postings_entry", "tenant_id", "entry_id"),
        Index("ix_postings_account", "tenant_id", "account"),
    )
