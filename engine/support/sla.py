"""Until when a case is to be answered and resolved, and the clock that stands still while the shopper is asked."""

from __future__ import annotations

from datetime import datetime, timedelta

from engine.kit import clock
from engine.support.hours import BusinessHours
from engine.support.models import RANK, Case, CaseStatus, Priority
from engine.support.policy import SupportPolicy
from engine.support.states import CASE, WAITS


def start(case: Case, policy: SupportPolicy) -> None:
    """A round begins now: the case is new, or has come back."""
    case.first_response_at = case.paused_at = None
    case.first_response_breached_at = case.resolution_breached_at = None
    case.first_response_due_at, case.resolution_due_at = _targets(policy, case.priority, clock.now())
    _place(case)


def move(case: Case, status: CaseStatus, policy: SupportPolicy) -> None:
    """The case is at ``status`` from now on, and its clock stands still or runs on with it.

    Raises ``IllegalTransition``.
    """
    if case.status == status:
        return
    case.status = CASE.check(case.status, status)
    if status not in WAITS:
        case.paused_at = case.paused_at or clock.now()
    elif case.paused_at is not None:
        left = BusinessHours(policy).between(case.paused_at, case.resolution_due_at)
        case.resolution_due_at = BusinessHours(policy).after(clock.now(), max(left, timedelta()))
        case.paused_at = None
    _place(case)


def checked(case: Case, status: CaseStatus) -> CaseStatus:
    """``status``, if the case can become it. Raises ``IllegalTransition``."""
    return CASE.check(case.status, status)


def answered(case: Case) -> None:
    """Somebody of the shop has answered."""
    case.first_response_at = case.first_response_at or clock.now()
    _place(case)


def set_priority(case: Case, priority: Priority, policy: SupportPolicy) -> None:
    """What is more urgent is due sooner, by what its targets differ from those before."""
    old, new = policy.targets.of(case.priority), policy.targets.of(priority)
    hours = BusinessHours(policy)
    first = timedelta(minutes=new.first_response_minutes - old.first_response_minutes)
    whole = timedelta(minutes=new.resolution_minutes - old.resolution_minutes)
    case.first_response_due_at = hours.after(case.first_response_due_at, first)
    case.resolution_due_at = hours.after(case.resolution_due_at, whole)
    case.priority, case.rank = priority, RANK[priority]
    _place(case)


def _place(case: Case) -> None:
    """Its place in the queue: the answer first, then the solution."""
    if case.status not in WAITS:
        case.due_at = case.waits_since = None
    else:
        case.waits_since = case.waits_since or clock.now()
        case.due_at = case.resolution_due_at if case.first_response_at else case.first_response_due_at


def _targets(policy: SupportPolicy, priority: Priority, moment: datetime) -> tuple[datetime, datetime]:
    target, hours = policy.targets.of(priority), BusinessHours(policy)
    return (
        hours.after(moment, timedelta(minutes=target.first_response_minutes)),
        hours.after(moment, timedelta(minutes=target.resolution_minutes)),
    )
