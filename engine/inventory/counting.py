"""Cycle counts: what is found at a location against what the ledger says. A large variance needs another person."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.inventory import adjust_limits, levels
from engine.inventory.adjusting import known_place, known_stocked
from engine.inventory.books import costs_of, post_adjustment
from engine.inventory.errors import BelowReserved, OwnCount
from engine.inventory.levels import Move
from engine.inventory.models import CountStatus, MovementKind, StockCount, StockCountLine, StockLevel
from engine.inventory.policy import InventoryPolicy
from engine.inventory.states import COUNT
from engine.kit import audit, clock, people
from engine.kit.errors import InvalidInput, NotFound
from engine.kit.ids import new_id
from engine.kit.policies import policy_of


def open_count(
    session: Session, tenant_id: str, *, actor: str, location_id: str, variant_ids: Collection[str], note: str = ""
) -> StockCount:
    """Ask for a count of some items at a location. Raises ``NotFound``, ``NotStocked``, ``InvalidInput``."""
    if not variant_ids:
        raise InvalidInput("Name the items to count.", param="variant_ids")
    known_place(session, tenant_id, location_id)
    known_stocked(session, tenant_id, variant_ids)
    count = StockCount(
        tenant_id=tenant_id,
        id=new_id("count"),
        location_id=location_id,
        status=CountStatus.OPEN,
        note=note,
        opened_by=actor,
    )
    session.add(count)
    session.flush()
    on_hand = _on_hand(session, count, variant_ids)
    for variant_id in sorted(set(variant_ids)):
        expected = on_hand.get(variant_id, 0)
        session.add(StockCountLine(tenant_id=tenant_id, count_id=count.id, variant_id=variant_id, expected=expected))
    session.flush()
    _record(session, count, actor, "count.opened", {"items": len(set(variant_ids))})
    return count


def submit_count(
    session: Session, tenant_id: str, *, actor: str, count_id: str, counted: Mapping[str, int]
) -> StockCount:
    """Hand in what was found, every item of the count at once, measured against the ledger of this moment.

    Within the policy's limits it is booked at once; else it waits for another person.
    Raises ``InvalidInput``, ``NotFound``, ``BelowReserved``, ``IllegalTransition``.
    """
    count, lines = locked_count(session, tenant_id, count_id)
    if set(counted) != {line.variant_id for line in lines} or any(units < 0 for units in counted.values()):
        raise InvalidInput("Give the number found of every item of the count, and of no other.", param="counted")
    COUNT.check(count.status, CountStatus.SUBMITTED)
    on_hand = _on_hand(session, count, counted, lock=True)
    for line in lines:
        line.expected = on_hand.get(line.variant_id, 0)
        line.counted = counted[line.variant_id]
    count.submitted_by, count.submitted_at = actor, clock.now()
    if _small(session, count, lines, actor):
        _book(session, count, lines, decided_by="policy")
    else:
        count.status = CountStatus.SUBMITTED
    session.flush()
    _record(session, count, actor, "count.submitted", {"variance": _variance(lines), "status": count.status})
    return count


def decide_count(session: Session, tenant_id: str, *, actor: str, count_id: str, approved: bool) -> StockCount:
    """Approve a count's variance, or reject it. Raises ``OwnCount`` for who opened it or handed it in,
    whichever of their keys they show.
    """
    count, lines = locked_count(session, tenant_id, count_id)
    COUNT.check(count.status, CountStatus.APPROVED if approved else CountStatus.REJECTED)
    if approved:
        if count.status == CountStatus.OPEN:
            raise InvalidInput("Nobody has handed in this count yet.", param="count_id")
        if any(by and people.is_one(session, tenant_id, actor, by) for by in (count.opened_by, count.submitted_by)):
            raise OwnCount("Somebody else must approve this count.")
        if not people.may_decide(session, tenant_id, actor):
            raise OwnCount("A count is approved with a key that names who works with it.")
        _book(session, count, lines, decided_by=actor)
    else:
        count.status = CountStatus.REJECTED
        count.decided_by, count.decided_at = actor, clock.now()
    session.flush()
    _record(session, count, actor, "count.approved" if approved else "count.rejected", {"variance": _variance(lines)})
    return count


def locked_count(session: Session, tenant_id: str, count_id: str) -> tuple[StockCount, Sequence[StockCountLine]]:
    """The count under lock, and its lines. Raises ``NotFound``."""
    query = select(StockCount).where(StockCount.tenant_id == tenant_id, StockCount.id == count_id)
    count = session.scalar(query.with_for_update().execution_options(populate_existing=True))
    if count is None:
        raise NotFound("There is no such count.")
    lines = session.scalars(
        select(StockCountLine)
        .where(StockCountLine.tenant_id == tenant_id, StockCountLine.count_id == count_id)
        .order_by(StockCountLine.variant_id)
        .execution_options(populate_existing=True)
    ).all()
    return count, lines


def _book(session: Session, count: StockCount, lines: Sequence[StockCountLine], *, decided_by: str) -> None:
    """The variance goes into the ledger and the books: units that came or went meanwhile stay counted."""
    variance = _variance(lines)
    moves = [
        Move(item, count.location_id, MovementKind.COUNT, count.id, on_hand=units) for item, units in variance.items()
    ]
    if short := levels.change(session, count.tenant_id, moves):
        raise BelowReserved(f"{short[0].reserved} of {short[0].variant_id} are promised there: re-route them first.")
    costs = costs_of(session, count.tenant_id, variance)
    cost = sum(costs[item] * units for item, units in variance.items())
    post_adjustment(session, count.tenant_id, subject=count.id, cost=cost)
    count.status = COUNT.check(count.status, CountStatus.APPROVED)
    count.decided_by, count.decided_at = decided_by, clock.now()


def _small(session: Session, count: StockCount, lines: Sequence[StockCountLine], actor: str) -> bool:
    """Whether it needs nobody else: within the policy, and with all that this person wrote on and off today within
    theirs.
    """
    policy = policy_of(session, count.tenant_id, InventoryPolicy)
    variance = _variance(lines)
    costs = costs_of(session, count.tenant_id, variance)
    value = sum(abs(units) * costs[item] for item, units in variance.items())
    most = max((abs(units) for units in variance.values()), default=0)
    if most > policy.variance_auto_approve_units or value > policy.variance_auto_approve_value:
        return False
    units = sum(abs(one) for one in variance.values())
    return adjust_limits.fits(session, count.tenant_id, actor=actor, subject=count.id, units=units, value=value)


def _variance(lines: Sequence[StockCountLine]) -> dict[str, int]:
    off = {line.variant_id: (line.counted or 0) - line.expected for line in lines if line.counted is not None}
    return {variant_id: units for variant_id, units in off.items() if units}


def _on_hand(
    session: Session, count: StockCount, variant_ids: Collection[str], *, lock: bool = False
) -> dict[str, int]:
    query = (
        select(StockLevel.variant_id, StockLevel.on_hand)
        .where(
            StockLevel.tenant_id == count.tenant_id,
            StockLevel.location_id == count.location_id,
            StockLevel.variant_id.in_(variant_ids),
        )
        .order_by(StockLevel.variant_id)
    )
    rows = session.execute(query.with_for_update() if lock else query)
    return {variant_id: units for variant_id, units in rows}  # noqa: C416 (rows are not typed as pairs)


def _record(session: Session, count: StockCount, actor: str, action: str, facts: dict[str, object]) -> None:
    audit.record(session, count.tenant_id, actor=actor, action=action, subject=count.id, facts=facts)
