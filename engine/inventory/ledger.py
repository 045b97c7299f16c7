"""The stock ledger is the truth: balances can be computed from it, compared, and written again."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from engine.inventory.models import StockLevel, StockMovement

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Drift:
    """A level that is not what its ledger says: ``(on hand, reserved)`` of each."""

    variant_id: str
    location_id: str
    level: tuple[int, int]
    ledger: tuple[int, int]


def balances(session: Session, tenant_id: str) -> dict[Key, tuple[int, int]]:
    """(variant, location) → (on hand, reserved) added up from every movement there was."""
    rows = session.execute(
        select(
            StockMovement.variant_id,
            StockMovement.location_id,
            func.sum(StockMovement.on_hand_delta),
            func.sum(StockMovement.reserved_delta),
        )
        .where(StockMovement.tenant_id == tenant_id)
        .group_by(StockMovement.variant_id, StockMovement.location_id)
    )
    return {(variant, place): (int(on_hand), int(reserved)) for variant, place, on_hand, reserved in rows}


def drift(session: Session, tenant_id: str) -> list[Drift]:
    """Levels that differ from the ledger; none, if all is well."""
    told = balances(session, tenant_id)
    rows = session.execute(
        select(StockLevel.variant_id, StockLevel.location_id, StockLevel.on_hand, StockLevel.reserved).where(
            StockLevel.tenant_id == tenant_id
        )
    )
    stored = {(variant, place): (on_hand, reserved) for variant, place, on_hand, reserved in rows}
    none = (0, 0)
    return [
        Drift(*key, stored.get(key, none), told.get(key, none))
        for key in sorted(stored | told)
        if stored.get(key, none) != told.get(key, none)
    ]


def rebuild(session: Session, tenant_id: str) -> list[Drift]:
    """Write every level that drifted as its ledger says; returns what was wrong. Locks all of the tenant's levels."""
    mine = select(StockLevel.variant_id).where(StockLevel.tenant_id == tenant_id)
    session.execute(mine.order_by(StockLevel.variant_id, StockLevel.location_id).with_for_update()).all()
    found = drift(session, tenant_id)
    for one in found:
        on_hand, reserved = one.ledger
        session.execute(
            update(StockLevel)
            .where(
                StockLevel.tenant_id == tenant_id,
                StockLevel.variant_id == one.variant_id,
                StockLevel.location_id == one.location_id,
            )
            .values(on_hand=on_hand, reserved=reserved)
        )
    return found
