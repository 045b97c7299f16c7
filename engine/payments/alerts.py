"""Putting something into the reconciliation inbox, and taking it out again."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from engine.kit import clock
from engine.kit.direct import Statement
from engine.kit.gathering import post
from engine.kit.ids import new_id
from engine.payments.models import Alert


class Action(StrEnum):
    """The one thing that can safely be done about an item."""

    RETRY_LOOKUP = "retry_lookup"  # ask the gateway again, now
    REFUND_AGAIN = "refund_again"  # a new refund in place of one that failed
    RESUBMIT_EVIDENCE = "resubmit_evidence"  # send what was written and not taken
    GIVE_BACK = "give_back"  # refund a capture that has no order here
    DECIDE_ORDER = "decide_order"  # let the held order go on, or cancel it: there
    NONE = "none"  # nothing but closing it: a person has dealt with it


_RESOLVE: Final = Statement("""
UPDATE app.alerts SET resolved_at = %(now)s
WHERE tenant_id = %(tenant)s AND kind = %(kind)s AND subject = %(subject)s AND resolved_at IS NULL
""")
REVIEW_NEEDED: Final = "review_needed"
"""Subject: the order. Resolved when it goes on or ends."""
ACTIONS: Final[Mapping[str, Action]] = {
    "payment_unknown": Action.RETRY_LOOKUP,
    "capture_unknown": Action.RETRY_LOOKUP,
    "refund_unknown": Action.RETRY_LOOKUP,
    "void_unknown": Action.RETRY_LOOKUP,
    "refund_failed": Action.REFUND_AGAIN,
    "evidence_unsent": Action.RESUBMIT_EVIDENCE,
}
"""Kind → what is safe, where the one who raises it says nothing else."""


def raise_alert(
    session: Session,
    tenant_id: str,
    kind: str,
    subject: str,
    detail: str,
    *,
    action: str | None = None,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Put something into the reconciliation inbox, once while it is open."""
    row = {
        "tenant_id": tenant_id,
        "id": new_id("alert"),
        "kind": kind,
        "subject": subject,
        "detail": detail,
        "action": action or ACTIONS.get(kind),
        "facts": dict(facts or {}),
        "created_at": clock.now(),
    }
    session.execute(insert(Alert).values(row).on_conflict_do_nothing())


def resolve_alert(session: Session, tenant_id: str, kind: str, subject: str) -> None:
    """Close an open alert, if there is one."""
    post(session, (_RESOLVE, {"tenant": tenant_id, "kind": kind, "subject": subject, "now": clock.now()}))
