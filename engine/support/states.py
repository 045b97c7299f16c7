"""How a case goes: one table, read by the service and printed in ``docs/domains/support.md``."""

from __future__ import annotations

from typing import Final

from engine.kit.state_machine import StateMachine
from engine.support.models import CaseStatus

CASE: Final = StateMachine(
    "case",
    {
        CaseStatus.OPEN: frozenset({CaseStatus.WAITING_STAFF, CaseStatus.RESOLVED, CaseStatus.CLOSED}),
        CaseStatus.WAITING_STAFF: frozenset(
            {CaseStatus.OPEN, CaseStatus.WAITING_CUSTOMER, CaseStatus.RESOLVED, CaseStatus.CLOSED}
        ),
        CaseStatus.WAITING_CUSTOMER: frozenset(
            {CaseStatus.OPEN, CaseStatus.WAITING_STAFF, CaseStatus.RESOLVED, CaseStatus.CLOSED}
        ),
        CaseStatus.RESOLVED: frozenset({CaseStatus.OPEN, CaseStatus.WAITING_STAFF, CaseStatus.CLOSED}),
        CaseStatus.CLOSED: frozenset(),
    },
)
WAITS: Final = frozenset({CaseStatus.OPEN, CaseStatus.WAITING_STAFF})
"""It is the shop's turn: the clock runs and the case is in the queue."""
LIVE: Final = WAITS | {CaseStatus.WAITING_CUSTOMER}
