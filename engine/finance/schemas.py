"""The books as staff and merchants see them. Amounts are minor units; debits are positive, credits negative."""

from __future__ import annotations

from datetime import datetime

from engine.finance.models import AccountType
from engine.kit.views import Price, View


class AccountView(View):
    """An account as this shop calls it."""

    code: str
    number: str
    name: str
    type: AccountType


class PostingView(View):
    account: str
    amount: int


class EntryView(View):
    """One event in the books."""

    id: str
    kind: str
    subject: str
    order_id: str | None
    occurred_at: datetime
    """When it is booked."""
    event_at: datetime | None
    """When it happened, where the books of that month were locked already."""
    posted_at: datetime
    reverses_id: str | None
    reversed_by_id: str | None
    currency: str
    postings: list[PostingView]


class BalanceView(View):
    """An account's balance: one of ``debit`` and ``credit`` is zero."""

    code: str
    number: str
    name: str
    type: AccountType
    debit: int
    credit: int


class TrialBalanceView(View):
    """Every account that ever moved in one currency; the debits are the credits, or the books are wrong."""

    currency: str
    accounts: list[BalanceView]
    debits: int
    credits: int


class StatementLineView(View):
    entry_id: str
    kind: str
    subject: str
    order_id: str | None
    occurred_at: datetime
    amount: int
    balance: int
    """Of the account after this line."""


class PeriodView(View):
    """A month whose books are locked."""

    month: str
    locked_at: datetime
    locked_by: str


class PayoutLineView(View):
    kind: str
    reference: str
    payment_id: str
    amount: int
    fee: int
    match: str
    matched_id: str | None
    expected: int | None


class PayoutView(View):
    """Money a gateway sent to the bank, and the movements it is made of."""

    id: str
    gateway: str
    gateway_payout_id: str
    amount: Price
    fees: Price
    paid_at: datetime
    imported_at: datetime
    entry_id: str | None
    lines: list[PayoutLineView]
