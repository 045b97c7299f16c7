"""Orders that do not move, and why: one statement, what waits longest first."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.kit import clock
from engine.kit.policies import policy_of
from engine.kit.views import View
from engine.operations.policy import OperationsPolicy

_PAYMENT_GRACE: Final = timedelta(minutes=10)
_WAITING: Final = text("""
  SELECT o.id AS order_id, o.number, w.why, w.since, w.subject, count(*) OVER () AS waiting FROM (
    SELECT order_id, 'payment_unanswered' AS why, created_at AS since, id AS subject FROM app.payments
      WHERE tenant_id = :tenant AND status IN ('processing', 'unknown') AND created_at < :payment
        AND order_id IS NOT NULL
    UNION ALL
    SELECT id, 'on_hold', updated_at, coalesce(hold_reason, '') FROM app.orders
      WHERE tenant_id = :tenant AND status = 'on_hold' AND updated_at < :hold
    UNION ALL
    SELECT p.id, 'not_released', p.placed_at, '' FROM app.orders p
      WHERE p.tenant_id = :tenant AND p.status = 'open' AND p.placed_at < :release AND EXISTS (
        SELECT FROM app.order_lines l
        WHERE l.tenant_id = p.tenant_id AND l.order_id = p.id AND l.allocated > l.released)
    UNION ALL
    SELECT order_id, CASE status WHEN 'exception' THEN 'short_pick' ELSE 'not_shipped' END, released_at, id
      FROM app.fulfillments
      WHERE tenant_id = :tenant AND status NOT IN ('shipped', 'canceled')
        AND (status = 'exception' OR released_at < :ship)
    UNION ALL
    SELECT order_id, 'stock_late', promised_on::timestamptz, id FROM app.backorders
      WHERE tenant_id = :tenant AND status = 'waiting' AND promised_on < :today
    UNION ALL
    SELECT order_id, CASE status WHEN 'lost' THEN 'parcel_lost' WHEN 'exception' THEN 'parcel_exception'
        ELSE 'parcel_late' END, shipped_at, id
      FROM app.shipments
      WHERE tenant_id = :tenant AND remedy IS NULL AND delivered_at IS NULL AND returned_at IS NULL
        AND (status IN ('lost', 'exception') OR expected_on < :expected)
  ) AS w JOIN app.orders o ON o.tenant_id = :tenant AND o.id = w.order_id AND o.placed_at IS NOT NULL
  WHERE (CAST(:why AS text) IS NULL OR w.why = :why)
  ORDER BY w.since, w.order_id, w.why LIMIT :most
""")


class Why(StrEnum):
    """What holds an order up."""

    PAYMENT_UNANSWERED = "payment_unanswered"
    ON_HOLD = "on_hold"
    NOT_RELEASED = "not_released"
    NOT_SHIPPED = "not_shipped"
    SHORT_PICK = "short_pick"
    STOCK_LATE = "stock_late"
    PARCEL_LOST = "parcel_lost"
    PARCEL_EXCEPTION = "parcel_exception"
    PARCEL_LATE = "parcel_late"


_WORDS: Final = {
    Why.PAYMENT_UNANSWERED: "the payment provider has not said what became of its payment",
    Why.ON_HOLD: "it is on hold",
    Why.NOT_RELEASED: "it has stock and nobody handed it to a place that ships it",
    Why.NOT_SHIPPED: "a place has it and did not ship it in time",
    Why.SHORT_PICK: "units were not on the shelf",
    Why.STOCK_LATE: "stock that was promised has not come",
    Why.PARCEL_LOST: "a parcel is lost and nobody decided what follows",
    Why.PARCEL_EXCEPTION: "the carrier reports a problem with a parcel",
    Why.PARCEL_LATE: "a parcel is overdue",
}


class StuckOrder(View):
    order_id: str
    number: str
    why: Why
    words: str
    since: datetime
    subject: str
    """What it hangs on: a payment, a fulfillment, a shipment, or why it is held."""


class StuckOrders(View):
    items: list[StuckOrder]
    waiting: int
    """How many there are in all."""


def stuck(session: Session, tenant_id: str, *, why: Why | None = None, limit: int = 20) -> StuckOrders:
    """What has waited longest, first; an order stands here once for each thing that holds it up."""
    rows = session.execute(_WAITING, _bounds(session, tenant_id) | {"why": why, "most": limit}).all()
    items = [
        StuckOrder(
            order_id=row.order_id,
            number=row.number,
            why=Why(row.why),
            words=_WORDS[Why(row.why)],
            since=row.since,
            subject=row.subject,
        )
        for row in rows
    ]
    return StuckOrders(items=items, waiting=rows[0].waiting if rows else 0)


def _bounds(session: Session, tenant_id: str) -> dict[str, Any]:
    policy, now = policy_of(session, tenant_id, OperationsPolicy), clock.now()
    return {
        "tenant": tenant_id,
        "payment": now - _PAYMENT_GRACE,
        "hold": now - timedelta(hours=policy.hold_within_hours),
        "release": now - timedelta(hours=policy.release_within_hours),
        "ship": now - timedelta(hours=policy.ship_within_hours),
        "today": now.date(),
        "expected": now.date() - timedelta(days=policy.parcel_grace_days),
    }
