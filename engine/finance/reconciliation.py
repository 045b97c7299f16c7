"""Our captures, refunds and disputes against what gateways settled: what waits, what differs, what is unexplained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from pydantic import Field
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from engine.finance.matching import settles
from engine.finance.models import LineMatch, Payout
from engine.finance.models import PayoutLine as LineRow
from engine.finance.payouts import line_view
from engine.finance.schemas import PayoutLineView
from engine.kit import clock
from engine.kit.policies import Policy, policy_of
from engine.kit.views import View

_SHOWN: Final = 100
_EVENTS: Final = """
SELECT 'charge' AS kind, c.id, c.payment_id, p.gateway, c.currency, c.amount::bigint AS amount,
  coalesce(c.settled_at, c.created_at) AS at
FROM app.captures c JOIN app.payments p ON p.tenant_id = c.tenant_id AND p.id = c.payment_id
WHERE c.tenant_id = :tenant_id AND c.status = 'succeeded' AND p.tender = 'card'
UNION ALL
SELECT moved.kind, r.id, r.payment_id, coalesce(m.gateway, p.gateway), r.currency, moved.sign * r.amount::bigint,
  coalesce(r.settled_at, r.created_at)
FROM app.refunds r JOIN app.payments p ON p.tenant_id = r.tenant_id AND p.id = r.payment_id
LEFT JOIN app.payment_methods m ON m.tenant_id = r.tenant_id AND m.id = r.payment_method_id
JOIN app.journal_entries e ON e.tenant_id = r.tenant_id AND e.kind = 'refund' AND e.subject = r.id
JOIN (VALUES ('refund', -1, 'succeeded'), ('refund', -1, 'failed'), ('adjustment', 1, 'failed'))
  AS moved (kind, sign, status) ON moved.status = r.status
WHERE r.tenant_id = :tenant_id AND (r.destination = 'method' OR (r.destination = 'original' AND r.tender = 'card'))
UNION ALL
SELECT 'dispute', d.id, d.payment_id, d.gateway, d.currency, -(d.amount + d.fee)::bigint, d.opened_at
FROM app.disputes d WHERE d.tenant_id = :tenant_id
UNION ALL
SELECT 'dispute_won', d.id, d.payment_id, d.gateway, d.currency, d.amount, coalesce(d.closed_at, d.updated_at)
FROM app.disputes d WHERE d.tenant_id = :tenant_id AND d.status = 'won'
"""
"""Everything of ours that a gateway must settle, as it moved the clearing account; a refund that went and failed later
went out and comes back as an adjustment.
"""
_WAITING: Final = f"""
WITH events AS ({_EVENTS})
SELECT e.* FROM events e WHERE NOT EXISTS (
  SELECT FROM app.payout_lines l WHERE l.tenant_id = :tenant_id AND l.matched_id = e.id AND l.kind = e.kind)
"""  # noqa: S608 (our own)
_SUMS: Final = text(f"""
WITH waiting AS ({_WAITING})
SELECT gateway, currency, sum(amount) AS amount, count(*) AS events, min(at) AS oldest,
  count(*) FILTER (WHERE at < :due) AS overdue
FROM waiting GROUP BY gateway, currency ORDER BY gateway, currency
""")  # noqa: S608 (our own)
_OVERDUE: Final = text(f"SELECT * FROM ({_WAITING}) AS w WHERE at < :due ORDER BY at, id LIMIT :shown")  # noqa: S608
_BOOKED: Final = text("""
SELECT currency, sum(amount) AS amount FROM app.postings
WHERE tenant_id = :tenant_id AND account = 'psp_clearing' GROUP BY currency
""")
_PAID: Final = text("""
SELECT gateway, currency, sum(amount) AS amount, sum(fees) AS fees, count(*) AS payouts
FROM app.payouts WHERE tenant_id = :tenant_id GROUP BY gateway, currency
""")


class ReconciliationPolicy(Policy):
    """How long a gateway may take to pay out before we ask."""

    section: ClassVar[str] = "reconciliation"
    payout_days: int = Field(default=10, ge=1, le=90)


class OverdueView(View):
    kind: str
    id: str
    payment_id: str
    gateway: str
    currency: str
    amount: int
    at: datetime


class GatewayReport(View):
    """One gateway and currency, in minor units."""

    gateway: str
    currency: str
    payouts: int
    paid_out: int
    fees: int
    waiting: int
    """Net of our events that no payout has settled yet."""
    waiting_events: int
    overdue_events: int
    oldest_waiting_at: datetime | None


class ClearingReport(View):
    """The payment gateway clearing account in one currency: what is in it and what explains it."""

    currency: str
    booked: int
    waiting: int
    differences: int
    """What payouts settled beyond what our rows say, not yet written off."""
    unexplained: int
    """``booked - (waiting - differences)``: zero when the books and the rows agree."""


class DifferenceView(PayoutLineView):
    payout_id: str
    position: int
    gateway: str
    currency: str
    difference: int
    """What the line settles less what our row says."""


class ReconciliationReport(View):
    gateways: list[GatewayReport]
    clearing: list[ClearingReport]
    differences: list[DifferenceView]
    overdue: list[OverdueView]
    """The first hundred."""


def reconcile(session: Session, tenant_id: str) -> ReconciliationReport:
    """The whole report, from the rows as they are now."""
    days = policy_of(session, tenant_id, ReconciliationPolicy).payout_days
    bound = {"tenant_id": tenant_id, "due": clock.now() - timedelta(days=days)}
    waiting = session.execute(_SUMS, bound).mappings().all()
    paid = session.execute(_PAID, {"tenant_id": tenant_id}).mappings().all()
    differences = _differences(session, tenant_id)
    overdue = session.execute(_OVERDUE, bound | {"shown": _SHOWN}).mappings()
    return ReconciliationReport(
        gateways=_by_gateway(waiting, paid),
        clearing=_clearing(session, tenant_id, waiting, differences),
        differences=differences,
        overdue=[OverdueView(**row) for row in overdue],
    )


def _by_gateway(waiting: Any, paid: Any) -> list[GatewayReport]:
    open_ones = {(row["gateway"], row["currency"]): row for row in waiting}
    settled = {(row["gateway"], row["currency"]): row for row in paid}
    reports = []
    for key in sorted(open_ones.keys() | settled.keys()):
        rest, done = open_ones.get(key), settled.get(key)
        reports.append(
            GatewayReport(
                gateway=key[0],
                currency=key[1],
                payouts=done["payouts"] if done else 0,
                paid_out=int(done["amount"]) if done else 0,
                fees=int(done["fees"]) if done else 0,
                waiting=int(rest["amount"]) if rest else 0,
                waiting_events=rest["events"] if rest else 0,
                overdue_events=rest["overdue"] if rest else 0,
                oldest_waiting_at=rest["oldest"] if rest else None,
            )
        )
    return reports


def _clearing(
    session: Session, tenant_id: str, waiting: Any, differences: Sequence[DifferenceView]
) -> list[ClearingReport]:
    booked = {row.currency: int(row.amount) for row in session.execute(_BOOKED, {"tenant_id": tenant_id})}
    waits: Counter[str] = Counter()
    for row in waiting:
        waits[row["currency"]] += int(row["amount"])
    off: Counter[str] = Counter()
    for line in differences:
        off[line.currency] += line.difference
    return [
        ClearingReport(
            currency=currency,
            booked=booked.get(currency, 0),
            waiting=waits[currency],
            differences=off[currency],
            unexplained=booked.get(currency, 0) - waits[currency] + off[currency],
        )
        for currency in sorted(booked.keys() | waits.keys() | off.keys())
    ]


def _differences(session: Session, tenant_id: str) -> list[DifferenceView]:
    rows = session.execute(
        select(LineRow, Payout)
        .join(Payout, (Payout.tenant_id == LineRow.tenant_id) & (Payout.id == LineRow.payout_id))
        .where(LineRow.tenant_id == tenant_id, LineRow.match.in_([LineMatch.UNMATCHED, LineMatch.DIFFERS]))
        .order_by(Payout.paid_at, LineRow.payout_id, LineRow.position)
    )
    return [
        DifferenceView(
            payout_id=line.payout_id,
            position=line.position,
            gateway=payout.gateway,
            currency=payout.currency,
            difference=settles(line.kind, line.amount, line.fee) - (line.expected or 0),
            **line_view(line).model_dump(),
        )
        for line, payout in rows
    ]
