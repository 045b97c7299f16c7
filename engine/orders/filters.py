"""Finding orders: filters on what is stored and on what is computed, page by page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Select, bindparam, or_, select, text

from engine.kit.errors import InvalidInput
from engine.orders.models import Order, OrderStatus
from engine.orders.status import FulfillmentState, PaymentState

# The same rules as orders.status, in the words of the database; a test holds them together.
_FULFILLMENT: Final = """(
SELECT CASE
  WHEN t.wanted = 0 THEN 'canceled'
  WHEN t.returned > t.exchanged THEN CASE WHEN t.returned = t.wanted THEN 'returned' ELSE 'partially_returned' END
  WHEN t.delivered = t.wanted THEN CASE WHEN t.exchanged > 0 THEN 'exchanged' ELSE 'delivered' END
  WHEN t.shipped = t.wanted THEN CASE WHEN t.delivered > 0 THEN 'partially_delivered' ELSE 'shipped' END
  WHEN t.shipped > 0 THEN 'partially_shipped'
  WHEN t.released > 0 THEN 'processing'
  WHEN t.allocated < t.wanted THEN 'backordered'
  ELSE 'unfulfilled' END
FROM (
  SELECT sum(l.ordered - l.canceled) AS wanted, sum(l.allocated) AS allocated, sum(l.released) AS released,
    sum(l.shipped) AS shipped, sum(l.delivered) AS delivered, sum(l.returned) AS returned,
    sum(least(l.returned, coalesce(r.units, 0))) AS exchanged
  FROM app.order_lines l LEFT JOIN LATERAL (
    SELECT sum(n.ordered - n.canceled) AS units FROM app.order_lines n
    WHERE n.tenant_id = l.tenant_id AND n.order_id = l.order_id AND n.replaces_line_id = l.id) r ON true
  WHERE l.tenant_id = orders.tenant_id AND l.order_id = orders.id) t)"""
_PAYMENT: Final = """(
SELECT CASE
  WHEN t.disputed > 0 THEN 'disputed'
  WHEN t.refunded > 0 THEN
    CASE WHEN t.refunded >= t.captured - t.swapped THEN 'refunded' ELSE 'partially_refunded' END
  WHEN t.held > 0 THEN 'authorized'
  WHEN t.paid OR orders.origin IS NOT NULL THEN 'paid'
  ELSE 'unpaid' END
FROM (
  SELECT
    coalesce(sum(c.captured), 0) AS captured,
    coalesce(sum(p.amount - coalesce(c.captured, 0)) FILTER (
      WHERE p.status IN ('authorized', 'partially_captured')), 0) AS held,
    coalesce(bool_or(p.status IN ('captured', 'partially_captured')), false) AS paid,
    coalesce(sum(f.refunded), 0) AS refunded, coalesce(sum(f.swapped), 0) AS swapped,
    coalesce(sum(d.disputed), 0) AS disputed
  FROM app.payments p
  LEFT JOIN LATERAL (
    SELECT sum(x.amount) AS captured FROM app.captures x
    WHERE x.tenant_id = p.tenant_id AND x.payment_id = p.id AND x.status = 'succeeded') c ON true
  LEFT JOIN LATERAL (
    SELECT sum(x.amount) FILTER (WHERE a.id IS NULL AND x.status = 'succeeded') AS refunded,
      sum(x.amount) FILTER (WHERE a.id IS NOT NULL AND x.status <> 'failed') AS swapped
    FROM app.refunds x LEFT JOIN app.order_adjustments a ON a.tenant_id = x.tenant_id AND a.order_id = p.order_id
      AND a.refund_id = x.id AND a.kind = 'payment_method'
    WHERE x.tenant_id = p.tenant_id AND x.payment_id = p.id) f ON true
  LEFT JOIN LATERAL (
    SELECT sum(x.amount) AS disputed FROM app.disputes x
    WHERE x.tenant_id = p.tenant_id AND x.payment_id = p.id AND x.status <> 'won') d ON true
  WHERE p.tenant_id = orders.tenant_id AND p.order_id = orders.id) t)"""
_LINES: Final = "SELECT order_id FROM app.order_lines WHERE tenant_id = current_setting('app.tenant_id', true) AND"
_OUTSTANDING: Final = f"{_LINES} ordered - canceled - delivered > 0"
_RETURNED: Final = f"{_LINES} returned > 0"
_HELD: Final = """SELECT order_id FROM app.payments
WHERE tenant_id = current_setting('app.tenant_id', true) AND status IN ('authorized', 'partially_captured')"""
_REFUNDED: Final = """SELECT order_id FROM app.refunds
WHERE tenant_id = current_setting('app.tenant_id', true) AND status = 'succeeded'"""
_DISPUTED: Final = """SELECT p.order_id
FROM app.disputes d JOIN app.payments p ON p.tenant_id = d.tenant_id AND p.id = d.payment_id
WHERE d.tenant_id = current_setting('app.tenant_id', true) AND d.status <> 'won'"""
_NEVER_PAID: Final = """SELECT o.id FROM app.orders o
WHERE o.tenant_id = current_setting('app.tenant_id', true) AND NOT EXISTS (SELECT FROM app.payments p
  WHERE p.tenant_id = o.tenant_id AND p.order_id = o.id AND p.status IN ('captured', 'partially_captured'))"""
_AMONG: Final[Mapping[PaymentState | FulfillmentState, str]] = {
    FulfillmentState.CANCELED: f"{_LINES} canceled > 0",
    FulfillmentState.BACKORDERED: _OUTSTANDING,
    FulfillmentState.UNFULFILLED: _OUTSTANDING,
    FulfillmentState.PROCESSING: _OUTSTANDING,
    FulfillmentState.PARTIALLY_SHIPPED: _OUTSTANDING,
    FulfillmentState.SHIPPED: _OUTSTANDING,
    FulfillmentState.PARTIALLY_DELIVERED: _OUTSTANDING,
    FulfillmentState.PARTIALLY_RETURNED: _RETURNED,
    FulfillmentState.RETURNED: _RETURNED,
    FulfillmentState.EXCHANGED: _RETURNED,
    PaymentState.UNPAID: _NEVER_PAID,
    PaymentState.AUTHORIZED: _HELD,
    PaymentState.PARTIALLY_REFUNDED: _REFUNDED,
    PaymentState.REFUNDED: _REFUNDED,
    PaymentState.DISPUTED: _DISPUTED,
}
"""The orders among which those of a status are, by an index that holds few. What most orders are in the end (delivered,
paid) needs none: a page of them is among the newest.
"""


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders are wanted; ``None`` leaves a part open."""

    status: str | None = None
    payment_status: str | None = None
    fulfillment_status: str | None = None
    placed_from: datetime | None = None
    placed_to: datetime | None = None
    """Up to, not including."""
    q: str | None = None
    """A whole order number or e-mail address."""
    customer: str | None = None
    """Id of a customer, or of the session identity that bought."""


def placed(tenant_id: str) -> Select[Order]:
    """Orders that somebody outside may see: those that were paid for."""
    return select(Order).where(
        Order.tenant_id == tenant_id,
        Order.placed_at.is_not(None),
        Order.status != OrderStatus.PENDING_PAYMENT,
    )


def narrow(query: Select[Order], wanted: OrderFilter) -> Select[Order]:
    """The query with the filter's conditions. Raises ``InvalidInput`` for a status that there is not."""
    if wanted.status:
        query = query.where(Order.status == _one_of(OrderStatus, wanted.status, "status"))
    if wanted.payment_status:
        query = _computed(query, _PAYMENT, PaymentState, wanted.payment_status, "payment_status")
    if wanted.fulfillment_status:
        query = _computed(query, _FULFILLMENT, FulfillmentState, wanted.fulfillment_status, "fulfillment_status")
    if wanted.placed_from:
        query = query.where(Order.placed_at >= _aware(wanted.placed_from, "placed_from"))
    if wanted.placed_to:
        query = query.where(Order.placed_at < _aware(wanted.placed_to, "placed_to"))
    if wanted.customer:
        query = query.where(or_(Order.customer_id == wanted.customer, Order.owner_id == wanted.customer))
    return _search(query, wanted.q) if wanted.q else query


def _search(query: Select[Order], words: str) -> Select[Order]:
    said = words.strip().lstrip("#")
    if "@" in said:
        return query.where(Order.email_key == said.lower())
    return query.where(Order.number == said.upper())


def _computed(
    query: Select[Order], words: str, kind: type[PaymentState | FulfillmentState], value: str, param: str
) -> Select[Order]:
    """Worked out for each order that comes into question, and no other."""
    state = kind(_one_of(kind, value, param))
    query = query.where(text(f"{words} = :{param}").bindparams(bindparam(param, str(state))))
    among = _AMONG.get(state)
    return query.where(text(f"orders.id IN ({among})")) if among else query


def _one_of(kind: type[OrderStatus | PaymentState | FulfillmentState], value: str, param: str) -> str:
    if value not in set(kind):
        raise InvalidInput(f"{param} is one of: {', '.join(kind)}.", param=param)
    return value


def _aware(moment: datetime, param: str) -> datetime:
    if moment.tzinfo is None:
        raise InvalidInput(f"{param} needs a time zone, as in 2026-01-31T00:00:00Z.", param=param)
    return moment
