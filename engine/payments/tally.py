"""Where payments stand, summed from their rows: the one place that adds up captures, refunds and disputes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from engine.kit.direct import Row, Statement
from engine.kit.gathering import Wanted, ask

_SUMS: Final = """
SELECT p.id,
  CASE WHEN p.status IN ('authorized', 'partially_captured', 'captured', 'voided', 'expired') THEN p.amount ELSE 0 END
    AS authorized,
  coalesce(c.captured, 0)::bigint AS captured, coalesce(c.pending, 0)::bigint AS captures_pending,
  coalesce(r.refunded, 0)::bigint AS refunded, coalesce(r.pending, 0)::bigint AS refunds_pending,
  coalesce(r.elsewhere, 0)::bigint AS refunded_elsewhere,
  coalesce(d.disputed, 0)::bigint AS disputed, coalesce(d.blocking, false) AS blocked
FROM app.payments p
LEFT JOIN LATERAL (SELECT sum(amount) FILTER (WHERE status = 'succeeded') AS captured,
    sum(amount) FILTER (WHERE status = 'pending') AS pending
  FROM app.captures WHERE tenant_id = p.tenant_id AND payment_id = p.id) c ON true
LEFT JOIN LATERAL (SELECT sum(amount) FILTER (WHERE status = 'succeeded') AS refunded,
    sum(amount) FILTER (WHERE status = 'pending') AS pending,
    sum(amount) FILTER (WHERE status <> 'failed' AND destination <> 'original') AS elsewhere
  FROM app.refunds WHERE tenant_id = p.tenant_id AND payment_id = p.id) r ON true
LEFT JOIN LATERAL (SELECT sum(amount) FILTER (WHERE status <> 'won') AS disputed,
    bool_or(status NOT IN ('won', 'lost')) AS blocking
  FROM app.disputes WHERE tenant_id = p.tenant_id AND payment_id = p.id) d ON true
WHERE p.tenant_id = %(tenant_id)s AND """
_OF_PAYMENTS: Final = Statement(_SUMS + "p.id = ANY(%(ids)s)")
_OF_ORDER: Final = Statement(_SUMS + "p.order_id = %(order_id)s")


@dataclass(frozen=True, slots=True)
class Tally:
    """Minor units of the payment's currency."""

    authorized: int
    """What the bank agreed to."""
    captured: int
    captures_pending: int
    refunded: int
    refunds_pending: int
    refunded_elsewhere: int
    """The part of both that went to store credit: the gateway knows nothing of it."""
    disputed: int
    """Taken back by disputes that are open or lost."""
    blocked: bool
    """The bank has not decided about one of them: no refund until it has."""

    @property
    def refundable(self) -> int:
        """How much may still be given back."""
        return self.captured - self.refunded - self.refunds_pending - self.disputed

    @property
    def capturable(self) -> int:
        """How much of an authorization that is open may still be taken."""
        return self.authorized - self.captured - self.captures_pending

    @property
    def net(self) -> int:
        return self.captured - self.refunded - self.disputed


def standing_of(session: Session, tenant_id: str, payment_ids: Iterable[str]) -> dict[str, Tally]:
    """Payment id → where it stands; ids that are not the tenant's are left out. Lock payments before acting."""
    return tallies(ask(session, _OF_PAYMENTS, {"tenant_id": tenant_id, "ids": list(payment_ids)}))


def of_order(tenant_id: str, order_id: str) -> Wanted:
    """What to fetch for ``tallies`` of all payments of an order, beside other rows."""
    return _OF_ORDER, {"tenant_id": tenant_id, "order_id": order_id}


def tallies(rows: Iterable[Row]) -> dict[str, Tally]:
    return {row.pop("id"): Tally(**row) for row in rows}
