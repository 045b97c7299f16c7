"""Runs of workflows and their steps, where polls have got to, a shop's switches and settings, and who executes."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Index, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit import clock
from engine.kit.tenancy import Base, TenantRow, tenant_fk


class RunStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"  # for a time, or for a connection to wake; nobody's thread waits with it
    DONE = "done"
    FAILED = "failed"  # a person looks: it is in the exception queue
    CANCELED = "canceled"


class RunMode(StrEnum):
    LIVE = "live"
    SHADOW = "shadow"  # what would be sent is written down and not sent


OPEN_RUNS = (RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.WAITING)


class RunRow(TenantRow):
    """One run of a workflow for one business key. Its id is ``{tenant}:{workflow}:{key}``."""

    __tablename__ = "sync_runs"

    id: Mapped[str] = mapped_column(String(200), primary_key=True)
    workflow: Mapped[str] = mapped_column(String(80))
    version: Mapped[str] = mapped_column(String(20))
    mode: Mapped[RunMode] = mapped_column(String(10), default=RunMode.LIVE)
    status: Mapped[RunStatus] = mapped_column(String(10), default=RunStatus.QUEUED)
    turn: Mapped[int] = mapped_column(default=1)
    """Counts how often it was begun anew: a retry does everything once more, from the top."""
    subject_kind: Mapped[str] = mapped_column(String(20))
    subject_ref: Mapped[str] = mapped_column(String(120))
    payload: Mapped[dict[str, Any]]
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    trigger: Mapped[str] = mapped_column(String(120))
    """What began it: ``delivery:dlv_…``, ``poll``, ``schedule``, ``cli``, ``http``, ``exception:exc_…``."""
    trace_id: Mapped[str] = mapped_column(String(64), default="")
    step: Mapped[str] = mapped_column(String(80), default="")
    """The step it is at, or was at last."""
    attempts: Mapped[int] = mapped_column(default=0)
    """Of the step it is at."""
    next_try_at: Mapped[datetime | None]
    """Waiting until then. With status ``waiting`` and this, it is being retried."""
    error_code: Mapped[str] = mapped_column(String(40), default="")
    error: Mapped[str] = mapped_column(String(500), default="")
    executor_id: Mapped[str] = mapped_column(String(80), default="")
    handed_at: Mapped[datetime | None]
    """When the durable engine was given this turn; none until then."""
    replay_of: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_sync_runs_created", "tenant_id", "created_at", "id"),
        Index("ix_sync_runs_status", "tenant_id", "status", "created_at", "id"),
        Index("ix_sync_runs_workflow", "tenant_id", "workflow", "created_at", "id"),
        Index("ix_sync_runs_subject", "tenant_id", "subject_kind", "subject_ref"),
        Index("ix_sync_runs_queued", "tenant_id", "created_at", postgresql_where=text("status = 'queued'")),
        Index(
            "ix_sync_runs_next",
            "tenant_id",
            "next_try_at",
            postgresql_where=text("status = 'waiting' AND next_try_at IS NOT NULL"),
        ),
        Index("ix_sync_runs_running", "tenant_id", "executor_id", postgresql_where=text("status = 'running'")),
        CheckConstraint(
            "status IN ('queued', 'running', 'waiting', 'done', 'failed', 'canceled')", name="status_known"
        ),
        CheckConstraint("mode IN ('live', 'shadow')", name="mode_known"),
        CheckConstraint("(status IN ('done', 'failed', 'canceled')) = (ended_at IS NOT NULL)", name="end_says_when"),
        CheckConstraint("(status = 'waiting') = (next_try_at IS NOT NULL)", name="waits_until"),
        CheckConstraint("status <> 'failed' OR error_code <> ''", name="failure_says_why"),
        CheckConstraint("turn >= 1", name="turns_from_one"),
    )


class StepStatus(StrEnum):
    RUNNING = "running"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"


class StepRow(TenantRow):
    """One step of one turn of a run."""

    __tablename__ = "sync_steps"

    run_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    turn: Mapped[int] = mapped_column(primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True)
    """Its position in the body, from one."""
    name: Mapped[str] = mapped_column(String(80))
    status: Mapped[StepStatus] = mapped_column(String(10), default=StepStatus.RUNNING)
    attempts: Mapped[int] = mapped_column(default=1)
    started_at: Mapped[datetime] = mapped_column(default=clock.now)
    ended_at: Mapped[datetime | None]
    next_try_at: Mapped[datetime | None]
    error_code: Mapped[str] = mapped_column(String(40), default="")
    error: Mapped[str] = mapped_column(String(500), default="")
    result: Mapped[str] = mapped_column(default="")
    """JSON, cut at 4 kB: to look at."""

    __table_args__ = (
        tenant_fk("run_id", "sync_runs", ondelete="CASCADE"),
        CheckConstraint("status IN ('running', 'waiting', 'done', 'failed')", name="status_known"),
        CheckConstraint("octet_length(result) <= 4096", name="bounded"),
    )


class CursorRow(TenantRow):
    """Where a workflow's poll has got to, and when it was last asked."""

    __tablename__ = "sync_cursors"

    workflow: Mapped[str] = mapped_column(String(80), primary_key=True)
    value: Mapped[dict[str, Any]] = mapped_column(default=dict)
    polled_at: Mapped[datetime | None]
    due_at: Mapped[datetime] = mapped_column(default=clock.now)
    failures: Mapped[int] = mapped_column(default=0)
    error: Mapped[str] = mapped_column(String(200), default="")


class PipelineRow(TenantRow):
    """One version of a workflow's switch and settings in a shop; ``*`` is what all share. A version never changes."""

    __tablename__ = "sync_pipeline"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    workflow: Mapped[str] = mapped_column(String(80))
    version: Mapped[int]
    is_on: Mapped[bool] = mapped_column(default=False)
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    note: Mapped[str] = mapped_column(String(200), default="")
    active: Mapped[bool] = mapped_column(default=False)
    created_by: Mapped[str] = mapped_column(String(80))
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        Index("uq_sync_pipeline_version", "tenant_id", "workflow", "version", unique=True),
        Index("uq_sync_pipeline_active", "tenant_id", "workflow", unique=True, postgresql_where=text("active")),
        CheckConstraint("version >= 1", name="counts_from_one"),
    )


class Executor(Base):
    """A process that executes runs of all tenants, and when it was last heard of."""

    __tablename__ = "sync_executors"

    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    version: Mapped[str] = mapped_column(String(40))
    workflows: Mapped[list[str]] = mapped_column(default=list)
    """What it works at; nothing: all."""
    started_at: Mapped[datetime] = mapped_column(default=clock.now)
    heartbeat_at: Mapped[datetime] = mapped_column(default=clock.now)
    ended_at: Mapped[datetime | None]
