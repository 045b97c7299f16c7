"""``/v1/ops/connections``: the shop's accounts at other systems, for operations. Secrets go in and never come out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from sqlalchemy.orm import Session

from app.identity import Caller
from app.once import Asked, AskedDep, answer_after, answer_once, json_response
from app.routing import CallerDep, Guarded, SiteDep
from app.site import Site
from engine.kit.audit import keyed_digest
from engine.kit.identity import Identity
from engine.kit.views import View
from engine.sync import breaker, connections, journal
from engine.sync.limits import LimitPolicy
from engine.sync.models import Connection, LimitKind, System
from engine.sync.showing import CallView, ConnectionView, shown
from engine.sync.trying import Tested, try_out
from engine.workflows import listening
from engine.workflows.listening import Listening

router: Final = APIRouter(prefix="/v1/ops/connections", tags=["operations"], route_class=Guarded)
Name = Annotated[str, Field(min_length=1, max_length=80)]
Address = Annotated[str, Field(min_length=1, max_length=500)]
Reason = Annotated[str, Field(min_length=1, max_length=200)]
Settings = Annotated[dict[str, Any], Field(max_length=100)]
GivenSecrets = Annotated[dict[str, SecretStr], Field(max_length=10)]


class Given(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class GivenLimit(Given):
    """`points` and `requests` say `capacity` and `period_ms`; `concurrency` says `max_in_flight`, the others may."""

    kind: LimitKind
    capacity: Annotated[int, Field(strict=True)] | None = None
    period_ms: Annotated[int, Field(strict=True)] | None = None
    max_in_flight: Annotated[int, Field(strict=True)] | None = None

    def policy(self) -> LimitPolicy:
        return LimitPolicy(self.kind, self.capacity, self.period_ms, self.max_in_flight)


class NewConnection(Given):
    system: System
    name: Name
    base_url: Address
    settings: Settings = {}
    secrets: GivenSecrets
    limit: GivenLimit | None = None
    """The system's usual one without it."""


class Change(Given):
    base_url: Address | None = None
    settings: Settings | None = None
    """All of them, anew."""
    limit: GivenLimit | None = None


class Rotation(Given):
    secrets: GivenSecrets
    overlap_seconds: Annotated[int, Field(strict=True, ge=0, le=604_800)] = 3_600
    """How long the replaced values count; 0: no longer."""


class Why(Given):
    reason: Reason


class ConnectionPage(View):
    items: list[ConnectionView]
    next_cursor: str | None = None


class CallPage(View):
    items: list[CallView]
    next_cursor: str | None


Work = Callable[[Session, Identity], Connection]


def _write(site: Site, caller: Caller, asked: Asked, work: Work, *, status: int = 200) -> Response:
    """What was asked is remembered by a keyed digest: from a plain one a short password could be guessed."""
    identity = caller.operations
    told = replace(asked, request_hash=keyed_digest(site.runtime.secret_key, asked.request_hash))

    def done(session: Session) -> ConnectionView:
        row = work(session, identity)
        session.flush()
        return shown(session, row)

    return answer_once(site.runtime, identity, told, done, status=status)


@router.get("", responses={200: {"model": ConnectionPage}}, response_class=Response)
def listed(
    site: SiteDep,
    caller: CallerDep,
    system: System | None = None,
    closed: Annotated[bool, Query(description="Closed ones too.")] = False,
) -> Response:
    """Every connection of the shop: how it stands, its limit and its breaker."""
    tenant_id = caller.operations.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        rows = connections.listed(session, tenant_id, system=system, closed=closed)
        return json_response(ConnectionPage(items=[shown(session, row) for row in rows]))


@router.post("", status_code=201, responses={201: {"model": ConnectionView}}, response_class=Response)
def connect(site: SiteDep, caller: CallerDep, asked: AskedDep, given: NewConnection) -> Response:
    """Connect the shop to a system. The secrets are sealed and shown to nobody."""

    def work(session: Session, identity: Identity) -> Connection:
        return connections.connect(
            session,
            site.runtime,
            identity.tenant_id,
            actor=identity.id,
            system=given.system,
            name=given.name,
            base_url=given.base_url,
            settings=given.settings,
            secrets_given=_open(given.secrets),
            limit=given.limit.policy() if given.limit else None,
        )

    return _write(site, caller, asked, work, status=201)


@router.get("/{connection_id}", responses={200: {"model": ConnectionView}}, response_class=Response)
def one(connection_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """One connection."""
    tenant_id = caller.operations.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        return json_response(shown(session, connections.get(session, tenant_id, connection_id)))


@router.patch("/{connection_id}", responses={200: {"model": ConnectionView}}, response_class=Response)
def change(connection_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep, given: Change) -> Response:
    """Another address at the same host, other settings or another limit; what is not said stays."""

    def work(session: Session, identity: Identity) -> Connection:
        return connections.change(
            session,
            site.runtime,
            identity.tenant_id,
            connection_id,
            actor=identity.id,
            base_url=given.base_url,
            settings=given.settings,
            limit=given.limit.policy() if given.limit else None,
        )

    return _write(site, caller, asked, work)


@router.post("/{connection_id}/secrets", responses={200: {"model": ConnectionView}}, response_class=Response)
def rotate(connection_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep, given: Rotation) -> Response:
    """New values of some secrets; for a while the ones before count as well."""

    def work(session: Session, identity: Identity) -> Connection:
        return connections.rotate(
            session,
            site.runtime,
            identity.tenant_id,
            connection_id,
            actor=identity.id,
            secrets_given=_open(given.secrets),
            overlap=timedelta(seconds=given.overlap_seconds),
        )

    return _write(site, caller, asked, work)


@router.post("/{connection_id}/pause", responses={200: {"model": ConnectionView}}, response_class=Response)
def pause(connection_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep, given: Why) -> Response:
    """Send it nothing until it is resumed."""
    return _write(
        site,
        caller,
        asked,
        lambda session, who: connections.pause(
            session, who.tenant_id, connection_id, actor=who.id, reason=given.reason
        ),
    )


@router.post("/{connection_id}/resume", responses={200: {"model": ConnectionView}}, response_class=Response)
def resume(connection_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Call it again."""
    return _write(
        site,
        caller,
        asked,
        lambda session, who: connections.resume(session, who.tenant_id, connection_id, actor=who.id),
    )


@router.post("/{connection_id}/close", responses={200: {"model": ConnectionView}}, response_class=Response)
def close(connection_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep, given: Why) -> Response:
    """It is over: its secrets are gone at once, its journal and links stay."""
    return _write(
        site,
        caller,
        asked,
        lambda session, who: connections.close(
            session, who.tenant_id, connection_id, actor=who.id, reason=given.reason
        ),
    )


@router.post("/{connection_id}/breaker/reset", responses={200: {"model": ConnectionView}}, response_class=Response)
def reset(connection_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Call it again now, though it failed too often: somebody knows that it works."""

    def work(session: Session, identity: Identity) -> Connection:
        row = connections.get(session, identity.tenant_id, connection_id)
        breaker.reset(session, identity.tenant_id, connection_id, actor=identity.id)
        return row

    return _write(site, caller, asked, work)


@router.post("/{connection_id}/test", responses={200: {"model": Tested}}, response_class=Response)
def test(connection_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Ask it something that changes nothing."""
    who = caller.operations

    def work() -> Tested:
        return try_out(site.runtime, who.tenant_id, connection_id, actor=who.id)

    return answer_after(site.runtime, who, asked, work, status=200)


@router.post("/{connection_id}/listen", responses={200: {"model": Listening}}, response_class=Response)
def listen(connection_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Have it send us what the workflows that are on want to hear. Asked again, nothing is doubled."""
    who = caller.operations
    address = f"{site.web_origin}/webhooks/sync/{connection_id}?{urlencode({'shop': caller.merchant.slug})}"

    def work() -> Listening:
        return listening.listen(site.runtime, who.tenant_id, connection_id, actor=who.id, address=address)

    return answer_after(site.runtime, who, asked, work, status=200)


@router.get("/{connection_id}/calls", responses={200: {"model": CallPage}}, response_class=Response)
def calls(
    connection_id: str,
    site: SiteDep,
    caller: CallerDep,
    workflow: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=300)] = None,
) -> Response:
    """What was sent to it and what it answered, newest first."""
    tenant_id = caller.operations.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        connections.get(session, tenant_id, connection_id)
        page = journal.calls(
            session,
            tenant_id,
            connection_id=connection_id,
            workflow_id=workflow,
            mode=None,
            limit=limit,
            cursor=cursor,
        )
        return json_response(CallPage(items=[CallView.of(row) for row in page.items], next_cursor=page.next_cursor))


def _open(given: dict[str, SecretStr]) -> dict[str, str]:
    return {field: value.get_secret_value() for field, value in given.items()}
