"""Threads, runs, the event log everybody reads, and the messages it boils down to."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit import clock
from engine.kit.tenancy import TenantRow, tenant_fk


class Mode(StrEnum):
    AGENT = "agent"
    WAITING_HUMAN = "waiting_human"
    HUMAN = "human"


class Audience(StrEnum):
    SHOPPER = "shopper"
    STAFF = "staff"


class RunStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    INTERRUPTED = "interrupted"  # ended with a card open
    COMPLETED = "completed"
    FAILED = "failed"


class Thread(TenantRow):
    __tablename__ = "threads"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    owner_id: Mapped[str] = mapped_column(String(40))
    mode: Mapped[Mode] = mapped_column(String(16), default=Mode.AGENT)
    active_agent: Mapped[str | None] = mapped_column(String(40))
    human: Mapped[str | None] = mapped_column(String(40))
    handoff: Mapped[dict[str, Any] | None]
    """reference, reason, summary, requested_at of a hand-off; ``complaint``: the number of a complaint's case;
    ``returned``: what people did.
    """
    requests: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    """[{number, text, status}]: what its shopper asked for, and how far each of it got."""
    last_event: Mapped[int] = mapped_column(default=0)
    """The sequence number of the newest event; counted up under this row's lock."""
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        Index("ix_threads_owner", "tenant_id", "owner_id", "created_at"),
        Index("ix_threads_created", "tenant_id", "created_at"),
    )


class Run(TenantRow):
    __tablename__ = "runs"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    thread_id: Mapped[str] = mapped_column(String(40))
    number: Mapped[int]
    """Order of arrival within the thread: runs start in this order, one at a time."""
    identity: Mapped[dict[str, Any]]
    """The identity that asked: kind, id, customer_id, scopes, person."""
    input: Mapped[dict[str, Any]]
    status: Mapped[RunStatus] = mapped_column(String(12), default=RunStatus.QUEUED)
    attempts: Mapped[int] = mapped_column(default=0)
    agent_path: Mapped[list[str]] = mapped_column(default=list)
    tool_calls: Mapped[list[Any]] = mapped_column(default=list)
    """[{name, access, ok, duration_ms}], no arguments."""
    usage: Mapped[dict[str, Any]] = mapped_column(default=dict)
    error: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        tenant_fk("thread_id", "threads", ondelete="CASCADE"),
        Index("uq_runs_number", "tenant_id", "thread_id", "number", unique=True),
        Index(
            "uq_runs_one_running",
            "tenant_id",
            "thread_id",
            unique=True,
            postgresql_where=text("status = 'running'"),
        ),
        Index(
            "ix_runs_waiting",
            "tenant_id",
            "created_at",
            postgresql_where=text("status IN ('queued', 'running')"),
        ),
    )


class Event(TenantRow):
    """One AG-UI event of a thread's log."""

    __tablename__ = "events"

    thread_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[str | None] = mapped_column(String(40))
    audience: Mapped[Audience] = mapped_column(String(8), default=Audience.STAFF)
    """``shopper``: the shopper and staff may see it; ``staff``: staff alone."""
    payload: Mapped[dict[str, Any]]
    """The event as sent: ``type`` and its fields, camelCase as AG-UI has them."""
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (tenant_fk("thread_id", "threads", ondelete="CASCADE"),)


class Message(TenantRow):
    """What the log boils down to: text of a speaker, or a card (activity) with its present data."""

    __tablename__ = "messages"

    id: Mapped[str] = mapped_column(String(60), primary_key=True)
    thread_id: Mapped[str] = mapped_column(String(40))
    seq: Mapped[int]
    """Sequence number of the event that opened it; the order of the conversation."""
    run_id: Mapped[str | None] = mapped_column(String(40))
    audience: Mapped[Audience] = mapped_column(String(8), default=Audience.STAFF)
    role: Mapped[str] = mapped_column(String(12))  # user | assistant | system | activity
    name: Mapped[str | None]
    content: Mapped[str] = mapped_column(default="")
    activity_type: Mapped[str | None] = mapped_column(String(40))
    data: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        tenant_fk("thread_id", "threads", ondelete="CASCADE"),
        Index("ix_messages_thread", "tenant_id", "thread_id", "seq"),
        Index("ix_messages_outside", "tenant_id", "thread_id", "seq", postgresql_where=text("run_id IS NULL")),
    )


class ThreadReference(TenantRow):
    """An id that a read returned in this conversation: the only ids a write tool may name (trust rule 5)."""

    __tablename__ = "thread_references"

    thread_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    ref: Mapped[str] = mapped_column(String(60), primary_key=True)

    __table_args__ = (tenant_fk("thread_id", "threads", ondelete="CASCADE"),)
