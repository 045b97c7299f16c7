"""Holding stock for a payment, selling it, freeing it. Every change is one conditional update and one ledger line.

Rows are always touched in the order (variant, location): two orders can wait for each other's row, never in a circle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from engine.inventory.errors import OutOfStock
from engine.inventory.models import (
    Location,
    MovementKind,
    Reservation,
    ReservationStatus,
    StockLevel,
    StockMovement,
)
from engine.kit.ids import new_id


@dataclass(frozen=True, slots=True)
class Allocation:
    """``quantity`` units of a variant from one location."""

    variant_id: str
    location_id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Place:
    """Available units of one variant at one location that ships."""

    location_id: str
    region: str
    position: int
    available: int


Stock = Mapping[str, Sequence[Place]]


def shippable(session: Session, tenant_id: str, variant_ids: Sequence[str]) -> dict[str, list[Place]]:
    """Where each variant can ship from, and how many; one query."""
    rows = session.execute(
        select(
            StockLevel.variant_id,
            Location.id,
            Location.region,
            Location.position,
            (StockLevel.on_hand - StockLevel.reserved).label("available"),
        )
        .join(Location, (Location.tenant_id == StockLevel.tenant_id) & (Location.id == StockLevel.location_id))
        .where(
            StockLevel.tenant_id == tenant_id,
            StockLevel.variant_id.in_(variant_ids),
            StockLevel.on_hand > StockLevel.reserved,
            Location.ships,
        )
        .order_by(Location.position)
    )
    places: dict[str, list[Place]] = {variant_id: [] for variant_id in variant_ids}
    for row in rows:
        places[row.variant_id].append(Place(row.id, row.region, row.position, row.available))
    return places


def route(wanted: Mapping[str, int], stock: Stock, *, region: str) -> list[Allocation]:
    """Choose where each unit ships from: one location for all if there is one, else as few parcels as it takes,
    the destination's own region first, then the shop's order of preference.

    Raises ``OutOfStock`` naming the first variant that cannot be covered.
    """
    for variant_id, quantity in wanted.items():
        available = sum(place.available for place in stock.get(variant_id, ()))
        if available < quantity:
            raise OutOfStock("There is not enough of it left.", variant_id=variant_id, available=available)
    preference = _preference(wanted, stock, region)
    allocations = []
    for variant_id, quantity in wanted.items():
        left = quantity
        places = sorted(stock[variant_id], key=lambda p: (p.available < quantity, preference[p.location_id]))
        for place in places:
            take = min(left, place.available)
            if take:
                allocations.append(Allocation(variant_id, place.location_id, take))
                left -= take
    return sorted(allocations, key=lambda a: (a.variant_id, a.location_id))


def _preference(wanted: Mapping[str, int], stock: Stock, region: str) -> dict[str, tuple[int, bool, int]]:
    """Location → rank: covers most lines, then nearest, then the shop's own order."""
    covered: dict[str, int] = {}
    facts: dict[str, Place] = {}
    for variant_id, quantity in wanted.items():
        for place in stock[variant_id]:
            facts[place.location_id] = place
            covered[place.location_id] = covered.get(place.location_id, 0) + (place.available >= quantity)
    return {key: (-covered[key], place.region != region, place.position) for key, place in facts.items()}


def hold(
    session: Session,
    tenant_id: str,
    payment_id: str,
    allocations: Sequence[Allocation],
    line_of_variant: Mapping[str, str],
) -> None:
    """Reserve the units for a payment under way and the order lines they are for, all of them or none.

    Raises ``OutOfStock`` when somebody else was faster: route again or give up.
    """
    with session.begin_nested() if len(allocations) > 1 else nullcontext():
        _take(session, tenant_id, allocations)
    rows = [
        {
            "tenant_id": tenant_id,
            "id": new_id("reservation"),
            "variant_id": one.variant_id,
            "location_id": one.location_id,
            "quantity": one.quantity,
            "status": ReservationStatus.HELD,
            "payment_id": payment_id,
            "order_line_id": line_of_variant[one.variant_id],
        }
        for one in allocations
    ]
    if rows:
        session.execute(insert(Reservation), rows)
        _record(session, tenant_id, MovementKind.RESERVE, payment_id, [(a, 0, a.quantity) for a in allocations])


def _take(session: Session, tenant_id: str, allocations: Sequence[Allocation]) -> None:
    for one in allocations:
        taken = session.execute(
            update(StockLevel)
            .where(
                StockLevel.tenant_id == tenant_id,
                StockLevel.variant_id == one.variant_id,
                StockLevel.location_id == one.location_id,
                StockLevel.on_hand - StockLevel.reserved >= one.quantity,
            )
            .values(reserved=StockLevel.reserved + one.quantity)
            .returning(StockLevel.variant_id)
        ).first()
        if taken is None:
            raise OutOfStock("Somebody else was faster.", variant_id=one.variant_id, available=0)


def commit(session: Session, tenant_id: str, payment_id: str) -> None:
    """The payment succeeded: its held units are sold and wait to ship."""
    session.execute(
        update(Reservation)
        .where(
            Reservation.tenant_id == tenant_id,
            Reservation.payment_id == payment_id,
            Reservation.status == ReservationStatus.HELD,
        )
        .values(status=ReservationStatus.COMMITTED)
        .execution_options(synchronize_session=False)
    )


def release(session: Session, tenant_id: str, payment_id: str) -> None:
    """The payment came to nothing: its held units are free again. Does nothing the second time."""
    held = _held(session, tenant_id, payment_id)
    for one in held:
        one.status = ReservationStatus.RELEASED
        session.execute(
            update(StockLevel)
            .where(
                StockLevel.tenant_id == tenant_id,
                StockLevel.variant_id == one.variant_id,
                StockLevel.location_id == one.location_id,
            )
            .values(reserved=StockLevel.reserved - one.quantity)
        )
    freed = [(Allocation(h.variant_id, h.location_id, h.quantity), 0, -h.quantity) for h in held]
    if freed:
        _record(session, tenant_id, MovementKind.RELEASE, payment_id, freed)


def ship(session: Session, tenant_id: str, shipment_id: str, reservations: Sequence[Reservation]) -> None:
    """Committed units leave the building."""
    for one in sorted(reservations, key=lambda r: (r.variant_id, r.location_id)):
        one.status = ReservationStatus.SHIPPED
        _change(session, tenant_id, one.variant_id, one.location_id, on_hand=-one.quantity, reserved=-one.quantity)
    moves = [(Allocation(r.variant_id, r.location_id, r.quantity), -r.quantity, -r.quantity) for r in reservations]
    if moves:
        _record(session, tenant_id, MovementKind.SHIP, shipment_id, moves)


def receive(
    session: Session, tenant_id: str, allocations: Sequence[Allocation], *, kind: MovementKind, subject: str
) -> None:
    """Units come in (a receipt, or a return put back)."""
    from sqlalchemy.dialects.postgresql import insert as upsert

    if not allocations:
        return
    rows = [
        {
            "tenant_id": tenant_id,
            "variant_id": a.variant_id,
            "location_id": a.location_id,
            "on_hand": a.quantity,
            "reserved": 0,
        }
        for a in allocations
    ]
    statement = upsert(StockLevel)
    statement = statement.on_conflict_do_update(
        index_elements=["tenant_id", "variant_id", "location_id"],
        set_={"on_hand": StockLevel.on_hand + statement.excluded.on_hand},
    )
    session.execute(statement, rows)
    _record(session, tenant_id, kind, subject, [(a, a.quantity, 0) for a in allocations])


def _change(
    session: Session, tenant_id: str, variant_id: str, location_id: str, *, on_hand: int, reserved: int
) -> None:
    session.execute(
        update(StockLevel)
        .where(
            StockLevel.tenant_id == tenant_id,
            StockLevel.variant_id == variant_id,
            StockLevel.location_id == location_id,
        )
        .values(on_hand=StockLevel.on_hand + on_hand, reserved=StockLevel.reserved + reserved)
    )


def _held(session: Session, tenant_id: str, payment_id: str) -> Sequence[Reservation]:
    return session.scalars(
        select(Reservation)
        .where(
            Reservation.tenant_id == tenant_id,
            Reservation.payment_id == payment_id,
            Reservation.status == ReservationStatus.HELD,
        )
        .order_by(Reservation.variant_id, Reservation.location_id)
        .with_for_update()
    ).all()


def _record(
    session: Session,
    tenant_id: str,
    kind: MovementKind,
    subject: str,
    moves: Sequence[tuple[Allocation, int, int]],
) -> None:
    rows: list[dict[str, Any]] = [
        {
            "tenant_id": tenant_id,
            "variant_id": one.variant_id,
            "location_id": one.location_id,
            "kind": kind,
            "on_hand_delta": on_hand,
            "reserved_delta": reserved,
            "subject": subject,
        }
        for one, on_hand, reserved in moves
    ]
    session.execute(insert(StockMovement), rows)
