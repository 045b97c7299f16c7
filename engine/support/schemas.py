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
    """The newest handoff's: reason, summary, facts, last_tool_errors, suggested_reply; told of one case alone."""

    @classmethod
    def of(cls, row: Case, notes: Sequence[CaseNote] | None = None) -> CaseView:
        told = None if notes is None else [NoteView.model_validate(note, from_attributes=True) for note in notes]
        computed = {
            "overdue": row.due_at is not None and row.due_at <= clock.now(),
            "first_response_late": row.first_response_breached_at is not None,
            "resolution_late": row.resolution_breached_at is not None,
            "notes": told,
            "package": row.package if told is not None else None,
        }
        plain = {name: getattr(row, name) for name in cls.model_fields if name not in computed}
        return cls(**plain, **computed)


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
