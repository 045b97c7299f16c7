"""Stock of the lines of orders that exist: take, give back, send, re-route, put back.

Quantities are units of the order line; of a bundle every component moves with it. The caller holds the order's lock,
and ``lock_stock`` of all the variants before it touches a second line in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy.orm import Session

from engine.inventory import backorders, levels, reservations
from engine.inventory.availability import places_of, recipes
from engine.inventory.errors import NotReserved, OutOfStock
from engine.inventory.items import Allocation, Recipe
from engine.inventory.levels import Move
from engine.inventory.models import MovementKind, Reservation, ReservationStatus
from engine.inventory.routing import route
from engine.inventory.taking import Taking, reserve
from engine.kit.gathering import fetch

_TRIES: Final = 3


def hold_line(
    session: Session,
    tenant_id: str,
    *,
    order_line_id: str,
    order_id: str,
    variant_id: str,
    quantity: int,
    region: str,
    subject: str | None = None,
    at: str | None = None,
    made_of: Recipe | None = None,
) -> list[Allocation]:
    """Reserve units for a line of an existing order (a swap, a reallocation); they wait to be shipped, or ``at`` the
    location where they are fetched. ``made_of`` is what a new line's unit takes from the shelf, where that is known.

    Returns where from. Raises ``OutOfStock``; then nothing is reserved.
    """
    parts = made_of or reservations.recipe_of_line(session, tenant_id, order_line_id)
    parts = parts or recipes(session, tenant_id, [variant_id])[variant_id]
    for attempt in range(_TRIES):
        stock = {variant_id: places_of(session, tenant_id, parts, at=at)}
        allocations = route({variant_id: quantity}, stock, region=region)
        takings = [Taking(order_line_id, one) for one in allocations]
        try:
            reserve(session, tenant_id, takings, status=ReservationStatus.COMMITTED, subject=subject or order_id)
        except OutOfStock:
            if attempt + 1 == _TRIES:
                raise
        else:
            return allocations
    raise AssertionError("unreachable")


def free_line(
    session: Session,
    tenant_id: str,
    *,
    order_line_id: str,
    quantity: int,
    subject: str,
    keep: Mapping[str, int] | None = None,
    waiting_first: bool = True,
) -> int:
    """Give back ``quantity`` line units: units that wait for stock first, then reserved ones, youngest first; without
    ``waiting_first`` only reserved ones.

    ``keep`` names units by location that a partner has and that stay. Returns the units freed from stock (the rest
    had none yet). Raises ``NotReserved`` when the line has not so many; then nothing is freed.
    """
    units, kept = {order_line_id: quantity}, {order_line_id: keep or {}}
    return free_lines(session, tenant_id, units, subject=subject, keep=kept, waiting_first=waiting_first)[order_line_id]


def free_lines(
    session: Session,
    tenant_id: str,
    units: Mapping[str, int],
    *,
    subject: str,
    keep: Mapping[str, Mapping[str, int]],
    waiting_first: bool = True,
) -> dict[str, int]:
    """The same of several lines (line → units), in as many statements as of one; line → units freed from stock."""
    wanted = [backorders.waiting_wanted(tenant_id, units)] if waiting_first else []
    *waiting_rows, rows = fetch(session, *wanted, reservations.locked_wanted(tenant_id, units))
    waited = backorders.by_line(waiting_rows[0]) if waiting_first else {}
    held = reservations.by_line(rows)
    freed: list[Reservation] = []
    from_stock: dict[str, int] = {}
    for line_id, quantity in units.items():
        waiting = waited.get(line_id, [])
        from_stock[line_id] = max(0, quantity - sum(row.waiting for row in waiting))
        freed += _choose(session, held.get(line_id, []), from_stock[line_id], keep.get(line_id, {}))
        backorders.cancel(waiting, quantity - from_stock[line_id])
    for row in freed:
        row.status = ReservationStatus.RELEASED
    session.flush()
    moves = reservations.moves(freed, MovementKind.RELEASE, subject, reserved=-1)
    if moves:
        _must(levels.change(session, tenant_id, moves))
    return from_stock


def ship_line(
    session: Session, tenant_id: str, *, order_line_id: str, location_id: str, quantity: int, shipment_id: str
) -> None:
    """Reserved units leave the building. Raises ``NotReserved`` when the line has not so many there."""
    rows = _at(reservations.locked(session, tenant_id, order_line_id), location_id)
    gone = _whole(session, rows, quantity)
    for row in gone:
        row.status = ReservationStatus.SHIPPED
    session.flush()
    moves = reservations.moves(gone, MovementKind.SHIP, shipment_id, on_hand=-1, reserved=-1)
    _must(levels.change(session, tenant_id, moves))


def move_line(
    session: Session,
    tenant_id: str,
    *,
    order_line_id: str,
    from_location_id: str,
    to_location_id: str,
    quantity: int,
    subject: str,
) -> None:
    """Reserve units at another place instead. Raises ``NotReserved``, or ``OutOfStock`` when the other place has not
    enough; then nothing moves.
    """
    if from_location_id == to_location_id:
        return
    rows = _at(reservations.locked(session, tenant_id, order_line_id), from_location_id)
    moved = _whole(session, rows, quantity)
    moves = reservations.moves(moved, MovementKind.RELEASE, subject, reserved=-1)
    for row in moved:
        row.location_id = to_location_id
    session.flush()
    moves += reservations.moves(moved, MovementKind.RESERVE, subject, reserved=1)
    if short := levels.change(session, tenant_id, moves, selling=True):
        raise OutOfStock("There is not enough of it there.", variant_id=short[0].variant_id, available=0)


def restock(
    session: Session,
    tenant_id: str,
    *,
    variant_id: str,
    location_id: str,
    quantity: int,
    subject: str,
    order_line_id: str | None = None,
) -> None:
    """Returned goods are on the shelf again; of a bundle its components, as ``order_line_id`` was sold."""
    sold_as = reservations.recipe_of_line(session, tenant_id, order_line_id) if order_line_id else None
    parts = sold_as or recipes(session, tenant_id, [variant_id])[variant_id]
    moves = [
        Move(part.variant_id, location_id, MovementKind.RETURN, subject, on_hand=part.per_unit * quantity)
        for part in parts
        if part.tracked
    ]
    _must(levels.change(session, tenant_id, moves))


def reserved_at(session: Session, tenant_id: str, order_line_id: str, *, lock: bool = True) -> dict[str, int]:
    """Location → line units that wait there to be shipped; locks them, unless only asked."""
    read = reservations.locked if lock else reservations.seen
    rows = read(session, tenant_id, order_line_id)
    places = dict.fromkeys(row.location_id for row in rows)
    return {place: reservations.whole_units(_at(rows, place)) for place in places}


def _at(rows: Sequence[Reservation], location_id: str) -> list[Reservation]:
    return [row for row in rows if row.location_id == location_id]


def _whole(session: Session, rows: Sequence[Reservation], quantity: int) -> list[Reservation]:
    there = reservations.whole_units(rows)
    if there < quantity:
        raise NotReserved(f"Only {there} of it are reserved there.")
    return reservations.split_off(session, rows, quantity)


def _choose(session: Session, rows: Sequence[Reservation], units: int, keep: Mapping[str, int]) -> list[Reservation]:
    """Rows of ``units`` line units, from the places reserved last, beyond what each place keeps."""
    plan: list[tuple[list[Reservation], int]] = []
    left = units
    for place in dict.fromkeys(row.location_id for row in sorted(rows, key=lambda r: r.id, reverse=True)):
        here = _at(rows, place)
        take = min(left, max(0, reservations.whole_units(here) - keep.get(place, 0)))
        plan.append((here, take))
        left -= take
    if left:
        raise NotReserved(f"Only {units - left} of it can be given back.")
    return [row for here, take in plan if take for row in reservations.split_off(session, here, take)]


def _must(short: Sequence[levels.Shortage]) -> None:
    """Levels always have what reservations promise; ``icommerce check`` finds out when they do not."""
    if short:
        raise NotReserved("Stock and its reservations differ here; nothing was moved.")
