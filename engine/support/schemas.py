"""How a case and a macro look from outside (``/v1/cases``, ``/v1/macros``): to the shop's people alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from engine.kit import clock
from engine.kit.views import View
from engine.support.models import Case, CaseNote, Macro


class NoteView(View):
    id: str
    author: str
    text: str
    created_at: datetime


class CaseView(View):
    id: str
    number: str
    status: str
    priority: str
    subject: str
    reason: str
    summary: str
    sentiment: str
    """How the shopper's last words sound: calm, unhappy or angry."""
    shopper_name: str
    order_number: str | None
    last_words: str
    last_speaker: str
    """shopper, shop or nothing."""
    waits_since: datetime | None
    """Since when it is the shop's turn; null while it is not."""
    thread_id: str | None
    order_id: str | None
    shopper_id: str | None
    customer_id: str | None
    assignee: str | None
    version: int
    due_at: datetime | None
    overdue: bool
    first_response_due_at: datetime
    resolution_due_at: datetime
    first_response_at: datetime | None
    paused_at: datetime | None
    first_response_late: bool
    resolution_late: bool
    reopened: int
    opened_by: str
    created_at: datetime
    updated_at: datetime
    resolved_at: datetime | None
    closed_at: datetime | None
    notes: list[NoteView] | None = None
    """Oldest first; told of one case, not in a list."""
    package: dict[str, Any] | None = None
    """The newest handoff's: reason, sentiment, summary, facts, last_tool_errors, suggested_reply; of one case alone."""

    @classmethod
    def of(cls, row: Case, notes: Sequence[CaseNote] | None = None, *, order_number: str | None = None) -> CaseView:
        told = None if notes is None else [NoteView.model_validate(note, from_attributes=True) for note in notes]
        computed = {
            "order_number": order_number,
            "overdue": row.due_at is not None and row.due_at <= clock.now(),
            "first_response_late": row.first_response_breached_at is not None,
            "resolution_late": row.resolution_breached_at is not None,
            "notes": told,
            "package": row.package if told is not None else None,
        }
        plain = {name: getattr(row, name) for name in cls.model_fields if name not in computed}
        return cls(**plain, **computed)


class CaseCounts(View):
    """How many cases the desk has: that wait for the shop, that are the caller's, that are not closed; and of those
    that wait, how many are nobody's and how many are late.
    """

    waiting: int
    mine: int
    all: int
    unowned: int
    late: int


class MacroView(View):
    id: str
    name: str
    body: str
    created_by: str
    version: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: Macro) -> MacroView:
        return cls.model_validate(row, from_attributes=True)


class Rendered(View):
    """A macro's words for one case."""

    text: str
