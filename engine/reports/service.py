"""The reports there are, by name; and a report as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from sqlalchemy.orm import Session

from engine.finance.export import decimal, harmless
from engine.kit.errors import NotFound
from engine.reports import talk, trade
from engine.reports.money import REFUNDS, SALES, TAX, MoneyReport, money_report
from engine.reports.period import Period
from engine.reports.schemas import Column, ReportInfo, ReportView, Row, Unit, Values

Build = Callable[[Session, str, Period, str], ReportView]


def _money(wanted: MoneyReport) -> Build:
    return partial(_of_journal, wanted)


def _of_journal(wanted: MoneyReport, session: Session, tenant_id: str, over: Period, currency: str) -> ReportView:
    return money_report(session, tenant_id, wanted, over, currency)


def _moneyless(build: Callable[[Session, str, Period], ReportView]) -> Build:
    return lambda session, tenant_id, over, _currency: build(session, tenant_id, over)


REPORTS: Final[Mapping[str, tuple[ReportInfo, Build]]] = {
    info.name: (info, build)
    for info, build in (
        (SALES.info, _money(SALES)),
        (REFUNDS.info, _money(REFUNDS)),
        (TAX.info, _money(TAX)),
        (trade.ORDERS, trade.orders),
        (trade.PRODUCTS, trade.products),
        (talk.CONVERSION, _moneyless(talk.conversion)),
        (talk.CONTAINMENT, _moneyless(talk.containment)),
        (talk.HANDOFF, _moneyless(talk.handoff_wait)),
    )
}
"""In the order in which they are shown."""


def report(session: Session, tenant_id: str, name: str, over: Period, *, currency: str) -> ReportView:
    """One report of a period. Raises ``NotFound``."""
    if name not in REPORTS:
        raise NotFound(f"There is no such report; there are: {', '.join(REPORTS)}.")
    return REPORTS[name][1](session, tenant_id, over, currency)


def to_csv(view: ReportView) -> str:
    """The report's table with a last line of sums: money in whole units, waits in seconds, shares in percent."""
    out = io.StringIO()
    sheet = csv.writer(out, lineterminator="\r\n")
    first = "day" if view.rows and view.rows[0].key == view.rows[0].title else "name"
    sheet.writerow([first, *(_heading(column, view.currency) for column in view.columns)])
    for row in view.rows:
        sheet.writerow([harmless(row.title), *_cells(view, row.values)])
    total = Row(key="total", title="Total", values=view.totals)
    sheet.writerow([total.title, *_cells(view, total.values)])
    return out.getvalue()


def _heading(column: Column, currency: str | None) -> str:
    return f"{column.key} {currency}" if column.unit == Unit.MONEY else f"{column.key}{_AFTER.get(column.unit, '')}"


def _cells(view: ReportView, values: Values) -> list[str]:
    return [_cell(values[column.key], column.unit, view.currency or "") for column in view.columns]


def _cell(value: int | None, unit: Unit, currency: str) -> str:
    if value is None:
        return ""
    sign = "-" if value < 0 else ""
    if unit == Unit.MONEY:
        return sign + decimal(value, currency)
    if unit == Unit.SHARE:
        return f"{value // 10_000}.{value % 10_000 // 100:02d}"
    return str(value)


_AFTER: Final = {Unit.SECONDS: "_seconds", Unit.SHARE: "_percent"}
