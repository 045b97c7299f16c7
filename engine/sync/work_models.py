"""Work that waits: versions of mappings, deliveries that came in, and what a person has to look at."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit import clock
from engine.kit.tenancy import TenantRow, tenant_fk


class Mapping(TenantRow):
    """One version of how a document becomes another system's. A version never changes."""

    __tablename__ = "sync_mappings"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    version: Mapped[int]
    target: Mapped[str] = mapped_column(String(80))
    """The model that it fills (``engine.sync.targets``)."""
    spec: Mapped[dict[str, Any]]
    note: Mapped[str] = mapped_column(String(200), default="")
    active: Mapped[bool] = mapped_column(default=False)
    created_by: Mapped[str] = mapped_column(String(80))
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        Index("uq_sync_mappings_version", "tenant_id", "name", "version", unique=True),
        Index("uq_sync_mappings_active", "tenant_id", "name", unique=True, postgresql_where=text("active")),
        CheckConstraint("version >= 1", name="counts_from_one"),
    )


class DeliveryStatus(StrEnum):
    WAITING = "waiting"
    DONE = "done"
    DEAD = "dead"  # tried often enough: a person looks at it


class Delivery(TenantRow):
    """What a system told us, stored once before anything is done about it."""

    __tablename__ = "sync_deliveries"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    source: Mapped[str] = mapped_column(String(80))
    """Who tells: a system and, where a shop has more than one account there, which."""
    delivery_id: Mapped[str] = mapped_column(String(200))
    connection_id: Mapped[str | None] = mapped_column(String(40))
    topic: Mapped[str] = mapped_column(String(120))
    headers: Mapped[dict[str, Any]]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    digest: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the body as it came."""
    status: Mapped[DeliveryStatus] = mapped_column(String(10), default=DeliveryStatus.WAITING)
    attempts: Mapped[int] = mapped_column(default=0)
    available_at: Mapped[datetime] = mapped_column(default=clock.now)
    """Not worked before this: a wait after a failure, or the lease of who is at it."""
    error: Mapped[str] = mapped_column(String(80), default="")
    received_at: Mapped[datetime] = mapped_column(default=clock.now)
    done_at: Mapped[datetime | None]

    __table_args__ = (
        tenant_fk("connection_id", "sync_connections"),
        Index("uq_sync_deliveries_once", "tenant_id", "source", "delivery_id", unique=True),
        Index(
            "ix_sync_deliveries_waiting",
            "tenant_id",
            "available_at",
            "id",
            postgresql_where=text("status = 'waiting'"),
        ),
        Index("ix_sync_deliveries_received", "tenant_id", "received_at", "id"),
        Index("ix_sync_deliveries_status", "tenant_id", "status", "received_at", "id"),
        CheckConstraint("status IN ('waiting', 'done', 'dead')", name="status_known"),
        CheckConstraint("(status = 'done') = (done_at IS NOT NULL)", name="done_says_when"),
    )


class ExceptionStatus(StrEnum):
    OPEN = "open"
    RETRYING = "retrying"  # somebody wants it done again
    RESOLVED = "resolved"
    DISMISSED = "dismissed"


class ExceptionRow(TenantRow):
    """A run that a person has to look at: what it was about, why it stopped, and what it worked on."""

    __tablename__ = "sync_exceptions"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    workflow: Mapped[str] = mapped_column(String(80))
    workflow_id: Mapped[str] = mapped_column(String(200))
    step: Mapped[str] = mapped_column(String(80), default="")
    connection_id: Mapped[str | None] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(120))
    """The business object: ``order #1071``."""
    code: Mapped[str] = mapped_column(String(40))
    reason: Mapped[str] = mapped_column(String(500))
    fields: Mapped[list[Any]] = mapped_column(default=list)
    """Which fields were refused, and in what words: ``[{"path", "message"}]``."""
    payload: Mapped[dict[str, Any]] = mapped_column(default=dict)
    fixed: Mapped[dict[str, Any] | None]
    """The payload as a person put it right."""
    fingerprint: Mapped[str] = mapped_column(String(16))
    """The same for what has the same cause."""
    status: Mapped[ExceptionStatus] = mapped_column(String(10), default=ExceptionStatus.OPEN)
    times: Mapped[int] = mapped_column(default=1)
    retries: Mapped[int] = mapped_column(default=0)
    first_at: Mapped[datetime] = mapped_column(default=clock.now)
    last_at: Mapped[datetime] = mapped_column(default=clock.now)
    taken_until: Mapped[datetime | None]
    """Who does it again has until then."""
    closed_at: Mapped[datetime | None]
    decided_by: Mapped[str] = mapped_column(String(80), default="")

    __table_args__ = (
        tenant_fk("connection_id", "sync_connections"),
        Index(
            "uq_sync_exceptions_run",
            "tenant_id",
            "workflow_id",
            unique=True,
            postgresql_where=text("status IN ('open', 'retrying')"),
        ),
        Index("ix_sync_exceptions_cause", "tenant_id", "fingerprint", "status"),
        Index("ix_sync_exceptions_last", "tenant_id", "status", "last_at", "id"),
        Index("ix_sync_exceptions_all", "tenant_id", "last_at", "id"),
        Index("ix_sync_exceptions_workflow", "tenant_id", "workflow", "last_at", "id"),
        Index("ix_sync_exceptions_subject", "tenant_id", "subject", "last_at", "id"),
        CheckConstraint("status IN ('open', 'retrying', 'resolved', 'dismissed')", name="status_known"),
        CheckConstraint("(status IN ('resolved', 'dismissed')) = (closed_at IS NOT NULL)", name="closed_says_when"),
    )


class Reading(TenantRow):
    """How many units of an item a system had at a place when it was read last."""

    __tablename__ = "sync_readings"

    sku: Mapped[str] = mapped_column(String(80), primary_key=True)
    connection_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    location: Mapped[str] = mapped_column(String(80), primary_key=True, default="")
    available: Mapped[int]
    on_hand: Mapped[int | None]
    read_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        tenant_fk("connection_id", "sync_connections"),
        Index("ix_sync_readings_connection", "tenant_id", "connection_id", "read_at"),
    )
