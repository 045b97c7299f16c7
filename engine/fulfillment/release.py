"""Handing an order's units to the places that ship them, each as a piece of work of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from engine.fulfillment import paying, work
from engine.fulfillment.errors import MadeUpFor, NothingToRelease, NotReleasable
from engine.fulfillment.models import OWN, Fulfillment, FulfillmentLine, FulfillmentStatus
from engine.fulfillment.policies import FulfillmentPolicy, RoutingPolicy
from engine.fulfillment.routing import Destination, Plan, plan
from engine.fulfillment.shares import released as owed_for
from engine.fulfillment.sites import stock_for
from engine.inventory import service as inventory
from engine.inventory.errors import NotReserved, OutOfStock
from engine.inventory.lines import reserved_at
from engine.inventory.models import Location
from engine.kit import audit, clock
from engine.kit.errors import DomainError, NotFound
from engine.kit.faults import fault_point
from engine.kit.ids import new_id
from engine.kit.policies import policy_of
from engine.orders import service as orders
from engine.orders.models import Order, OrderLine, OrderStatus, Shipment
from engine.orders.ways import way_of
from engine.payments import captures
from engine.returns.taken import unanswered
from engine.runtime import Runtime
from engine.shipping.digital import is_digital
from engine.shipping.pickup import fetched

log = structlog.get_logger(__name__)
_BATCH: Final = 50
Units = dict[str, dict[str, int]]
"""Order line → location → units that are reserved there and not yet handed over."""


def release_now(runtime: Runtime, tenant_id: str, order_id: str, *, actor: str = "system") -> list[str]:
    """Release an order and take the money that it was only authorized for; the ids of the new fulfillments.

    Raises what ``release`` raises. A capture that fails stays with its fulfillment, which then does not ship.
    """
    with runtime.unit_of_work(tenant_id) as session:
        made = [one.id for one in release(session, tenant_id, order_id, actor=actor)]
        fault_point("before_release_commit")
    fault_point("after_release_commit")
    take_money(runtime, tenant_id, order_id)
    return made


def take_money(runtime: Runtime, tenant_id: str, order_id: str) -> None:
    """Carry out the captures that the order's fulfillments wait for. What fails is tried again by its own job."""
    with runtime.unit_of_work(tenant_id) as session:
        waiting = [one for row in work.of_order(session, tenant_id, order_id) for one in row.capture_ids]
    for capture_id in waiting:
        try:
            captures.execute(runtime, tenant_id, capture_id)
        except DomainError as error:
            log.warning("capture outstanding", capture_id=capture_id, code=error.code)


def release(
    session: Session, tenant_id: str, order_id: str, *, actor: str = "system", digital: bool = False
) -> list[Fulfillment]:
    """Hand over every unit that has stock and was not handed over yet; one fulfillment for each place and way. What has
    a parcel, or with ``digital`` what has none: the ones wait for a warehouse, the others for nobody.

    An order that was only authorized gets its captures asked for here (``captures.execute`` after the commit). Asked
    again after a capture failed, it asks for the money once more. Raises ``NotReleasable`` for an order that is not
    open, ``NotPaid``, ``NothingToRelease``, ``MadeUpFor``.
    """
    order = orders.lock(session, tenant_id, order_id)
    if order.status != OrderStatus.OPEN or order.placed_at is None:
        raise NotReleasable(f"An order that is {OrderStatus(order.status).value} cannot be released.")
    purse = paying.lock_purse(session, tenant_id, order_id)
    lines = work.lock_lines(session, order)
    units = _unreleased(session, tenant_id, {key: line for key, line in lines.items() if line.digital == digital})
    stuck = paying.failed(session, work.of_order(session, tenant_id, order_id))
    if not units and not stuck:
        raise NothingToRelease("Everything that has stock was released before.")
    _require_owed(session, order, [lines[key] for key in units])
    made = _hand_over(session, order, lines, units) if units else []
    _ask_for_money(session, order, purse, lines, [*made, *stuck])
    orders.touch(order)
    facts = {"fulfillments": [one.id for one in made], "captures": sorted({c for f in made for c in f.capture_ids})}
    audit.record(session, tenant_id, actor=actor, action="order.released", subject=order_id, facts=facts)
    session.flush()
    return made


def _require_owed(session: Session, order: Order, lines: Sequence[OrderLine]) -> None:
    """What came back though it was made up for does not go out a second time. Raises ``MadeUpFor``."""
    back = select(Shipment.id).where(
        Shipment.tenant_id == order.tenant_id, Shipment.order_id == order.id, Shipment.returned_at.is_not(None)
    )
    if not lines or session.scalar(back.limit(1)) is None:
        return
    left = unanswered(session, order, lines)
    for line in lines:
        if left[line.id] < 0:
            words = f"{-left[line.id]} of {line.title} came back and were made up for already."
            raise MadeUpFor(f"{words} Cancel what was sent instead, or keep these and cancel the others.")


def release_due(runtime: Runtime, tenant_id: str) -> int:
    """Release orders whose time has come, where the shop's policy says so; how many. One that cannot be waits."""
    with runtime.unit_of_work(tenant_id) as session:
        policy = policy_of(session, tenant_id, FulfillmentPolicy)
        found = _due(session, tenant_id, policy) if policy.auto_release else []
    done = 0
    while found:
        for order_id, _ in found:
            try:
                release_now(runtime, tenant_id, order_id)
                done += 1
            except DomainError as error:
                log.warning("order not released", order_id=order_id, code=error.code)
        with runtime.unit_of_work(tenant_id) as session:
            found = _due(session, tenant_id, policy, after=found[-1])
    return done


def explain(session: Session, tenant_id: str, order_id: str) -> list[Mapping[str, Any]]:
    """Why an order's units were reserved where they were at the sale, why each fulfillment is where it is, and for
    units still to be released what routing would do now. Locks nothing: it stands in nobody's way.

    Raises ``NotFound``.
    """
    order = session.get(Order, (tenant_id, order_id))
    if order is None:
        raise NotFound("There is no such order.")
    told: list[Mapping[str, Any]] = [_told("sale", order.routing)] if order.routing else []
    told += [
        _told("release", one.routing, one.id, one.location_id) for one in work.of_order(session, tenant_id, order_id)
    ]
    lines = {key: line for key, line in work.lines_in_place(session, order).items() if not line.digital}
    units = _unreleased(session, tenant_id, lines, lock=False)
    if units:
        told.append(_told("now", _would(session, order, lines, units)))
    return told


def _told(
    stage: str, routing: Mapping[str, Any], fulfillment_id: str | None = None, location_id: str | None = None
) -> Mapping[str, Any]:
    return {"stage": stage, "fulfillment_id": fulfillment_id, "location_id": location_id, "routing": routing}


def _would(session: Session, order: Order, lines: Mapping[str, OrderLine], units: Units) -> Mapping[str, Any]:
    try:
        policy = policy_of(session, order.tenant_id, RoutingPolicy)
        plans = [
            _plan(session, order, lines, part, policy, way).reasons
            for way, part in _by_way(order, lines, units)
            if not fetched(way)
        ]
        return plans[0] if plans else {"words": ["It is fetched where it is reserved."]}
    except OutOfStock as impossible:
        return {"words": [f"It would be sent from where it is reserved. {impossible.message}"]}


def open_work(
    session: Session,
    order: Order,
    location_id: str,
    units: Mapping[str, int],
    routing: Mapping[str, Any],
    *,
    way: Mapping[str, Any] | None = None,
) -> Fulfillment:
    """A new piece of work for one place; the caller raises the order lines' ``released``. ``way``: the option by which
    its units go. What has no parcel is nobody's work but ours.
    """
    code = session.get_one(Location, (order.tenant_id, location_id)).code
    made = Fulfillment(
        tenant_id=order.tenant_id,
        id=new_id("fulfillment"),
        order_id=order.id,
        location_id=location_id,
        partner=OWN if is_digital(way) else policy_of(session, order.tenant_id, FulfillmentPolicy).partner_of(code),
        status=FulfillmentStatus.RELEASED,
        routing=dict(routing),
        way=dict(way) if way is not None and way != order.fulfillment else None,
        capture_ids=[],
    )
    session.add(made)
    session.flush()
    session.add_all(
        FulfillmentLine(tenant_id=order.tenant_id, fulfillment_id=made.id, order_line_id=line_id, quantity=quantity)
        for line_id, quantity in sorted(units.items())
    )
    session.flush()
    return made


def _due(
    session: Session, tenant_id: str, policy: FulfillmentPolicy, after: tuple[str, datetime] | None = None
) -> list[tuple[str, datetime]]:
    """The next orders whose time has come, oldest first: those that cannot go stand in nobody's way."""
    before = clock.now() - timedelta(minutes=policy.release_after_minutes)
    waiting = (
        select(OrderLine.order_id)
        .where(OrderLine.tenant_id == tenant_id, OrderLine.allocated > OrderLine.released, OrderLine.digital.is_(False))
        .distinct()
    )
    query = select(Order.id, Order.placed_at).where(
        Order.tenant_id == tenant_id,
        Order.id.in_(waiting),
        Order.status == OrderStatus.OPEN,
        Order.placed_at <= before,
    )
    if after is not None:
        query = query.where(tuple_(Order.placed_at, Order.id) > (after[1], after[0]))
    rows = session.execute(query.order_by(Order.placed_at, Order.id).limit(_BATCH))
    return [(order_id, placed_at) for order_id, placed_at in rows if placed_at is not None]


def _unreleased(session: Session, tenant_id: str, lines: Mapping[str, OrderLine], *, lock: bool = True) -> Units:
    """Units with stock that no fulfillment has yet, by where they are reserved."""
    wanting = {key: line.allocated - line.released for key, line in lines.items() if line.allocated > line.released}
    busy = _busy(session, tenant_id, list(wanting))
    found: Units = {}
    for key, wanted in wanting.items():
        left = wanted
        for location, there in sorted(reserved_at(session, tenant_id, key, lock=lock).items()):
            take = min(left, there - busy.get((key, location), 0))
            if take > 0:
                found.setdefault(key, {})[location] = take
                left -= take
    return found


def _busy(session: Session, tenant_id: str, line_ids: list[str]) -> dict[tuple[str, str], int]:
    """Units that open fulfillments of a place still have to send, by order line."""
    rows = session.execute(
        select(FulfillmentLine, Fulfillment.location_id)
        .join(
            Fulfillment,
            (Fulfillment.tenant_id == FulfillmentLine.tenant_id) & (Fulfillment.id == FulfillmentLine.fulfillment_id),
        )
        .where(FulfillmentLine.tenant_id == tenant_id, FulfillmentLine.order_line_id.in_(line_ids))
        .execution_options(populate_existing=True)
    )
    found: dict[tuple[str, str], int] = {}
    for line, location in rows:
        key = (line.order_line_id, location)
        found[key] = found.get(key, 0) + line.open
    return found


def _hand_over(session: Session, order: Order, lines: Mapping[str, OrderLine], units: Units) -> list[Fulfillment]:
    """Each way by itself: what is fetched stays where it is, what is sent may move."""
    return [
        made for way, part in _by_way(order, lines, units) for made in _hand_over_way(session, order, lines, part, way)
    ]


def _by_way(order: Order, lines: Mapping[str, OrderLine], units: Units) -> list[tuple[Mapping[str, Any], Units]]:
    """The ways that units go, in the order of their lines."""
    found: dict[str, tuple[Mapping[str, Any], Units]] = {}
    for key, here in units.items():
        way = way_of(order, lines[key])
        found.setdefault(str(way.get("id")), (way, {}))[1][key] = here
    return list(found.values())


def _hand_over_way(
    session: Session, order: Order, lines: Mapping[str, OrderLine], units: Units, way: Mapping[str, Any]
) -> list[Fulfillment]:
    policy = policy_of(session, order.tenant_id, RoutingPolicy)
    reasons: dict[str, Any]
    if fetched(way) or is_digital(way):
        stays = "It has no parcel." if is_digital(way) else "It is fetched where it is reserved."
        return _work(session, order, lines, units, {"words": [stays], "moved": False}, way)
    try:
        best = _plan(session, order, lines, units, policy, way)
    except OutOfStock as impossible:
        reasons = {"words": [f"Sent from where it is reserved. {impossible.message}"], "moved": False}
    else:
        moves = _moves(lines, units, best) if policy.reroute_at_release else []
        reasons = dict(best.reasons) | {"moved": bool(moves) and _move(session, order, units, moves)}
    return _work(session, order, lines, units, reasons, way)


def _work(
    session: Session,
    order: Order,
    lines: Mapping[str, OrderLine],
    units: Units,
    reasons: dict[str, Any],
    way: Mapping[str, Any],
) -> list[Fulfillment]:
    places: dict[str, dict[str, int]] = {}
    for key, here in units.items():
        for location, quantity in here.items():
            places.setdefault(location, {})[key] = quantity
    made = [open_work(session, order, place, places[place], reasons, way=way) for place in sorted(places)]
    for key, here in units.items():
        lines[key].released += sum(here.values())
    return made


def _plan(
    session: Session,
    order: Order,
    lines: Mapping[str, OrderLine],
    units: Units,
    policy: RoutingPolicy,
    way: Mapping[str, Any],
) -> Plan:
    """Route the units anew, as if their own reservations were free."""
    own: dict[str, dict[str, int]] = {}
    for key, here in units.items():
        places = own.setdefault(lines[key].variant_id, {})
        for location, quantity in here.items():
            places[location] = places.get(location, 0) + quantity
    wanted = {variant: sum(places.values()) for variant, places in own.items()}
    stock = stock_for(session, order.tenant_id, sorted(wanted), own=own)
    return plan(wanted, stock, policy=policy, destination=Destination.of(order.ship_to, way))


@dataclass(frozen=True, slots=True)
class _Move:
    order_line_id: str
    source: str
    target: str
    quantity: int


def _moves(lines: Mapping[str, OrderLine], units: Units, best: Plan) -> list[_Move]:
    """What has to be reserved elsewhere for the units to be where the plan wants them."""
    room: dict[str, dict[str, int]] = {}
    for one in best.allocations:
        room.setdefault(one.variant_id, {})[one.location_id] = one.quantity
    excess: list[tuple[str, str, int]] = []
    for key, here in units.items():
        places = room.get(lines[key].variant_id, {})
        for location, quantity in here.items():
            stays = min(quantity, places.get(location, 0))
            if stays:
                places[location] -= stays
            if quantity > stays:
                excess.append((key, location, quantity - stays))
    return [
        move
        for key, source, quantity in excess
        for move in _targets(key, source, quantity, room[lines[key].variant_id])
    ]


def _targets(key: str, source: str, quantity: int, places: dict[str, int]) -> list[_Move]:
    found = []
    for target in sorted(places):
        part = min(quantity, places[target])
        if part:
            places[target] -= part
            quantity -= part
            found.append(_Move(key, source, target, part))
    return found


def _move(session: Session, order: Order, units: Units, moves: list[_Move]) -> bool:
    """Reserve elsewhere, all of it or none: somebody else may have been faster."""
    try:
        with session.begin_nested():
            for one in moves:
                inventory.move_line(
                    session,
                    order.tenant_id,
                    order_line_id=one.order_line_id,
                    from_location_id=one.source,
                    to_location_id=one.target,
                    quantity=one.quantity,
                    subject=order.id,
                )
    except (OutOfStock, NotReserved):
        return False
    for one in moves:
        here = units[one.order_line_id]
        here[one.source] -= one.quantity
        here[one.target] = here.get(one.target, 0) + one.quantity
        if not here[one.source]:
            del here[one.source]
    return True


def _ask_for_money(
    session: Session,
    order: Order,
    purse: paying.Purse,
    lines: Mapping[str, OrderLine],
    waiting: list[Fulfillment],
) -> None:
    owed = owed_for(lines.values(), shipping=order.shipping, shipping_tax=order.shipping_tax)
    final = all(line.released == line.ordered - line.canceled for line in lines.values())
    asked = paying.collect(session, order, purse, owed, final=final)
    for one in waiting:
        one.capture_ids = asked
