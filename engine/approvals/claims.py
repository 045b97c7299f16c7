"""A warranty claim whose refund is more than one person may give back."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field
from sqlalchemy.orm import Session

from engine.approvals.acts import Act, Args, Doing, Outcome, Standing, over
from engine.approvals.policy import ApprovalsPolicy
from engine.kit.errors import OverLimit
from engine.kit.money import Money
from engine.payments import refund_limits
from engine.runtime import Runtime
from engine.warranties import deciding, locks, resolving
from engine.warranties.models import Resolution


class ClaimArgs(Args):
    claim_id: Annotated[str, Field(max_length=40)]
    offers: Annotated[tuple[Resolution, ...], Field(min_length=1, max_length=3)]
    message: Annotated[str, Field(max_length=500)] = ""
    """Told to the shopper."""
    note: Annotated[str, Field(max_length=500)] = ""
    comes_back: bool | None = None


def _look_claim(session: Session, tenant_id: str, args: ClaimArgs) -> Standing:
    """The question is another one when the claim moved on, or when the unit stands for another amount."""
    held = locks.hold(session, tenant_id, args.claim_id)
    amount = resolving.owed(held).amount if Resolution.REFUND in args.offers else 0
    version = f"{held.claim.status}|{held.claim.version}|{amount}"
    return Standing(held.claim.id, version, amount, held.order.currency, amount, held.order.thread_id)


def _approve_claim(session: Session, doing: Doing, args: ClaimArgs) -> Outcome:
    claim = deciding.approve(
        session,
        doing.tenant_id,
        args.claim_id,
        offers=args.offers,
        message=args.message,
        note=args.note,
        comes_back=args.comes_back,
        actor=doing.actor,
        approved=doing.approved,
    )
    if claim.amount:
        _check_limits(session, doing, claim.order_id, Money(claim.amount, claim.currency))
    return {"claim_id": claim.id, "order_id": claim.order_id}


def _carry_out(runtime: Runtime, tenant_id: str, outcome: Outcome) -> None:
    resolving.carry_out(runtime, tenant_id, outcome["claim_id"])


def _over_claim(policy: ApprovalsPolicy, _args: ClaimArgs, standing: Standing) -> OverLimit | None:
    words = "That is more than one person may give back for a warranty claim."
    return over(policy.warranty_limit, standing, rule="warranty_limit", words=words)


def _check_limits(session: Session, doing: Doing, order_id: str, wanted: Money) -> None:
    """What payments let one person give back counts now, while somebody else can still be asked."""
    if doing.approved is None:
        policy = refund_limits.begin(session, doing.tenant_id, approved=None)
        refund_limits.check(session, policy, doing.tenant_id, order_id=order_id, wanted=wanted, actor=doing.actor)


WARRANTY: Final = Act(ClaimArgs, _look_claim, _over_claim, run=_approve_claim, after=_carry_out)
