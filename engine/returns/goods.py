"""The stock of a return: goods in exchange wait for those that come back, and those find their place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from engine.catalog.models import Variant
from engine.inventory import levels
from engine.inventory import service as inventory
from engine.inventory.availability import recipes
from engine.inventory.errors import OutOfStock
from engine.inventory.items import Recipe
from engine.inventory.models import BackorderKind, MovementKind, Reservation, ReservationStatus
from engine.inventory.reservations import moves, recipe_of_line
from engine.inventory.service import Allocation, Wanted
from engine.inventory.taking import Taking, reserve
from engine.orders.changes.effect import Added
from engine.orders.models import Order, OrderLine
from engine.returns.models import Return, ReturnLine
from engine.returns.worth import some_of, spread

_RESERVED_LONGER: Final = timedelta(days=60)
"""Goods of an exchange stay reserved this long after the parcel should be on its way."""


def set_aside(session: Session, order: Order, row: Return, added: Mapping[str, Added], *, held: bool) -> None:
    """Reserve the goods in exchange until those they replace are here; ``held``: their payment holds them already.

    ``added`` is by the id that the new line will have. Raises ``OutOfStock``.
    """
    until = row.expires_at + _RESERVED_LONGER
    if held:
        session.execute(
            update(Reservation).where(*_held(order.tenant_id, added)).values(payment_id=None, expires_at=until)
        )
        return
    inventory.lock_stock(session, order.tenant_id, {one.variant_id for one in added.values()})
    region = (order.ship_to or {}).get("state", "")
    for line_id, one in added.items():
        stock = inventory.shippable(session, order.tenant_id, [one.variant_id])
        allocations = inventory.route({one.variant_id: one.quantity}, stock, region=region)
        takings = [Taking(line_id, each) for each in allocations]
        reserve(session, order.tenant_id, takings, status=ReservationStatus.HELD, subject=row.id, expires_at=until)


def let_go(session: Session, row: Return, lines: Sequence[ReturnLine]) -> None:
    """What was reserved for an exchange that came to nothing is free again."""
    held = _locked(session, row.tenant_id, [line.exchange["line_id"] for line in lines if line.exchange])
    for one in held:
        one.status = ReservationStatus.RELEASED
    session.flush()
    levels.change(session, row.tenant_id, moves(held, MovementKind.RELEASE, row.id, reserved=-1))


def promise(session: Session, order: Order, line: OrderLine, subject: str) -> None:
    """The new line of an exchange has its goods: those set aside, or others; with none there, it waits for stock."""
    held = _locked(session, order.tenant_id, [line.id])
    for one in held:
        one.status, one.expires_at = ReservationStatus.COMMITTED, None
    session.flush()
    if held:
        line.allocated = line.ordered
        return
    try:
        with session.begin_nested():
            inventory.hold_line(
                session,
                order.tenant_id,
                order_line_id=line.id,
                order_id=order.id,
                variant_id=line.variant_id,
                quantity=line.ordered,
                region=(order.ship_to or {}).get("state", ""),
                subject=subject,
            )
        line.allocated = line.ordered
    except OutOfStock:
        wanted = Wanted(order.id, line.id, line.variant_id, line.ordered, BackorderKind.BACKORDER, None)
        inventory.open_backorders(session, order.tenant_id, [wanted])


def shelve(session: Session, row: Return, line: ReturnLine, units: int, *, location_id: str, subject: str) -> int:
    """Units that came back lie on a shelf; how many shelf units that are (of a bundle its parts, of what nobody
    counts none).
    """
    if line.component_variant_id is not None:
        return _shelve_part(session, row, line, units, location_id, subject)
    bought = session.get_one(OrderLine, (row.tenant_id, line.order_line_id))
    inventory.restock(
        session,
        row.tenant_id,
        variant_id=bought.variant_id,
        location_id=location_id,
        quantity=units,
        subject=subject,
        order_line_id=bought.id,
    )
    parts = recipe_of_line(session, row.tenant_id, bought.id) or _parts_now(session, row.tenant_id, bought.variant_id)
    return units * sum(part.per_unit for part in parts if part.tracked)


def cost_of(session: Session, line: ReturnLine, before: int, units: int) -> int:
    """What ``units`` more, after ``before``, cost when they were sold; a part bears its share of the bundle's cost."""
    bought = session.get_one(OrderLine, (line.tenant_id, line.order_line_id))
    if line.component_variant_id is None:
        return bought.unit_cost * units
    ids = [part["variant_id"] for part in bought.components]
    rows = session.execute(
        select(Variant.id, Variant.cost).where(Variant.tenant_id == line.tenant_id, Variant.id.in_(ids))
    )
    costs = {row.id: row.cost for row in rows}
    weights = [costs.get(part["variant_id"], 0) * part["quantity"] for part in bought.components]
    place = ids.index(line.component_variant_id)
    return some_of(spread(bought.unit_cost, weights)[place], bought.components[place]["quantity"], before, units)


def parts_of_line(session: Session, line: ReturnLine) -> list[tuple[str, int]]:
    """(variant, shelf units in one unit) of what a line's units are made of, as far as it is counted."""
    bought = session.get_one(OrderLine, (line.tenant_id, line.order_line_id))
    if line.component_variant_id is not None:
        parts = _parts_now(session, line.tenant_id, line.component_variant_id)
    else:
        sold_as = recipe_of_line(session, line.tenant_id, bought.id)
        parts = sold_as or _parts_now(session, line.tenant_id, bought.variant_id)
    return [(part.variant_id, part.per_unit) for part in parts if part.tracked]


def _shelve_part(session: Session, row: Return, line: ReturnLine, units: int, location_id: str, subject: str) -> int:
    part_id = str(line.component_variant_id)
    tracked = any(part.tracked for part in _parts_now(session, row.tenant_id, part_id))
    if not tracked:
        return 0
    came = [Allocation(part_id, location_id, units)]
    inventory.receive(session, row.tenant_id, came, kind=MovementKind.RETURN, subject=subject)
    return units


def _parts_now(session: Session, tenant_id: str, variant_id: str) -> Recipe:
    return recipes(session, tenant_id, [variant_id])[variant_id]


def _locked(session: Session, tenant_id: str, line_ids: Sequence[str]) -> list[Reservation]:
    if not line_ids:
        return []
    order = (Reservation.variant_id, Reservation.location_id, Reservation.id)
    query = select(Reservation).where(*_held(tenant_id, line_ids)).order_by(*order)
    return list(session.scalars(query.with_for_update().execution_options(populate_existing=True)))


def _held(tenant_id: str, line_ids: Sequence[str] | Mapping[str, object]) -> tuple[ColumnElement[bool], ...]:
    return (
        Reservation.tenant_id == tenant_id,
        Reservation.order_line_id.in_(list(line_ids)),
        Reservation.status == ReservationStatus.HELD,
    )
