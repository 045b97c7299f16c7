"""The outbox consumer ``acp``: what happens to a platform's order becomes an event for it; and looking after events.

An event says that something happened and holds nothing of the order. Changes that were not told yet are one event: its
body is the whole order as it is when it is sent.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from sqlalchemy import Select, func, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from engine.agentic.models import AgentPlatform
from engine.agentic.receivers import DEAD, NoWebhook
from engine.agentic.states import WEBHOOK
from engine.agentic.webhook_models import WebhookEvent, WebhookReceiver, WebhookStatus, WebhookType
from engine.kit import audit, clock, outbox
from engine.kit.errors import NotFound
from engine.kit.ids import PREFIXES, new_id
from engine.kit.pagination import Page, cursor_moment, decode_cursor, encode_cursor
from engine.orders import queries
from engine.orders.models import Order
from engine.payments.alerts import resolve_alert
from engine.runtime import Runtime

CONSUMER: Final = "acp"
Receivers = Mapping[str, WebhookReceiver]
"""By platform."""
CREATES: Final = frozenset({"order.paid", "order.replaced"})
REPLAYED: Final = "replayed"
_ONE_CREATE: Final = text("type = 'order_create'")
_UNTOLD: Final = text("type = 'order_update' AND status = 'queued' AND first_tried_at IS NULL")


def tell_platforms(runtime: Runtime, tenant_id: str) -> None:
    """Make events of what waits in the outbox; what fails waits and comes again."""
    with runtime.unit_of_work(tenant_id) as session:
        rows = outbox.claim_batch(session, tenant_id, CONSUMER)
        orders = queries.gather(session, tenant_id, [_order_of(row) for row in rows])
        told = _receivers(session, tenant_id, {order.owner_id for order in orders})
        outbox.deliver(session, rows, lambda row: hear(session, row, told), "platform not told")
        del orders


def _order_of(row: outbox.OutboxRow) -> str:
    return str(row.payload.get("order_id") or row.subject_id)


def hear(session: Session, row: outbox.OutboxRow, told: Receivers | None = None) -> None:
    """One thing that happened. Orders that no platform bought, and platforms without an address, are nobody's news.
    ``told`` are the receivers of the batch, where they are known.
    """
    order = session.get(Order, (row.tenant_id, _order_of(row)))
    if order is not None:
        note(session, order, row.topic, told)


def note(session: Session, order: Order, topic: str, told: Receivers | None = None) -> None:
    """Queue what a platform is to hear of its order."""
    receiver = _receiver(session, order) if told is None else told.get(order.owner_id)
    if receiver is None or order.placed_at is None:
        return
    if topic in CREATES or order.placed_at >= receiver.since:
        _queue(session, order, WebhookType.ORDER_CREATE, topic)
    if topic not in CREATES:
        _queue(session, order, WebhookType.ORDER_UPDATE, topic)


def _receiver(session: Session, order: Order) -> WebhookReceiver | None:
    return _receivers(session, order.tenant_id, {order.owner_id}).get(order.owner_id)


def _receivers(session: Session, tenant_id: str, owner_ids: Collection[str]) -> Receivers:
    """Of those owners that are platforms with an address."""
    platforms = [one for one in owner_ids if one.startswith(f"{PREFIXES['agent_platform']}_")]
    if not platforms:
        return {}
    query = (
        select(WebhookReceiver)
        .join(
            AgentPlatform,
            (AgentPlatform.tenant_id == WebhookReceiver.tenant_id) & (AgentPlatform.id == WebhookReceiver.platform_id),
        )
        .where(
            WebhookReceiver.tenant_id == tenant_id,
            WebhookReceiver.platform_id.in_(platforms),
            AgentPlatform.webhook_url.is_not(None),
        )
    )
    return {one.platform_id: one for one in session.scalars(query)}


def _queue(session: Session, order: Order, kind: WebhookType, topic: str) -> None:
    """One creation for each order, and one update for all that was not told yet."""
    row = {
        "tenant_id": order.tenant_id,
        "id": new_id("webhook_event"),
        "platform_id": order.owner_id,
        "order_id": order.id,
        "type": kind,
        "topics": [topic],
        "status": WebhookStatus.QUEUED,
        "attempts": 0,
        "error": "",
        "available_at": clock.now(),
        "created_at": clock.now(),
    }
    made, keys = insert(WebhookEvent).values(row), ["tenant_id", "order_id"]
    if kind == WebhookType.ORDER_CREATE:
        session.execute(made.on_conflict_do_nothing(index_elements=keys, index_where=_ONE_CREATE))
        return
    more = func.array_append(func.array_remove(WebhookEvent.topics, topic), topic)
    session.execute(made.on_conflict_do_update(index_elements=keys, index_where=_UNTOLD, set_={"topics": more}))


def events(
    session: Session,
    tenant_id: str,
    *,
    platform_id: str | None = None,
    order_id: str | None = None,
    status: WebhookStatus | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[WebhookEvent]:
    """Newest first."""
    query = _narrowed(tenant_id, platform_id, order_id, status)
    if cursor:
        moment, event_id = decode_cursor(cursor, size=2)
        query = query.where(tuple_(WebhookEvent.created_at, WebhookEvent.id) < (cursor_moment(moment), str(event_id)))
    rows = session.scalars(
        query.order_by(WebhookEvent.created_at.desc(), WebhookEvent.id.desc()).limit(limit + 1)
    ).all()
    last = rows[limit - 1] if len(rows) > limit else None
    return Page(list(rows[:limit]), encode_cursor([last.created_at.isoformat(), last.id]) if last else None)


def event(session: Session, tenant_id: str, event_id: str) -> WebhookEvent:
    """Raises ``NotFound``."""
    row = session.get(WebhookEvent, (tenant_id, event_id))
    if row is None:
        raise NotFound("There is no such event.")
    return row


def replay(session: Session, tenant_id: str, event_id: str, *, actor: str) -> WebhookEvent:
    """Send one that was delivered or given up once more, under its own ``Request-Id``; one that waits is tried at once.

    Raises ``NotFound``.
    """
    row = session.get(WebhookEvent, (tenant_id, event_id), with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound("There is no such event.")
    if row.status != WebhookStatus.QUEUED:
        row.status = WEBHOOK.check(row.status, WebhookStatus.QUEUED)
        row.attempts, row.delivered_at, row.lease_until, row.error = 0, None, None, ""
    row.available_at = clock.now()
    audit.record(session, tenant_id, actor=actor, action="webhook.replayed", subject=row.id)
    return row


def replay_dead(session: Session, tenant_id: str, platform_id: str, *, actor: str, limit: int = 10_000) -> int:
    """Send everything that was given up for a platform once more; returns how many events."""
    query = select(WebhookEvent.id).where(
        WebhookEvent.tenant_id == tenant_id,
        WebhookEvent.platform_id == platform_id,
        WebhookEvent.status == WebhookStatus.DEAD,
    )
    found = session.scalars(query.order_by(WebhookEvent.seq).limit(limit)).all()
    for event_id in found:
        replay(session, tenant_id, event_id, actor=actor)
    if len(found) < limit:
        resolve_alert(session, tenant_id, DEAD, platform_id)
    return len(found)


def tell_again(session: Session, tenant_id: str, order_id: str, *, actor: str) -> None:
    """A new update of an order, under a ``Request-Id`` of its own: for a receiver that lost what it had taken.

    Raises ``NotFound``, ``NoWebhook`` for an order that no platform hears of.
    """
    order = session.get(Order, (tenant_id, order_id))
    if order is None or order.placed_at is None:
        raise NotFound("There is no such order.")
    if _receiver(session, order) is None:
        raise NoWebhook("No platform hears of this order.")
    _queue(session, order, WebhookType.ORDER_UPDATE, REPLAYED)
    audit.record(session, tenant_id, actor=actor, action="webhook.order_told_again", subject=order_id)


def counts(session: Session, tenant_id: str) -> Sequence[tuple[str, WebhookStatus, int]]:
    """Platform, state and how many events are in it, but for delivered ones."""
    query = (
        select(WebhookEvent.platform_id, WebhookEvent.status, func.count())
        .where(WebhookEvent.tenant_id == tenant_id, WebhookEvent.status != WebhookStatus.DELIVERED)
        .group_by(WebhookEvent.platform_id, WebhookEvent.status)
    )
    return [(row[0], row[1], row[2]) for row in session.execute(query)]


def _narrowed(
    tenant_id: str, platform_id: str | None, order_id: str | None, status: WebhookStatus | None
) -> Select[WebhookEvent]:
    query = select(WebhookEvent).where(WebhookEvent.tenant_id == tenant_id)
    if platform_id:
        query = query.where(WebhookEvent.platform_id == platform_id)
    if order_id:
        query = query.where(WebhookEvent.order_id == order_id)
    return query.where(WebhookEvent.status == status) if status else query
