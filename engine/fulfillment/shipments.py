"""Goods leave: stock, order, books and shopper are told in one transaction, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine.catalog.models import Variant
from engine.finance.models import Account, JournalEntry, Posting
from engine.fulfillment import carriers, paying, shares, work
from engine.fulfillment.books import RETURNED, SHIPPED, Books
from engine.fulfillment.errors import CancelPending, NothingToShip, NotReleasable, TrackingNumberTaken
from engine.fulfillment.models import FulfillmentStatus
from engine.fulfillment.states import FULFILLMENT
from engine.fulfillment.work import Work
from engine.inventory import service as inventory
from engine.kit import audit, clock, outbox
from engine.kit.errors import InvalidInput
from engine.kit.faults import fault_point
from engine.kit.ids import new_id
from engine.kit.policies import policy_of
from engine.orders.models import Order, OrderLine, OrderStatus, Shipment, ShipmentStatus
from engine.runtime import Runtime
from engine.shipping.digital import is_digital
from engine.shipping.pickup import fetched
from engine.shipping.policy import ShippingPolicy
from engine.shipping.promise import days_after

_OPEN: Final = frozenset(
    {
        FulfillmentStatus.RELEASED,
        FulfillmentStatus.ACCEPTED,
        FulfillmentStatus.PARTIALLY_SHIPPED,
        FulfillmentStatus.EXCEPTION,
    }
)


@dataclass(frozen=True, slots=True)
class Package:
    """One box: units by order line, and its weight when it was weighed."""

    items: Mapping[str, int]
    weight_g: int | None = None


@dataclass(frozen=True, slots=True)
class Handover:
    """Who carries it. Without a carrier the embedded one does, and gives the tracking number itself."""

    carrier: str | None = None
    tracking_number: str | None = None
    service: str | None = None
    label_cost: int = 0


def accept(
    session: Session, tenant_id: str, fulfillment_id: str, *, actor: str = "system", version: int | None = None
) -> Work:
    """The place takes the work up. Raises ``NotFound``, ``StaleVersion``, ``IllegalTransition``."""
    found = work.lock_work(session, tenant_id, fulfillment_id, version=version)
    accepted = FULFILLMENT.check(FulfillmentStatus(found.fulfillment.status), FulfillmentStatus.ACCEPTED)
    found.fulfillment.status = accepted
    found.fulfillment.accepted_at = clock.now()
    work.touch(found.fulfillment)
    facts = {"order": found.order.id, "partner": found.fulfillment.partner}
    audit.record(session, tenant_id, actor=actor, action="fulfillment.accepted", subject=fulfillment_id, facts=facts)
    return found


def ship_now(
    runtime: Runtime,
    tenant_id: str,
    fulfillment_id: str,
    *,
    packages: Sequence[Package] | None = None,
    handover: Handover | None = None,
    actor: str = "system",
) -> str:
    """``ship`` in a transaction of its own; the shipment's id."""
    with runtime.unit_of_work(tenant_id) as session:
        made = ship(session, tenant_id, fulfillment_id, packages=packages, handover=handover, actor=actor).id
        fault_point("before_ship_commit")
    fault_point("after_ship_commit")
    return made


def ship(
    session: Session,
    tenant_id: str,
    fulfillment_id: str,
    *,
    packages: Sequence[Package] | None = None,
    handover: Handover | None = None,
    actor: str = "system",
    version: int | None = None,
    digital: bool = False,
) -> Shipment:
    """Send units of a fulfillment: all that are left in one box, or what ``packages`` hold. What has no parcel goes by
    ``digital`` alone, with what its buyer is given.

    Raises ``NothingToShip`` when they are not (all) there to send, ``NotReleasable`` for an order on hold,
    ``CancelPending``, ``NotCaptured``, ``TrackingNumberTaken``, ``StaleVersion``, ``InvalidInput``.
    """
    found = work.lock_work(session, tenant_id, fulfillment_id, version=version)
    _may_ship(session, found, digital=digital)
    boxes = list(packages) if packages is not None else [Package(found.open_units())]
    units = _units(found, boxes)
    shipment = _shipment(session, found, boxes, units, handover or Handover())
    session.add(shipment)
    session.flush()
    inventory.lock_stock(session, tenant_id, {found.order_lines[line_id].variant_id for line_id in units})
    for line_id, quantity in sorted(units.items(), key=lambda one: (found.order_lines[one[0]].variant_id, one[0])):
        inventory.ship_line(
            session,
            tenant_id,
            order_line_id=line_id,
            location_id=found.fulfillment.location_id,
            quantity=quantity,
            shipment_id=shipment.id,
        )
    _book(session, found, units, shipment)
    found.settle()
    payload = {"shipment_id": shipment.id, "fulfillment_id": fulfillment_id, "thread_id": found.order.thread_id}
    if not is_digital(found.way):  # it is there at once: that alone is told
        outbox.emit(session, tenant_id, "order.shipped", found.order.id, payload)
    facts = {"order": found.order.id, "fulfillment": fulfillment_id, "units": sum(units.values())}
    audit.record(session, tenant_id, actor=actor, action="shipment.sent", subject=shipment.id, facts=facts)
    session.flush()
    return shipment


def unship(
    session: Session, order: Order, shipment: Shipment, order_lines: Mapping[str, OrderLine], *, cost_back: bool
) -> dict[str, int]:
    """A shipment that never arrived did not earn anything: its units are to be sent again or canceled.

    The books take back what it earned; without ``cost_back`` the goods are gone and their cost is written off.
    Returns the units by order line; stock is the caller's.
    """
    units = {str(row["order_line_id"]): int(row["quantity"]) for row in shipment.lines}
    before = shares.shipped(order_lines.values())
    for line_id, quantity in units.items():
        order_lines[line_id].shipped -= quantity
        order_lines[line_id].released -= quantity
    lost = before - shares.shipped(order_lines.values())
    nothing_left = not any(line.shipped for line in order_lines.values() if not line.digital)
    fee = _shipping_earned(session, order) if nothing_left else 0
    books = Books(session, order, shipment.id)
    books.take_back(lost, fee)
    if not cost_back:
        books.write_off(lost.cost)
    return units


def _may_ship(session: Session, found: Work, *, digital: bool) -> None:
    status = FulfillmentStatus(found.fulfillment.status)
    if status == FulfillmentStatus.CANCEL_REQUESTED:
        raise CancelPending("The shopper wants units of this canceled. Answer that first.")
    if found.order.status != OrderStatus.OPEN:
        raise NotReleasable(f"An order that is {OrderStatus(found.order.status).value} does not ship.")
    if status not in _OPEN or not found.open_units():
        raise NothingToShip("Nothing of this fulfillment is left to ship.")
    if not digital:
        require_parcel(found)
    paying.require_captured(session, found.fulfillment)


def require_parcel(found: Work) -> None:
    """Raises ``NothingToShip`` for what nobody packs: its buyer would never be given it."""
    if is_digital(found.way):
        raise NothingToShip("It has no parcel: its buyer is given it by itself, as soon as that can be.")


def _units(found: Work, boxes: Sequence[Package]) -> dict[str, int]:
    """Units by order line over all boxes. Raises ``NothingToShip``, ``InvalidInput``."""
    units: dict[str, int] = {}
    for box in boxes:
        if not box.items or any(quantity <= 0 for quantity in box.items.values()):
            raise InvalidInput("Every package holds at least one unit.", param="packages")
        for line_id, quantity in box.items.items():
            units[line_id] = units.get(line_id, 0) + quantity
    left = found.open_units()
    if not units or any(quantity > left.get(line_id, 0) for line_id, quantity in units.items()):
        raise NothingToShip("The fulfillment does not have so many units left.")
    return units


def _shipment(
    session: Session, found: Work, boxes: Sequence[Package], units: Mapping[str, int], handover: Handover
) -> Shipment:
    order, now, shipment_id = found.order, clock.now(), new_id("shipment")
    comes, bodiless = fetched(found.way), is_digital(found.way)
    if (comes or bodiless) and handover.carrier is not None:
        raise InvalidInput("The buyer comes for this order: no carrier takes it.", param="carrier")
    embedded = handover.carrier is None
    number = carriers.tracking_number(shipment_id) if embedded else (handover.tracking_number or "").strip()
    carrier = carriers.PICKUP if comes else carriers.DIGITAL if bodiless else handover.carrier or carriers.SANDBOX
    if not number:
        raise InvalidInput("A carrier of your own comes with its tracking number.", param="tracking_number")
    _require_free(session, order.tenant_id, carrier, number)
    packed = _packed(session, found, boxes)
    status = ShipmentStatus.LABEL_CREATED if embedded else ShipmentStatus.SHIPPED
    words = "Packed and labeled" if embedded else "Handed to the carrier"
    words = "Ready for pickup" if comes else "Being made ready" if bodiless else words
    labeled = embedded and not comes and not bodiless
    return Shipment(
        tenant_id=order.tenant_id,
        id=shipment_id,
        order_id=order.id,
        location_id=found.fulfillment.location_id,
        fulfillment_id=found.fulfillment.id,
        carrier=carrier,
        tracking_number=number,
        service=handover.service or str(found.way.get("title", "")),
        label_cost=sum(carriers.price(box["weight_g"]) for box in packed) if labeled else handover.label_cost,
        status=status,
        lines=[{"order_line_id": key, "quantity": quantity} for key, quantity in sorted(units.items())],
        packages=packed,
        events=[{"id": f"{shipment_id}-sent", "at": now.isoformat(), "status": status.value, "text": words}],
        expected_on=_kept_until(found.way, now) if comes else _expected(session, order, found.way, now.date()),
        shipped_at=now,
    )


def _kept_until(way: Mapping[str, Any], ready: datetime) -> date:
    """As long as was promised; of what is ready later than that, for the same time."""
    first, last = (datetime.fromisoformat(way[name]) for name in ("ready_by", "pickup_by"))
    return max(last, ready + (last - first)).date()


def _expected(session: Session, order: Order, chosen: Mapping[str, Any], leaves: date) -> date | None:
    """The last day of the promise; for what leaves too late for that, the carrier's own days from when it left."""
    latest = [date.fromisoformat(chosen["latest"])] if chosen.get("latest") else []
    if chosen.get("max_days") is not None:
        carrier = policy_of(session, order.tenant_id, ShippingPolicy).carrier(str(chosen.get("carrier", "")))
        latest.append(days_after(leaves, int(chosen["max_days"]), carrier))
    return max(latest, default=None)


def _require_free(session: Session, tenant_id: str, carrier: str, number: str) -> None:
    taken = select(Shipment.id).where(
        Shipment.tenant_id == tenant_id, Shipment.carrier == carrier, Shipment.tracking_number == number
    )
    if session.scalar(taken) is not None:
        raise TrackingNumberTaken("Another shipment has this tracking number.")


def _packed(session: Session, found: Work, boxes: Sequence[Package]) -> list[dict[str, Any]]:
    """The boxes as they are kept; one that was not weighed weighs what its items do."""
    variants = {line.variant_id for line in found.order_lines.values()}
    rows = session.execute(
        select(Variant.id, Variant.weight_g).where(Variant.tenant_id == found.order.tenant_id, Variant.id.in_(variants))
    )
    weights: dict[str, int] = {variant: weight for variant, weight in rows}  # noqa: C416 (rows are not typed as pairs)
    return [
        {
            "weight_g": box.weight_g
            or sum(weights[found.order_lines[key].variant_id] * n for key, n in box.items.items()),
            "items": [{"order_line_id": key, "quantity": n} for key, n in sorted(box.items.items())],
        }
        for box in boxes
    ]


def _book(session: Session, found: Work, units: Mapping[str, int], shipment: Shipment) -> None:
    """What the units earn and cost; the first parcel of an order earns its shipping: what has none earns no shipping,
    but where there is nothing else.
    """
    before = shares.shipped(found.order_lines.values())
    carried = [line for line in found.order_lines.values() if not line.digital]
    bodiless = bool(carried) and is_digital(found.way)
    first = not bodiless and not any(line.shipped for line in carried or found.order_lines.values())
    for line_id, quantity in units.items():
        found.lines[line_id].shipped += quantity
        found.order_lines[line_id].shipped += quantity
    gained = shares.shipped(found.order_lines.values()) - before
    fee = found.order.shipping if first else 0
    Books(session, found.order, shipment.id).earn(gained, fee)


def _shipping_earned(session: Session, order: Order) -> int:
    """The fee that the order's parcels have earned so far."""
    found = session.scalar(
        select(func.coalesce(-func.sum(Posting.amount), 0))
        .join(JournalEntry, (JournalEntry.tenant_id == Posting.tenant_id) & (JournalEntry.id == Posting.entry_id))
        .where(
            JournalEntry.tenant_id == order.tenant_id,
            JournalEntry.order_id == order.id,
            JournalEntry.kind.in_((SHIPPED, RETURNED)),
            Posting.account == Account.SHIPPING_REVENUE,
        )
    )
    return int(found or 0)
