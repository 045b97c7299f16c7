"""``/staff/reports``: how the shop does, with a picture, a table and a file of each report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.orm import Session

from app.identity import Caller
from app.routing import SiteDep
from app.site import Site
from app.staff.pages import MANAGERS, page_response
from app.staff.plots import Plot, plot, told
from engine.catalog.prices import currencies_of
from engine.kit.errors import InvalidInput
from engine.kit.money import format_minor
from engine.reports import service
from engine.reports.period import Period, period, today
from engine.reports.schemas import ReportView

router: Final = APIRouter(prefix="/staff", include_in_schema=False)
SPANS: Final = ((1, "Today"), (7, "7 days"), (30, "30 days"), (90, "90 days"))
Field = Annotated[str, Query(max_length=10)]
_FACTS: Final = (
    ("sales", "net", "Net sales"),
    ("refunds", "paid_back", "Paid back"),
    ("tax", "owed", "Tax owed"),
    ("orders", "orders", "Orders"),
    ("orders", "average", "Average order"),
    ("conversion", "rate", "Conversion"),
    ("containment", "rate", "Kept by the assistant"),
    ("handoff_wait", "median", "Median wait for a person"),
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A report and what the page makes of it."""

    view: ReportView
    plot: Plot
    sheet: str

    def told(self, values: Mapping[str, int | None], key: str) -> str:
        column = next(one for one in self.view.columns if one.key == key)
        return told(values[key], column, self.view.currency)

    def money(self, amount: int) -> str:
        return format_minor(amount, self.view.currency or "")


@router.get("/reports")
def reports(
    request: Request,
    site: SiteDep,
    start: Annotated[Field, Query(alias="from")] = "",
    end: Annotated[Field, Query(alias="to")] = "",
    currency: Annotated[str, Query(max_length=3)] = "",
) -> Response:
    """All reports of a period."""
    return page_response(
        request,
        site,
        "staff/reports.html",
        roles=MANAGERS,
        fill=lambda caller: _filled(site, caller, start, end, currency),
    )


def _filled(site: Site, caller: Caller, start: str, end: str, currency: str) -> dict[str, Any]:
    merchant = caller.merchant
    sold_in = currencies_of(merchant.currency, merchant.settings)
    chosen = currency if currency in sold_in else merchant.currency
    with site.runtime.store.unit_of_work(merchant.id, snapshot=True) as session:
        over, problem = _period(session, merchant.id, start, end)
        views = [service.report(session, merchant.id, name, over, currency=chosen) for name in service.REPORTS]
    shown = {view.name: Shown(view, plot(view), _sheet(view, chosen)) for view in views}
    return {
        "over": over,
        "problem": problem,
        "currency": chosen,
        "currencies": sold_in,
        "spans": _spans(over, chosen),
        "reports": list(shown.values()),
        "facts": [(name, words, shown[name].told(shown[name].view.totals, key)) for name, key, words in _FACTS],
    }


def _period(session: Session, tenant_id: str, start: str, end: str) -> tuple[Period, str]:
    """The period that was asked for, or the usual one and why."""
    try:
        return period(session, tenant_id, _day(start), _day(end)), ""
    except InvalidInput as error:
        return period(session, tenant_id), error.message


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise InvalidInput("A day is written as 2026-11-30.") from None
    if not 1970 < day.year < 9990:
        raise InvalidInput("There are no books of that year.")
    return day


def _spans(over: Period, currency: str) -> list[tuple[str, str, bool]]:
    """The periods that are one press away: words, address, and whether it is this one."""
    last = today(over.time_zone)
    found = []
    for days, words in SPANS:
        first = last - timedelta(days=days - 1)
        asked = urlencode({"from": first, "to": last, "currency": currency})
        found.append((words, f"?{asked}", (over.start, over.end) == (first, last)))
    return found


def _sheet(view: ReportView, currency: str) -> str:
    asked = urlencode({"from": view.first_day, "to": view.last_day, "currency": currency, "as": "staff"})
    return f"/v1/reports/{view.name}/csv?{asked}"
