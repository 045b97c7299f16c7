"""Sending events: claimed under a lease, called outside of any transaction, noted afterwards.

At least once. Between a receiver's yes and our note lies the one moment in which a crash sends an event twice; both
carry the same ``Request-Id``. Of one order nothing overtakes what was not delivered yet. A receiver that does not
answer rests as a whole, so that one that is down costs a try now and then, whatever waits for it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import orjson
import structlog
from sqlalchemy import ColumnElement, exists, or_, select, update
from sqlalchemy.orm import Session, aliased

from engine.agentic import order_shape, receivers
from engine.agentic.models import AgentPlatform, PlatformStatus
from engine.agentic.receivers import DEAD, GONE
from engine.agentic.signing import HEADER, sign
from engine.agentic.states import WEBHOOK
from engine.agentic.webhook_models import EventNaming, WebhookEvent, WebhookReceiver, WebhookStatus
from engine.agentic.wire import moment
from engine.kit import clock, holds
from engine.kit.faults import fault_point
from engine.kit.outward import Answer, OutwardError
from engine.kit.tenancy import Tenant
from engine.orders.models import Order
from engine.payments.alerts import raise_alert
from engine.runtime import Runtime

SECONDS: Final = 10.0
"""What a receiver has for its whole answer."""
LEASE: Final = timedelta(minutes=1)
MAX_ATTEMPTS: Final = 16
"""With the waits between them: about a day."""
_FIRST_WAIT: Final = timedelta(seconds=5)
_LONGEST_WAIT: Final = timedelta(hours=6)
_LONGEST_REST: Final = timedelta(minutes=5)
_ASKED_REST: Final = timedelta(hours=1)
"""How long a receiver may ask to be left alone."""
_GONE: Final = 410
_TOO_MANY: Final = 429
_PAST: Final = {"order_create": "order_created", "order_update": "order_updated"}
log = structlog.get_logger(__name__)
_dice: Final = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Parcel:
    """One event as it leaves."""

    event_id: str
    platform_id: str
    url: str
    body: bytes = field(repr=False)
    secret: str = field(repr=False)
    loopback: bool
    attempt: int = 0
    """Which try of the event this is: whoever has taken it over since has another."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a try came to: the answer's status, or a code of what kept it from coming."""

    status: int | None
    error: str = ""
    rest: timedelta | None = None
    """How long the receiver asked for."""

    @property
    def taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def down(self) -> bool:
        """Whether the receiver as a whole has trouble, and not this event."""
        return self.status is None or self.status >= 500 or self.status == _TOO_MANY


def send_due(runtime: Runtime, tenant_id: str, *, most: int = 100) -> int:
    """Send what is due, platform by platform; returns how many events were taken."""
    return sum(send_to(runtime, tenant_id, platform_id, most=most) for platform_id in waiting(runtime, tenant_id))


def waiting(runtime: Runtime, tenant_id: str) -> list[str]:
    """Platforms for which something is due and that may be called now."""
    with runtime.unit_of_work(tenant_id) as session:
        if holds.held(session, tenant_id):
            return []
        query = select(WebhookEvent.platform_id).distinct().join_from(WebhookEvent, WebhookReceiver, _ITS_RECEIVER)
        query = query.join(AgentPlatform, _ITS_PLATFORM).where(*_due(tenant_id, clock.now()))
        return sorted(session.scalars(query))


def send_to(
    runtime: Runtime, tenant_id: str, platform_id: str, *, most: int = 100, go_on: Callable[[], bool] = lambda: True
) -> int:
    """Send a platform what is due, one after the other, until it has trouble; returns how many events were taken."""
    taken = 0
    for _ in range(most):
        parcel = _claim(runtime, tenant_id, platform_id) if go_on() else None
        if parcel is None:
            break
        fault_point("webhook_before_call")
        outcome = _call(runtime, parcel)
        fault_point("webhook_after_call")
        _note(runtime, tenant_id, parcel, outcome)
        taken += outcome.taken
        if outcome.down:
            break
    return taken


_ITS_RECEIVER: Final = (WebhookReceiver.tenant_id == WebhookEvent.tenant_id) & (
    WebhookReceiver.platform_id == WebhookEvent.platform_id
)
_ITS_PLATFORM: Final = (AgentPlatform.tenant_id == WebhookEvent.tenant_id) & (
    AgentPlatform.id == WebhookEvent.platform_id
)


def _due(tenant_id: str, now: datetime) -> tuple[ColumnElement[bool], ...]:
    """An event that may go now: it is its time, nobody is at it, no earlier one of its order is still to be delivered,
    and its receiver is to be called.
    """
    earlier = aliased(WebhookEvent)
    return (
        WebhookEvent.tenant_id == tenant_id,
        WebhookEvent.status == WebhookStatus.QUEUED,
        WebhookEvent.available_at <= now,
        or_(WebhookEvent.lease_until.is_(None), WebhookEvent.lease_until <= now),
        ~exists().where(
            earlier.tenant_id == tenant_id,
            earlier.order_id == WebhookEvent.order_id,
            earlier.status == WebhookStatus.QUEUED,
            earlier.seq < WebhookEvent.seq,
        ),
        AgentPlatform.status == PlatformStatus.ACTIVE,
        AgentPlatform.webhook_url.is_not(None),
        WebhookReceiver.suspended_at.is_(None),
        or_(WebhookReceiver.rests_until.is_(None), WebhookReceiver.rests_until <= now),
    )


def _claim(runtime: Runtime, tenant_id: str, platform_id: str) -> Parcel | None:
    """The next event, under a lease, with its order as it is now."""
    now = clock.now()
    with runtime.unit_of_work(tenant_id) as session:
        if holds.held(session, tenant_id):
            return None
        query = (
            select(WebhookEvent, AgentPlatform, WebhookReceiver)
            .join_from(WebhookEvent, WebhookReceiver, _ITS_RECEIVER)
            .join(AgentPlatform, _ITS_PLATFORM)
            .where(*_due(tenant_id, now), WebhookEvent.platform_id == platform_id)
            .order_by(WebhookEvent.available_at, WebhookEvent.seq)
            .limit(1)
            .with_for_update(of=WebhookEvent, skip_locked=True)
        )
        found = session.execute(query).first()
        if found is None:
            return None
        row, platform, receiver = found
        row.attempts += 1
        row.lease_until, row.tried_at = now + LEASE, now
        row.first_tried_at = row.first_tried_at or now
        return _parcel(session, runtime, row, platform, receiver)


def _parcel(
    session: Session, runtime: Runtime, row: WebhookEvent, platform: AgentPlatform, receiver: WebhookReceiver
) -> Parcel:
    tenant = session.get_one(Tenant, row.tenant_id)
    order = session.get_one(Order, (row.tenant_id, row.order_id))
    (body,) = order_shape.of_orders(
        session, tenant, [order], web_origin=runtime.web_origin, secret_key=runtime.secret_key
    )
    name = _PAST[row.type] if receiver.naming == EventNaming.PAST else str(row.type)
    assert platform.webhook_url is not None
    return Parcel(
        event_id=row.id,
        platform_id=platform.id,
        url=platform.webhook_url,
        body=orjson.dumps({"type": name, "data": body}),
        secret=receivers.current(receivers.secrets_of(runtime, platform)).value,
        loopback=receivers.may_loop(runtime, tenant),
        attempt=row.attempts,
    )


def _call(runtime: Runtime, parcel: Parcel) -> Outcome:
    now = clock.now()
    headers = {
        "Content-Type": "application/json",
        "Request-Id": parcel.event_id,
        "Timestamp": moment(now),
        HEADER: sign(parcel.secret, parcel.body, at=int(now.timestamp())),
    }
    try:
        answer = runtime.outward.call(
            "POST",
            parcel.url,
            body=parcel.body,
            headers=headers,
            seconds=SECONDS,
            most_bytes=0,
            loopback=parcel.loopback,
        )
    except OutwardError as error:
        return Outcome(None, error.code)
    return _outcome(answer)


def _outcome(answer: Answer) -> Outcome:
    if 200 <= answer.status < 300:
        return Outcome(answer.status)
    asked = answer.headers.get("retry-after", "")
    rest = timedelta(seconds=int(asked)) if asked.isascii() and asked.isdigit() and len(asked) < 8 else None
    return Outcome(answer.status, f"http_{answer.status}", rest)


def _note(runtime: Runtime, tenant_id: str, parcel: Parcel, outcome: Outcome) -> None:
    with runtime.unit_of_work(tenant_id) as session:
        row = session.get_one(WebhookEvent, (tenant_id, parcel.event_id), with_for_update=True, populate_existing=True)
        if row.status != WebhookStatus.QUEUED or (row.attempts != parcel.attempt and not outcome.taken):
            return  # somebody else is at it, or has done it
        row.answer, row.error, row.lease_until = outcome.status, outcome.error, None
        if outcome.taken:
            row.status, row.delivered_at = WEBHOOK.check(row.status, WebhookStatus.DELIVERED), clock.now()
        elif row.attempts >= MAX_ATTEMPTS:
            row.status = WEBHOOK.check(row.status, WebhookStatus.DEAD)
            words = "Order events were not taken and are given up. Replay them when the receiver works again."
            raise_alert(session, tenant_id, DEAD, parcel.platform_id, words, facts={"event_id": row.id})
        else:
            row.available_at = clock.now() + _jittered(min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (row.attempts - 1)))
        _note_receiver(session, tenant_id, parcel, outcome)


def _note_receiver(session: Session, tenant_id: str, parcel: Parcel, outcome: Outcome) -> None:
    receiver = session.get_one(WebhookReceiver, (tenant_id, parcel.platform_id))
    if not outcome.down and outcome.status != _GONE and not receiver.failures:
        return
    session.refresh(receiver, with_for_update=True)
    if outcome.status == _GONE:
        receiver.suspended_at = clock.now()
        words = "The platform's webhook answers that it is gone for good. Its events wait until it gets an address."
        raise_alert(session, tenant_id, GONE, parcel.platform_id, words)
    elif outcome.down:
        receiver.failures += 1
        rest = min(_LONGEST_REST, timedelta(seconds=2 ** min(receiver.failures, 16)))
        receiver.rests_until = clock.now() + max(_jittered(rest), min(_ASKED_REST, outcome.rest or timedelta()))
        log.warning("platform does not take events", platform=parcel.platform_id, why=outcome.error)
    elif receiver.failures:
        receiver.failures, receiver.rests_until = 0, None
        _hurry(session, tenant_id, parcel.platform_id)


def _hurry(session: Session, tenant_id: str, platform_id: str) -> None:
    """It answers again: what waited for that waits no longer, but for what somebody is at in this moment."""
    waiting = (
        select(WebhookEvent.id)
        .where(
            WebhookEvent.tenant_id == tenant_id,
            WebhookEvent.platform_id == platform_id,
            WebhookEvent.status == WebhookStatus.QUEUED,
            or_(WebhookEvent.answer.is_(None), WebhookEvent.answer >= 500, WebhookEvent.answer == _TOO_MANY),
        )
        .with_for_update(skip_locked=True)
    )
    session.execute(
        update(WebhookEvent)
        .where(WebhookEvent.tenant_id == tenant_id, WebhookEvent.id.in_(waiting))
        .values(available_at=clock.now())
        .execution_options(synchronize_session=False)
    )


def _jittered(wait: timedelta) -> timedelta:
    """A fifth more or less, so that what failed together does not come together again."""
    return wait * _dice.randint(800, 1200) / 1000
