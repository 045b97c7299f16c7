"""``/v1/fulfillments``, ``/v1/shipments``: the work and the parcels, read by the shop's people; a carrier's word."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool

from app.once import json_response
from app.routing import CallerDep, Guarded, SiteDep
from app.telling import tell_now
from engine.fulfillment import labels, queries, release, tracking
from engine.fulfillment.models import FulfillmentStatus
from engine.fulfillment.queries import ParcelFilter, WorkFilter
from engine.fulfillment.schemas import FulfillmentView, ParcelView, RoutingView
from engine.kit.errors import InvalidInput
from engine.kit.views import View
from engine.orders.models import ShipmentStatus

router: Final = APIRouter(prefix="/v1", tags=["fulfillment"], route_class=Guarded)
webhooks: Final = APIRouter(tags=["fulfillment"])
_BODY_LIMIT: Final = 65_536
Word = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_. -]{1,60}$")]
Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,300}$")]


class FulfillmentPage(View):
    items: list[FulfillmentView]
    next_cursor: str | None


class ParcelPage(View):
    items: list[ParcelView]
    next_cursor: str | None


class RoutingList(View):
    items: list[RoutingView]


@router.get("/fulfillments", responses={200: {"model": FulfillmentPage}}, response_class=Response)
def fulfillments(
    site: SiteDep,
    caller: CallerDep,
    status: FulfillmentStatus | None = None,
    order_id: Word = None,
    location: Word = None,
    partner: Word = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Work handed to places that ship, newest first."""
    tenant_id = caller.staff.tenant_id
    wanted = WorkFilter(status, order_id, location, partner)
    with site.runtime.unit_of_work(tenant_id) as session:
        page = queries.fulfillments(session, tenant_id, wanted, limit=limit, cursor=cursor)
        return json_response(FulfillmentPage(items=list(page.items), next_cursor=page.next_cursor))


@router.get("/fulfillments/{fulfillment_id}", responses={200: {"model": FulfillmentView}}, response_class=Response)
def fulfillment(fulfillment_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """One piece of work."""
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        return json_response(queries.fulfillment(session, tenant_id, fulfillment_id))


@router.get("/shipments", responses={200: {"model": ParcelPage}}, response_class=Response)
def shipments(
    site: SiteDep,
    caller: CallerDep,
    status: ShipmentStatus | None = None,
    order_id: Word = None,
    carrier: Word = None,
    tracking_number: Word = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Parcels, newest first."""
    tenant_id = caller.staff.tenant_id
    wanted = ParcelFilter(status, order_id, carrier, tracking_number)
    with site.runtime.unit_of_work(tenant_id) as session:
        page = queries.shipments(session, tenant_id, wanted, limit=limit, cursor=cursor)
        return json_response(ParcelPage(items=list(page.items), next_cursor=page.next_cursor))


@router.get("/shipments/{shipment_id}", responses={200: {"model": ParcelView}}, response_class=Response)
def shipment(shipment_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """One parcel."""
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        return json_response(queries.shipment(session, tenant_id, shipment_id))


@router.get(
    "/shipments/{shipment_id}/label.pdf",
    responses={200: {"content": {"application/pdf": {}}}},
    response_class=Response,
)
def label_pdf(shipment_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """The embedded carrier's label, 4 x 6 inches, a page for each package."""
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        found = labels.labels_of(session, tenant_id, shipment_id)
    name = {"Content-Disposition": f'inline; filename="{shipment_id}.pdf"'}
    return Response(labels.pdf(found), headers=name, media_type="application/pdf")


@router.get(
    "/shipments/{shipment_id}/label.zpl",
    responses={200: {"content": {"text/plain": {}}}},
    response_class=Response,
)
def label_zpl(shipment_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """The same label for a label printer."""
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        found = labels.labels_of(session, tenant_id, shipment_id)
    return Response(labels.zpl(found), media_type="text/plain; charset=utf-8")


@router.get("/orders/{order_id}/routing", responses={200: {"model": RoutingList}}, response_class=Response)
def routing(order_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """Why each part of an order ships from where it does, with what the next best ways would have cost."""
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        found = release.explain(session, tenant_id, order_id)
    return json_response(RoutingList(items=[RoutingView(**one) for one in found]))


@webhooks.post("/webhooks/carriers/{carrier}", status_code=204, response_class=Response)
async def carrier_webhook(carrier: str, request: Request, site: SiteDep) -> Response:
    """A carrier's signed word on a parcel (Standard Webhooks). Telling the same twice changes nothing."""
    body = await request.body()
    if len(body) > _BODY_LIMIT:
        raise InvalidInput("The event is too large.")
    heard = tracking.receive_webhook
    tenant_id = await run_in_threadpool(heard, site.runtime, carrier, body, dict(request.headers))
    return Response(status_code=204, background=BackgroundTask(tell_now, site.runtime, tenant_id))
