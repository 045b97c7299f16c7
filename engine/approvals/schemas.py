"""How an approval looks from outside (``/v1/approvals``): to the shop's people alone."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from engine.approvals.models import Approval
from engine.kit.views import Price, View


class Agreed(View):
    by: str
    who: str
    at: datetime


class ApprovalView(View):
    id: str
    kind: str
    status: str
    subject_id: str
    args: dict[str, Any]
    digest: str
    amount: Price
    rule: str
    """Which limit it is above, or ``asked``."""
    reason: str
    requested_by: str
    requested_who: str
    thread_id: str | None
    case_id: str | None
    needed: int
    agreed: list[Agreed]
    decided_by: str | None
    decided_at: datetime | None
    note: str
    expires_at: datetime
    outcome: dict[str, Any] | None
    """What was done, in ids."""
    failure_code: str | None
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, row: Approval) -> ApprovalView:
        plain = {name: getattr(row, name) for name in cls.model_fields if name != "amount"}
        return cls(**plain, amount=Price(amount=row.amount, currency=row.currency))


class PerformedView(View):
    """What became of an act of staff: ``done`` with its outcome, or ``pending_approval``."""

    status: str
    outcome: dict[str, Any] | None = None
    approval: ApprovalView | None = None
