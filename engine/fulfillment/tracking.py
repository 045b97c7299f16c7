"""Signs of a parcel, by webhook or poll: each is taken once, in whatever order they come."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.fulfillment import carriers, exceptions, work
from engine.fulfillment.carriers import TrackingEvent
from engine.fulfillment.errors import NotForPickup
from engine.fulfillment.policies import FulfillmentPolicy
from engine.fulfillment.states import FINAL, SHIPMENT
from engine.kit import audit, clock, outbox
from engine.kit.envelope import derive
from engine.kit.errors import InvalidInput, NotFound, Unauthenticated
from engine.kit.policies import policy_of
from engine.orders import service as orders
from engine.orders.models import Order, Shipment, ShipmentStatus
from engine.payments import refunds
from engine.returns import parcel
from engine.runtime import Runtime
from engine.warranties import parcels

TOLERANCE: Final = timedelta(minutes=5)
_BATCH: Final = 200
_OWN_WORD: Final = frozenset({ShipmentStatus.LABEL_CREATED})
"""What only we say of a parcel."""


class CarrierEvent(BaseModel):
    """What a carrier's webhook says."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    id: Annotated[str, Field(min_length=1, max_length=80)]
    account: Annotated[str, Field(max_length=40)]
    """The tenant it is for."""
    tracking_number: Annotated[str, Field(min_length=1, max_length=60)]
    status: ShipmentStatus
    at: datetime
    text: Annotated[str, Field(max_length=200)] = ""


def webhook_key(secret_key: bytes, tenant_id: str, carrier: str) -> bytes:
    """The key that a carrier (by its name in addresses) signs a tenant's webhooks with."""
    return derive(secret_key, f"carrier-webhook:{tenant_id}:{carrier}")


def sign(key: bytes, body: bytes, *, message_id: str, at: datetime) -> dict[str, str]:
    """Headers of a signed webhook (Standard Webhooks: HMAC-SHA256 over ``id.timestamp.body``)."""
    stamp = str(int(at.timestamp()))
    digest = hmac.new(key, f"{message_id}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def receive_webhook(runtime: Runtime, carrier: str, body: bytes, headers: Mapping[str, str]) -> str:
    """Verify and take a carrier's word on a parcel; whose it is. Telling the same twice changes nothing.

    Raises ``Unauthenticated`` for a bad or stale signature, ``InvalidInput``, ``NotFound`` for a parcel not ours.
    """
    event = _read(body)
    _verify(webhook_key(runtime.secret_key, event.account, carrier), body, headers)
    sign_of_life = TrackingEvent(event.id, event.at, event.status, event.text)
    with runtime.unit_of_work(event.account) as session:
        made = _take(session, event, carrier, sign_of_life)
    for refund_id in made:
        refunds.execute(runtime, event.account, refund_id)
    return event.account


def _take(session: Session, event: CarrierEvent, carrier: str, told: TrackingEvent) -> tuple[str, ...]:
    """It may be a parcel that comes back, or a warranty claim's; the refunds that follow from it."""
    actor = f"carrier:{carrier}"
    if return_id := parcel.by_number(session, event.account, carrier, event.tracking_number):
        return parcel.take_signs(session, event.account, return_id, [told], actor=actor)
    if claim_id := parcels.by_number(session, event.account, carrier, event.tracking_number):
        parcels.hear(session, event.account, claim_id, told, event.tracking_number, actor=actor)
        return ()
    shipment_id = _shipment_of(session, event.account, carrier, event.tracking_number)
    apply(session, event.account, shipment_id, [told], actor=actor)
    return ()


def poll_carriers(runtime: Runtime, tenant_id: str) -> int:
    """Ask the embedded carrier for every parcel that is under way; how many moved. Keeps no place: a parcel that
    arrived or came back is under way no more.
    """
    moved, after = 0, ""
    while True:
        with runtime.unit_of_work(tenant_id) as session:
            ids = _under_way(session, tenant_id, after)
        for shipment_id in ids:
            with runtime.unit_of_work(tenant_id) as session:
                moved += _poll(session, tenant_id, shipment_id)
        if len(ids) < _BATCH:
            return moved
        after = ids[-1]


def find_lost(runtime: Runtime, tenant_id: str) -> int:
    """Parcels without a sign long after they were expected count as lost; how many."""
    with runtime.unit_of_work(tenant_id) as session:
        days = policy_of(session, tenant_id, FulfillmentPolicy).lost_after_days
        ids = session.scalars(
            select(Shipment.id)
            .where(
                Shipment.tenant_id == tenant_id,
                Shipment.status.not_in([*FINAL, ShipmentStatus.LOST]),
                Shipment.fulfillment_id.is_not(None),
                Shipment.carrier != carriers.PICKUP,
                Shipment.expected_on < (clock.now() - timedelta(days=days)).date(),
            )
            .order_by(Shipment.id)
            .limit(_BATCH)
        ).all()
    for shipment_id in ids:
        with runtime.unit_of_work(tenant_id) as session:
            words = f"No sign of it {days} days after it was expected"
            told = TrackingEvent(f"{shipment_id}-overdue", clock.now(), ShipmentStatus.LOST, words)
            apply(session, tenant_id, shipment_id, [told])
    return len(ids)


def picked_up(session: Session, tenant_id: str, shipment_id: str, *, taken: bool, actor: str) -> Shipment:
    """The buyer came for what is set aside, or it is put back on the shelf because nobody did (``taken`` is false).

    Raises ``NotFound``, ``NotForPickup``, ``IllegalTransition`` when the other was said before.
    """
    _, shipment = work.lock_shipment(session, tenant_id, shipment_id)
    if shipment.carrier != carriers.PICKUP:
        raise NotForPickup("A carrier brings this parcel: nobody comes for it.")
    end = ShipmentStatus.DELIVERED if taken else ShipmentStatus.RETURNED
    if shipment.status == end:
        return shipment
    SHIPMENT.check(ShipmentStatus(shipment.status), end)
    words = "Picked up" if taken else "Nobody came for it"
    return apply(
        session,
        tenant_id,
        shipment_id,
        [TrackingEvent(f"{shipment_id}-{end.value}", clock.now(), end, words)],
        actor=actor,
    )


def apply(
    session: Session, tenant_id: str, shipment_id: str, events: Iterable[TrackingEvent], *, actor: str = "system"
) -> Shipment:
    """Take what is new among ``events`` and let follow what follows from it. Raises ``NotFound``."""
    order, shipment = work.lock_shipment(session, tenant_id, shipment_id)
    known = {event.get("id") for event in shipment.events}
    fresh = {event.id: event for event in events if event.id not in known and event.status not in _OWN_WORD}
    if not fresh:
        return shipment
    rows = [*shipment.events, *(_row(event) for event in fresh.values())]
    shipment.events = sorted(rows, key=lambda row: (datetime.fromisoformat(row["at"]), str(row.get("id", ""))))
    old, new = ShipmentStatus(shipment.status), _status(shipment)
    if new != old and old not in FINAL:
        shipment.status = SHIPMENT.check(old, new)
        _follow(session, order, shipment)
        facts = {"order": order.id, "from": old.value, "to": new.value}
        audit.record(session, tenant_id, actor=actor, action="shipment.moved", subject=shipment_id, facts=facts)
    outbox.emit(session, tenant_id, "shipment.moved", order.id, {"shipment_id": shipment_id})
    session.flush()
    return shipment


def _follow(session: Session, order: Order, shipment: Shipment) -> None:
    """What a new status means for order, stock and staff."""
    if shipment.remedy is not None:
        exceptions.found_after_all(session, shipment)
        return
    match ShipmentStatus(shipment.status):
        case ShipmentStatus.DELIVERED:
            exceptions.settle_alerts(session, shipment)
            _deliver(session, order, shipment)
        case ShipmentStatus.RETURNED:
            exceptions.settle_alerts(session, shipment)
            exceptions.returned_to_sender(session, order, shipment)
        case ShipmentStatus.LOST:
            exceptions.lost(session, order, shipment)
        case ShipmentStatus.EXCEPTION:
            exceptions.delivery_exception(session, order, shipment)
        case _:
            exceptions.settle_alerts(session, shipment)


def _deliver(session: Session, order: Order, shipment: Shipment) -> None:
    lines = work.lock_lines(session, order)
    for row in shipment.lines:
        lines[row["order_line_id"]].delivered += row["quantity"]
    shipment.delivered_at = _moment(shipment, ShipmentStatus.DELIVERED)
    orders.touch(order)
    orders.end_if_done(session, order, list(lines.values()))
    payload = {"shipment_id": shipment.id, "thread_id": order.thread_id}
    outbox.emit(session, order.tenant_id, "order.delivered", order.id, payload)


def _status(shipment: Shipment) -> ShipmentStatus:
    """The newest sign says where the parcel is; an end outweighs what was told after it by a slow clock."""
    told = [ShipmentStatus(row["status"]) for row in shipment.events]
    ends = [status for status in told if status in FINAL]
    return ends[0] if ends else told[-1]


def _moment(shipment: Shipment, status: ShipmentStatus) -> datetime:
    return next(datetime.fromisoformat(row["at"]) for row in shipment.events if row["status"] == status.value)


def _row(event: TrackingEvent) -> dict[str, Any]:
    at = event.at if event.at.tzinfo else event.at.replace(tzinfo=UTC)
    return {"id": event.id, "at": at.astimezone(UTC).isoformat(), "status": event.status.value, "text": event.text}


def _poll(session: Session, tenant_id: str, shipment_id: str) -> int:
    order, shipment = work.lock_shipment(session, tenant_id, shipment_id)
    before = shipment.status
    told = carriers.journey(
        shipment.tracking_number,
        shipped_at=shipment.shipped_at,
        option=work.way_of_parcel(session, order, shipment),
        ship_to=order.ship_to,
    )
    due = [event for event in told if event.at <= clock.now()]
    return apply(session, tenant_id, shipment_id, due, actor="carrier:sandbox-post").status != before


def _under_way(session: Session, tenant_id: str, after: str) -> list[str]:
    rows = session.scalars(
        select(Shipment.id)
        .where(
            Shipment.tenant_id == tenant_id,
            Shipment.carrier == carriers.SANDBOX,
            Shipment.status.not_in([*FINAL, ShipmentStatus.LOST]),
            Shipment.id > after,
        )
        .order_by(Shipment.id)
        .limit(_BATCH)
    )
    return list(rows)


def _shipment_of(session: Session, tenant_id: str, carrier: str, number: str) -> str:
    rows = session.execute(
        select(Shipment.id, Shipment.carrier).where(Shipment.tenant_id == tenant_id, Shipment.tracking_number == number)
    )
    found = next((shipment_id for shipment_id, name in rows if carriers.slug(name) == carrier), None)
    if found is None:
        raise NotFound("There is no such parcel.")
    return str(found)


def _read(body: bytes) -> CarrierEvent:
    try:
        return CarrierEvent.model_validate(json.loads(body))
    except (ValidationError, ValueError, RecursionError):
        raise InvalidInput("This is not a carrier's event.", param="body") from None


def _verify(key: bytes, body: bytes, headers: Mapping[str, str]) -> None:
    message_id, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    try:
        at = datetime.fromtimestamp(int(stamp), UTC)
        given = [
            base64.b64decode(part.removeprefix("v1,"), validate=True)
            for part in headers.get("webhook-signature", "").split()
            if part.startswith("v1,")
        ]
    except (ValueError, OverflowError, OSError, binascii.Error):
        raise Unauthenticated("The webhook is not signed as it should be.") from None
    expected = hmac.new(key, f"{message_id}.{stamp}.".encode() + body, hashlib.sha256).digest()
    genuine = any(hmac.compare_digest(one, expected) for one in given)
    if not genuine or abs(clock.now() - at) > TOLERANCE:
        raise Unauthenticated("The webhook's signature does not match.")
