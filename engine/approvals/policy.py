"""A merchant's rules for approvals: how far staff may go alone, and whose word takes them further."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from engine.approvals.models import ApprovalKind
from engine.kit.policies import Policy

Limit = Annotated[int, Field(ge=0)] | None
ApproverScope = Literal["staff", "ops", "admin"]


def _one_each() -> dict[ApprovalKind, int]:
    return {}


class ApprovalsPolicy(Policy):
    """Limits are in minor units, ``None`` for none. Those of stock and of order changes are in the sections
    ``inventory`` and ``orders``, and those of ``payments`` count beside these.
    """

    section: ClassVar[str] = "approvals"

    refund_limit: Limit = 20_000
    """Of money given back on one order, in all, beyond what was canceled or sent back."""
    goodwill_limit: Limit = 5_000
    """Of store credit given to one buyer in any 24 hours."""
    discount_limit: Limit = 5_000
    """Of a code that is worth money."""
    discount_percent_limit: Annotated[int, Field(ge=0, le=100)] | None = 20
    return_refund_limit: Limit = None
    warranty_limit: Limit = None
    approver_scopes: Annotated[tuple[ApproverScope, ...], Field(min_length=1)] = ("staff", "ops", "admin")
    """A key needs one of these to decide."""
    approvers: Annotated[dict[ApprovalKind, Annotated[int, Field(ge=1, le=5)]], Field(default_factory=_one_each)]
    """How many people have to say yes, where it is more than one."""
    named_people_only: bool = False
    """Whether a key decides only when it names the person who works with it."""
    expiry_hours: Annotated[int, Field(ge=1, le=2_160)] = 72
    warn_hours: Annotated[int, Field(ge=0, le=720)] = 4
    """How long before it runs out an alert says so."""

    def needed(self, kind: ApprovalKind) -> int:
        return self.approvers.get(kind, 1)
