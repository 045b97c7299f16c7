"""When it does not go as it should: units that are not on the shelf, parcels that do not arrive."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import structlog
from sqlalchemy.orm import Session

from engine.fulfillment import shipments, work
from engine.fulfillment.carriers import PICKUP
from engine.fulfillment.errors import AlreadyRemedied, CancelPending, MadeUpFor, NothingToShip
from engine.fulfillment.models import FulfillmentStatus
from engine.fulfillment.policies import FulfillmentPolicy, RoutingPolicy
from engine.fulfillment.release import open_work
from engine.fulfillment.routing import Destination, plan
from engine.fulfillment.sites import stock_for
from engine.fulfillment.work import Work
from engine.inventory import service as inventory
from engine.inventory.adjusting import adjust
from engine.inventory.errors import BelowReserved, NeedsCount, NotReserved, NotStocked, OutOfStock
from engine.inventory.models import BackorderKind
from engine.inventory.service import Wanted
from engine.kit import audit, clock, outbox
from engine.kit.errors import Conflict, InvalidInput
from engine.kit.policies import policy_of
from engine.orders import service as orders
from engine.orders.models import Order, OrderLine, OrderStatus, Shipment, ShipmentStatus
from engine.orders.ways import way_of
from engine.payments.alerts import raise_alert, resolve_alert
from engine.returns.taken import unanswered
from engine.shipping.pickup import place_id

log = structlog.get_logger(__name__)
LOST: Final = "parcel_lost"
EXCEPTION: Final = "delivery_exception"
BACK: Final = "parcel_returned"
FOUND: Final = "parcel_found"
SHORT: Final = "short_pick"
"""Kinds of inbox items; the subject is the shipment, of a short pick the fulfillment."""
ACTION: Final = "remedy_lost_parcel"
"""The one safe thing to do about a lost parcel: ``remedy_lost``, once."""


class Remedy(StrEnum):
    """What may follow from a lost parcel."""

    RESHIP = "reship"  # the units are sold again out of stock and released anew
    REFUND = "refund"  # the units are free to be canceled, which gives the money back


@dataclass(frozen=True, slots=True)
class ShortPick:
    """What became of units that were not found: sent from elsewhere (fulfillment ids), or waiting for stock."""

    rerouted: tuple[str, ...]
    backordered: Mapping[str, int]
    """Order line → units."""


def short_pick(
    session: Session,
    tenant_id: str,
    fulfillment_id: str,
    *,
    short: Mapping[str, int],
    actor: str = "system",
    version: int | None = None,
) -> ShortPick:
    """Units (by order line) are not where they should be: they go from another place, or wait for new stock.

    Raises ``NothingToShip`` when the fulfillment has not so many left, ``CancelPending``, ``InvalidInput``.
    """
    found = work.lock_work(session, tenant_id, fulfillment_id, version=version)
    _require_open(found, short)
    policy = policy_of(session, tenant_id, FulfillmentPolicy)
    rerouted: list[str] = []
    waiting: dict[str, int] = {}
    for line_id, quantity in sorted(short.items()):
        found.lines[line_id].canceled += quantity
        found.order_lines[line_id].released -= quantity
        elsewhere = _reroute(session, found, line_id, quantity) if policy.short_pick == "reroute" else []
        rerouted += elsewhere
        if not elsewhere:
            _wait_for_stock(session, found, found.order_lines[line_id], quantity)
            waiting[line_id] = quantity
    if policy.write_off_short:
        _write_off(session, found, short, actor)
    found.settle(resting=FulfillmentStatus.EXCEPTION if waiting else None)
    _tell_short(session, found, rerouted, waiting)
    facts = {"order": found.order.id, "short": dict(short), "rerouted": rerouted, "waiting": waiting}
    audit.record(session, tenant_id, actor=actor, action="fulfillment.short", subject=fulfillment_id, facts=facts)
    session.flush()
    return ShortPick(tuple(rerouted), waiting)


def delivery_exception(session: Session, order: Order, shipment: Shipment) -> None:
    """Something is in the parcel's way; staff see it until it moves on."""
    words = f"{shipment.carrier} {shipment.tracking_number}: {_last_words(shipment)}"
    raise_alert(session, order.tenant_id, EXCEPTION, shipment.id, words)
    _emit(session, order, shipment)


def lost(session: Session, order: Order, shipment: Shipment) -> None:
    """The parcel is gone: staff choose one remedy."""
    shipment.lost_at = clock.now()
    resolve_alert(session, order.tenant_id, EXCEPTION, shipment.id)
    words = f"{shipment.carrier} {shipment.tracking_number} is lost. Send its goods again, or give the money back."
    facts = {"order": order.id, "remedies": [remedy.value for remedy in Remedy]}
    raise_alert(session, order.tenant_id, LOST, shipment.id, words, action=ACTION, facts=facts)
    _emit(session, order, shipment)


def returned_to_sender(session: Session, order: Order, shipment: Shipment) -> None:
    """The parcel is back: its units are on the shelf again, still the order's, which waits on hold for an address."""
    lines = work.lock_lines(session, order)
    units = _take_back(session, order, shipment, lines, cost_back=True)
    for line_id, quantity in _by_variant(units, lines):
        inventory.restock(
            session,
            order.tenant_id,
            variant_id=lines[line_id].variant_id,
            location_id=shipment.location_id,
            quantity=quantity,
            subject=shipment.id,
            order_line_id=line_id,
        )
        lines[line_id].allocated -= quantity
        _hold_again(session, order, lines[line_id], quantity, shipment.id)
    shipment.returned_at = clock.now()
    if order.status == OrderStatus.OPEN:
        orders.hold(session, order, reason=_why_back(shipment), actor="system")
    words = f"{shipment.carrier} {shipment.tracking_number} came back. Correct the address and release it again."
    if shipment.carrier == PICKUP:
        words = f"Nobody came for {shipment.tracking_number}. Ask its buyer: release it again or cancel it."
    if any(units < 0 for units in unanswered(session, order, list(lines.values())).values()):
        words += " Its goods were sent once more already: cancel that first, or keep them."
    raise_alert(session, order.tenant_id, BACK, shipment.id, words)
    _emit(session, order, shipment)


def _why_back(shipment: Shipment) -> str:
    return "Nobody came for it." if shipment.carrier == PICKUP else "A parcel came back to the sender."


def remedy_lost(session: Session, tenant_id: str, shipment_id: str, *, remedy: Remedy, actor: str) -> dict[str, int]:
    """Act on a lost parcel, once. The goods are written off and nothing of them counts as sold any more.

    To reship, units are reserved anew (what has no stock waits for it) and can be released; to refund, they have no
    stock and are to be canceled with the order's own cancel, which gives the money back under its rules. Returns the
    units by order line. Raises ``Conflict`` for a parcel that is not lost, ``AlreadyRemedied``, ``MadeUpFor``.
    """
    order, shipment = work.lock_shipment(session, tenant_id, shipment_id)
    lines = work.lock_lines(session, order)
    require_remedy(session, order, shipment, lines.values())
    units = _take_back(session, order, shipment, lines, cost_back=False)
    for line_id, quantity in _by_variant(units, lines):
        lines[line_id].allocated -= quantity
        if remedy == Remedy.RESHIP:
            _hold_again(session, order, lines[line_id], quantity, shipment.id)
    shipment.remedy = remedy
    resolve_alert(session, tenant_id, LOST, shipment_id)
    orders.touch(order)
    facts = {"order": order.id, "remedy": remedy.value, "units": units}
    audit.record(session, tenant_id, actor=actor, action="shipment.remedied", subject=shipment_id, facts=facts)
    session.flush()
    return units


def require_remedy(session: Session, order: Order, shipment: Shipment, lines: Iterable[OrderLine]) -> None:
    """Whether something can follow from it. Raises ``Conflict``, ``AlreadyRemedied``, ``MadeUpFor``."""
    if shipment.remedy is not None:
        raise AlreadyRemedied("What is to follow from this parcel was decided before.")
    if shipment.status != ShipmentStatus.LOST or shipment.fulfillment_id is None:
        raise Conflict("This parcel is not lost.")
    every = {line.id: line for line in lines}
    for line_id, units in made_up(shipment, unanswered(session, order, list(every.values()))).items():
        words = f"{units} of {every[line_id].title} were made up for already. Nothing more follows from the parcel."
        raise MadeUpFor(words)


def made_up(shipment: Shipment, left: Mapping[str, int]) -> dict[str, int]:
    """Line → units of the parcel that were made up for, with what ``left`` of their lines was not."""
    packed = {str(row["order_line_id"]): int(row["quantity"]) for row in shipment.lines}
    missing = {line_id: quantity - max(0, left[line_id]) for line_id, quantity in packed.items()}
    return {line_id: units for line_id, units in missing.items() if units > 0}


def found_after_all(session: Session, shipment: Shipment) -> None:
    """A parcel that was given up moves: its goods were sent again or paid back, so a person must look."""
    words = f"{shipment.carrier} {shipment.tracking_number} was given up and is now {shipment.status}."
    raise_alert(session, shipment.tenant_id, FOUND, shipment.id, words)


def settle_alerts(session: Session, shipment: Shipment) -> None:
    """The parcel moves on: nothing is wrong with it any more."""
    shipment.lost_at = None
    for kind in (EXCEPTION, LOST):
        resolve_alert(session, shipment.tenant_id, kind, shipment.id)


def _require_open(found: Work, short: Mapping[str, int]) -> None:
    if found.fulfillment.status == FulfillmentStatus.CANCEL_REQUESTED:
        raise CancelPending("The shopper wants units of this canceled. Answer that first.")
    if not short or any(quantity <= 0 for quantity in short.values()):
        raise InvalidInput("Say which lines are short, and by how many units.", param="short")
    shipments.require_parcel(found)
    left = found.open_units()
    if any(quantity > left.get(line_id, 0) for line_id, quantity in short.items()):
        raise NothingToShip("The fulfillment does not have so many units left.")


def _reroute(session: Session, found: Work, line_id: str, quantity: int) -> list[str]:
    """New work at the next best places; nothing when no other has all of the units, or the buyer comes to this one."""
    order, line = found.order, found.order_lines[line_id]
    if place_id(found.way):
        return []
    here = found.fulfillment.location_id
    stock = stock_for(session, order.tenant_id, [line.variant_id], without=frozenset({here}))
    policy = policy_of(session, order.tenant_id, RoutingPolicy)
    destination = Destination.of(order.ship_to, found.way)
    try:
        with session.begin_nested():
            best = plan({line.variant_id: quantity}, stock, policy=policy, destination=destination)
            for one in best.allocations:
                inventory.move_line(
                    session,
                    order.tenant_id,
                    order_line_id=line_id,
                    from_location_id=here,
                    to_location_id=one.location_id,
                    quantity=one.quantity,
                    subject=found.fulfillment.id,
                )
    except (OutOfStock, NotReserved):
        return []
    reasons = dict(best.reasons) | {"short_pick_of": found.fulfillment.id}
    made = [
        open_work(session, order, one.location_id, {line_id: one.quantity}, reasons, way=found.way)
        for one in best.allocations
    ]
    for new in made:
        new.capture_ids = list(found.fulfillment.capture_ids)
    line.released += quantity
    return [new.id for new in made]


def _wait_for_stock(session: Session, found: Work, line: OrderLine, quantity: int) -> None:
    """The units lose their reservation and wait, first come, first served, like any other backorder."""
    keep = {found.fulfillment.location_id: max(0, found.lines[line.id].open)}
    inventory.free_line(
        session,
        line.tenant_id,
        order_line_id=line.id,
        quantity=quantity,
        subject=found.fulfillment.id,
        keep=keep,
        waiting_first=False,
    )
    line.allocated -= quantity
    _backorder(session, line, quantity)


def _hold_again(session: Session, order: Order, line: OrderLine, quantity: int, subject: str) -> None:
    """Reserve units for a line once more; without stock they wait for it."""
    try:
        with session.begin_nested():
            inventory.hold_line(
                session,
                order.tenant_id,
                order_line_id=line.id,
                order_id=order.id,
                variant_id=line.variant_id,
                quantity=quantity,
                region=str((order.ship_to or {}).get("state", "")),
                subject=subject,
                at=place_id(way_of(order, line)),
            )
    except OutOfStock:
        _backorder(session, line, quantity)
    else:
        line.allocated += quantity


def _backorder(session: Session, line: OrderLine, quantity: int) -> None:
    wanted = Wanted(line.order_id, line.id, line.variant_id, quantity, BackorderKind.BACKORDER, None)
    inventory.open_backorders(session, line.tenant_id, [wanted])


def _take_back(
    session: Session, order: Order, shipment: Shipment, lines: Mapping[str, OrderLine], *, cost_back: bool
) -> dict[str, int]:
    """Undo that the units were sent: in the books, in the order, and in the fulfillment that sent them."""
    units = shipments.unship(session, order, shipment, lines, cost_back=cost_back)
    if shipment.fulfillment_id:
        done = work.lock_work(session, order.tenant_id, shipment.fulfillment_id)
        for line_id, quantity in units.items():
            done.lines[line_id].shipped -= quantity
            done.lines[line_id].canceled += quantity
        done.settle()
    return units


def _by_variant(units: Mapping[str, int], lines: Mapping[str, OrderLine]) -> list[tuple[str, int]]:
    return sorted(units.items(), key=lambda one: (lines[one[0]].variant_id, one[0]))


def _tell_short(session: Session, found: Work, rerouted: list[str], waiting: Mapping[str, int]) -> None:
    parts = [f"sent from elsewhere ({len(rerouted)})"] if rerouted else []
    parts += [f"{sum(waiting.values())} waiting for stock"] if waiting else []
    words = f"Order {found.order.number}: units were not on the shelf; {' and '.join(parts)}."
    raise_alert(session, found.order.tenant_id, SHORT, found.fulfillment.id, words)
    payload = {
        "fulfillment_id": found.fulfillment.id,
        "status": "short",
        "waiting": sum(waiting.values()),
        "thread_id": found.order.thread_id,
    }
    outbox.emit(session, found.order.tenant_id, "shipment.exception", found.order.id, payload)


def _emit(session: Session, order: Order, shipment: Shipment) -> None:
    payload = {"shipment_id": shipment.id, "status": shipment.status, "thread_id": order.thread_id}
    outbox.emit(session, order.tenant_id, "shipment.exception", order.id, payload)


def _last_words(shipment: Shipment) -> str:
    return str(shipment.events[-1]["text"]) if shipment.events else ""


def _write_off(session: Session, found: Work, short: Mapping[str, int], actor: str) -> None:
    """What was not found is not there: the location's stock and the books say so.

    Of a bundle nobody knows which part was missing; units promised to other orders, and more than one person may
    write off, stay until they are counted.
    """
    lines = [found.order_lines[line_id] for line_id in short if not found.order_lines[line_id].components]
    for line in sorted(lines, key=lambda one: (one.variant_id, one.id)):
        try:
            with session.begin_nested():
                adjust(
                    session,
                    line.tenant_id,
                    actor=actor,
                    variant_id=line.variant_id,
                    location_id=found.fulfillment.location_id,
                    delta=-short[line.id],
                    reason=f"{SHORT} {found.fulfillment.id}",
                )
        except (BelowReserved, NeedsCount, NotStocked) as refused:
            log.info("short pick not written off", fulfillment=found.fulfillment.id, code=refused.code)
