"""Taking units off what can be sold: levels, ledger and reservations in two round trips, all of them or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from engine.inventory import levels
from engine.inventory.availability import recipes
from engine.inventory.errors import OutOfStock
from engine.inventory.items import Allocation
from engine.inventory.levels import Move
from engine.inventory.models import MovementKind, Reservation, ReservationStatus
from engine.kit.gathering import put
from engine.kit.ids import new_id


@dataclass(frozen=True, slots=True)
class Taking:
    """An allocation and the order line it is for."""

    order_line_id: str | None
    allocation: Allocation


def reserve(
    session: Session,
    tenant_id: str,
    takings: Sequence[Taking],
    *,
    status: ReservationStatus,
    subject: str,
    payment_id: str | None = None,
    expires_at: datetime | None = None,
) -> None:
    """Reserve all of it or nothing. Raises ``OutOfStock`` naming the line's variant when units are gone."""
    known = _with_parts(session, tenant_id, takings)
    short = levels.change(session, tenant_id, _moves(known, subject), selling=True)
    if short:
        missing = {(one.variant_id, one.location_id) for one in short}
        gone = next(t.allocation for t in known if any(key in missing for key in _keys(t.allocation)))
        raise OutOfStock("Somebody else was faster.", variant_id=gone.variant_id, available=0)
    same = {"tenant_id": tenant_id, "status": status, "payment_id": payment_id, "expires_at": expires_at}
    rows = [same | row for taking in known for row in _rows(taking)]
    put(session, Reservation, rows)


def _with_parts(session: Session, tenant_id: str, takings: Sequence[Taking]) -> list[Taking]:
    unknown = {t.allocation.variant_id for t in takings if t.allocation.parts is None}
    if not unknown:
        return list(takings)
    found = recipes(session, tenant_id, list(unknown))
    return [
        t
        if t.allocation.parts is not None
        else replace(t, allocation=replace(t.allocation, parts=found[t.allocation.variant_id]))
        for t in takings
    ]


def _keys(allocation: Allocation) -> list[tuple[str, str]]:
    return [(part.variant_id, allocation.location_id) for part in allocation.parts or ()]


def _moves(takings: Sequence[Taking], subject: str) -> list[Move]:
    return [
        Move(
            part.variant_id,
            taking.allocation.location_id,
            MovementKind.RESERVE,
            subject,
            reserved=part.per_unit * taking.allocation.quantity,
        )
        for taking in takings
        for part in taking.allocation.parts or ()
        if part.tracked
    ]


def _rows(taking: Taking) -> list[dict[str, Any]]:
    allocation = taking.allocation
    return [
        {
            "id": new_id("reservation"),
            "variant_id": part.variant_id,
            "location_id": allocation.location_id,
            "quantity": part.per_unit * allocation.quantity,
            "per_unit": part.per_unit,
            "tracked": part.tracked,
            "order_line_id": taking.order_line_id,
        }
        for part in allocation.parts or ()
    ]
