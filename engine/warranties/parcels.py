"""The parcels of a claim: the unit on its way in, and after a repair on its way back; the signs the carrier gives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from engine.fulfillment import carriers
from engine.fulfillment.carriers import TrackingEvent
from engine.kit import clock
from engine.orders.models import ShipmentStatus
from engine.payments.alerts import raise_alert
from engine.runtime import Runtime
from engine.warranties import news
from engine.warranties.errors import WrongClaimStep
from engine.warranties.locks import Held, hold
from engine.warranties.models import Claim, ClaimStatus

_BATCH: Final = 200
_MOVES: Final = frozenset({ShipmentStatus.SHIPPED, ShipmentStatus.IN_TRANSIT, ShipmentStatus.OUT_FOR_DELIVERY})
_ENDS: Final = frozenset({ShipmentStatus.DELIVERED, ShipmentStatus.LOST, ShipmentStatus.RETURNED})
_ASKED: Final = "carrier:sandbox-post"
LOST: Final = "claim_parcel_lost"
"""Kind of an inbox item; its subject is the claim."""
_COMING: Final = (Claim.sent_at.is_not(None), Claim.received_at.is_(None), Claim.status == ClaimStatus.APPROVED)
_GOING: Final = (Claim.sent_back_at.is_not(None), Claim.back_at.is_(None))


def handed_in(session: Session, tenant_id: str, claim_id: str, *, actor: str) -> Claim:
    """Its shopper gave the unit to the carrier; from now on the carrier is asked about it. Said twice it counts once.

    Raises ``NoClaim``, ``WrongClaimStep`` where nothing is to be sent in.
    """
    held = hold(session, tenant_id, claim_id)
    claim = held.claim
    if claim.sent_at is not None:
        return claim
    if claim.status != ClaimStatus.APPROVED or not claim.comes_back or claim.received_at or claim.label_at is None:
        raise WrongClaimStep("Nothing is to be sent in for this claim.")
    claim.sent_at = clock.now()
    claim.version += 1
    news.record(session, claim, "handed_in", actor=actor)
    return claim


def poll(runtime: Runtime, tenant_id: str) -> int:
    """Ask the embedded carrier for every parcel that is under way, oldest first; how many claims it was asked for."""
    asked, after = 0, ""
    while True:
        with runtime.unit_of_work(tenant_id) as session:
            ids = _under_way(session, tenant_id, after)
        for claim_id in ids:
            with runtime.unit_of_work(tenant_id) as session:
                _ask(hold(session, tenant_id, claim_id))
        asked += len(ids)
        if len(ids) < _BATCH:
            return asked
        after = ids[-1]


def _under_way(session: Session, tenant_id: str, after: str) -> Sequence[str]:
    under_way = or_(
        and_(*_COMING, Claim.carrier == carriers.SANDBOX), and_(*_GOING, Claim.back_carrier == carriers.SANDBOX)
    )
    query = select(Claim.id).where(Claim.tenant_id == tenant_id, Claim.id > after, under_way)
    return session.scalars(query.order_by(Claim.id).limit(_BATCH)).all()


def _ask(held: Held) -> None:
    claim = held.claim
    take_signs(held, _told(held, claim.tracking_number, claim.sent_at, home=False), actor=_ASKED)
    take_back_signs(held, _told(held, claim.back_number, claim.sent_back_at, home=True), actor=_ASKED)


def take_signs(held: Held, events: Iterable[TrackingEvent], *, actor: str) -> None:
    """What is new of the unit on its way in, each sign once: once it moves it is not late any more."""
    claim = held.claim
    fresh = _fresh(claim.events, events)
    if not fresh or claim.received_at is not None or claim.status != ClaimStatus.APPROVED:
        return
    moved = any(one["status"] in _MOVES for one in claim.events)
    claim.events = _sorted(claim.events, fresh)
    claim.sent_at = claim.sent_at or clock.now()
    claim.version += 1
    news.changed(held.session, claim)
    if not moved and any(one.status in _MOVES for one in fresh):
        claim.answer_by = None
        news.record(held.session, claim, "in_transit", actor=actor)


def take_back_signs(held: Held, events: Iterable[TrackingEvent], *, actor: str) -> None:
    """What is new of the repaired unit on its way back, each sign once. With its delivery, its loss or its return the
    parcel has ended; of the last two somebody is told.
    """
    claim = held.claim
    fresh = _fresh(claim.back_events, events)
    if not fresh or claim.back_at is not None:
        return
    claim.back_events = _sorted(claim.back_events, fresh)
    claim.version += 1
    news.changed(held.session, claim)
    ended = [one for one in fresh if one.status in _ENDS]
    if not ended:
        return
    claim.back_at = ended[0].at
    if ended[0].status == ShipmentStatus.DELIVERED:
        news.record(held.session, claim, "came_home", actor=actor)
        return
    news.record(held.session, claim, "parcel_lost", actor=actor, staff_only=True)
    words = f"The repaired unit of warranty claim {claim.number} has not reached its owner: {ended[0].text}."
    raise_alert(held.session, claim.tenant_id, LOST, claim.id, words, facts={"order": claim.order_id})


def by_number(session: Session, tenant_id: str, carrier: str, number: str) -> str | None:
    """The claim one of whose parcels has this tracking number."""
    rows = session.execute(
        select(Claim.id, Claim.carrier, Claim.tracking_number, Claim.back_carrier).where(
            Claim.tenant_id == tenant_id, or_(Claim.tracking_number == number, Claim.back_number == number)
        )
    )
    for claim_id, coming, tracking_number, going in rows:
        name = coming if tracking_number == number else going
        if name and carriers.slug(name) == carrier:
            return str(claim_id)
    return None


def hear(session: Session, tenant_id: str, claim_id: str, event: TrackingEvent, number: str, *, actor: str) -> None:
    """A sign that a carrier sent by itself, of whichever parcel has the number."""
    held = hold(session, tenant_id, claim_id)
    if held.claim.tracking_number == number:
        take_signs(held, [event], actor=actor)
    else:
        take_back_signs(held, [event], actor=actor)


def _told(held: Held, number: str | None, sent_at: datetime | None, *, home: bool) -> list[TrackingEvent]:
    if number is None or sent_at is None:
        return []
    ship_to = held.order.ship_to if home else None
    told = carriers.journey(number, shipped_at=sent_at, option=held.order.fulfillment, ship_to=ship_to)
    return [event for event in told if event.at <= clock.now()]


def _fresh(known: Sequence[dict[str, Any]], events: Iterable[TrackingEvent]) -> list[TrackingEvent]:
    ids = {one["id"] for one in known}
    return list({event.id: event for event in events if event.id not in ids}.values())


def _sorted(known: Sequence[dict[str, Any]], fresh: Iterable[TrackingEvent]) -> list[dict[str, Any]]:
    return sorted([*known, *map(_row, fresh)], key=lambda one: (one["at"], one["id"]))


def _row(event: TrackingEvent) -> dict[str, Any]:
    at = event.at if event.at.tzinfo else event.at.replace(tzinfo=UTC)
    return {"id": event.id, "at": at.astimezone(UTC).isoformat(), "status": event.status.value, "text": event.text}
