"""``/v1/staff/platforms`` and ``/v1/staff/webhooks``: who buys here for others, and what they were told."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.once import AskedDep, answer_once, json_response
from app.routing import CallerDep, Guarded, SiteDep
from engine.agentic import webhooks
from engine.agentic.models import AgentPlatform
from engine.agentic.webhook_models import WebhookEvent, WebhookReceiver, WebhookStatus
from engine.kit.views import View

router: Final = APIRouter(prefix="/v1/staff", tags=["platforms"], route_class=Guarded)
Word = Annotated[str | None, Query(max_length=80, pattern=r"^[A-Za-z0-9_]+$")]


class PlatformView(View):
    """A platform. Its secrets are shown nowhere."""

    id: str
    name: str
    trusted: bool
    status: str
    webhook_url: str | None
    event_names: str | None
    """released (order_create) or past (order_created)."""
    hears_since: datetime | None
    resting_until: datetime | None
    suspended_at: datetime | None
    """Its address said that it is gone."""
    waiting: int
    given_up: int
    created_at: datetime


class PlatformPage(View):
    items: list[PlatformView]
    next_cursor: str | None = None


class EventView(View):
    """An event for a platform. ``id`` is its ``Request-Id``."""

    id: str
    platform_id: str
    order_id: str
    type: str
    topics: list[str]
    status: str
    """queued, delivered or dead."""
    attempts: int
    answer: int | None
    """HTTP status of the last answer."""
    error: str
    created_at: datetime
    next_try_at: datetime | None
    tried_at: datetime | None
    delivered_at: datetime | None

    @classmethod
    def of(cls, row: WebhookEvent) -> EventView:
        return cls(
            id=row.id,
            platform_id=row.platform_id,
            order_id=row.order_id,
            type=str(row.type),
            topics=row.topics,
            status=str(row.status),
            attempts=row.attempts,
            answer=row.answer,
            error=row.error,
            created_at=row.created_at,
            next_try_at=row.available_at if row.status == WebhookStatus.QUEUED else None,
            tried_at=row.tried_at,
            delivered_at=row.delivered_at,
        )


class EventPage(View):
    items: list[EventView]
    next_cursor: str | None


def platforms_of(session: Session, tenant_id: str) -> list[PlatformView]:
    """Every platform of the shop, oldest first."""
    counted = {(platform_id, status): count for platform_id, status, count in webhooks.counts(session, tenant_id)}
    rows = session.execute(
        select(AgentPlatform, WebhookReceiver)
        .outerjoin(
            WebhookReceiver,
            (WebhookReceiver.tenant_id == AgentPlatform.tenant_id) & (WebhookReceiver.platform_id == AgentPlatform.id),
        )
        .where(AgentPlatform.tenant_id == tenant_id)
        .order_by(AgentPlatform.created_at, AgentPlatform.id)
    )
    return [_platform(row, hears, counted) for row, hears in rows]


def _platform(row: AgentPlatform, hears: WebhookReceiver | None, counted: dict[tuple[str, Any], int]) -> PlatformView:
    return PlatformView(
        id=row.id,
        name=row.name,
        trusted=row.trusted,
        status=str(row.status),
        webhook_url=row.webhook_url,
        event_names=str(hears.naming) if hears else None,
        hears_since=hears.since if hears else None,
        resting_until=hears.rests_until if hears else None,
        suspended_at=hears.suspended_at if hears else None,
        waiting=counted.get((row.id, WebhookStatus.QUEUED), 0),
        given_up=counted.get((row.id, WebhookStatus.DEAD), 0),
        created_at=row.created_at,
    )


@router.get("/platforms", responses={200: {"model": PlatformPage}}, response_class=Response)
def platforms(site: SiteDep, caller: CallerDep) -> Response:
    """The agent platforms of this shop, and how they hear."""
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        return json_response(PlatformPage(items=platforms_of(session, tenant_id)))


@router.get("/webhooks", responses={200: {"model": EventPage}}, response_class=Response)
def deliveries(
    site: SiteDep,
    caller: CallerDep,
    platform: Word = None,
    order: Word = None,
    status: WebhookStatus | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=300)] = None,
) -> Response:
    """Events, newest first."""
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        page = webhooks.events(
            session, tenant_id, platform_id=platform, order_id=order, status=status, limit=limit, cursor=cursor
        )
        return json_response(EventPage(items=[EventView.of(row) for row in page.items], next_cursor=page.next_cursor))


@router.get("/webhooks/{event_id}", responses={200: {"model": EventView}}, response_class=Response)
def delivery(event_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """One event."""
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        return json_response(EventView.of(webhooks.event(session, tenant_id, event_id)))


@router.post("/webhooks/{event_id}/replay", responses={200: {"model": EventView}}, response_class=Response)
def replay(event_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Send an event once more, under its own ``Request-Id``."""
    identity = caller.staff

    def work(session: Session) -> EventView:
        row = webhooks.replay(session, identity.tenant_id, event_id, actor=identity.id)
        session.flush()
        return EventView.of(row)

    return answer_once(site.runtime, identity, asked, work, status=200)
