"""``/v1/staff/…``: what the shop's people and partners do with the work."""

from __future__ import annotations

import base64
from typing import Annotated, Final

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt
from sqlalchemy.orm import Session

from app.once import AskedDep, answer_once, json_response
from app.routing import CallerDep, Guarded, SiteDep
from engine.fulfillment import exceptions, queries, release, requests, shipments, tracking
from engine.fulfillment.exceptions import Remedy
from engine.fulfillment.schemas import FulfillmentView, ParcelView, RemedyView, ShortPickView
from engine.fulfillment.shipments import Handover, Package
from engine.kit.errors import Forbidden
from engine.kit.identity import Scope
from engine.kit.views import View

router: Final = APIRouter(prefix="/v1/staff", tags=["staff"], route_class=Guarded)
Units = Annotated[StrictInt, Field(ge=1, le=1_000_000)]
LineId = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$")]
Version = StrictInt | None


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Version = None
    """The version that was seen: whoever is late is refused."""


class PackageIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    items: Annotated[dict[LineId, Units], Field(min_length=1, max_length=200)]
    weight_g: Annotated[StrictInt, Field(ge=1, le=100_000_000)] | None = None


class ShipIn(Body):
    packages: Annotated[list[PackageIn], Field(min_length=1, max_length=100)] | None = None
    """Without them everything that is left goes in one box."""
    carrier: Annotated[str, Field(min_length=1, max_length=60)] | None = None
    """Without one the embedded carrier takes it."""
    tracking_number: Annotated[str, Field(pattern=r"^[A-Za-z0-9 -]{1,60}$")] | None = None
    service: Annotated[str, Field(max_length=60)] | None = None
    label_cost: Annotated[StrictInt, Field(ge=0, le=10_000_000)] = 0


class ShortIn(Body):
    short: Annotated[dict[LineId, Units], Field(min_length=1, max_length=200)]


class AnswerIn(Body):
    accepted: StrictBool


class RemedyIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    remedy: Remedy


class PickupIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    taken: StrictBool = True


class Released(View):
    order_id: str
    fulfillments: list[FulfillmentView]


class WebhookSecret(View):
    url: str
    secret: str
    """``whsec_`` and the key, as Standard Webhooks libraries take it."""
    account: str
    """What the carrier names in each event."""


@router.post("/orders/{order_id}/release", responses={200: {"model": Released}}, response_class=Response)
def release_order(order_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Hand everything of an order that has stock to the places that ship it, and take the money it waits for."""
    identity = caller.staff

    def work(session: Session) -> Released:
        made = release.release(session, identity.tenant_id, order_id, actor=identity.id)
        views = [queries.fulfillment(session, identity.tenant_id, one.id) for one in made]
        return Released(order_id=order_id, fulfillments=views)

    answer = answer_once(site.runtime, identity, asked, work, status=200)
    release.take_money(site.runtime, identity.tenant_id, order_id)
    return answer


@router.post(
    "/fulfillments/{fulfillment_id}/accept", responses={200: {"model": FulfillmentView}}, response_class=Response
)
def accept(fulfillment_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep, given: Body) -> Response:
    """The place takes the work up."""
    identity = caller.staff

    def work(session: Session) -> FulfillmentView:
        shipments.accept(session, identity.tenant_id, fulfillment_id, actor=identity.id, version=given.version)
        session.flush()
        return queries.fulfillment(session, identity.tenant_id, fulfillment_id)

    return answer_once(site.runtime, identity, asked, work, status=200)


@router.post("/fulfillments/{fulfillment_id}/ship", responses={201: {"model": ParcelView}}, response_class=Response)
def ship(fulfillment_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep, given: ShipIn) -> Response:
    """Goods leave: all that is left, or what the packages hold."""
    identity = caller.staff
    packages = None if given.packages is None else [Package(one.items, one.weight_g) for one in given.packages]
    handover = Handover(given.carrier, given.tracking_number, given.service, given.label_cost)

    def work(session: Session) -> ParcelView:
        made = shipments.ship(
            session,
            identity.tenant_id,
            fulfillment_id,
            packages=packages,
            handover=handover,
            actor=identity.id,
            version=given.version,
        )
        return queries.shipment(session, identity.tenant_id, made.id)

    return answer_once(site.runtime, identity, asked, work, status=201)


@router.post(
    "/fulfillments/{fulfillment_id}/short_pick", responses={200: {"model": ShortPickView}}, response_class=Response
)
def short_pick(fulfillment_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep, given: ShortIn) -> Response:
    """Units were not on the shelf: they go from elsewhere or wait for stock."""
    identity = caller.staff

    def work(session: Session) -> ShortPickView:
        done = exceptions.short_pick(
            session,
            identity.tenant_id,
            fulfillment_id,
            short=given.short,
            actor=identity.id,
            version=given.version,
        )
        return ShortPickView(rerouted=list(done.rerouted), backordered=dict(done.backordered))

    return answer_once(site.runtime, identity, asked, work, status=200)


@router.post(
    "/fulfillments/{fulfillment_id}/answer_cancel",
    responses={200: {"model": FulfillmentView}},
    response_class=Response,
)
def answer_cancel(fulfillment_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep, given: AnswerIn) -> Response:
    """The place agrees that units are canceled, or refuses."""
    identity = caller.staff

    def work(session: Session) -> FulfillmentView:
        requests.answer_cancel(
            session,
            identity.tenant_id,
            fulfillment_id,
            accepted=given.accepted,
            actor=identity.id,
            version=given.version,
        )
        return queries.fulfillment(session, identity.tenant_id, fulfillment_id)

    return answer_once(site.runtime, identity, asked, work, status=200)


@router.post("/shipments/{shipment_id}/picked_up", responses={200: {"model": ParcelView}}, response_class=Response)
def picked_up(shipment_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep, given: PickupIn) -> Response:
    """The buyer came for it; or (`taken` false) nobody did and it is back on the shelf."""
    identity = caller.staff

    def work(session: Session) -> ParcelView:
        tracking.picked_up(session, identity.tenant_id, shipment_id, taken=given.taken, actor=identity.id)
        return queries.shipment(session, identity.tenant_id, shipment_id)

    return answer_once(site.runtime, identity, asked, work, status=200)


@router.post("/shipments/{shipment_id}/remedy", responses={200: {"model": RemedyView}}, response_class=Response)
def remedy(shipment_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep, given: RemedyIn) -> Response:
    """Decide once what follows from a lost parcel: its goods are sent again, or free to be canceled and paid back."""
    identity = caller.staff

    def work(session: Session) -> RemedyView:
        units = exceptions.remedy_lost(session, identity.tenant_id, shipment_id, remedy=given.remedy, actor=identity.id)
        return RemedyView(shipment_id=shipment_id, remedy=given.remedy, units=units)

    return answer_once(site.runtime, identity, asked, work, status=200)


@router.get("/carriers/{carrier}/webhook", responses={200: {"model": WebhookSecret}}, response_class=Response)
def webhook_secret(carrier: str, site: SiteDep, caller: CallerDep) -> Response:
    """Where a carrier tells of parcels, and the key it signs with; for the scope admin."""
    identity = caller.staff
    if Scope.ADMIN not in identity.scopes:
        raise Forbidden("A carrier's key needs a key with the scope admin.")
    key = tracking.webhook_key(site.runtime.secret_key, identity.tenant_id, carrier)
    url = f"{site.web_origin}/webhooks/carriers/{carrier}"
    secret = f"whsec_{base64.b64encode(key).decode()}"
    return json_response(WebhookSecret(url=url, secret=secret, account=identity.tenant_id))
