"""``/v1/stock`` and its neighbours: what is where, what moved, what is coming, what was counted. Staff only."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from app.once import json_response
from app.routing import CallerDep, Guarded, SiteDep
from engine.inventory import listing
from engine.inventory.listing import CountView, InboundView, LocationView, MovementView
from engine.inventory.models import CountStatus, InboundKind, InboundStatus, MovementKind
from engine.inventory.queries import ItemStock
from engine.kit.views import View

router: Final = APIRouter(prefix="/v1", tags=["inventory"], route_class=Guarded)
Text = Annotated[str | None, Query(max_length=100, pattern=r"^[^\x00-\x1f]*$")]
Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=300)]


class StockPage(View):
    items: list[ItemStock]
    next_cursor: str | None


class MovementPage(View):
    items: list[MovementView]
    next_cursor: str | None


class LocationList(View):
    items: list[LocationView]
    next_cursor: None = None


class InboundPage(View):
    items: list[InboundView]
    next_cursor: str | None


class CountPage(View):
    items: list[CountView]
    next_cursor: str | None


@router.get("/stock", responses={200: {"model": StockPage}}, response_class=Response)
def stock(
    site: SiteDep,
    caller: CallerDep,
    sku: Text = None,
    q: Text = None,
    location: Text = None,
    below_safety: bool = False,
    low: bool = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Items by SKU with their units at every location. `location` is a code; `below_safety` and `low` keep items with
    such a level.
    """
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        page = listing.stock(
            session,
            tenant_id,
            sku=sku,
            q=q,
            location=location,
            below_safety=below_safety,
            low=low,
            limit=limit,
            cursor=cursor,
        )
        return json_response(StockPage(items=list(page.items), next_cursor=page.next_cursor))


@router.get("/stock/movements", responses={200: {"model": MovementPage}}, response_class=Response)
def movements(
    site: SiteDep,
    caller: CallerDep,
    sku: Text = None,
    location: Text = None,
    kind: MovementKind | None = None,
    subject: Text = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """The stock ledger, newest first."""
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        page = listing.movements(
            session, tenant_id, sku=sku, location=location, kind=kind, subject=subject, limit=limit, cursor=cursor
        )
        return json_response(MovementPage(items=list(page.items), next_cursor=page.next_cursor))


@router.get("/locations", responses={200: {"model": LocationList}}, response_class=Response)
def locations(site: SiteDep, caller: CallerDep) -> Response:
    """Every location in the shop's order."""
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        return json_response(LocationList(items=listing.locations(session, tenant_id)))


@router.get("/inbounds", responses={200: {"model": InboundPage}}, response_class=Response)
def inbounds(
    site: SiteDep,
    caller: CallerDep,
    status: InboundStatus | None = None,
    kind: InboundKind | None = None,
    location: Text = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Purchases and transfers, newest first."""
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        page = listing.inbounds(
            session, tenant_id, status=status, kind=kind, location=location, limit=limit, cursor=cursor
        )
        return json_response(InboundPage(items=list(page.items), next_cursor=page.next_cursor))


@router.get("/inbounds/{inbound_id}", responses={200: {"model": InboundView}}, response_class=Response)
def inbound(inbound_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """One of them."""
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        return json_response(listing.inbound(session, tenant_id, inbound_id))


@router.get("/counts", responses={200: {"model": CountPage}}, response_class=Response)
def counts(
    site: SiteDep,
    caller: CallerDep,
    status: CountStatus | None = None,
    location: Text = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Cycle counts, newest first."""
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        page = listing.counts(session, tenant_id, status=status, location=location, limit=limit, cursor=cursor)
        return json_response(CountPage(items=list(page.items), next_cursor=page.next_cursor))


@router.get("/counts/{count_id}", responses={200: {"model": CountView}}, response_class=Response)
def count(count_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """One of them."""
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        return json_response(listing.count(session, tenant_id, count_id))
