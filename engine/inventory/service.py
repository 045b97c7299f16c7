"""Holding stock for a payment, selling it, freeing it. Every change is one conditional statement with its ledger lines.

Lines and quantities are in units of the order line: what a bundle's unit takes from the shelf is worked out here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from engine.inventory import levels
from engine.inventory.availability import lock_stock, shippable
from engine.inventory.backorders import (
    Filled,
    Wanted,
    allocate_backorders,
    fillable,
    open_backorders,
    settle_payment,
    waiting_orders,
)
from engine.inventory.errors import NotReserved, OutOfStock
from engine.inventory.items import PLENTY, Allocation, Part, Place, Stock
from engine.inventory.levels import Move
from engine.inventory.lines import free_line, free_lines, hold_line, move_line, reserved_at, restock, ship_line
from engine.inventory.models import MovementKind, Reservation, ReservationStatus
from engine.inventory.promises import Promise, PromiseKind, promise, promises
from engine.inventory.reservations import moves
from engine.inventory.routing import route
from engine.inventory.shared import clipped, together
from engine.inventory.taking import Taking, reserve

__all__ = [
    "PLENTY",
    "Allocation",
    "Filled",
    "NotReserved",
    "OutOfStock",
    "Part",
    "Place",
    "Promise",
    "PromiseKind",
    "Stock",
    "Wanted",
    "allocate_backorders",
    "clipped",
    "commit",
    "fillable",
    "free_line",
    "free_lines",
    "hold",
    "hold_line",
    "lock_stock",
    "move_line",
    "open_backorders",
    "promise",
    "promises",
    "receive",
    "release",
    "reserved_at",
    "restock",
    "route",
    "ship",
    "ship_line",
    "shippable",
    "together",
    "waiting_orders",
]


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
    takings = [Taking(line_of_variant[one.variant_id], one) for one in allocations]
    status = ReservationStatus.HELD
    reserve(session, tenant_id, takings, status=status, subject=payment_id, payment_id=payment_id)


def commit(session: Session, tenant_id: str, payment_id: str) -> None:
    """The payment succeeded: its held units are sold and wait to ship, its backorders wait for stock."""
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
    settle_payment(session, tenant_id, payment_id, paid=True)


def release(session: Session, tenant_id: str, payment_id: str) -> None:
    """The payment came to nothing: its held units are free again. Does nothing the second time."""
    settle_payment(session, tenant_id, payment_id, paid=False)
    held = session.scalars(
        select(Reservation)
        .where(
            Reservation.tenant_id == tenant_id,
            Reservation.payment_id == payment_id,
            Reservation.status == ReservationStatus.HELD,
        )
        .order_by(Reservation.variant_id, Reservation.location_id)
        .with_for_update()
    ).all()
    for one in held:
        one.status = ReservationStatus.RELEASED
    session.flush()
    levels.change(session, tenant_id, moves(held, MovementKind.RELEASE, payment_id, reserved=-1))


def ship(session: Session, tenant_id: str, shipment_id: str, reservations: Sequence[Reservation]) -> None:
    """Committed units leave the building."""
    for one in reservations:
        one.status = ReservationStatus.SHIPPED
    session.flush()
    gone = moves(reservations, MovementKind.SHIP, shipment_id, on_hand=-1, reserved=-1)
    if levels.change(session, tenant_id, gone):
        raise NotReserved("Stock and its reservations differ here; nothing was shipped.")


def receive(
    session: Session, tenant_id: str, allocations: Sequence[Allocation], *, kind: MovementKind, subject: str
) -> None:
    """Units come in, item by item (a receipt, or a return put back)."""
    came = [Move(one.variant_id, one.location_id, kind, subject, on_hand=one.quantity) for one in allocations]
    levels.change(session, tenant_id, came)
