"""``/v1/staff/inventory``: what the shop's people do to stock. Items are named by SKU, places by their code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool
from sqlalchemy.orm import Session

from app.approvals import ANSWERS, shown, status_of
from app.identity import Caller
from app.once import Asked, AskedDep, answer_once, json_response
from app.routing import CallerDep, Guarded, SiteDep
from app.site import Site
from engine.approvals.asking import perform
from engine.approvals.models import ApprovalKind
from engine.inventory import adjusting, counting, fetching, inbound, listing, naming, stock_file
from engine.inventory.inbound import Coming
from engine.inventory.listing import CountView, InboundView, LocationView
from engine.inventory.stock_file import StockDiff
from engine.kit.errors import Forbidden
from engine.kit.identity import Identity
from engine.kit.views import View
from engine.orders import allocation
from engine.shipping.pickup import Pickup

router: Final = APIRouter(prefix="/v1/staff/inventory", tags=["inventory"], route_class=Guarded)
Sku = Annotated[str, Field(min_length=1, max_length=40)]
Code = Annotated[str, Field(min_length=1, max_length=12)]
Units = Annotated[int, Field(strict=True, ge=0, le=10_000_000)]
Some = Annotated[int, Field(strict=True, ge=1, le=10_000_000)]
Words = Annotated[str, Field(max_length=200)]


class Given(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Adjustment(Given):
    sku: Sku
    location: Code
    delta: Annotated[int, Field(strict=True, ge=-10_000_000, le=10_000_000)]
    reason: Annotated[str, Field(min_length=1, max_length=200)]


class Level(Given):
    sku: Sku
    location: Code
    safety_stock: Units = 0
    low_stock_at: Units | None = None


class Line(Given):
    sku: Sku
    quantity: Some


class CostedLine(Line):
    unit_cost: Annotated[int, Field(strict=True, ge=0, le=100_000_000)] | None = None
    """Minor units; the item's own cost without it."""


class Purchase(Given):
    location: Code
    lines: Annotated[list[CostedLine], Field(min_length=1, max_length=500)]
    expected_on: date | None = None
    reference: Annotated[str, Field(max_length=80)] = ""


class Transfer(Given):
    source_location: Code
    location: Code
    lines: Annotated[list[Line], Field(min_length=1, max_length=500)]
    expected_on: date | None = None
    reference: Annotated[str, Field(max_length=80)] = ""


class Receipt(Given):
    inbound_id: Annotated[str, Field(max_length=40)]
    received: Annotated[list[Line], Field(min_length=1, max_length=500)]


class Closing(Given):
    lost: StrictBool = False
    """The rest of a transfer never arrived anywhere: it is written off."""


class NewCount(Given):
    location: Code
    skus: Annotated[list[Sku], Field(min_length=1, max_length=500)]
    note: Words = ""


class Counted(Given):
    sku: Sku
    counted: Units


class Submission(Given):
    lines: Annotated[list[Counted], Field(min_length=1, max_length=500)]


class Decision(Given):
    approved: StrictBool


class StockFile(Given):
    csv: Annotated[str, Field(min_length=1, max_length=250_000)]
    """Columns sku, location, on_hand and, if wanted, safety_stock, low_stock_at."""


class PickupTerms(Given):
    line_one: Annotated[str, Field(max_length=120)] | None = None
    """Street and number; without it they stay."""
    pickup: Pickup | None
    """`null`: orders are not fetched there any more. Those that were bought so still are."""


class Done(View):
    subject: str
    """Names it in the stock ledger."""


def _write(
    site: Site,
    caller: Caller,
    asked: Asked,
    work: Callable[[Session, Identity], BaseModel],
    *,
    status: int | Callable[[BaseModel], int] = 200,
) -> Response:
    identity = caller.staff
    return answer_once(site.runtime, identity, asked, lambda session: work(session, identity), status=status)


@router.post("/adjust", responses={200: {"model": Done}, 202: ANSWERS[202]}, response_class=Response)
def adjust(site: SiteDep, caller: CallerDep, asked: AskedDep, given: Adjustment) -> Response:
    """Write units on or off with a reason; above what one person may, somebody else has to approve it."""

    def work(session: Session, identity: Identity) -> BaseModel:
        names = naming.look_up(session, identity.tenant_id, skus=[given.sku], codes=[given.location])
        args = {
            "variant_id": names.items[given.sku],
            "location_id": names.places[given.location],
            "delta": given.delta,
            "reason": given.reason,
        }
        kind = ApprovalKind.WRITE_OFF if given.delta < 0 else ApprovalKind.STOCK_ADJUSTMENT
        done = perform(session, site.runtime, identity, kind, args, reason=given.reason)
        return Done(subject=done.outcome["subject"]) if done.outcome else shown(done)

    return _write(site, caller, asked, work, status=status_of)


@router.post("/levels", responses={200: {"model": Done}}, response_class=Response)
def set_level(site: SiteDep, caller: CallerDep, asked: AskedDep, given: Level) -> Response:
    """Set an item's safety stock at a location, and when to alert."""

    def work(session: Session, identity: Identity) -> Done:
        names = naming.look_up(session, identity.tenant_id, skus=[given.sku], codes=[given.location])
        adjusting.set_level(
            session,
            identity.tenant_id,
            actor=identity.id,
            variant_id=names.items[given.sku],
            location_id=names.places[given.location],
            safety_stock=given.safety_stock,
            low_stock_at=given.low_stock_at,
        )
        return Done(subject=names.items[given.sku])

    return _write(site, caller, asked, work)


@router.post("/locations/{code}/pickup", responses={200: {"model": LocationView}}, response_class=Response)
def set_pickup(code: str, site: SiteDep, caller: CallerDep, asked: AskedDep, given: PickupTerms) -> Response:
    """On what terms orders are fetched at a location."""

    def work(session: Session, identity: Identity) -> LocationView:
        return fetching.set_terms(
            session, identity.tenant_id, code, terms=given.pickup, line_one=given.line_one, actor=identity.id
        )

    return _write(site, caller, asked, work)


@router.post("/inbounds", status_code=201, responses={201: {"model": InboundView}}, response_class=Response)
def purchase(site: SiteDep, caller: CallerDep, asked: AskedDep, given: Purchase) -> Response:
    """A supplier will bring this."""

    def work(session: Session, identity: Identity) -> InboundView:
        skus = [line.sku for line in given.lines]
        names = naming.look_up(session, identity.tenant_id, skus=skus, codes=[given.location])
        opened = inbound.expect_purchase(
            session,
            identity.tenant_id,
            actor=identity.id,
            location_id=names.places[given.location],
            lines=[Coming(names.items[line.sku], line.quantity, line.unit_cost) for line in given.lines],
            expected_on=given.expected_on,
            reference=given.reference,
        )
        return listing.inbound(session, identity.tenant_id, opened.id)

    return _write(site, caller, asked, work, status=201)


@router.post("/transfer", status_code=201, responses={201: {"model": InboundView}}, response_class=Response)
def transfer(site: SiteDep, caller: CallerDep, asked: AskedDep, given: Transfer) -> Response:
    """Units leave one location for another."""

    def work(session: Session, identity: Identity) -> InboundView:
        skus, codes = [line.sku for line in given.lines], [given.location, given.source_location]
        names = naming.look_up(session, identity.tenant_id, skus=skus, codes=codes)
        opened = inbound.dispatch_transfer(
            session,
            identity.tenant_id,
            actor=identity.id,
            source_location_id=names.places[given.source_location],
            location_id=names.places[given.location],
            lines=[Coming(names.items[line.sku], line.quantity) for line in given.lines],
            expected_on=given.expected_on,
            reference=given.reference,
        )
        return listing.inbound(session, identity.tenant_id, opened.id)

    return _write(site, caller, asked, work, status=201)


@router.post("/receive", responses={200: {"model": InboundView}}, response_class=Response)
def receive(site: SiteDep, caller: CallerDep, asked: AskedDep, given: Receipt) -> Response:
    """Units of a purchase or a transfer are on the shelf."""

    def work(session: Session, identity: Identity) -> InboundView:
        units = _units(session, identity, [(line.sku, line.quantity) for line in given.received])
        with allocation.arriving(session, identity.tenant_id, units):
            inbound.receive_inbound(
                session, identity.tenant_id, actor=identity.id, inbound_id=given.inbound_id, received=units
            )
        return listing.inbound(session, identity.tenant_id, given.inbound_id)

    return _write(site, caller, asked, work)


@router.post("/inbounds/{inbound_id}/close", responses={200: {"model": InboundView}}, response_class=Response)
def close(inbound_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep, given: Closing) -> Response:
    """Nothing more of it will come."""

    def work(session: Session, identity: Identity) -> InboundView:
        inbound.close_inbound(session, identity.tenant_id, actor=identity.id, inbound_id=inbound_id, lost=given.lost)
        return listing.inbound(session, identity.tenant_id, inbound_id)

    return _write(site, caller, asked, work)


@router.post("/counts", status_code=201, responses={201: {"model": CountView}}, response_class=Response)
def open_count(site: SiteDep, caller: CallerDep, asked: AskedDep, given: NewCount) -> Response:
    """Ask for a count of items at a location."""

    def work(session: Session, identity: Identity) -> CountView:
        names = naming.look_up(session, identity.tenant_id, skus=given.skus, codes=[given.location])
        opened = counting.open_count(
            session,
            identity.tenant_id,
            actor=identity.id,
            location_id=names.places[given.location],
            variant_ids=[names.items[sku] for sku in given.skus],
            note=given.note,
        )
        return listing.count(session, identity.tenant_id, opened.id)

    return _write(site, caller, asked, work, status=201)


@router.post("/counts/{count_id}/submit", responses={200: {"model": CountView}}, response_class=Response)
def submit_count(count_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep, given: Submission) -> Response:
    """Hand in what was found."""

    def work(session: Session, identity: Identity) -> CountView:
        found = _units(session, identity, [(line.sku, line.counted) for line in given.lines])
        counting.submit_count(session, identity.tenant_id, actor=identity.id, count_id=count_id, counted=found)
        return listing.count(session, identity.tenant_id, count_id)

    return _write(site, caller, asked, work)


@router.post("/counts/{count_id}/approve", responses={200: {"model": CountView}}, response_class=Response)
def decide_count(count_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep, given: Decision) -> Response:
    """Approve a count's variance, or reject it: never by who opened it or handed it in."""

    def work(session: Session, identity: Identity) -> CountView:
        counting.decide_count(
            session, identity.tenant_id, actor=identity.id, count_id=count_id, approved=given.approved
        )
        return listing.count(session, identity.tenant_id, count_id)

    return _write(site, caller, asked, work)


@router.post("/import", responses={200: {"model": StockDiff}}, response_class=Response)
def import_stock(
    site: SiteDep,
    caller: CallerDep,
    asked: AskedDep,
    given: StockFile,
    dry_run: Annotated[bool, Query(description="Only tell what the file would change.")] = False,
) -> Response:
    """Bring stock to what a CSV says, all of it or nothing."""

    def work(session: Session, identity: Identity) -> StockDiff:
        return stock_file.import_stock(session, identity.tenant_id, actor=identity.id, text=given.csv, dry_run=dry_run)

    if dry_run:
        with site.runtime.unit_of_work(caller.staff.tenant_id) as session:
            return json_response(work(session, caller.staff))
    if not caller.staff.is_operations:
        raise Forbidden("A stock file is applied by operations: use a key with the ops scope.")
    return _write(site, caller, asked, work)


def _units(session: Session, identity: Identity, rows: Sequence[tuple[str, int]]) -> dict[str, int]:
    names = naming.look_up(session, identity.tenant_id, skus=[sku for sku, _ in rows], codes=[])
    return naming.by_item(names, rows)
