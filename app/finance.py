"""``/v1/finance``: the books, read by the shop's people."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from app.once import json_response
from app.routing import CallerDep, Guarded, SiteDep
from engine.finance import chart, payouts, periods, reports
from engine.finance.reconciliation import ReconciliationReport, reconcile
from engine.finance.reports import JournalFilter
from engine.finance.schemas import (
    AccountView,
    EntryView,
    PayoutView,
    PeriodView,
    StatementLineView,
    TrialBalanceView,
)
from engine.kit.views import View

router: Final = APIRouter(prefix="/v1/finance", tags=["finance"], route_class=Guarded)
_FIRST, _LAST = date(1970, 1, 1), date(9990, 12, 31)
Day = Annotated[date | None, Query(ge=_FIRST, le=_LAST, description="A whole day, UTC.")]
Word = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_:-]{1,80}$")]
Code = Annotated[str | None, Query(pattern=r"^[A-Z]{3}$")]
Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,300}$")]


class AccountList(View):
    items: list[AccountView]


class TrialBalances(View):
    as_of: date | None
    items: list[TrialBalanceView]


class JournalPage(View):
    items: list[EntryView]
    next_cursor: str | None


class StatementPage(View):
    items: list[StatementLineView]
    next_cursor: str | None


class PeriodList(View):
    items: list[PeriodView]


class PayoutPage(View):
    items: list[PayoutView]
    next_cursor: str | None


@router.get("/accounts", responses={200: {"model": AccountList}}, response_class=Response)
def accounts(site: SiteDep, caller: CallerDep) -> Response:
    """The chart of accounts, by number."""
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        return json_response(AccountList(items=list(chart.chart(session, tenant_id).values())))


@router.get("/accounts/{code}/statement", responses={200: {"model": StatementPage}}, response_class=Response)
def statement(
    code: str,
    site: SiteDep,
    caller: CallerDep,
    currency: Code = None,
    start: Annotated[Day, Query(alias="from")] = None,
    end: Annotated[Day, Query(alias="to")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """What moved one account, oldest first, each line with the balance after it; in the shop's currency unless told."""
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        page = reports.statement(
            session,
            tenant_id,
            code,
            currency=currency or caller.merchant.currency,
            start=start,
            end=end,
            limit=limit,
            cursor=cursor,
        )
        return json_response(StatementPage(items=list(page.items), next_cursor=page.next_cursor))


@router.get("/trial-balance", responses={200: {"model": TrialBalances}}, response_class=Response)
def trial_balance(site: SiteDep, caller: CallerDep, as_of: Day = None) -> Response:
    """The balance of every account at the end of a day, a list per currency."""
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        return json_response(TrialBalances(as_of=as_of, items=reports.trial_balance(session, tenant_id, as_of=as_of)))


@router.get("/journal", responses={200: {"model": JournalPage}}, response_class=Response)
def journal(
    site: SiteDep,
    caller: CallerDep,
    start: Annotated[Day, Query(alias="from")] = None,
    end: Annotated[Day, Query(alias="to")] = None,
    kind: Word = None,
    subject: Word = None,
    order_id: Word = None,
    account: Word = None,
    currency: Code = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Journal entries, newest first."""
    tenant_id = caller.staff.tenant_id
    wanted = JournalFilter(start, end, kind, subject, order_id, account, currency)
    with site.runtime.unit_of_work(tenant_id) as session:
        page = reports.journal(session, tenant_id, wanted, limit=limit, cursor=cursor)
        return json_response(JournalPage(items=list(page.items), next_cursor=page.next_cursor))


@router.get("/journal/{entry_id}", responses={200: {"model": EntryView}}, response_class=Response)
def entry(entry_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """One entry."""
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        return json_response(reports.entry(session, tenant_id, entry_id))


@router.get("/periods", responses={200: {"model": PeriodList}}, response_class=Response)
def locked_months(site: SiteDep, caller: CallerDep) -> Response:
    """The months whose books are locked."""
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        return json_response(PeriodList(items=periods.periods(session, tenant_id)))


@router.get("/payouts", responses={200: {"model": PayoutPage}}, response_class=Response)
def payout_list(
    site: SiteDep,
    caller: CallerDep,
    gateway: Word = None,
    start: Annotated[Day, Query(alias="from")] = None,
    end: Annotated[Day, Query(alias="to")] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Response:
    """What gateways paid out, newest first, with the movements each payout is made of."""
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        page = payouts.payouts(session, tenant_id, gateway=gateway, start=start, end=end, limit=limit, cursor=cursor)
        return json_response(PayoutPage(items=list(page.items), next_cursor=page.next_cursor))


@router.get("/reconciliation", responses={200: {"model": ReconciliationReport}}, response_class=Response)
def reconciliation(site: SiteDep, caller: CallerDep) -> Response:
    """Our captures, refunds and disputes against what gateways settled."""
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        return json_response(reconcile(session, tenant_id))
