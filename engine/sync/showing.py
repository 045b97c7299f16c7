"""A connection as its people see it: how it stands, what it may spend, and that it has secrets, not which."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine.kit import clock
from engine.kit.views import View
from engine.sync import limits, packing
from engine.sync.models import Breaker, Call, Connection, ConnectionSecret, Limit, LimitKind, Permit


class SecretView(View):
    """A secret by its name. ``live``: how many of its values count, two while one is being replaced."""

    field: str
    live: int
    version: int
    replaced_until: datetime | None
    """Until when the one before counts."""


class LimitView(View):
    """``kind`` points, requests or concurrency; ``used`` of ``capacity`` in this moment, ``in_flight`` of
    ``max_in_flight``.
    """

    kind: str
    capacity: int | None
    period_ms: int | None
    max_in_flight: int | None
    used: int | None
    in_flight: int
    blocked_until: datetime | None


class BreakerView(View):
    """``state`` closed (all is well), open (left alone) or half_open (one call finds out)."""

    state: str
    open_until: datetime | None
    changed_at: datetime


class ConnectionView(View):
    id: str
    system: str
    name: str
    base_url: str
    settings: dict[str, Any]
    status: str
    reason: str
    status_at: datetime
    secrets: list[SecretView]
    limit: LimitView
    breaker: BreakerView
    tested_at: datetime | None
    test_error: str
    """What the last test came to: a code, nothing when it went well."""
    created_at: datetime


class CallView(View):
    """One request and its answer, secrets masked. ``outcome`` is empty when it went well."""

    id: int
    connection_id: str
    mode: str
    at: datetime
    method: str
    path: str
    request: str
    response: str
    answer: int | None
    outcome: str
    took_ms: int
    cost: int
    workflow_id: str
    trace_id: str

    @classmethod
    def of(cls, row: Call) -> CallView:
        said = {name: getattr(row, name) for name in cls.model_fields}
        return cls(**said | {"response": packing.readable(row.response)})


def shown(session: Session, connection: Connection) -> ConnectionView:
    """One connection."""
    return ConnectionView(
        id=connection.id,
        system=str(connection.system),
        name=connection.name,
        base_url=connection.base_url,
        settings=connection.settings,
        status=str(connection.status),
        reason=connection.reason,
        status_at=connection.status_at,
        secrets=_secrets(session, connection),
        limit=_limit(session, connection),
        breaker=_breaker(session, connection),
        tested_at=connection.tested_at,
        test_error=connection.test_error,
        created_at=connection.created_at,
    )


def _secrets(session: Session, connection: Connection) -> list[SecretView]:
    now, found = clock.now(), dict[str, list[ConnectionSecret]]()
    query = select(ConnectionSecret).where(
        ConnectionSecret.tenant_id == connection.tenant_id, ConnectionSecret.connection_id == connection.id
    )
    for row in session.scalars(query.order_by(ConnectionSecret.field, ConnectionSecret.version.desc())):
        if row.ends_at is None or row.ends_at > now:
            found.setdefault(row.field, []).append(row)
    return [
        SecretView(field=field, live=len(rows), version=rows[0].version, replaced_until=rows[-1].ends_at)
        for field, rows in found.items()
    ]


def _limit(session: Session, connection: Connection) -> LimitView:
    row = session.get_one(Limit, (connection.tenant_id, connection.id), populate_existing=True)
    now = clock.now()
    theirs = (Permit.tenant_id == row.tenant_id, Permit.connection_id == row.connection_id)
    flying = Permit.lease_until > now
    counted = select(
        func.count().filter(flying),
        func.coalesce(func.sum(Permit.cost).filter(flying), 0),
        func.coalesce(func.sum(Permit.cost), 0),
    )
    out, out_cost, in_period = session.execute(counted.where(*theirs, Permit.counts_until > now)).one()
    used = int(in_period) if row.kind == LimitKind.REQUESTS else None
    if row.kind == LimitKind.POINTS:
        used = (row.capacity or 0) - limits.refilled(row, now) // limits.MICRO + int(out_cost)
    return LimitView(
        kind=str(row.kind),
        capacity=row.capacity,
        period_ms=row.period_ms,
        max_in_flight=row.max_in_flight,
        used=used,
        in_flight=out,
        blocked_until=row.blocked_until if row.blocked_until and row.blocked_until > now else None,
    )


def _breaker(session: Session, connection: Connection) -> BreakerView:
    row = session.get_one(Breaker, (connection.tenant_id, connection.id), populate_existing=True)
    return BreakerView(state=str(row.state), open_until=row.open_until, changed_at=row.changed_at)
