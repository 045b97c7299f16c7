"""Units sold before they are there: first come, first served.

Whoever allocates holds the locks of the orders first (``waiting_orders`` names them), then the backorders, then stock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from sqlalchemy import Select, and_, exists, false, func, not_, or_, select, text, update
from sqlalchemy.orm import Session

from engine.catalog.models import Variant
from engine.catalog.shop_file import StockPolicy
from engine.inventory.availability import is_available, lock_sellable, recipes
from engine.inventory.direct import turn_of
from engine.inventory.errors import OutOfStock
from engine.inventory.items import PLENTY, Allocation, Part, Recipe
from engine.inventory.models import (
    Backorder,
    BackorderKind,
    BackorderStatus,
    BundleComponent,
    ReservationStatus,
)
from engine.inventory.states import BACKORDER
from engine.inventory.taking import Taking, reserve
from engine.kit import clock, gathering
from engine.kit.gathering import Rows
from engine.kit.ids import new_id

_WAITING: Final = Backorder.quantity - Backorder.allocated - Backorder.canceled
_LIMIT_LOCK: Final = text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")
_FETCHED: Final = text(
    "SELECT l.id, coalesce(l.way, o.fulfillment) #>> '{place,location_id}' AS place FROM app.order_lines l"
    " JOIN app.orders o ON o.tenant_id = l.tenant_id AND o.id = l.order_id"
    " WHERE l.tenant_id = :tenant AND l.id = ANY(:lines)"
)
_WAIT_WHERE_FETCHED: Final = text(
    "SELECT DISTINCT b.variant_id FROM app.backorders b JOIN app.order_lines l ON l.tenant_id = b.tenant_id"
    " AND l.id = b.order_line_id JOIN app.orders o ON o.tenant_id = l.tenant_id AND o.id = l.order_id"
    " WHERE b.tenant_id = :tenant AND b.status = 'waiting'"
    " AND EXISTS (SELECT FROM app.stock_levels s WHERE s.tenant_id = b.tenant_id"
    " AND s.location_id = coalesce(l.way, o.fulfillment) #>> '{place,location_id}'"
    " AND s.variant_id IN (SELECT part ->> 'variant_id' FROM jsonb_array_elements(b.components) part)"
    " AND s.on_hand - s.reserved - s.safety_stock > 0)"
)
_WAITING_OF: Final = Rows(
    Backorder,
    f"r.tenant_id = %(tenant)s AND r.order_line_id = ANY(%(lines)s) AND r.status = '{BackorderStatus.WAITING.value}'",
    order="r.created_at DESC, r.id DESC",
    lock=True,
)
_LIVE: Final = (BackorderStatus.HELD, BackorderStatus.WAITING)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Units of an order line to be sold ahead of their stock. With a payment they are its until it ends."""

    order_id: str
    order_line_id: str
    variant_id: str
    quantity: int
    kind: BackorderKind
    promised_on: date | None
    payment_id: str | None = None


@dataclass(frozen=True, slots=True)
class Filled:
    """Line units of a backorder that have stock now, and where."""

    backorder_id: str
    order_id: str
    order_line_id: str
    units: int
    location_id: str


def open_backorders(session: Session, tenant_id: str, rows: Sequence[Wanted]) -> None:
    """Write them down, after stock was held. Raises ``OutOfStock`` when an item's limit does not allow so many."""
    if not rows:
        return
    _within_limits(session, tenant_id, rows)
    found = recipes(session, tenant_id, list({row.variant_id for row in rows}))
    for row in rows:
        session.add(
            Backorder(
                tenant_id=tenant_id,
                id=new_id("backorder"),
                order_id=row.order_id,
                order_line_id=row.order_line_id,
                variant_id=row.variant_id,
                quantity=row.quantity,
                kind=row.kind,
                promised_on=row.promised_on,
                status=BackorderStatus.HELD if row.payment_id else BackorderStatus.WAITING,
                payment_id=row.payment_id,
                components=snapshot(found[row.variant_id]),
            )
        )
    session.flush()


def waiting_units(session: Session, tenant_id: str, variant_ids: Collection[str]) -> dict[str, int]:
    """Variant → units sold that have no stock yet, those of payments under way too."""
    rows = session.execute(
        select(Backorder.variant_id, func.sum(_WAITING))
        .where(Backorder.tenant_id == tenant_id, Backorder.variant_id.in_(variant_ids), Backorder.status.in_(_LIVE))
        .group_by(Backorder.variant_id)
    )
    return {variant_id: int(units) for variant_id, units in rows}


def promised_on(session: Session, tenant_id: str, order_line_ids: Collection[str]) -> dict[str, date | None]:
    """Order line → the day that was promised for its units that wait for stock; only lines of which some do."""
    rows = session.execute(
        select(Backorder.order_line_id, func.max(Backorder.promised_on).label("promised"))
        .where(
            Backorder.tenant_id == tenant_id,
            Backorder.order_line_id.in_(order_line_ids),
            Backorder.status == BackorderStatus.WAITING,
        )
        .group_by(Backorder.order_line_id)
    )
    return {row.order_line_id: row.promised for row in rows}


def waiting_wanted(tenant_id: str, order_line_ids: Collection[str]) -> gathering.Wanted:
    """What to fetch for the lines' waiting backorders, youngest first, locked."""
    return _WAITING_OF, {"tenant": tenant_id, "lines": list(order_line_ids)}


def by_line(rows: Iterable[Backorder]) -> dict[str, list[Backorder]]:
    """Line → its rows; lines with none are left out."""
    found: dict[str, list[Backorder]] = {}
    for row in rows:
        found.setdefault(row.order_line_id, []).append(row)
    return found


def cancel(rows: Iterable[Backorder], units: int) -> None:
    """Nobody waits for ``units`` of them any more."""
    for row in rows:
        taken = min(units, row.waiting)
        row.canceled += taken
        units -= taken
        _settle(row)


def settle_payment(session: Session, tenant_id: str, payment_id: str, *, paid: bool) -> None:
    """The payment ended: its backorders wait from now on, or never were. Does nothing the second time."""
    end: dict[str, Any] = (
        {"status": BackorderStatus.WAITING}
        if paid
        else {"status": BackorderStatus.CANCELED, "canceled": Backorder.quantity}
    )
    session.execute(
        update(Backorder)
        .where(
            Backorder.tenant_id == tenant_id,
            Backorder.payment_id == payment_id,
            Backorder.status == BackorderStatus.HELD,
        )
        .values(end)
        .execution_options(synchronize_session=False)
    )


def fillable(session: Session, tenant_id: str) -> list[str]:
    """Variants somebody waits for and that can be had now, also where they are fetched, at a place that may ship
    nothing.
    """
    waits = exists().where(
        Backorder.tenant_id == Variant.tenant_id,
        Backorder.variant_id == Variant.id,
        Backorder.status == BackorderStatus.WAITING,
    )
    query = select(Variant.id).where(Variant.tenant_id == tenant_id, waits, is_available()).order_by(Variant.id)
    fetched = session.scalars(_WAIT_WHERE_FETCHED, {"tenant": tenant_id})
    return sorted({*session.scalars(query), *fetched})


def waiting_orders(session: Session, tenant_id: str, variant_ids: Collection[str]) -> list[str]:
    """Orders that wait for any of the variants (or for a bundle with one in it), in the order to lock them: by id."""
    query = _waiting(tenant_id, variant_ids).with_only_columns(Backorder.order_id).order_by(None).distinct()
    return sorted(session.scalars(query))


def allocate_backorders(
    session: Session, tenant_id: str, variant_ids: Collection[str], *, order_ids: Collection[str] | None = None
) -> list[Filled]:
    """Give what is there to who waits longest, in whole line units; bundles with one of the variants too.

    ``order_ids`` are the orders the caller has locked: nobody else's are touched. The units are reserved for their
    lines; the caller raises ``OrderLine.allocated`` by what is returned.
    """
    query = _waiting(tenant_id, variant_ids)
    if order_ids is not None:
        query = query.where(Backorder.order_id.in_(order_ids))
    rows = session.scalars(query.with_for_update(of=Backorder).execution_options(populate_existing=True)).all()
    plan = _plan(session, tenant_id, rows)
    if not plan:
        return []
    takings = [Taking(row.order_line_id, allocation) for row, allocation in plan]
    reserve(session, tenant_id, takings, status=ReservationStatus.COMMITTED, subject="backorders")
    for row, allocation in plan:
        row.allocated += allocation.quantity
        _settle(row)
    session.flush()
    return [Filled(row.id, row.order_id, row.order_line_id, one.quantity, one.location_id) for row, one in plan]


def _waiting(tenant_id: str, variant_ids: Collection[str]) -> Select[Backorder]:
    """Waiting backorders of the variants and of bundles with one of them, oldest first; pre-orders from their day."""
    bundles = select(BundleComponent.bundle_variant_id).where(
        BundleComponent.tenant_id == tenant_id, BundleComponent.component_variant_id.in_(variant_ids)
    )
    too_early = and_(Variant.stock_policy == StockPolicy.PREORDER, Variant.available_on > clock.now().date())
    return (
        select(Backorder)
        .join(Variant, and_(Variant.tenant_id == Backorder.tenant_id, Variant.id == Backorder.variant_id))
        .where(
            Backorder.tenant_id == tenant_id,
            Backorder.status == BackorderStatus.WAITING,
            or_(Backorder.variant_id.in_(variant_ids), Backorder.variant_id.in_(bundles)),
            not_(func.coalesce(too_early, false())),
        )
        .order_by(Backorder.created_at, Backorder.id)
    )


def _plan(session: Session, tenant_id: str, rows: Sequence[Backorder]) -> list[tuple[Backorder, Allocation]]:
    """Who gets how many from where, in the rows' order: one place if one has enough, else the shop's order."""
    made_of = {row.id: _recipe(row) for row in rows}
    counted = {part.variant_id for parts in made_of.values() for part in parts if part.tracked}
    pool = lock_sellable(session, tenant_id, counted)
    ships, fetched_at = list(pool), _fetched_at(session, tenant_id, rows)
    if others := set(fetched_at.values()) - set(ships):
        pool |= lock_sellable(session, tenant_id, counted, at=others)
    plan = []
    for row in rows:
        places = [fetched_at[row.order_line_id]] if row.order_line_id in fetched_at else ships
        mine = {place: pool[place] for place in places if place in pool}
        for allocation in _share(row, made_of[row.id], mine):
            plan.append((row, allocation))
            for part in made_of[row.id]:
                if part.tracked:
                    pool[allocation.location_id][part.variant_id] -= part.per_unit * allocation.quantity
    return plan


def _fetched_at(session: Session, tenant_id: str, rows: Sequence[Backorder]) -> dict[str, str]:
    """Order line → the one place that its units may come from, of lines that are fetched there."""
    if not rows:
        return {}
    found = session.execute(_FETCHED, {"tenant": tenant_id, "lines": sorted({row.order_line_id for row in rows})})
    return {line_id: place for line_id, place in found if place}


def _share(row: Backorder, parts: Recipe, pool: Mapping[str, Mapping[str, int]]) -> list[Allocation]:
    left, found = row.waiting, []
    units = {place: _whole_units(parts, stock) for place, stock in pool.items()}
    for place in sorted(units, key=lambda one: units[one] < left):
        take = min(left, units[place])
        if take:
            found.append(Allocation(row.variant_id, place, take, parts))
            left -= take
    return found


def _whole_units(parts: Recipe, stock: Mapping[str, int]) -> int:
    return min((stock.get(part.variant_id, 0) // part.per_unit if part.tracked else PLENTY) for part in parts)


def _recipe(row: Backorder) -> Recipe:
    return tuple(Part(one["variant_id"], one["quantity"], one["tracked"]) for one in row.components)


def snapshot(parts: Recipe) -> list[dict[str, Any]]:
    """A recipe as backorders keep it."""
    return [{"variant_id": part.variant_id, "quantity": part.per_unit, "tracked": part.tracked} for part in parts]


def _settle(row: Backorder) -> None:
    if row.waiting == 0:
        ended = BackorderStatus.ALLOCATED if row.allocated else BackorderStatus.CANCELED
        row.status = BACKORDER.check(row.status, ended)


def _within_limits(session: Session, tenant_id: str, rows: Sequence[Wanted]) -> None:
    """Sales of the last units that may wait take turns; the turn ends with the transaction."""
    wanted: dict[str, int] = {}
    for row in rows:
        wanted[row.variant_id] = wanted.get(row.variant_id, 0) + row.quantity
    limited = session.execute(
        select(Variant.id, Variant.backorder_limit)
        .where(Variant.tenant_id == tenant_id, Variant.id.in_(wanted), Variant.backorder_limit.is_not(None))
        .order_by(Variant.id)
    ).all()
    for variant_id, _ in limited:
        session.execute(_LIMIT_LOCK, {"key": turn_of(tenant_id, variant_id)})
    waiting = waiting_units(session, tenant_id, [variant_id for variant_id, _ in limited])
    for variant_id, limit in limited:
        room = max(0, (limit or 0) - waiting.get(variant_id, 0))
        if wanted[variant_id] > room:
            raise OutOfStock("Too many wait for it already.", variant_id=variant_id, available=room)
