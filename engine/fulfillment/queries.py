"""Reading the work and the parcels: filters, newest first, by keyset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select, tuple_
from sqlalchemy.orm import Session

from engine.fulfillment import carriers
from engine.fulfillment.models import Fulfillment, FulfillmentLine, FulfillmentStatus
from engine.fulfillment.schemas import (
    FulfillmentLineView,
    FulfillmentView,
    PackageItemView,
    PackageView,
    ParcelView,
    ShipmentEventRow,
)
from engine.inventory.models import Location
from engine.kit.errors import InvalidInput, NotFound
from engine.kit.pagination import Page, decode_cursor, encode_cursor
from engine.orders.models import Order, OrderLine, Shipment, ShipmentStatus


@dataclass(frozen=True, slots=True)
class WorkFilter:
    """What of the work is wanted; ``None`` is no wish."""

    status: FulfillmentStatus | None = None
    order_id: str | None = None
    location: str | None = None
    """A location's code."""
    partner: str | None = None


@dataclass(frozen=True, slots=True)
class ParcelFilter:
    """What of the parcels is wanted."""

    status: ShipmentStatus | None = None
    order_id: str | None = None
    carrier: str | None = None
    tracking_number: str | None = None


def fulfillments(
    session: Session, tenant_id: str, wanted: WorkFilter, *, limit: int = 50, cursor: str | None = None
) -> Page[FulfillmentView]:
    """Newest first. Raises ``InvalidInput`` for a cursor that is not ours."""
    query = _work(tenant_id)
    if wanted.status:
        query = query.where(Fulfillment.status == wanted.status)
    if wanted.order_id:
        query = query.where(Fulfillment.order_id == wanted.order_id)
    if wanted.location:
        query = query.where(Location.code == wanted.location)
    if wanted.partner:
        query = query.where(Fulfillment.partner == wanted.partner)
    if cursor:
        query = query.where(tuple_(Fulfillment.released_at, Fulfillment.id) < _place(cursor))
    newest = (Fulfillment.released_at.desc(), Fulfillment.id.desc())
    rows = session.execute(query.order_by(*newest).limit(limit + 1)).all()
    shown = rows[:limit]
    last = shown[-1][0] if len(rows) > limit else None
    return Page(
        _work_views(session, tenant_id, shown), encode_cursor([last.released_at.isoformat(), last.id]) if last else None
    )


def fulfillment(session: Session, tenant_id: str, fulfillment_id: str) -> FulfillmentView:
    """One piece of work. Raises ``NotFound``."""
    rows = session.execute(_work(tenant_id).where(Fulfillment.id == fulfillment_id)).all()
    if not rows:
        raise NotFound("There is no such fulfillment.")
    return _work_views(session, tenant_id, rows)[0]


def shipments(
    session: Session, tenant_id: str, wanted: ParcelFilter, *, limit: int = 50, cursor: str | None = None
) -> Page[ParcelView]:
    """Newest first. Raises ``InvalidInput`` for a cursor that is not ours."""
    query = _parcels(tenant_id)
    if wanted.status:
        query = query.where(Shipment.status == wanted.status)
    if wanted.order_id:
        query = query.where(Shipment.order_id == wanted.order_id)
    if wanted.carrier:
        query = query.where(Shipment.carrier == wanted.carrier)
    if wanted.tracking_number:
        query = query.where(Shipment.tracking_number == wanted.tracking_number)
    if cursor:
        query = query.where(tuple_(Shipment.shipped_at, Shipment.id) < _place(cursor))
    newest = (Shipment.shipped_at.desc(), Shipment.id.desc())
    rows = session.execute(query.order_by(*newest).limit(limit + 1)).all()
    shown = rows[:limit]
    last = shown[-1][0] if len(rows) > limit else None
    return Page(
        [_parcel_view(*row) for row in shown], encode_cursor([last.shipped_at.isoformat(), last.id]) if last else None
    )


def shipment(session: Session, tenant_id: str, shipment_id: str) -> ParcelView:
    """One parcel. Raises ``NotFound``."""
    row = session.execute(_parcels(tenant_id).where(Shipment.id == shipment_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such shipment.")
    return _parcel_view(*row)


def _work(tenant_id: str) -> Select[Fulfillment, str, str]:
    return (
        select(Fulfillment, Order.number, Location.code)
        .join(Order, (Order.tenant_id == Fulfillment.tenant_id) & (Order.id == Fulfillment.order_id))
        .join(Location, (Location.tenant_id == Fulfillment.tenant_id) & (Location.id == Fulfillment.location_id))
        .where(Fulfillment.tenant_id == tenant_id)
        .execution_options(populate_existing=True)
    )


def _parcels(tenant_id: str) -> Select[Shipment, str, str]:
    return (
        select(Shipment, Order.number, Location.code)
        .join(Order, (Order.tenant_id == Shipment.tenant_id) & (Order.id == Shipment.order_id))
        .join(Location, (Location.tenant_id == Shipment.tenant_id) & (Location.id == Shipment.location_id))
        .where(Shipment.tenant_id == tenant_id)
        .execution_options(populate_existing=True)
    )


def _place(cursor: str) -> tuple[datetime, str]:
    moment, row_id = decode_cursor(cursor, size=2)
    try:
        at = datetime.fromisoformat(str(moment))
    except ValueError:
        raise InvalidInput("The cursor is not one of ours.", param="cursor") from None
    if at.tzinfo is None:
        raise InvalidInput("The cursor is not one of ours.", param="cursor")
    return at, str(row_id)


def _work_views(session: Session, tenant_id: str, rows: Sequence[Any]) -> list[FulfillmentView]:
    found = session.execute(
        select(FulfillmentLine, OrderLine.sku, OrderLine.title)
        .join(
            OrderLine,
            (OrderLine.tenant_id == FulfillmentLine.tenant_id) & (OrderLine.id == FulfillmentLine.order_line_id),
        )
        .where(FulfillmentLine.tenant_id == tenant_id, FulfillmentLine.fulfillment_id.in_([row[0].id for row in rows]))
        .order_by(FulfillmentLine.fulfillment_id, OrderLine.position, OrderLine.id)
        .execution_options(populate_existing=True)
    )
    lines: dict[str, list[FulfillmentLineView]] = {}
    for line, sku, title in found:
        lines.setdefault(line.fulfillment_id, []).append(_line_view(line, sku, title))
    return [_work_view(one, number, code, lines.get(one.id, [])) for one, number, code in rows]


def _line_view(line: FulfillmentLine, sku: str, title: str) -> FulfillmentLineView:
    return FulfillmentLineView(
        order_line_id=line.order_line_id,
        sku=sku,
        title=title,
        quantity=line.quantity,
        shipped=line.shipped,
        canceled=line.canceled,
        cancel_requested=line.cancel_requested,
    )


def _work_view(one: Fulfillment, number: str, code: str, lines: list[FulfillmentLineView]) -> FulfillmentView:
    return FulfillmentView(
        id=one.id,
        order_id=one.order_id,
        order_number=number,
        location=code,
        partner=one.partner,
        status=one.status,
        lines=lines,
        cancel_change_id=one.cancel_change_id,
        captures=list(one.capture_ids),
        routing=list(one.routing.get("words", [])),
        released_at=one.released_at,
        accepted_at=one.accepted_at,
        version=one.version,
    )


def _parcel_view(one: Shipment, number: str, code: str) -> ParcelView:
    ours = one.carrier == carriers.SANDBOX and bool(one.packages)
    return ParcelView(
        id=one.id,
        order_id=one.order_id,
        order_number=number,
        fulfillment_id=one.fulfillment_id,
        location=code,
        carrier=one.carrier,
        service=one.service,
        tracking_number=one.tracking_number,
        status=one.status,
        lines=_items(one.lines),
        packages=[PackageView(weight_g=box["weight_g"], items=_items(box["items"])) for box in one.packages],
        events=[ShipmentEventRow(**({"id": None} | event)) for event in one.events],
        label_cost=one.label_cost,
        label=f"/v1/shipments/{one.id}/label.pdf" if ours else None,
        expected_on=one.expected_on,
        shipped_at=one.shipped_at,
        delivered_at=one.delivered_at,
        lost_at=one.lost_at,
        returned_at=one.returned_at,
        remedy=one.remedy,
    )


def _items(rows: Sequence[dict[str, Any]]) -> list[PackageItemView]:
    return [PackageItemView(order_line_id=row["order_line_id"], quantity=row["quantity"]) for row in rows]
