"""Goods on their way: bought from a supplier, or sent from one location to another. What is received is there.

Whoever receives locks the waiting orders first and allocates after (``app/inventory.py``): first come, first served.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.inventory import adjust_limits, levels
from engine.inventory.adjusting import known_place, known_stocked
from engine.inventory.books import costs_of, post_adjustment, post_receipt, reverse_receipts
from engine.inventory.errors import BelowReserved, OverReceipt
from engine.inventory.levels import Move
from engine.inventory.models import Inbound, InboundKind, InboundLine, InboundStatus, MovementKind
from engine.inventory.policy import InventoryPolicy
from engine.inventory.states import INBOUND
from engine.kit import audit, clock
from engine.kit.errors import InvalidInput, NotFound
from engine.kit.ids import echo, new_id
from engine.kit.policies import policy_of


@dataclass(frozen=True, slots=True)
class Coming:
    """Units of a variant; ``unit_cost`` in minor units, the item's own cost when it is not said."""

    variant_id: str
    quantity: int
    unit_cost: int | None = None


def expect_purchase(
    session: Session,
    tenant_id: str,
    *,
    actor: str,
    location_id: str,
    lines: Sequence[Coming],
    expected_on: date | None = None,
    reference: str = "",
) -> Inbound:
    """A supplier will bring this. Raises ``NotFound``, ``NotStocked``, ``InvalidInput``."""
    head = {"kind": InboundKind.PURCHASE, "location_id": location_id, "expected_on": expected_on}
    return _open(session, tenant_id, actor, lines, head | {"reference": reference})


def dispatch_transfer(
    session: Session,
    tenant_id: str,
    *,
    actor: str,
    source_location_id: str,
    location_id: str,
    lines: Sequence[Coming],
    expected_on: date | None = None,
    reference: str = "",
) -> Inbound:
    """Units leave one location for another; until they are received they are under way. Nothing is posted: they stay
    ours. Raises ``BelowReserved`` when the source has not so many that are free.
    """
    if source_location_id == location_id:
        raise InvalidInput("A transfer goes from one location to another.", param="location_id")
    known_place(session, tenant_id, source_location_id)
    head = {"kind": InboundKind.TRANSFER, "location_id": location_id, "source_location_id": source_location_id}
    inbound = _open(session, tenant_id, actor, lines, head | {"expected_on": expected_on, "reference": reference})
    _move(session, inbound, source_location_id, {line.variant_id: -line.quantity for line in lines})
    return inbound


def receive_inbound(
    session: Session, tenant_id: str, *, actor: str, inbound_id: str, received: Mapping[str, int]
) -> Inbound:
    """Units of an inbound are on the shelf; a purchase posts them at cost.

    Raises ``OverReceipt`` for more than was expected (a supplier may bring what the policy allows), ``NotFound``,
    ``IllegalTransition`` when it has ended.
    """
    inbound, lines = locked_inbound(session, tenant_id, inbound_id)
    if not received or any(quantity <= 0 for quantity in received.values()):
        raise InvalidInput("Say how many units of which items came.", param="received")
    _within_expected(session, inbound, lines, received)
    before = sum(line.received for line in lines.values())
    cost = 0
    for variant_id, quantity in received.items():
        lines[variant_id].received += quantity
        cost += quantity * lines[variant_id].unit_cost
    rest = any(line.received < line.expected for line in lines.values())
    _become(inbound, InboundStatus.PARTLY_RECEIVED if rest else InboundStatus.RECEIVED)
    session.flush()
    _move(session, inbound, inbound.location_id, received)
    if inbound.kind == InboundKind.PURCHASE:
        subject = f"{inbound.id}/{before + sum(received.values())}"
        post_receipt(session, tenant_id, subject=subject, cost=cost)
    _record(session, inbound, actor, "inbound.received", {"units": dict(received)})
    return inbound


def receive_transfer(
    session: Session, tenant_id: str, *, actor: str, inbound_id: str, received: Mapping[str, int] | None = None
) -> Inbound:
    """A transfer arrives, all that is left of it if nothing else is said."""
    _, lines = locked_inbound(session, tenant_id, inbound_id)
    rest = {line.variant_id: line.expected - line.received for line in lines.values()}
    came = {item: units for item, units in rest.items() if units} if received is None else received
    return receive_inbound(session, tenant_id, actor=actor, inbound_id=inbound_id, received=came)


def close_inbound(
    session: Session, tenant_id: str, *, actor: str, inbound_id: str, lost: bool = False, approved: str | None = None
) -> Inbound:
    """Nothing more of it will come. The rest of a transfer is back at its source, or ``lost`` and written off.

    Raises ``NeedsCount`` when more is lost than one person may write off in a day (``approved`` names the approval that
    lifts it), ``NotFound``, ``IllegalTransition``.
    """
    inbound, lines = locked_inbound(session, tenant_id, inbound_id)
    came = any(line.received for line in lines.values())
    rest = {line.variant_id: line.expected - line.received for line in lines.values()}
    rest = {variant_id: units for variant_id, units in rest.items() if units > 0}
    if came:
        INBOUND.check(inbound.status, InboundStatus.RECEIVED)
    _become(inbound, InboundStatus.RECEIVED if came else InboundStatus.CANCELED)
    session.flush()
    if inbound.source_location_id and lost:
        cost = sum(units * lines[variant_id].unit_cost for variant_id, units in rest.items())
        adjust_limits.claim(
            session,
            tenant_id,
            actor=actor,
            subject=inbound.id,
            units=sum(rest.values()),
            value=cost,
            approved=approved,
        )
        post_adjustment(session, tenant_id, subject=inbound.id, cost=-cost)
    elif inbound.source_location_id:
        _move(session, inbound, inbound.source_location_id, rest)
    word = {"approved": approved} if approved else {}
    _record(session, inbound, actor, "inbound.closed", {"rest": rest, "lost": lost} | word)
    return inbound


def take_back(session: Session, tenant_id: str, *, actor: str, inbound_id: str, reason: str) -> dict[str, int]:
    """What was received never came: it leaves the place where it was put, and what it posted is reversed at the cost it
    was posted at. Variant → units, below 0; nothing where nothing was received, or it was taken back before.

    Raises ``BelowReserved`` where units of it are promised, ``NotFound``.
    """
    inbound, lines = locked_inbound(session, tenant_id, inbound_id)
    units = {item: -line.received for item, line in lines.items() if line.received}
    if not units:
        return {}
    _become(inbound, InboundStatus.CANCELED)
    for line in lines.values():
        line.received = 0
    session.flush()
    _move(session, inbound, inbound.location_id, units, reason=reason)
    if inbound.kind == InboundKind.PURCHASE:
        reverse_receipts(session, tenant_id, inbound_id=inbound.id)
    _record(session, inbound, actor, "inbound.taken_back", {"units": units, "reason": reason})
    return units


def locked_inbound(session: Session, tenant_id: str, inbound_id: str) -> tuple[Inbound, dict[str, InboundLine]]:
    """The inbound under lock, and its lines by variant. Raises ``NotFound``."""
    query = select(Inbound).where(Inbound.tenant_id == tenant_id, Inbound.id == inbound_id)
    inbound = session.scalar(query.with_for_update().execution_options(populate_existing=True))
    if inbound is None:
        raise NotFound("There is no such delivery.")
    rows = session.scalars(
        select(InboundLine)
        .where(InboundLine.tenant_id == tenant_id, InboundLine.inbound_id == inbound_id)
        .order_by(InboundLine.variant_id)
        .execution_options(populate_existing=True)
    )
    return inbound, {row.variant_id: row for row in rows}


def _open(session: Session, tenant_id: str, actor: str, lines: Sequence[Coming], head: Mapping[str, object]) -> Inbound:
    ids = [line.variant_id for line in lines]
    if not ids or len(ids) > len(set(ids)) or any(line.quantity <= 0 for line in lines):
        raise InvalidInput("Name each item once, with a number above 0.", param="lines")
    known_place(session, tenant_id, str(head["location_id"]))
    known_stocked(session, tenant_id, ids)
    costs = costs_of(session, tenant_id, ids)
    inbound = Inbound(
        tenant_id=tenant_id, id=new_id("inbound"), status=InboundStatus.EXPECTED, created_by=actor, **head
    )
    session.add(inbound)
    session.flush()
    for line in lines:
        cost = costs[line.variant_id] if line.unit_cost is None else line.unit_cost
        session.add(
            InboundLine(
                tenant_id=tenant_id,
                inbound_id=inbound.id,
                variant_id=line.variant_id,
                expected=line.quantity,
                unit_cost=cost,
            )
        )
    session.flush()
    _record(session, inbound, actor, "inbound.opened", {"units": {line.variant_id: line.quantity for line in lines}})
    return inbound


def _within_expected(
    session: Session, inbound: Inbound, lines: Mapping[str, InboundLine], received: Mapping[str, int]
) -> None:
    percent = policy_of(session, inbound.tenant_id, InventoryPolicy).over_receipt_percent
    more = percent if inbound.kind == InboundKind.PURCHASE else 0
    for variant_id, quantity in received.items():
        line = lines.get(variant_id)
        if line is None:
            raise NotFound(f"The delivery has no item {echo(variant_id, 'of that id')}.")
        if line.received + quantity > line.expected + line.expected * more // 100:
            raise OverReceipt(f"{line.expected - line.received} of {variant_id} are still expected.")


def _become(inbound: Inbound, status: InboundStatus) -> None:
    inbound.status = INBOUND.check(inbound.status, status)
    inbound.updated_at = clock.now()


def _move(
    session: Session, inbound: Inbound, location_id: str, units: Mapping[str, int], *, reason: str | None = None
) -> None:
    kind = MovementKind.TRANSFER if inbound.kind == InboundKind.TRANSFER else MovementKind.RECEIPT
    moves = [
        Move(item, location_id, kind, inbound.id, on_hand=quantity, reason=reason) for item, quantity in units.items()
    ]
    if short := levels.change(session, inbound.tenant_id, moves):
        free = short[0].on_hand - short[0].reserved
        raise BelowReserved(f"Only {free} of {short[0].variant_id} can leave there.")


def _record(session: Session, inbound: Inbound, actor: str, action: str, facts: dict[str, object]) -> None:
    audit.record(session, inbound.tenant_id, actor=actor, action=action, subject=inbound.id, facts=facts)
