"""Money for goods that came back, where it is more than one person may give back alone."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field
from sqlalchemy.orm import Session

from engine.approvals.acts import Act, Args, Doing, Outcome, Standing, over
from engine.approvals.policy import ApprovalsPolicy
from engine.kit.errors import OverLimit
from engine.payments import refunds
from engine.returns import deciding, parcel, settling
from engine.returns.taken import lines_of
from engine.runtime import Runtime


class ReturnArgs(Args):
    return_id: Annotated[str, Field(max_length=40)]


def _look(session: Session, tenant_id: str, args: ReturnArgs) -> Standing:
    """What is due by what has come so far, to the cent."""
    order, row = parcel.lock(session, tenant_id, args.return_id)
    amount = settling.due_now(row, lines_of(session, row))
    return Standing(row.id, f"{row.given}|{amount}", amount, order.currency, row.given + amount, order.thread_id)


def _over(policy: ApprovalsPolicy, _args: ReturnArgs, standing: Standing) -> OverLimit | None:
    words = "That is more than one person may give back for a return."
    return over(policy.return_refund_limit, standing, rule="return_refund_limit", words=words)


def _run(session: Session, doing: Doing, args: ReturnArgs) -> Outcome:
    made = deciding.settle_again(
        session, doing.tenant_id, args.return_id, actor=doing.actor, approved=doing.approved, strict=True
    )
    _, row = parcel.lock(session, doing.tenant_id, args.return_id)
    return {"return_id": row.id, "order_id": row.order_id, "refund_ids": list(made)}


def _send(runtime: Runtime, tenant_id: str, outcome: Outcome) -> None:
    for refund_id in outcome["refund_ids"]:
        refunds.execute(runtime, tenant_id, refund_id)


RETURN_REFUND: Final = Act(ReturnArgs, _look, _over, run=_run, after=_send)
