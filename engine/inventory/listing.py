"""Stock, its ledger, deliveries and counts as pages for staff, each by keyset."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, tuple_
from sqlalchemy.orm import Session

from engine.catalog.models import Variant
from engine.inventory.availability import SELLABLE
from engine.inventory.models import (
    OPEN_INBOUNDS,
    Inbound,
    InboundLine,
    Location,
    StockCount,
    StockCountLine,
    StockLevel,
    StockMovement,
)
from engine.inventory.policy import InventoryPolicy
from engine.inventory.queries import ItemStock, items_of
from engine.kit.errors import NotFound
from engine.kit.pagination import Page, cursor_moment, cursor_number, decode_cursor, encode_cursor
from engine.kit.policies import policy_of
from engine.kit.views import View


class LocationView(View):
    id: str
    code: str
    name: str
    kind: str
    country: str
    region: str
    city: str
    postal_code: str
    ships: bool
    position: int
    latitude: float | None
    longitude: float | None
    handling_days: int
    handling_cost: int
    cannot_ship: list[str]
    line_one: str
    pickup: dict[str, Any] | None
    """On what terms orders are fetched here; none where they are not."""


class MovementView(View):
    id: int
    at: datetime
    sku: str
    variant_id: str
    location: str
    kind: str
    on_hand_delta: int
    reserved_delta: int
    subject: str
    reason: str | None


class InboundLineView(View):
    sku: str
    variant_id: str
    expected: int
    received: int
    unit_cost: int


class InboundView(View):
    id: str
    kind: str
    status: str
    location: str
    source_location: str | None
    reference: str
    expected_on: date | None
    created_at: datetime
    updated_at: datetime
    lines: list[InboundLineView]


class CountLineView(View):
    sku: str
    variant_id: str
    expected: int
    counted: int | None
    variance: int | None


class CountView(View):
    id: str
    status: str
    location: str
    note: str
    opened_by: str
    opened_at: datetime
    submitted_by: str | None
    submitted_at: datetime | None
    decided_by: str | None
    decided_at: datetime | None
    lines: list[CountLineView]


def stock(
    session: Session,
    tenant_id: str,
    *,
    sku: str | None = None,
    q: str | None = None,
    location: str | None = None,
    below_safety: bool = False,
    low: bool = False,
    limit: int,
    cursor: str | None,
) -> Page[ItemStock]:
    """Items by SKU with their stock at every location (bundles and untracked ones have none of their own)."""
    query = select(Variant).where(Variant.tenant_id == tenant_id).order_by(Variant.sku).limit(limit + 1)
    if sku:
        query = query.where(func.lower(Variant.sku) == sku.lower())
    if q:
        words = func.to_tsvector("english", Variant.title).op("@@")(func.plainto_tsquery("english", q))
        query = query.where(or_(Variant.sku.istartswith(q, autoescape=True), words))
    if level := _level_conditions(session, tenant_id, location, below_safety=below_safety, low=low):
        query = query.where(_has_level(level))
    if cursor:
        query = query.where(Variant.sku > str(decode_cursor(cursor, size=1)[0]))
    rows = session.scalars(query).all()
    shown = items_of(session, tenant_id, rows[:limit], location=location)
    return Page(shown, encode_cursor([rows[limit - 1].sku]) if len(rows) > limit else None)


def movements(
    session: Session,
    tenant_id: str,
    *,
    sku: str | None = None,
    location: str | None = None,
    kind: str | None = None,
    subject: str | None = None,
    limit: int,
    cursor: str | None,
) -> Page[MovementView]:
    """The stock ledger, newest first."""
    query = (
        select(StockMovement, Variant.sku, Location.code)
        .join(Variant, and_(Variant.tenant_id == StockMovement.tenant_id, Variant.id == StockMovement.variant_id))
        .join(Location, and_(Location.tenant_id == StockMovement.tenant_id, Location.id == StockMovement.location_id))
        .where(StockMovement.tenant_id == tenant_id)
        .order_by(StockMovement.id.desc())
        .limit(limit + 1)
    )
    wanted = {Variant.sku: sku, Location.code: location, StockMovement.kind: kind, StockMovement.subject: subject}
    query = query.where(*(column == value for column, value in wanted.items() if value))
    if cursor:
        query = query.where(StockMovement.id < cursor_number(decode_cursor(cursor, size=1)[0]))
    rows = session.execute(query).all()
    shown = [_movement(*row) for row in rows[:limit]]
    return Page(shown, encode_cursor([shown[-1].id]) if len(rows) > limit else None)


def locations(session: Session, tenant_id: str) -> list[LocationView]:
    """Every location in the shop's order."""
    rows = session.scalars(
        select(Location).where(Location.tenant_id == tenant_id).order_by(Location.position, Location.code)
    )
    return [LocationView(**{name: getattr(row, name) for name in LocationView.model_fields}) for row in rows]


def inbounds(
    session: Session,
    tenant_id: str,
    *,
    status: str | None = None,
    kind: str | None = None,
    location: str | None = None,
    open_only: bool = False,
    limit: int,
    cursor: str | None,
) -> Page[InboundView]:
    """Purchases and transfers, newest first; ``open_only``: of which something is still to come."""
    query = select(Inbound).where(Inbound.tenant_id == tenant_id)
    if open_only:
        query = query.where(Inbound.status.in_(OPEN_INBOUNDS))
    query = query.where(*_equal({Inbound.status: status, Inbound.kind: kind}))
    if location:
        query = query.where(Inbound.location_id == _location_id(session, tenant_id, location))
    rows, after = _newest(session, query, Inbound, Inbound.created_at, limit, cursor)
    return Page(_inbound_views(session, tenant_id, rows), after)


def inbound(session: Session, tenant_id: str, inbound_id: str) -> InboundView:
    """One of them. Raises ``NotFound``."""
    row = session.get(Inbound, (tenant_id, inbound_id))
    if row is None:
        raise NotFound("There is no such delivery.")
    return _inbound_views(session, tenant_id, [row])[0]


def counts(
    session: Session,
    tenant_id: str,
    *,
    status: str | None = None,
    location: str | None = None,
    limit: int,
    cursor: str | None,
) -> Page[CountView]:
    """Cycle counts, newest first."""
    query = select(StockCount).where(StockCount.tenant_id == tenant_id, *_equal({StockCount.status: status}))
    if location:
        query = query.where(StockCount.location_id == _location_id(session, tenant_id, location))
    rows, after = _newest(session, query, StockCount, StockCount.opened_at, limit, cursor)
    return Page(_count_views(session, tenant_id, rows), after)


def count(session: Session, tenant_id: str, count_id: str) -> CountView:
    """One of them. Raises ``NotFound``."""
    row = session.get(StockCount, (tenant_id, count_id))
    if row is None:
        raise NotFound("There is no such count.")
    return _count_views(session, tenant_id, [row])[0]


def _newest(
    session: Session, query: Select[Any], model: Any, at: Any, limit: int, cursor: str | None
) -> tuple[Sequence[Any], str | None]:
    if cursor:
        moment, row_id = decode_cursor(cursor, size=2)
        query = query.where(tuple_(at, model.id) < tuple_(cursor_moment(moment), str(row_id)))
    rows = session.scalars(query.order_by(at.desc(), model.id.desc()).limit(limit + 1)).all()
    if len(rows) <= limit:
        return rows, None
    last = rows[limit - 1]
    return rows[:limit], encode_cursor([getattr(last, at.key).isoformat(), last.id])


def _equal(wanted: dict[Any, str | None]) -> list[ColumnElement[bool]]:
    return [column == value for column, value in wanted.items() if value]


def _level_conditions(
    session: Session, tenant_id: str, location: str | None, *, below_safety: bool, low: bool
) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if location:
        found.append(StockLevel.location_id == _location_id(session, tenant_id, location))
    if below_safety:
        found.append(StockLevel.on_hand - StockLevel.reserved < StockLevel.safety_stock)
    if low:
        threshold = policy_of(session, tenant_id, InventoryPolicy).low_stock_at
        found.append(func.coalesce(StockLevel.low_stock_at, threshold) >= SELLABLE)
    return found


def _has_level(conditions: list[ColumnElement[bool]]) -> ColumnElement[bool]:
    of_item = (StockLevel.tenant_id == Variant.tenant_id, StockLevel.variant_id == Variant.id)
    return select(StockLevel.variant_id).where(*of_item, *conditions).correlate(Variant).exists()


def _location_id(session: Session, tenant_id: str, code: str) -> str:
    """Raises ``NotFound``."""
    found = session.scalar(select(Location.id).where(Location.tenant_id == tenant_id, Location.code == code))
    if found is None:
        raise NotFound("This shop has no such location.")
    return found


def _movement(row: StockMovement, sku: str, code: str) -> MovementView:
    same = {name: getattr(row, name) for name in MovementView.model_fields if name not in {"sku", "location"}}
    return MovementView(sku=sku, location=code, **same)


def _codes(session: Session, tenant_id: str) -> dict[str, str]:
    rows = session.execute(select(Location.id, Location.code).where(Location.tenant_id == tenant_id))
    return {place: code for place, code in rows}  # noqa: C416 (rows are not typed as pairs)


def _lines(session: Session, tenant_id: str, model: Any, parent: Any, ids: Sequence[str]) -> dict[str, list[Any]]:
    rows = session.execute(
        select(model, Variant.sku)
        .join(Variant, and_(Variant.tenant_id == model.tenant_id, Variant.id == model.variant_id))
        .where(model.tenant_id == tenant_id, parent.in_(ids))
        .order_by(Variant.sku)
    )
    found: dict[str, list[Any]] = {one: [] for one in ids}
    for row, sku in rows:
        found[getattr(row, parent.key)].append((row, sku))
    return found


def _inbound_views(session: Session, tenant_id: str, rows: Sequence[Inbound]) -> list[InboundView]:
    codes = _codes(session, tenant_id)
    lines = _lines(session, tenant_id, InboundLine, InboundLine.inbound_id, [row.id for row in rows])
    return [
        InboundView(
            **{name: getattr(row, name) for name in ("id", "kind", "status", "reference", "expected_on")},
            created_at=row.created_at,
            updated_at=row.updated_at,
            location=codes[row.location_id],
            source_location=codes[row.source_location_id] if row.source_location_id else None,
            lines=[
                InboundLineView(
                    sku=sku,
                    variant_id=line.variant_id,
                    expected=line.expected,
                    received=line.received,
                    unit_cost=line.unit_cost,
                )
                for line, sku in lines[row.id]
            ],
        )
        for row in rows
    ]


def _count_views(session: Session, tenant_id: str, rows: Sequence[StockCount]) -> list[CountView]:
    codes = _codes(session, tenant_id)
    lines = _lines(session, tenant_id, StockCountLine, StockCountLine.count_id, [row.id for row in rows])
    same = [name for name in CountView.model_fields if name not in {"location", "lines"}]
    return [
        CountView(
            **{name: getattr(row, name) for name in same},
            location=codes[row.location_id],
            lines=[
                CountLineView(
                    sku=sku,
                    variant_id=line.variant_id,
                    expected=line.expected,
                    counted=line.counted,
                    variance=None if line.counted is None else line.counted - line.expected,
                )
                for line, sku in lines[row.id]
            ],
        )
        for row in rows
    ]
