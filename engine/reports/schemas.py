"""A report as it is told: a table by day or by thing, its sums, and how it stands to the books."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from engine.kit.views import View

Values = dict[str, int | None]


class Unit(StrEnum):
    MONEY = "money"  # minor units of the report's currency
    COUNT = "count"
    SECONDS = "seconds"
    SHARE = "share_ppm"  # millionths of the whole


class Column(View):
    key: str
    title: str
    unit: Unit


class Row(View):
    """``key`` is the day (ISO 8601) or the id of what it is about; a value that nothing makes up is null."""

    key: str
    title: str
    values: Values


class Tie(View):
    """One account: what the report says of it, and the books. Credits are positive; minor units."""

    account: str
    number: str
    name: str
    report: int
    trial_balance: int


class Ties(View):
    holds: bool
    """Whether every account is to the cent what the trial balance of the same period says."""
    debits: int
    credits: int
    """Of the trial balance of all accounts."""
    accounts: list[Tie]


class ReportInfo(View):
    name: str
    title: str
    about: str


class ReportView(ReportInfo):
    currency: str | None
    """``None``: it is about no money."""
    first_day: date
    last_day: date
    time_zone: str
    columns: list[Column]
    plotted: str
    """The column that its picture shows."""
    rows: list[Row]
    totals: Values
    ties: Ties | None = None
