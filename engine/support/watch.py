"""What support does by itself: it says when an answer is late, and closes what was resolved long ago."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.kit import clock
from engine.kit.policies import policy_of
from engine.payments.alerts import Action, raise_alert
from engine.support import cases
from engine.support.models import Case, CaseStatus
from engine.support.policy import SupportPolicy
from engine.support.states import WAITS

LATE_ANSWER: Final = "case_answer_late"
LATE_SOLUTION: Final = "case_solution_late"
_BATCH: Final = 200


def tell_late(session: Session, tenant_id: str) -> int:
    """An alert for every case whose answer or solution is late, once each; returns how many."""
    now = clock.now()
    answer_late = Case.first_response_at.is_(None) & Case.first_response_breached_at.is_(None)
    solution_late = Case.first_response_at.is_not(None) & Case.resolution_breached_at.is_(None)
    rows = session.scalars(
        select(Case)
        .where(Case.tenant_id == tenant_id, Case.status.in_(WAITS), Case.due_at <= now, answer_late | solution_late)
        .order_by(Case.due_at)
        .limit(_BATCH)
        .with_for_update(skip_locked=True)
    ).all()
    for case in rows:
        _tell(session, case)
    return len(rows)


def _tell(session: Session, case: Case) -> None:
    kind, words = LATE_SOLUTION, f"Case {case.number} ({case.priority}) is not resolved in time."
    if case.first_response_at is None:
        kind, words = LATE_ANSWER, f"Case {case.number} ({case.priority}) is not answered in time."
        case.first_response_breached_at = clock.now()
    else:
        case.resolution_breached_at = clock.now()
    facts = {"case_id": case.id, "thread_id": case.thread_id, "assignee": case.assignee}
    raise_alert(session, case.tenant_id, kind, case.id, words, action=Action.NONE, facts=facts)
    cases.record(session, case, "system", "case.late", {"kind": kind})


def close_old(session: Session, tenant_id: str) -> int:
    """Close what was resolved so long ago that nothing brings it back; returns how many."""
    policy = policy_of(session, tenant_id, SupportPolicy)
    rows = session.scalars(
        select(Case)
        .where(
            Case.tenant_id == tenant_id,
            Case.status == CaseStatus.RESOLVED,
            Case.resolved_at < clock.now() - timedelta(days=policy.reopen_days),
        )
        .order_by(Case.resolved_at)
        .limit(_BATCH)
        .with_for_update(skip_locked=True)
    ).all()
    for case in rows:
        cases.end(session, case, policy, actor="system")
    return len(rows)
