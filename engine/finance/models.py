"""The books: entries of postings that add up to zero, append-only; the chart, locked months, what gateways paid out."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit import clock
from engine.kit.tenancy import AppendOnly, TenantRow, tenant_fk


class Account(StrEnum):
    """The codes that events post to; what a shop calls them is its chart (``engine/finance/chart.py``)."""

    BANK = "bank"
    PSP_CLEARING = "psp_clearing"  # captured, not yet paid out
    DISPUTES_RECEIVABLE = "disputes_receivable"  # taken by a dispute that is still open
    INVENTORY = "inventory"
    ACCOUNTS_PAYABLE = "accounts_payable"  # goods received, not yet invoiced
    CUSTOMER_DEPOSITS = "customer_deposits"  # paid, not yet shipped
    TAX_PAYABLE = "tax_payable"
    GIFT_CARD_LIABILITY = "gift_card_liability"
    STORE_CREDIT_LIABILITY = "store_credit_liability"
    OPENING_STOCK = "opening_stock"  # the other side of stock that was there before us
    OPENING_BALANCES = "opening_balances"  # the other side of what else was there: gift cards that were sold before us
    REVENUE = "revenue"
    SHIPPING_REVENUE = "shipping_revenue"
    DISCOUNTS = "discounts"
    RETURN_FEES = "return_fees"  # kept of what came back: restocking, labels
    SALES_RETURNS = "sales_returns"
    COGS = "cogs"
    INVENTORY_ADJUSTMENTS = "inventory_adjustments"  # shrinkage, and gain
    GATEWAY_FEES = "gateway_fees"
    DISPUTE_LOSSES = "dispute_losses"
    PROMOTIONS = "promotions"  # store credit given for goodwill
    WRITE_OFFS = "write_offs"
    RETURN_LABELS = "return_labels"  # what parcels that come back cost
    REPLACEMENT_EXPENSE = "replacement_expense"  # goods sent again for nothing
    WARRANTY_EXPENSE = "warranty_expense"
    ROUNDING = "rounding"


class AccountType(StrEnum):
    ASSET = "asset"
    LIABILITY = "liability"
    EQUITY = "equity"
    REVENUE = "revenue"
    CONTRA_REVENUE = "contra_revenue"
    EXPENSE = "expense"


class LedgerAccount(TenantRow):
    """What one shop calls an account, where it differs from the default chart."""

    __tablename__ = "ledger_accounts"

    code: Mapped[Account] = mapped_column(String(30), primary_key=True)
    number: Mapped[str] = mapped_column(String(20))
    name: Mapped[str]
    type: Mapped[AccountType] = mapped_column(String(20))
    updated_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (Index("uq_ledger_accounts_number", "tenant_id", "number", unique=True),)


class JournalEntry(TenantRow, AppendOnly):
    """One event in the books. ``(kind, subject)`` is unique: an event posts once."""

    __tablename__ = "journal_entries"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(40))
    order_id: Mapped[str | None] = mapped_column(String(40))
    occurred_at: Mapped[datetime] = mapped_column(default=clock.now)
    """The moment it is booked at; never within a month that was locked."""
    event_at: Mapped[datetime | None]
    """The event's own time, where its month was locked already and it is booked later."""
    posted_at: Mapped[datetime] = mapped_column(default=clock.now)
    reverses_id: Mapped[str | None] = mapped_column(String(40))
    """The entry that this one takes back, which stays as it was."""

    __table_args__ = (
        tenant_fk("reverses_id", "journal_entries"),
        Index("uq_journal_entries_event", "tenant_id", "kind", "subject", unique=True),
        Index("uq_journal_entries_reverses", "tenant_id", "reverses_id", unique=True),
        Index("ix_journal_entries_order", "tenant_id", "order_id"),
        Index("ix_journal_entries_occurred", "tenant_id", "occurred_at", "id"),
    )


class Posting(TenantRow, AppendOnly):
    """Debit is positive, credit negative.

    The database wants an entry's postings in one statement, its first line among them, and refuses them when they do
    not add up to zero in each currency. A line is there once, so nothing can be added to an entry later.
    """

    __tablename__ = "postings"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True, autoincrement=True)
    entry_id: Mapped[str] = mapped_column(String(40))
    line: Mapped[int] = mapped_column(SmallInteger)
    """Its place in the entry, from 1."""
    account: Mapped[Account] = mapped_column(String(30))
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))

    __table_args__ = (
        tenant_fk("entry_id", "journal_entries"),
        CheckConstraint("amount <> 0", name="amount_not_zero"),
        Index("uq_postings_line", "tenant_id", "entry_id", "line", unique=True),
        Index("ix_postings_account", "tenant_id", "account", "id"),
    )


class AccountingPeriod(TenantRow):
    """A month (UTC) that is closed: the database refuses an entry booked in it."""

    __tablename__ = "accounting_periods"

    month: Mapped[str] = mapped_column(String(7), primary_key=True)
    locked_at: Mapped[datetime] = mapped_column(default=clock.now)
    locked_by: Mapped[str] = mapped_column(String(80))

    __table_args__ = (CheckConstraint("month ~ '^[0-9]{4}-(0[1-9]|1[0-2])$'", name="month_is_one"),)


class Payout(TenantRow):
    """Money that a gateway sent to the merchant's bank, imported once."""

    __tablename__ = "payouts"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    gateway: Mapped[str] = mapped_column(String(20))
    gateway_payout_id: Mapped[str] = mapped_column(String(120))
    currency: Mapped[str] = mapped_column(String(3))
    amount: Mapped[int] = mapped_column(BigInteger)
    """What reached the bank: the lines' amounts less their fees. Negative when the gateway took money."""
    fees: Mapped[int] = mapped_column(BigInteger)
    """Sum of the lines' fees."""
    paid_at: Mapped[datetime]
    imported_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        Index("uq_payouts_gateway", "tenant_id", "gateway", "gateway_payout_id", unique=True),
        Index("ix_payouts_paid", "tenant_id", "paid_at", "id"),
    )


class LineMatch(StrEnum):
    """What a payout's line found on our side."""

    MATCHED = "matched"
    DIFFERS = "differs"  # the same event, another amount or currency
    UNMATCHED = "unmatched"  # we know of no such event
    WRITTEN_OFF = "written_off"  # a person took the difference off the books


class PayoutLine(TenantRow):
    """One movement that a payout settles, and what it found on our side."""

    __tablename__ = "payout_lines"

    payout_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    reference: Mapped[str] = mapped_column(String(120))
    payment_id: Mapped[str] = mapped_column(String(40))
    amount: Mapped[int] = mapped_column(BigInteger)
    """Minor units; positive comes to the merchant."""
    fee: Mapped[int] = mapped_column(BigInteger)
    match: Mapped[LineMatch] = mapped_column(String(12))
    matched_id: Mapped[str | None] = mapped_column(String(40))
    """Our capture, refund or dispute; no other line of its kind settles it too."""
    expected: Mapped[int | None] = mapped_column(BigInteger)
    """What our row says the line takes out of the clearing account (a dispute with its fee)."""

    __table_args__ = (
        tenant_fk("payout_id", "payouts"),
        CheckConstraint("fee >= 0", name="fee_not_negative"),
        Index("uq_payout_lines_matched", "tenant_id", "matched_id", "kind", unique=True),
        Index("ix_payout_lines_payment", "tenant_id", "payment_id"),
    )
