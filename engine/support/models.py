"""A case: what a shopper needs from people, who works on it, and until when it is to be answered."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import CheckConstraint, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit import clock
from engine.kit.tenancy import AppendOnly, TenantRow, tenant_fk


class CaseStatus(StrEnum):
    OPEN = "open"  # nobody has it yet
    WAITING_STAFF = "waiting_staff"  # somebody has it, and it is the shop's turn
    WAITING_CUSTOMER = "waiting_customer"  # answered: the shopper's turn, and the clock stands still
    RESOLVED = "resolved"  # may be reopened for some days
    CLOSED = "closed"


class Sentiment(StrEnum):
    CALM = "calm"
    UNHAPPY = "unhappy"
    ANGRY = "angry"


class Priority(StrEnum):
    URGENT = "urgent"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


RANK: Final = {priority: rank for rank, priority in enumerate(Priority)}
_WAITING: Final = "status IN ('open', 'waiting_staff')"


class Case(TenantRow):
    __tablename__ = "cases"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    number: Mapped[str] = mapped_column(String(20))
    """What the shopper is told: ``H-7K2M4P``."""
    thread_id: Mapped[str | None] = mapped_column(String(40))
    order_id: Mapped[str | None] = mapped_column(String(40))
    shopper_id: Mapped[str | None] = mapped_column(String(40))
    customer_id: Mapped[str | None] = mapped_column(String(40))
    subject: Mapped[str]
    reason: Mapped[str] = mapped_column(String(40))
    summary: Mapped[str] = mapped_column(default="")
    package: Mapped[dict[str, Any] | None]
    """What whoever takes the conversation over should know, as it was at the newest handoff (``support.package``)."""
    priority: Mapped[Priority] = mapped_column(String(8))
    rank: Mapped[int]
    """The priority as a number: the lower, the sooner."""
    status: Mapped[CaseStatus] = mapped_column(String(20), default=CaseStatus.OPEN)
    assignee: Mapped[str | None] = mapped_column(String(80))
    """The person who has it (``Identity.who``)."""
    version: Mapped[int] = mapped_column(default=1)
    due_at: Mapped[datetime | None]
    """Until when the shop is to act next: its place in the queue. None while nobody waits for the shop."""
    first_response_due_at: Mapped[datetime]
    resolution_due_at: Mapped[datetime]
    first_response_at: Mapped[datetime | None]
    paused_at: Mapped[datetime | None]
    """Since when the clock stands still: it is the shopper's turn, or the case is resolved."""
    first_response_breached_at: Mapped[datetime | None]
    resolution_breached_at: Mapped[datetime | None]
    reopened: Mapped[int] = mapped_column(default=0)
    opened_by: Mapped[str] = mapped_column(String(80))
    resolved_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    sentiment: Mapped[Sentiment] = mapped_column(String(8), default=Sentiment.CALM, server_default="calm")
    """How the shopper's last words sound (``support.sentiment``)."""
    shopper_name: Mapped[str] = mapped_column(default="", server_default="")
    last_words: Mapped[str] = mapped_column(default="", server_default="")
    """The newest words of its conversation, cut short."""
    last_speaker: Mapped[str] = mapped_column(String(8), default="", server_default="")
    """Who said them: ``shopper``, ``shop`` or nobody."""
    waits_since: Mapped[datetime | None]
    """Since when it is the shop's turn."""
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        tenant_fk("thread_id", "threads"),
        tenant_fk("order_id", "orders"),
        CheckConstraint(f"({_WAITING}) = (due_at IS NOT NULL)", name="due_while_waiting"),
        CheckConstraint("status <> 'open' OR assignee IS NULL", name="open_is_nobodys"),
        Index("uq_cases_number", "tenant_id", "number", unique=True),
        Index("uq_cases_thread", "tenant_id", "thread_id", unique=True, postgresql_where=text("status <> 'closed'")),
        Index("ix_cases_queue", "tenant_id", "due_at", "rank", "id", postgresql_where=text(_WAITING)),
        Index("ix_cases_thread", "tenant_id", "thread_id"),
        Index("ix_cases_created", "tenant_id", "created_at"),
        Index("ix_cases_order", "tenant_id", "order_id"),
        Index("ix_cases_updated", "tenant_id", "updated_at", "id"),
        Index("ix_cases_assignee", "tenant_id", "assignee", postgresql_where=text("status <> 'closed'")),
        Index("ix_cases_resolved", "tenant_id", "resolved_at", postgresql_where=text("status = 'resolved'")),
    )


class CaseNote(TenantRow, AppendOnly):
    """What staff tell each other about a case: never the shopper."""

    __tablename__ = "case_notes"
    erasable = ("text",)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    case_id: Mapped[str] = mapped_column(String(40))
    author: Mapped[str] = mapped_column(String(80))
    text: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (tenant_fk("case_id", "cases"), Index("ix_case_notes_case", "tenant_id", "case_id", "id"))


class CaseWord(TenantRow):
    """A word that a case is found by: of its number, its subject, its shopper, its order or its conversation.

    Row-level security keeps PostgreSQL from using a full-text or trigram index; a prefix of a word is a range of this
    table's key.
    """

    __tablename__ = "case_words"

    word: Mapped[str] = mapped_column(String(40, collation="C"), primary_key=True)
    case_id: Mapped[str] = mapped_column(String(40), primary_key=True)

    __table_args__ = (tenant_fk("case_id", "cases"), Index("ix_case_words_case", "tenant_id", "case_id"))


class CaseGlance(TenantRow):
    """Who of the shop's people looks at a case, and whether they write. It is worth nothing a minute later."""

    __tablename__ = "case_glances"

    case_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    who: Mapped[str] = mapped_column(String(80), primary_key=True)
    seen_at: Mapped[datetime]
    typed_at: Mapped[datetime | None]

    __table_args__ = (tenant_fk("case_id", "cases"), Index("ix_case_glances_seen", "tenant_id", "seen_at"))


class Macro(TenantRow):
    """Words that staff say often, with places for what differs."""

    __tablename__ = "macros"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    body: Mapped[str]
    created_by: Mapped[str] = mapped_column(String(80))
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (Index("uq_macros_name", "tenant_id", "name", unique=True),)
