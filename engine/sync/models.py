"""Connections to other people's systems, and what protects each: secrets, limits, the breaker, the journal."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit import clock
from engine.kit.tenancy import TenantRow, tenant_fk


class System(StrEnum):
    """What can be connected to."""

    SHOPIFY = "shopify"
    NETSUITE = "netsuite"
    DCL = "dcl"
    WOOCOMMERCE = "woocommerce"
    SLACK = "slack"
    GORGIAS = "gorgias"
    RECHARGE = "recharge"
    TRACKER = "tracker"
    """A service that follows parcels."""


class ConnectionStatus(StrEnum):
    ACTIVE = "active"
    PAUSED = "paused"
    AUTH_EXPIRED = "auth_expired"  # it does not take our secrets any more
    CLOSED = "closed"  # over: its secrets are gone


class Connection(TenantRow):
    """A shop's account at a system."""

    __tablename__ = "sync_connections"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    system: Mapped[System] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(80))
    base_url: Mapped[str] = mapped_column(String(500))
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """The system's own facts (account, location, field names); nothing secret."""
    status: Mapped[ConnectionStatus] = mapped_column(String(20), default=ConnectionStatus.ACTIVE)
    reason: Mapped[str] = mapped_column(String(200), default="")
    """Why it is not active."""
    status_at: Mapped[datetime] = mapped_column(default=clock.now)
    tested_at: Mapped[datetime | None]
    test_error: Mapped[str] = mapped_column(String(40), default="")
    """What the last test came to: a code, nothing when it went well."""
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        Index(
            "uq_sync_connections_name",
            "tenant_id",
            "system",
            "name",
            unique=True,
            postgresql_where=text("status <> 'closed'"),
        ),
        CheckConstraint("status IN ('active', 'paused', 'auth_expired', 'closed')", name="status_known"),
        CheckConstraint("status = 'active' OR reason <> ''", name="says_why"),
    )


class ConnectionSecret(TenantRow):
    """One value of one secret, sealed for its tenant, connection, field and version."""

    __tablename__ = "sync_secrets"

    connection_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    field: Mapped[str] = mapped_column(String(40), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    ends_at: Mapped[datetime | None]
    """Until when one that was replaced still counts."""
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        tenant_fk("connection_id", "sync_connections"),
        Index(
            "uq_sync_secrets_newest",
            "tenant_id",
            "connection_id",
            "field",
            unique=True,
            postgresql_where=text("ends_at IS NULL"),
        ),
    )


class LimitKind(StrEnum):
    POINTS = "points"  # a bucket that refills: what is spent comes back steadily
    REQUESTS = "requests"  # so many in any period
    CONCURRENCY = "concurrency"  # so many at once, and nothing else


class Limit(TenantRow):
    """What a connection may spend, and what it has. Its row is the lock of everyone who takes or gives back."""

    __tablename__ = "sync_limits"

    connection_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[LimitKind] = mapped_column(String(12))
    capacity: Mapped[int | None] = mapped_column(BigInteger)
    """Points of the full bucket, or requests of one period."""
    period_ms: Mapped[int | None] = mapped_column(BigInteger)
    """In which an empty bucket is full again, or in which no more than the capacity may be sent."""
    max_in_flight: Mapped[int | None]
    level_micro: Mapped[int] = mapped_column(BigInteger, default=0)
    """Millionths of points that were there at ``level_at``."""
    level_at: Mapped[datetime] = mapped_column(default=clock.now)
    ended_at: Mapped[datetime | None]
    """When the last call came back."""
    blocked_until: Mapped[datetime | None]
    """The system asked to be left alone."""

    __table_args__ = (
        tenant_fk("connection_id", "sync_connections"),
        CheckConstraint("kind IN ('points', 'requests', 'concurrency')", name="kind_known"),
        CheckConstraint(
            "kind = 'concurrency' OR (capacity >= 1 AND period_ms >= 1 AND capacity IS NOT NULL"
            " AND period_ms IS NOT NULL)",
            name="has_size",
        ),
        CheckConstraint("max_in_flight >= 1", name="lets_one_through"),
        CheckConstraint("kind <> 'concurrency' OR max_in_flight IS NOT NULL", name="says_how_many"),
    )


class Permit(TenantRow):
    """A call that may be under way: a hold until it comes back, or until its lease is over."""

    __tablename__ = "sync_permits"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    connection_id: Mapped[str] = mapped_column(String(40))
    cost: Mapped[int] = mapped_column(BigInteger)
    taken_at: Mapped[datetime]
    lease_until: Mapped[datetime]
    """In flight until then; the moment of its end once it has come back."""
    counts_until: Mapped[datetime]

    __table_args__ = (
        tenant_fk("connection_id", "sync_connections"),
        Index("ix_sync_permits_connection", "tenant_id", "connection_id", "counts_until"),
        CheckConstraint("cost >= 0", name="costs"),
        CheckConstraint("counts_until >= lease_until", name="counts_at_least_while_out"),
    )


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"  # one call may find out


class Breaker(TenantRow):
    """Whether a connection is called at all just now. What has failed is counted in the journal."""

    __tablename__ = "sync_breakers"

    connection_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    state: Mapped[BreakerState] = mapped_column(String(10), default=BreakerState.CLOSED)
    counted_from: Mapped[datetime] = mapped_column(default=clock.now)
    """What failed before this counts no more."""
    cooldown_seconds: Mapped[int] = mapped_column(default=30)
    """How long it rests the next time it opens."""
    open_until: Mapped[datetime | None]
    probe_id: Mapped[str | None] = mapped_column(String(40))
    """The permit of the call that finds out whether it works again."""
    probe_until: Mapped[datetime | None]
    changed_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        tenant_fk("connection_id", "sync_connections"),
        CheckConstraint("state IN ('closed', 'open', 'half_open')", name="state_known"),
        CheckConstraint("(state = 'open') = (open_until IS NOT NULL)", name="open_says_until"),
        CheckConstraint("(probe_id IS NULL) = (probe_until IS NULL)", name="probe_has_a_lease"),
        CheckConstraint("state = 'half_open' OR probe_id IS NULL", name="probes_half_open_alone"),
    )


UNDER_WAY: Final = "under_way"
"""Outcome of a call that has not come back; of one that was sent by a process that is no more, for good."""


class CallMode(StrEnum):
    LIVE = "live"
    SHADOW = "shadow"  # recorded, never sent


class Call(TenantRow):
    """The journal: one request to a system and what it answered, without secrets."""

    __tablename__ = "sync_calls"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True, autoincrement=True)
    connection_id: Mapped[str] = mapped_column(String(40))
    mode: Mapped[CallMode] = mapped_column(String(10), default=CallMode.LIVE)
    at: Mapped[datetime] = mapped_column(default=clock.now)
    method: Mapped[str] = mapped_column(String(10))
    path: Mapped[str] = mapped_column(String(500))
    """Without its query, which is part of the request."""
    reads: Mapped[bool]
    cost: Mapped[int] = mapped_column(BigInteger, default=1)
    request: Mapped[str] = mapped_column(default="")
    response: Mapped[str] = mapped_column(default="")
    answer: Mapped[int | None]
    """HTTP status."""
    outcome: Mapped[str] = mapped_column(String(40), default="")
    """The code of what went wrong; nothing when it went well."""
    counts: Mapped[bool] = mapped_column(default=False)
    """Whether the breaker holds it against the connection."""
    took_ms: Mapped[int]
    fingerprint: Mapped[str] = mapped_column(String(64))
    """The same for two requests that say the same."""
    idempotency_key: Mapped[str] = mapped_column(String(200), default="")
    workflow_id: Mapped[str] = mapped_column(String(200), default="")
    trace_id: Mapped[str] = mapped_column(String(64), default="")

    __table_args__ = (
        tenant_fk("connection_id", "sync_connections"),
        Index("ix_sync_calls_connection", "tenant_id", "connection_id", "at"),
        Index("ix_sync_calls_workflow", "tenant_id", "workflow_id", "id"),
        Index("ix_sync_calls_at", "tenant_id", "at"),
        CheckConstraint("mode IN ('live', 'shadow')", name="mode_known"),
        CheckConstraint("octet_length(request) <= 16384 AND octet_length(response) <= 16384", name="bounded"),
    )


class Xref(TenantRow):
    """What a thing is called there and here: the memory of what was done, and of what came from what."""

    __tablename__ = "sync_xrefs"

    system: Mapped[System] = mapped_column(String(20), primary_key=True)
    account: Mapped[str] = mapped_column(String(80), primary_key=True, default="")
    """Tells two accounts at one system apart; most shops have one, and leave it empty."""
    kind: Mapped[str] = mapped_column(String(40), primary_key=True)
    external_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    internal_kind: Mapped[str] = mapped_column(String(40))
    internal_id: Mapped[str] = mapped_column(String(200))
    version: Mapped[str] = mapped_column(String(80), default="")
    """Which state of it was brought over last."""
    hash: Mapped[str] = mapped_column(String(64), default="")
    linked_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        Index(
            "uq_sync_xrefs_internal",
            "tenant_id",
            "system",
            "account",
            "kind",
            "internal_kind",
            "internal_id",
            unique=True,
        ),
        Index("ix_sync_xrefs_lineage", "tenant_id", "internal_kind", "internal_id"),
    )
