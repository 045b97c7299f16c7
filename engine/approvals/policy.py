"""A merchant's rules for approvals: how far staff may go alone, and whose word takes them further."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from engine.approvals.models import ApprovalKind
from engine.kit.caps import Caps, in_home
from engine.kit.identity import Role
from engine.kit.policies import Policy

ApproverScope = Literal["staff", "ops", "admin"]


def _one_each() -> dict[ApprovalKind, int]:
    return {}


class ApprovalsPolicy(Policy):
    """Limits are by currency, ``None`` for none; a bare number is of the shop's own currency, and in a
    currency that is not listed everything takes an approval. Those of stock and of order changes are in the sections
    ``inventory`` and ``orders``, and those of ``payments`` count beside these.
    """

    section: ClassVar[str] = "approvals"

    refund_limit: Caps = in_home(20_000)
    """Of money given back on one order, in all, beyond what was canceled or sent back."""
    goodwill_limit: Caps = in_home(5_000)
    """Of store credit given to one buyer in any 24 hours."""
    discount_limit: Caps = in_home(5_000)
    """Of a code that is worth money."""
    percent_code_order: Caps = in_home(20_000)
    """The order that a code in percent is counted for, where limits add up what was given away; where the shop's own
    currency is not listed, every such code takes an approval.
    """
    gift_card_limit: Caps = in_home(10_000)
    """Of a gift card given away."""
    discount_percent_limit: Annotated[int, Field(ge=0, le=100)] | None = 20
    replacement_limit: Caps = in_home(20_000)
    """Of what goods of one order stand for that are sent once more, in all."""
    return_refund_limit: Caps = None
    warranty_limit: Caps = None
    approver_scopes: Annotated[tuple[ApproverScope, ...], Field(min_length=1)] = ("staff", "ops", "admin")
    """A key needs one of these to decide."""
    approver_roles: Annotated[tuple[Role, ...], Field(min_length=1)] = (Role.SUPERVISOR, Role.OPS, Role.ADMIN)
    """And somebody who is signed in to the console needs one of these roles."""
    approvers: Annotated[dict[ApprovalKind, Annotated[int, Field(ge=1, le=5)]], Field(default_factory=_one_each)]
    """How many people have to say yes, where it is more than one."""
    named_people_only: bool = True
    """Whether a key decides only when it names the person who works with it; all keys that name nobody are one."""
    expiry_hours: Annotated[int, Field(ge=1, le=2_160)] = 72
    warn_hours: Annotated[int, Field(ge=0, le=720)] = 4
    """How long before it runs out an alert says so."""

    def needed(self, kind: ApprovalKind) -> int:
        return self.approvers.get(kind, 1)
