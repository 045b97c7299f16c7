"""Sales, refunds and tax: sums of the journal's postings by day, which tie to the trial balance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from engine.finance import reports as books
from engine.finance.models import Account, JournalEntry, Posting
from engine.finance.postings import Kind
from engine.reports.period import Period
from engine.reports.schemas import Column, ReportInfo, ReportView, Row, Tie, Ties, Unit, Values

PAID_BACK: Final = (Kind.REFUND, Kind.REFUND_FAILED)
_CREDIT, _DEBIT = 1, -1
Sums = Mapping[tuple[Account, bool], int]
"""By account, and whether money was paid back by it: debits positive."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A column that sums one account: all of it, or what refunds did to it, or what they did not."""

    key: str
    title: str
    account: Account
    side: int
    of_refunds: bool | None = None

    def of(self, sums: Sums) -> int:
        parts = (True, False) if self.of_refunds is None else (self.of_refunds,)
        return -self.side * sum(sums.get((self.account, part), 0) for part in parts)


@dataclass(frozen=True, slots=True)
class Made:
    """A column that is made of others: their keys, each with its sign."""

    key: str
    title: str
    parts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class MoneyReport:
    info: ReportInfo
    columns: tuple[Measure | Made, ...]
    plotted: str
    ties: tuple[str, ...]
    """The columns that are the whole of an account."""

    def values(self, sums: Sums) -> dict[str, int]:
        found: dict[str, int] = {}
        for column in self.columns:
            if isinstance(column, Measure):
                found[column.key] = column.of(sums)
        for column in self.columns:
            if isinstance(column, Made):
                found[column.key] = sum(sign * found[key] for key, sign in column.parts.items())
        return {column.key: found[column.key] for column in self.columns}


SALES: Final = MoneyReport(
    ReportInfo(
        name="sales", title="Sales", about="What was earned by goods that left, without tax, on the day they left."
    ),
    (
        Measure("goods", "Goods", Account.REVENUE, _CREDIT),
        Measure("shipping", "Shipping", Account.SHIPPING_REVENUE, _CREDIT),
        Made("gross", "Gross", {"goods": 1, "shipping": 1}),
        Measure("discounts", "Discounts", Account.DISCOUNTS, _DEBIT),
        Made("net", "Net", {"goods": 1, "shipping": 1, "discounts": -1}),
    ),
    plotted="net",
    ties=("goods", "shipping", "discounts"),
)
REFUNDS: Final = MoneyReport(
    ReportInfo(
        name="refunds",
        title="Refunds and returns",
        about="What was paid back, on the day it was, and what else lessened sales: exchanges, and fees kept.",
    ),
    (
        Measure("sent", "For goods sent", Account.SALES_RETURNS, _DEBIT, of_refunds=True),
        Measure("unsent", "For goods not sent", Account.CUSTOMER_DEPOSITS, _DEBIT, of_refunds=True),
        Measure("tax", "Tax", Account.TAX_PAYABLE, _DEBIT, of_refunds=True),
        Made("paid_back", "Paid back", {"sent": 1, "unsent": 1, "tax": 1}),
        Measure("other", "Other returns", Account.SALES_RETURNS, _DEBIT, of_refunds=False),
        Made("returns", "All returns", {"sent": 1, "other": 1}),
        Measure("fees", "Fees kept", Account.RETURN_FEES, _CREDIT),
    ),
    plotted="paid_back",
    ties=("returns", "fees"),
)
TAX: Final = MoneyReport(
    ReportInfo(name="tax", title="Tax", about="Tax collected with payments, given back with refunds, and owed."),
    (
        Measure("collected", "Collected", Account.TAX_PAYABLE, _CREDIT, of_refunds=False),
        Measure("given_back", "Given back", Account.TAX_PAYABLE, _DEBIT, of_refunds=True),
        Made("owed", "Owed", {"collected": 1, "given_back": -1}),
    ),
    plotted="collected",
    ties=("owed",),
)
_TIED: Final = {
    "goods": Account.REVENUE,
    "shipping": Account.SHIPPING_REVENUE,
    "discounts": Account.DISCOUNTS,
    "returns": Account.SALES_RETURNS,
    "fees": Account.RETURN_FEES,
    "owed": Account.TAX_PAYABLE,
}
_DEBIT_SHOWN: Final = frozenset({"discounts", "returns"})


def money_report(session: Session, tenant_id: str, wanted: MoneyReport, over: Period, currency: str) -> ReportView:
    """One report of the journal by day, with its tie to the trial balance of the same period."""
    by_day = _sums(session, tenant_id, wanted, over, currency)
    rows = [
        Row(key=day.isoformat(), title=day.isoformat(), values=dict(wanted.values(by_day.get(day, {}))))
        for day in over.days
    ]
    totals = _added(wanted, rows)
    return ReportView(
        **wanted.info.model_dump(),
        currency=currency,
        first_day=over.start,
        last_day=over.end,
        time_zone=over.time_zone,
        columns=[Column(key=one.key, title=one.title, unit=Unit.MONEY) for one in wanted.columns],
        plotted=wanted.plotted,
        rows=rows,
        totals=dict(totals),
        ties=_ties(session, tenant_id, wanted, over, currency, totals),
    )


def _sums(
    session: Session, tenant_id: str, wanted: MoneyReport, over: Period, currency: str
) -> dict[date, dict[tuple[Account, bool], int]]:
    day = over.day_of(JournalEntry.occurred_at).label("day")
    paid_back = JournalEntry.kind.in_(PAID_BACK).label("paid_back")
    accounts = {column.account for column in wanted.columns if isinstance(column, Measure)}
    found = session.execute(
        select(day, Posting.account, paid_back, func.sum(Posting.amount))
        .join(Posting, and_(Posting.tenant_id == JournalEntry.tenant_id, Posting.entry_id == JournalEntry.id))
        .where(
            JournalEntry.tenant_id == tenant_id,
            *over.holds(JournalEntry.occurred_at),
            Posting.currency == currency,
            Posting.account.in_(sorted(accounts)),
        )
        .group_by(day, Posting.account, paid_back)
    )
    by_day: dict[date, dict[tuple[Account, bool], int]] = defaultdict(dict)
    for moved_on, account, refunded, amount in found:
        by_day[moved_on][Account(account), refunded] = int(amount)
    return by_day


def _added(wanted: MoneyReport, rows: Iterable[Row]) -> dict[str, int]:
    totals = {column.key: 0 for column in wanted.columns}
    for row in rows:
        for key in totals:
            totals[key] += row.values[key] or 0
    return totals


def _ties(
    session: Session, tenant_id: str, wanted: MoneyReport, over: Period, currency: str, totals: Values | dict[str, int]
) -> Ties:
    balance = books.movements(session, tenant_id, since=over.since, until=over.until, currency=currency)
    moved = {row.code: row for row in balance.accounts}
    accounts = []
    for key in wanted.ties:
        row = moved[_TIED[key]]
        said = (totals[key] or 0) * (-1 if key in _DEBIT_SHOWN else 1)
        tie = Tie(
            account=row.code,
            number=row.number,
            name=row.name,
            report=said,
            trial_balance=row.credit - row.debit,
        )
        accounts.append(tie)
    holds = balance.debits == balance.credits and all(tie.report == tie.trial_balance for tie in accounts)
    return Ties(holds=holds, debits=balance.debits, credits=balance.credits, accounts=accounts)
