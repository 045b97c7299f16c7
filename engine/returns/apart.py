"""Goods that came back and lie set apart, to be refurbished or in quarantine: where they go from there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.finance import postings
from engine.finance import service as finance
from engine.inventory import adjust_limits, levels
from engine.inventory import service as inventory
from engine.inventory.errors import BelowReserved
from engine.inventory.levels import Move
from engine.inventory.models import MovementKind, StockMovement
from engine.kit import audit, clock
from engine.kit.errors import InvalidInput
from engine.kit.ids import new_id
from engine.kit.tenancy import Tenant
from engine.returns import goods
from engine.returns.errors import TooManyUnits
from engine.returns.models import Disposition, Return, ReturnEvent, ReturnLine, ReturnStep
from engine.returns.parcel import lock
from engine.returns.taken import lines_of
from engine.returns.worth import some_of

COLUMN: Final[Mapping[Disposition, str]] = {
    Disposition.RESTOCK: "restocked",
    Disposition.REFURBISH: "refurbished",
    Disposition.SCRAP: "scrapped",
    Disposition.RETURN_TO_VENDOR: "to_vendor",
    Disposition.QUARANTINE: "quarantined",
}
APART: Final = frozenset({Disposition.REFURBISH, Disposition.QUARANTINE})


def units_of(line: ReturnLine) -> int:
    """How many of its units lie set apart."""
    return line.refurbished + line.quarantined


def find(session: Session, tenant_id: str, return_id: str, return_line_id: str) -> tuple[Return, ReturnLine]:
    """The return and its line, locked. Raises ``NoReturn``, ``InvalidInput``."""
    _, row = lock(session, tenant_id, return_id)
    line = next((one for one in lines_of(session, row) if one.id == return_line_id), None)
    if line is None:
        raise InvalidInput("The return has no such line.", param="return_line_id")
    return row, line


def value_of(session: Session, line: ReturnLine, units: int) -> int:
    """What so many of those set apart cost when they were sold, in the shop's own currency."""
    return some_of(_cost(session, line), units_of(line), 0, units)


def move(
    session: Session,
    tenant_id: str,
    return_id: str,
    *,
    return_line_id: str,
    source: Disposition,
    outcome: Disposition,
    units: int,
    reason: str,
    actor: str,
    approved: str | None = None,
) -> str:
    """Units that lie set apart as ``source`` become ``outcome``: sellable again, scrapped, sent to their vendor, or set
    apart for the other reason. Returns the step (``rte_…``), which the stock ledger and the books name.

    What leaves the stock counts as written off by ``actor``; ``approved`` names the approval that lifts that limit.
    Raises ``NoReturn``, ``InvalidInput``, ``TooManyUnits``, ``NeedsCount``, ``BelowReserved`` where the ledger has not
    so many there.
    """
    row, line = find(session, tenant_id, return_id, return_line_id)
    _check(line, source, outcome, units)
    step_id, stocked = new_id("return_event"), 0
    if outcome not in APART:
        stocked = _leave(session, row, line, units, outcome, step_id, actor=actor, reason=reason, approved=approved)
    for column, count in ((COLUMN[source], -units), (COLUMN[outcome], units)):
        setattr(line, column, getattr(line, column) + count)
    told = {"return_line_id": line.id, "quantity": units, "from": source, "to": outcome, "stocked": stocked}
    event = {"id": step_id, "return_id": row.id, "step": ReturnStep.MOVED, "lines": [told], "actor": actor}
    session.add(ReturnEvent(tenant_id=tenant_id, note=reason[:500], at=clock.now(), **event))
    row.version += 1
    facts = {"line": line.id, "units": units, "from": str(source), "to": str(outcome), "approved": approved}
    audit.record(session, tenant_id, actor=actor, action="return.moved", subject=row.id, facts=facts)
    session.flush()
    return step_id


def place_of(session: Session, row: Return, line: ReturnLine) -> str | None:
    """Where those of the line that are set apart lie; none for in no stock. Of lines from before that was written down
    the ledger knows.
    """
    if line.apart_cost is not None:
        return line.apart_location_id
    steps = select(ReturnEvent.id).where(ReturnEvent.tenant_id == row.tenant_id, ReturnEvent.return_id == row.id)
    return session.scalar(
        select(StockMovement.location_id)
        .where(
            StockMovement.tenant_id == row.tenant_id,
            StockMovement.subject.in_(steps),
            StockMovement.location_id != row.location_id,
        )
        .limit(1)
    )


def _check(line: ReturnLine, source: Disposition, outcome: Disposition, units: int) -> None:
    if source not in APART or outcome == source or units <= 0:
        raise InvalidInput("Say how many units leave quarantine or refurbishing, and what becomes of them.", param="to")
    there = getattr(line, COLUMN[source])
    if units > there:
        raise TooManyUnits(f"Of {line.title} only {there} lie there.")


def _leave(
    session: Session,
    row: Return,
    line: ReturnLine,
    units: int,
    outcome: Disposition,
    step_id: str,
    *,
    actor: str,
    reason: str,
    approved: str | None,
) -> int:
    """Stock, limits and books of units that are set apart no more; how many units the shelves have more."""
    place, value, sold = place_of(session, row, line), value_of(session, line, units), outcome == Disposition.RESTOCK
    parts = goods.parts_of_line(session, line)
    inventory.lock_stock(session, row.tenant_id, {variant_id for variant_id, _ in parts})
    line.apart_location_id, line.apart_cost = place, _cost(session, line) - value
    if place is None:
        if not sold:
            return 0
        _post(session, row, step_id, value)
        return goods.shelve(session, row, line, units, location_id=row.location_id, subject=step_id)
    there = [(variant_id, per_unit * units) for variant_id, per_unit in parts]
    if sold:
        _change(session, row, _moves(there, place, -1, MovementKind.TRANSFER, step_id, reason))
        _change(session, row, _moves(there, row.location_id, 1, MovementKind.TRANSFER, step_id, reason))
        return 0
    gone = sum(count for _, count in there)
    adjust_limits.claim(
        session, row.tenant_id, actor=actor, subject=step_id, units=gone, value=value, approved=approved
    )
    _change(session, row, _moves(there, place, -1, MovementKind.ADJUST, step_id, reason))
    _post(session, row, step_id, -value)
    return -gone


def _moves(
    there: Sequence[tuple[str, int]], place: str, sign: int, kind: MovementKind, step_id: str, reason: str
) -> list[Move]:
    return [Move(item, place, kind, step_id, on_hand=sign * count, reason=reason) for item, count in there]


def _change(session: Session, row: Return, moves: Sequence[Move]) -> None:
    if short := levels.change(session, row.tenant_id, moves):
        raise BelowReserved(f"Only {short[0].on_hand} units of {short[0].variant_id} lie there by the stock ledger.")


def _post(session: Session, row: Return, step_id: str, value: int) -> None:
    """Into stock at what it cost when it was sold, or out of it again."""
    finance.post(
        session,
        row.tenant_id,
        kind=postings.Kind.RESTOCK if value >= 0 else postings.Kind.RESTOCK_UNDONE,
        subject=step_id,
        currency=session.get_one(Tenant, row.tenant_id).currency,
        amounts=postings.restock(value) if value >= 0 else postings.mirror(postings.restock(-value)),
        order_id=row.order_id,
    )


def _cost(session: Session, line: ReturnLine) -> int:
    if line.apart_cost is not None:
        return line.apart_cost
    return goods.cost_of(session, line, 0, units_of(line))
