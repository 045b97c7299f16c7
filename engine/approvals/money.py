"""Money given back on an order, and store credit given to its buyer."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import Field
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.approvals.acts import Act, Args, Doing, Outcome, Standing, over
from engine.approvals.policy import ApprovalsPolicy
from engine.kit import clock
from engine.kit.errors import NotFound, OverLimit
from engine.kit.money import Money
from engine.orders import goodwill
from engine.orders import service as orders
from engine.orders.models import Order
from engine.payments import courtesies, refunds, stored_value
from engine.payments.courtesy_models import CourtesyKind
from engine.payments.stored_value_models import StoredValueKind
from engine.runtime import Runtime

MONEY: Final = """
SELECT (SELECT coalesce(sum(amount), 0) FROM app.captures
        WHERE tenant_id = :tenant_id AND order_id = :order_id AND status = 'succeeded') AS taken,
  (SELECT coalesce(sum(amount), 0) FROM app.refunds
   WHERE tenant_id = :tenant_id AND order_id = :order_id AND status <> 'failed') AS back,
  (SELECT count(*) FROM app.disputes WHERE tenant_id = :tenant_id AND order_id = :order_id) AS disputes,
  (SELECT coalesce(-sum(a.amount), 0) FROM app.order_adjustments a
   LEFT JOIN app.refunds r ON r.tenant_id = a.tenant_id AND r.id = a.refund_id
   WHERE a.tenant_id = :tenant_id AND a.order_id = :order_id AND a.kind = 'goodwill' AND r.approved IS NULL
     AND r.status IS DISTINCT FROM 'failed')::bigint AS alone
"""
_CREDIT: Final = """
SELECT coalesce(sum(e.delta), 0)::bigint FROM app.stored_value_entries e
JOIN app.stored_value_accounts a ON a.tenant_id = e.tenant_id AND a.id = e.account_id
WHERE e.tenant_id = :tenant_id AND e.kind = 'issue' AND e.at > :since AND a.kind = 'store_credit'
  AND a.currency = :currency AND (a.owner_id = :owner_id OR a.customer_id = :customer_id)
  AND NOT EXISTS (SELECT FROM app.approvals p WHERE p.tenant_id = e.tenant_id AND p.status = 'approved'
    AND p.outcome->>'account_id' = a.id)
  AND NOT EXISTS (SELECT FROM app.loyalty_entries l WHERE l.tenant_id = e.tenant_id AND l.kind = 'redeem'
    AND l.subject = a.id)
"""
"""What the shop gave of its own accord: points that were redeemed were the buyer's."""

_ONE_BUYER: Final = "SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"
"""The limit counts all of a buyer's orders: their credit is given one after the other."""


class RefundArgs(Args):
    order_id: Annotated[str, Field(max_length=40)]
    amount: Annotated[int, Field(strict=True, gt=0, le=1_000_000_000)]
    reason: Annotated[str, Field(min_length=1, max_length=200)]
    """Told to the shopper."""
    destination: Literal["original", "store_credit"] = "original"


class GoodwillArgs(Args):
    order_id: Annotated[str, Field(max_length=40)]
    amount: Annotated[int, Field(strict=True, gt=0, le=1_000_000_000)]
    reason: Annotated[str, Field(min_length=1, max_length=200)]


def _look_refund(session: Session, tenant_id: str, args: RefundArgs) -> Standing:
    order = _placed(session, tenant_id, args.order_id)
    money = _standing(session, order)
    return Standing(
        subject_id=order.id,
        version=_version(money),
        amount=args.amount,
        currency=order.currency,
        counted=int(money["alone"]) + args.amount,
        thread_id=order.thread_id,
    )


def _refund(session: Session, doing: Doing, args: RefundArgs) -> Outcome:
    """Money back that lowers what is due for the order: it takes no goods and no tax back."""
    made = goodwill.give(
        session,
        doing.tenant_id,
        order_id=args.order_id,
        amount=args.amount,
        reason=args.reason,
        destination=args.destination,
        requested_by=doing.actor,
        approved=doing.approved,
    )
    return {"order_id": args.order_id, "refund_ids": [one.id for one in made], "destination": args.destination}


def _send_back(runtime: Runtime, tenant_id: str, outcome: Outcome) -> None:
    for refund_id in outcome["refund_ids"]:
        refunds.execute(runtime, tenant_id, refund_id)


def _look_goodwill(session: Session, tenant_id: str, args: GoodwillArgs) -> Standing:
    order = _placed(session, tenant_id, args.order_id)
    session.execute(text(_ONE_BUYER), {"key": f"goodwill:{tenant_id}:{order.customer_id or order.owner_id}"})
    return Standing(
        subject_id=order.id,
        version=_version(_standing(session, order)),
        amount=args.amount,
        currency=order.currency,
        counted=credited(session, order) + args.amount,
        thread_id=order.thread_id,
    )


def credited(session: Session, order: Order) -> int:
    """Store credit that the shop gave the order's buyer of its own accord in the last 24 hours, in its currency."""
    key = {"tenant_id": order.tenant_id, "currency": order.currency, "since": clock.now() - timedelta(days=1)}
    given = session.scalar(text(_CREDIT), key | {"owner_id": order.owner_id, "customer_id": order.customer_id})
    return int(given or 0)


def _goodwill(session: Session, doing: Doing, args: GoodwillArgs) -> Outcome:
    order = _placed(session, doing.tenant_id, args.order_id)
    worth, buyer = Money(args.amount, order.currency), order.customer_id or order.owner_id
    given: dict[str, Any] = {"worth": worth, "actor": doing.actor, "buyer": buyer, "approved": doing.approved}
    courtesies.check(session, doing.tenant_id, **given)
    issued = stored_value.issue(
        session,
        doing.tenant_id,
        secret_key=doing.runtime.secret_key,
        kind=StoredValueKind.STORE_CREDIT,
        amount=args.amount,
        currency=order.currency,
        customer_id=order.customer_id,
        owner_id=order.owner_id,
        actor=doing.actor,
    )
    kind = CourtesyKind.STORE_CREDIT
    courtesies.record(session, doing.tenant_id, kind=kind, subject=issued.account.id, **given)
    return {"order_id": order.id, "account_id": issued.account.id}


def _placed(session: Session, tenant_id: str, order_id: str) -> Order:
    """The order under its lock. Raises ``NotFound`` for one that never was."""
    order = orders.lock(session, tenant_id, order_id)
    if order.placed_at is None:
        raise NotFound("There is no such order.")
    return order


def _standing(session: Session, order: Order) -> dict[str, Any]:
    row = session.execute(text(MONEY), {"tenant_id": order.tenant_id, "order_id": order.id}).mappings().one()
    return dict(row)


def _version(money: dict[str, Any]) -> str:
    """How the order's money stands; that it was shipped meanwhile does not matter."""
    return f"{money['taken']}|{money['back']}|{money['disputes']}"


def _over_refund(policy: ApprovalsPolicy, _args: RefundArgs, standing: Standing) -> OverLimit | None:
    words = "That is more than one person may give back on an order."
    return over(policy.refund_limit, standing, rule="refund_limit", words=words)


def _over_goodwill(policy: ApprovalsPolicy, _args: GoodwillArgs, standing: Standing) -> OverLimit | None:
    words = "That is more store credit than one person may give a buyer in a day."
    return over(policy.goodwill_limit, standing, rule="goodwill_limit", words=words)


REFUND: Final = Act(RefundArgs, _look_refund, _over_refund, run=_refund, after=_send_back)
GOODWILL: Final = Act(GoodwillArgs, _look_goodwill, _over_goodwill, run=_goodwill)
