"""How much may go back without somebody's say-so: cumulative per order, per customer and per day."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.kit import clock
from engine.kit.money import Money
from engine.kit.policies import policy_of
from engine.payments.errors import RefundOverLimit
from engine.payments.policy import PaymentsPolicy

_GIVEN: Final = """
SELECT coalesce(sum(r.amount) FILTER (WHERE r.order_id = :order_id), 0)::bigint AS "order",
  coalesce(sum(r.amount) FILTER (WHERE r.created_at > :since AND coalesce(o.customer_id, o.owner_id) = :buyer),
    0)::bigint AS customer_day,
  coalesce(sum(r.amount) FILTER (WHERE r.created_at > :since), 0)::bigint AS "day"
FROM app.refunds r LEFT JOIN app.orders o ON o.tenant_id = r.tenant_id AND o.id = r.order_id
WHERE r.tenant_id = :tenant_id AND r.currency = :currency AND r.status <> 'failed'
  AND (r.approved IS NULL OR r.approved = r.change_id) AND (r.order_id = :order_id OR r.created_at > :since)
"""
_BUYER: Final = "SELECT coalesce(customer_id, owner_id) FROM app.orders WHERE tenant_id = :tenant_id AND id = :order_id"
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext(:key))"


def begin(session: Session, tenant_id: str, *, approved: str | None) -> PaymentsPolicy:
    """The shop's policy. With a limit over several orders, refunds that it counts go one after the other from here on:
    call it before any payment is locked.
    """
    policy = policy_of(session, tenant_id, PaymentsPolicy)
    if approved is not None:
        return policy
    if policy.refund_limit_per_customer_day is not None or policy.refund_limit_per_day is not None:
        session.execute(text(_LOCK), {"key": f"refund-limits:{tenant_id}"})
    return policy


def check(session: Session, policy: PaymentsPolicy, tenant_id: str, *, order_id: str, wanted: Money) -> None:
    """Raises ``RefundOverLimit`` when this refund, with all before it, is more than a limit allows."""
    limits = {
        "order": (policy.refund_limit_per_order, "this order"),
        "customer_day": (policy.refund_limit_per_customer_day, "this customer in a day"),
        "day": (policy.refund_limit_per_day, "a day"),
    }
    if all(limit is None for limit, _ in limits.values()):
        return
    given = _given(session, tenant_id, order_id, wanted.currency)
    for name, (limit, words) in limits.items():
        total = given[name] + wanted.amount
        if limit is not None and total > limit:
            raise RefundOverLimit(
                f"Refunds for {words} are limited to {Money(limit, wanted.currency)}.",
                limit=limit,
                amount=total,
                currency=wanted.currency,
                rule=f"refund_limit_per_{name}",
            )


def _given(session: Session, tenant_id: str, order_id: str, currency: str) -> dict[str, Any]:
    key = {"tenant_id": tenant_id, "order_id": order_id}
    buyer = session.scalar(text(_BUYER), key)
    facts = key | {"buyer": buyer, "currency": currency, "since": clock.now() - timedelta(days=1)}
    return dict(session.execute(text(_GIVEN), facts).mappings().one())
