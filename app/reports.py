"""``/v1/reports``: how the shop does, for those of its people who look after that."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from app.identity import Caller
from app.once import json_response
from app.routing import CallerDep, Guarded, SiteDep
from app.site import Site
from engine.kit.errors import Forbidden
from engine.kit.identity import Identity, Role
from engine.kit.views import View
from engine.reports import service
from engine.reports.period import period
from engine.reports.schemas import ReportInfo, ReportView

router: Final = APIRouter(prefix="/v1/reports", tags=["reports"], route_class=Guarded)
Day = Annotated[
    date | None,
    Query(ge=date(1970, 1, 2), le=date(9990, 12, 31), description="A whole day by the shop's own clock."),
]
Code = Annotated[str | None, Query(pattern=r"^[A-Z]{3}$", description="The shop's own currency without it.")]


class ReportList(View):
    items: list[ReportInfo]


@router.get("", responses={200: {"model": ReportList}}, response_class=Response)
def reports(caller: CallerDep) -> Response:
    """The reports there are."""
    reader(caller)
    return json_response(ReportList(items=[info for info, _ in service.REPORTS.values()]))


@router.get("/{report}", responses={200: {"model": ReportView}}, response_class=Response)
def one(
    report: str,
    site: SiteDep,
    caller: CallerDep,
    start: Annotated[Day, Query(alias="from")] = None,
    end: Annotated[Day, Query(alias="to")] = None,
    currency: Code = None,
) -> Response:
    """One report by day, of 366 days at most; the last thirty unless told."""
    return json_response(_read(site, caller, report, start, end, currency))


@router.get("/{report}/csv", responses={200: {"content": {"text/csv": {}}}}, response_class=Response)
def sheet(
    report: str,
    site: SiteDep,
    caller: CallerDep,
    start: Annotated[Day, Query(alias="from")] = None,
    end: Annotated[Day, Query(alias="to")] = None,
    currency: Code = None,
) -> Response:
    """The same as a CSV file."""
    view = _read(site, caller, report, start, end, currency)
    file = f"{view.name}-{view.first_day}-{view.last_day}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{file}"', "Cache-Control": "private, no-store"}
    return Response(service.to_csv(view), media_type="text/csv; charset=utf-8", headers=headers)


def reader(caller: Caller) -> Identity:
    """Raises ``Forbidden`` for who only answers shoppers."""
    identity = caller.staff
    if identity.role is Role.SUPPORT:
        raise Forbidden("Reports are for the roles supervisor, ops and admin.")
    return identity


def _read(
    site: Site, caller: Caller, name: str, start: date | None, end: date | None, currency: str | None
) -> ReportView:
    tenant_id = reader(caller).tenant_id
    with site.runtime.store.unit_of_work(tenant_id, snapshot=True) as session:
        over = period(session, tenant_id, start, end)
        return service.report(session, tenant_id, name, over, currency=currency or caller.merchant.currency)
