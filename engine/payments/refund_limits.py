"""How much may be given back or away without somebody's say-so: per order, per customer, per person and per day."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.kit import clock, people
from engine.kit.caps import Caps, cap
from engine.kit.money import Money
from engine.kit.policies import policy_of
from engine.payments.errors import RefundOverLimit
from engine.payments.policy import PaymentsPolicy

_GIVEN: Final = """
SELECT coalesce(sum(amount) FILTER (WHERE order_id = :order_id), 0)::bigint AS "order",
  coalesce(sum(amount) FILTER (WHERE at > :since AND buyer = ANY(:buyers)), 0)::bigint AS customer_day,
  coalesce(sum(amount) FILTER (WHERE at > :since AND actor = ANY(:keys)), 0)::bigint AS person_day,
  coalesce(sum(amount) FILTER (WHERE at > :since), 0)::bigint AS "day"
FROM (
  SELECT r.amount, r.order_id, r.created_at AS at, r.requested_by AS actor, coalesce(o.customer_id, o.owner_id) AS buyer
  FROM app.refunds r LEFT JOIN app.orders o ON o.tenant_id = r.tenant_id AND o.id = r.order_id
  WHERE r.tenant_id = :tenant_id AND r.currency = :currency AND r.status <> 'failed'
    AND (r.approved IS NULL OR r.approved = r.change_id) AND (r.order_id = :order_id OR r.created_at > :since)
  UNION ALL
  SELECT amount, NULL, at, actor, buyer FROM app.courtesies
  WHERE tenant_id = :tenant_id AND currency = :currency AND approved IS NULL AND at > :since) given
"""
_BUYER: Final = "SELECT coalesce(customer_id, owner_id) FROM app.orders WHERE tenant_id = :tenant_id AND id = :order_id"
_ONE: Final = """
WITH RECURSIVE one AS (
  SELECT coalesce((SELECT customer_id FROM app.shoppers WHERE tenant_id = :tenant_id AND id = :buyer), :buyer) AS id
  UNION SELECT c.id FROM app.customers c JOIN one ON c.merged_into = one.id WHERE c.tenant_id = :tenant_id)
SELECT id FROM one UNION SELECT CAST(:buyer AS varchar)
UNION SELECT s.id FROM app.shoppers s JOIN one ON s.customer_id = one.id WHERE s.tenant_id = :tenant_id
"""
"""All that one buyer was: the sessions before their e-mail was proven, and the customers who became them."""
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext(:key))"


def begin(session: Session, tenant_id: str, *, approved: str | None) -> PaymentsPolicy:
    """The shop's policy. With a limit over several orders, what it counts goes one after the other from here on:
    call it before any payment is locked.
    """
    policy = policy_of(session, tenant_id, PaymentsPolicy)
    over_orders = (
        policy.refund_limit_per_customer_day,
        policy.refund_limit_per_person_day,
        policy.refund_limit_per_day,
    )
    if approved is None and any(limit is not None for limit in over_orders):
        session.execute(text(_LOCK), {"key": f"refund-limits:{tenant_id}"})
    return policy


def check(
    session: Session,
    policy: PaymentsPolicy,
    tenant_id: str,
    *,
    order_id: str | None,
    wanted: Money,
    actor: str,
    buyer: str | None = None,
) -> None:
    """Raises ``RefundOverLimit`` when this, with all before it, is more than a limit allows: a refund of an order, or
    without one what ``actor`` gives away, to ``buyer`` where it is for somebody.
    """
    caps = _caps(policy, wanted.currency, order_id, buyer)
    if all(limit is None for limit, _ in caps.values()):
        return
    given = _given(session, tenant_id, order_id, wanted.currency, actor, buyer)
    for name, (limit, words) in caps.items():
        total = given[name] + wanted.amount
        if limit is not None and total > limit:
            raise RefundOverLimit(
                f"Refunds for {words} are limited to {Money(limit, wanted.currency)}.",
                limit=limit,
                amount=total,
                currency=wanted.currency,
                rule=f"refund_limit_per_{name}",
            )


def left(
    session: Session, tenant_id: str, *, order_id: str | None, currency: str, actor: str, buyer: str | None = None
) -> int | None:
    """How much ``actor`` may still give alone by these limits, as ``check`` has it; ``None`` where there is none."""
    caps = _caps(policy_of(session, tenant_id, PaymentsPolicy), currency, order_id, buyer)
    if all(limit is None for limit, _ in caps.values()):
        return None
    given = _given(session, tenant_id, order_id, currency, actor, buyer)
    return max(0, min(limit - int(given[name]) for name, (limit, _) in caps.items() if limit is not None))


def _caps(
    policy: PaymentsPolicy, currency: str, order_id: str | None, buyer: str | None
) -> dict[str, tuple[int | None, str]]:
    """The limits that bind a refund of an order, or what is given away: to a buyer, or to nobody in particular."""
    limits = _limits(policy)
    if order_id is None:
        del limits["order"]
    if order_id is None and buyer is None:
        del limits["customer_day"]
    return {name: (cap(limit, currency), words) for name, (limit, words) in limits.items()}


def _limits(policy: PaymentsPolicy) -> dict[str, tuple[Caps, str]]:
    return {
        "order": (policy.refund_limit_per_order, "this order"),
        "customer_day": (policy.refund_limit_per_customer_day, "this customer in a day"),
        "person_day": (policy.refund_limit_per_person_day, "one person's say-so in a day"),
        "day": (policy.refund_limit_per_day, "a day"),
    }


def _given(
    session: Session, tenant_id: str, order_id: str | None, currency: str, actor: str, buyer: str | None
) -> dict[str, Any]:
    key = {"tenant_id": tenant_id, "order_id": order_id}
    facts: dict[str, Any] = {
        "buyers": _one(session, tenant_id, buyer or session.scalar(text(_BUYER), key)),
        "currency": currency,
        "since": clock.now() - timedelta(days=1),
        "keys": people.keys_of(session, tenant_id, actor),
    }
    return dict(session.execute(text(_GIVEN), key | facts).mappings().one())


def _one(session: Session, tenant_id: str, buyer: str | None) -> list[str]:
    if buyer is None:
        return []
    return list(session.scalars(text(_ONE), {"tenant_id": tenant_id, "buyer": buyer}))
