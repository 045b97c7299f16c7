"""The reservations of an order line, read under lock and split into whole line units."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from engine.inventory.items import Part, Recipe
from engine.inventory.levels import Move
from engine.inventory.models import MovementKind, Reservation, ReservationStatus
from engine.kit.gathering import Rows, Wanted
from engine.kit.ids import new_id

_LOCKED: Final = Rows(
    Reservation,
    f"""r.tenant_id = %(tenant)s AND r.order_line_id = ANY(%(lines)s)
  AND r.status = '{ReservationStatus.COMMITTED.value}'""",
    order="r.variant_id, r.location_id, r.id",
    lock=True,
)


def locked(session: Session, tenant_id: str, order_line_id: str) -> list[Reservation]:
    """The line's committed reservations, locked in the order stock is locked."""
    query = _committed(tenant_id, order_line_id).with_for_update()
    return list(session.scalars(query.execution_options(populate_existing=True)))


def locked_wanted(tenant_id: str, order_line_ids: Collection[str]) -> Wanted:
    """What to fetch for the lines' committed reservations, all of them locked in the order stock is locked."""
    return _LOCKED, {"tenant": tenant_id, "lines": list(order_line_ids)}


def by_line(rows: Iterable[Reservation]) -> dict[str, list[Reservation]]:
    """Line → its rows."""
    found: dict[str, list[Reservation]] = {}
    for row in rows:
        found.setdefault(str(row.order_line_id), []).append(row)
    return found


def seen(session: Session, tenant_id: str, order_line_id: str) -> list[Reservation]:
    """The same, only looked at."""
    return list(session.scalars(_committed(tenant_id, order_line_id)))


def _committed(tenant_id: str, order_line_id: str) -> Select[Reservation]:
    return _of_lines(tenant_id, [order_line_id])


def _of_lines(tenant_id: str, order_line_ids: Collection[str]) -> Select[Reservation]:
    return (
        select(Reservation)
        .where(
            Reservation.tenant_id == tenant_id,
            Reservation.order_line_id.in_(order_line_ids),
            Reservation.status == ReservationStatus.COMMITTED,
        )
        .order_by(Reservation.variant_id, Reservation.location_id, Reservation.id)
    )


def recipe_of_line(session: Session, tenant_id: str, order_line_id: str) -> Recipe | None:
    """What a unit of the line takes from the shelf as it was sold; ``None`` when nothing of it was ever reserved."""
    rows = session.execute(
        select(Reservation.variant_id, Reservation.per_unit, Reservation.tracked)
        .where(Reservation.tenant_id == tenant_id, Reservation.order_line_id == order_line_id)
        .distinct()
    ).all()
    return tuple(sorted({row.variant_id: Part(*row) for row in rows}.values())) or None


def whole_units(rows: Iterable[Reservation]) -> int:
    """How many whole line units the rows of one place make up."""
    units: dict[str, int] = {}
    for row in rows:
        units[row.variant_id] = units.get(row.variant_id, 0) + row.quantity // row.per_unit
    return min(units.values(), default=0)


def split_off(session: Session, rows: Sequence[Reservation], units: int) -> list[Reservation]:
    """Rows that stand for exactly ``units`` line units; a row that holds more is split in two."""
    wanted = {row.variant_id: units * row.per_unit for row in rows}
    taken = []
    for row in rows:
        quantity = min(wanted[row.variant_id], row.quantity)
        wanted[row.variant_id] -= quantity
        if quantity:
            taken.append(row if quantity == row.quantity else _split(session, row, quantity))
    return taken


def _split(session: Session, row: Reservation, quantity: int) -> Reservation:
    row.quantity -= quantity
    part = Reservation(
        tenant_id=row.tenant_id,
        id=new_id("reservation"),
        variant_id=row.variant_id,
        location_id=row.location_id,
        quantity=quantity,
        status=row.status,
        payment_id=row.payment_id,
        order_line_id=row.order_line_id,
        per_unit=row.per_unit,
        tracked=row.tracked,
        created_at=row.created_at,
    )
    session.add(part)
    return part


def moves(
    rows: Iterable[Reservation], kind: MovementKind, subject: str, *, on_hand: int = 0, reserved: int = 0
) -> list[Move]:
    """Ledger lines for the rows' tracked units; ``on_hand`` and ``reserved`` are the signs (-1, 0, 1)."""
    return [
        Move(row.variant_id, row.location_id, kind, subject, on_hand * row.quantity, reserved * row.quantity)
        for row in rows
        if row.tracked
    ]
