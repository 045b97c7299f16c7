"""The parcel that comes back: its label, and the signs its carrier gives of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.finance import postings
from engine.finance import service as finance
from engine.fulfillment import carriers, labels
from engine.fulfillment.carriers import TrackingEvent
from engine.fulfillment.labels import Label
from engine.inventory.models import Location
from engine.kit import audit, clock
from engine.kit.direct import Statement
from engine.kit.errors import NotFound
from engine.kit.gathering import ask
from engine.kit.tenancy import Tenant
from engine.orders import service as orders
from engine.orders.models import Order, ShipmentStatus
from engine.payments import refunds
from engine.returns import news, settling
from engine.returns.errors import NoReturn, WrongStep
from engine.returns.models import Return, ReturnLine, ReturnStatus
from engine.returns.states import RETURN
from engine.returns.taken import lines_of
from engine.runtime import Runtime

_BATCH: Final = 200
_WEIGHTS: Final = Statement(
    "SELECT v.id, v.weight_g FROM app.variants v WHERE v.tenant_id = %(tenant)s AND v.id = ANY(%(ids)s)"
)
_MOVES: Final = frozenset(
    {
        ShipmentStatus.SHIPPED,
        ShipmentStatus.IN_TRANSIT,
        ShipmentStatus.OUT_FOR_DELIVERY,
        ShipmentStatus.DELIVERED,
    }
)
"""Signs of a parcel that its carrier has in hand."""
_UNDER_WAY: Final = (ReturnStatus.LABEL_READY, ReturnStatus.IN_TRANSIT)


def lock(session: Session, tenant_id: str, return_id: str) -> tuple[Order, Return]:
    """The order and the return, locked in this order. Raises ``NoReturn``."""
    seen = session.get(Return, (tenant_id, return_id))
    if seen is None:
        raise NoReturn("There is no such return.")
    order = orders.lock(session, tenant_id, seen.order_id)
    row = session.get_one(Return, (tenant_id, return_id), with_for_update=True, populate_existing=True)
    return order, row


def label(session: Session, row: Return, units: Mapping[str, int]) -> None:
    """A label of the embedded carrier for these units (by variant), addressed to the shop; ``tell_label`` books it."""
    row.carrier, row.tracking_number = carriers.SANDBOX, carriers.tracking_number(row.id)
    row.label_cost = carriers.price(_weighs(session, row.tenant_id, units))
    row.label_at = clock.now()


def tell_label(session: Session, order: Order, row: Return) -> None:
    """What the label costs is the shop's; its shopper hears that it is there."""
    row.status = RETURN.check(row.status, ReturnStatus.LABEL_READY)
    row.version += 1
    finance.post(
        session,
        row.tenant_id,
        kind=postings.Kind.RETURN_LABEL,
        subject=row.id,
        currency=session.get_one(Tenant, row.tenant_id).currency,
        amounts=postings.return_label(row.label_cost),
        order_id=order.id,
    )
    news.tell(session, order, row, "return.label_ready")


def label_pdf(session: Session, row: Return) -> bytes:
    """The label to print. Raises ``NotFound`` where nothing is to be sent."""
    if row.label_at is None or row.tracking_number is None:
        raise NotFound("This return has no label.")
    order = session.get_one(Order, (row.tenant_id, row.order_id))
    place = session.get_one(Location, (row.tenant_id, row.location_id))
    weight = _weight(session, row)
    town = f"{place.city} {place.region} {place.postal_code}"
    label = Label(
        number=row.tracking_number,
        service="Return",
        sender=labels.address(order.ship_to or {}),
        receiver=(session.get_one(Tenant, row.tenant_id).name, place.name, town, place.country),
        reference=row.number,
        piece="1 of 1",
        weight=f"{weight // 1000}.{weight % 1000:03} kg",
    )
    return labels.pdf([label])


def handed_in(session: Session, tenant_id: str, return_id: str, *, actor: str) -> Return:
    """The shopper gave it to the carrier, as they say; from now on the carrier is asked about it. Said twice it counts
    once, and no money rests on it.

    Raises ``NoReturn``, ``WrongStep``.
    """
    _, row = lock(session, tenant_id, return_id)
    if row.sent_at is not None:
        return row
    if row.status != ReturnStatus.LABEL_READY:
        raise WrongStep(f"A return that is {ReturnStatus(row.status).value} cannot be handed in.")
    row.sent_at = clock.now()
    row.version += 1
    audit.record(session, tenant_id, actor=actor, action="return.handed_in", subject=return_id)
    return row


def take_signs(
    session: Session, tenant_id: str, return_id: str, events: Iterable[TrackingEvent], *, actor: str
) -> tuple[str, ...]:
    """What is new of the parcel, each sign once; the refunds that follow where money goes back once it is sent."""
    order, row = lock(session, tenant_id, return_id)
    known = {event["id"] for event in row.events}
    fresh = {event.id: event for event in events if event.id not in known}
    if not fresh:
        return ()
    row.events = sorted([*row.events, *map(_row, fresh.values())], key=lambda one: (one["at"], one["id"]))
    row.version += 1
    news.changed(session, row)
    if row.status != ReturnStatus.LABEL_READY or not any(one.status in _MOVES for one in fresh.values()):
        return ()
    row.status = RETURN.check(row.status, ReturnStatus.IN_TRANSIT)
    row.scanned_at = clock.now()
    row.sent_at = row.sent_at or clock.now()
    audit.record(session, tenant_id, actor=actor, action="return.in_transit", subject=return_id)
    return settle_due(session, order, row, actor=actor)


def scanned(session: Session, tenant_id: str, return_id: str, *, actor: str) -> tuple[str, ...]:
    """Somebody of the shop has it from the carrier that the parcel is on its way; the refunds that follow. Said twice
    it counts once.

    Raises ``NoReturn``, ``WrongStep``.
    """
    _, row = lock(session, tenant_id, return_id)
    if row.scanned_at is not None:
        return ()
    if row.status != ReturnStatus.LABEL_READY:
        raise WrongStep(f"A return that is {ReturnStatus(row.status).value} is not on its way.")
    told = TrackingEvent(f"{return_id}-scanned", clock.now(), ShipmentStatus.IN_TRANSIT, "On its way")
    return take_signs(session, tenant_id, return_id, [told], actor=actor)


def settle_due(
    session: Session, order: Order, row: Return, *, actor: str, word: str | None = None, strict: bool = False
) -> tuple[str, ...]:
    """Give back what is due by now; the refunds to carry out. ``strict`` raises what refunds refuse."""
    session.flush()
    lines: list[ReturnLine] = lines_of(session, row)
    due = settling.left_to_settle(row, lines)
    return settling.settle(
        session, order, row, due, actor=actor, word=word or settling.word_of(session, row), strict=strict
    )


def poll(runtime: Runtime, tenant_id: str) -> int:
    """Ask the embedded carrier for every parcel that was handed in; how many it was asked for."""
    asked, after = 0, ""
    while True:
        with runtime.unit_of_work(tenant_id) as session:
            ids = _handed_in(session, tenant_id, after)
        for return_id in ids:
            with runtime.unit_of_work(tenant_id) as session:
                made = _poll(session, tenant_id, return_id)
            for refund_id in made:
                refunds.execute(runtime, tenant_id, refund_id)
        asked += len(ids)
        if len(ids) < _BATCH:
            return asked
        after = ids[-1]


def _handed_in(session: Session, tenant_id: str, after: str) -> Sequence[str]:
    return session.scalars(
        select(Return.id)
        .where(
            Return.tenant_id == tenant_id,
            Return.carrier == carriers.SANDBOX,
            Return.sent_at.is_not(None),
            Return.status.in_(_UNDER_WAY),
            Return.id > after,
        )
        .order_by(Return.id)
        .limit(_BATCH)
    ).all()


def by_number(session: Session, tenant_id: str, carrier: str, number: str) -> str | None:
    """The return whose parcel has this tracking number."""
    rows = session.execute(
        select(Return.id, Return.carrier).where(Return.tenant_id == tenant_id, Return.tracking_number == number)
    )
    return next((return_id for return_id, name in rows if name and carriers.slug(name) == carrier), None)


def _poll(session: Session, tenant_id: str, return_id: str) -> tuple[str, ...]:
    order, row = lock(session, tenant_id, return_id)
    assert row.sent_at is not None
    assert row.tracking_number is not None
    told = carriers.journey(row.tracking_number, shipped_at=row.sent_at, option=order.fulfillment, ship_to=None)
    due = [event for event in told if event.at <= clock.now()]
    return take_signs(session, tenant_id, return_id, due, actor="carrier:sandbox-post")


def _weight(session: Session, row: Return) -> int:
    lines = lines_of(session, row)
    order = session.get_one(Order, (row.tenant_id, row.order_id))
    bought = {line.id: line.variant_id for line in orders.lines_of(session, order)}
    units: dict[str, int] = {}
    for line in lines:
        variant_id = line.component_variant_id or bought[line.order_line_id]
        units[variant_id] = units.get(variant_id, 0) + line.quantity
    return _weighs(session, row.tenant_id, units)


def _weighs(session: Session, tenant_id: str, units: Mapping[str, int]) -> int:
    """Grams of units by variant."""
    rows = ask(session, _WEIGHTS, {"tenant": tenant_id, "ids": list(units)})
    return sum(row["weight_g"] * units[row["id"]] for row in rows)


def _row(event: TrackingEvent) -> dict[str, Any]:
    at: datetime = event.at if event.at.tzinfo else event.at.replace(tzinfo=UTC)
    return {"id": event.id, "at": at.astimezone(UTC).isoformat(), "status": event.status.value, "text": event.text}
