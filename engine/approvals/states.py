"""How an approval goes: one table, read by the service and printed in ``docs/domains/approvals.md``."""

from __future__ import annotations

from typing import Final

from engine.approvals.models import ApprovalStatus
from engine.kit.state_machine import StateMachine

APPROVAL: Final = StateMachine(
    "approval",
    {
        ApprovalStatus.PENDING: frozenset(
            {ApprovalStatus.CLAIMED, ApprovalStatus.DECLINED, ApprovalStatus.EXPIRED, ApprovalStatus.FAILED}
        ),
        ApprovalStatus.CLAIMED: frozenset({ApprovalStatus.APPROVED, ApprovalStatus.FAILED}),
        ApprovalStatus.APPROVED: frozenset(),
        ApprovalStatus.FAILED: frozenset(),
        ApprovalStatus.DECLINED: frozenset(),
        ApprovalStatus.EXPIRED: frozenset(),
    },
)
