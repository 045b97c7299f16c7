"""What keeps a person's data a while yet: goods, money or a dispute that are under way."""

# ruff: noqa: S608 (names and conditions of our own map; values are bound)
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.privacy.rooms import PEOPLE

_OPEN: Final = text(
    PEOPLE.format(who="id = ANY(:ids)")
    + """
SELECT 'open_order' AS kind, number AS subject FROM app.orders
 WHERE id IN (SELECT id FROM their_orders) AND status IN ('pending_payment', 'on_hold', 'open')
UNION ALL SELECT 'open_dispute', o.number FROM app.disputes d JOIN app.orders o
 ON o.tenant_id = d.tenant_id AND o.id = d.order_id
 WHERE d.order_id IN (SELECT id FROM their_orders) AND d.status IN ('needs_response', 'under_review')
UNION ALL SELECT 'payment_under_way', id FROM app.payments
 WHERE order_id IN (SELECT id FROM their_orders)
 AND status IN ('processing', 'unknown', 'authorized', 'partially_captured')
UNION ALL SELECT 'refund_under_way', id FROM app.refunds
 WHERE order_id IN (SELECT id FROM their_orders) AND status = 'pending'
UNION ALL SELECT 'change_under_way', id FROM app.order_changes
 WHERE order_id IN (SELECT id FROM their_orders) AND status IN ('confirmed', 'charging', 'requested')
UNION ALL SELECT 'open_return', number FROM app.returns
 WHERE id IN (SELECT id FROM their_returns) AND status NOT IN ('closed', 'declined', 'canceled', 'expired')
UNION ALL SELECT 'open_claim', number FROM app.warranty_claims
 WHERE id IN (SELECT id FROM their_claims) AND status NOT IN ('denied', 'closed', 'canceled', 'expired')
UNION ALL SELECT 'open_case', number FROM app.cases
 WHERE id IN (SELECT id FROM their_cases) AND status NOT IN ('resolved', 'closed')
UNION ALL SELECT 'approval_pending', id FROM app.approvals t
 WHERE t.status IN ('pending', 'claimed') AND (t.thread_id IN (SELECT id FROM their_threads)
   OR t.case_id IN (SELECT id FROM their_cases) OR t.subject_id IN (SELECT id FROM their_orders
     UNION ALL SELECT id FROM their_returns UNION ALL SELECT id FROM their_claims))
UNION ALL SELECT 'answer_under_way', id FROM app.runs
 WHERE thread_id IN (SELECT id FROM their_threads) AND status IN ('queued', 'running')
ORDER BY 1, 2
"""
)
WORDS: Final = {
    "open_order": "Order {subject} has not ended yet.",
    "open_dispute": "The bank has not decided the dispute about order {subject} yet.",
    "payment_under_way": "A payment is under way.",
    "refund_under_way": "A refund is under way.",
    "change_under_way": "A change of an order is under way.",
    "open_return": "Return {subject} has not ended yet.",
    "open_claim": "Warranty claim {subject} is not settled yet.",
    "open_case": "Case {subject} with our staff is still open.",
    "approval_pending": "Somebody of the shop still has to decide about it.",
    "answer_under_way": "A conversation is waiting for its answer.",
}


@dataclass(frozen=True, slots=True)
class Hold:
    """One thing that must end first. ``subject`` is an order, return, claim or case number, or an id."""

    kind: str
    subject: str

    @property
    def words(self) -> str:
        """In words fit for the shopper."""
        return WORDS[self.kind].format(subject=self.subject)


def holds_of(session: Session, ids: Sequence[str]) -> list[Hold]:
    """What keeps the data of these customers (one person's) for now."""
    return [Hold(kind, subject) for kind, subject in session.execute(_OPEN, {"ids": list(ids)})]


def from_rows(rows: Sequence[dict[str, Any]]) -> list[Hold]:
    """As they were noted with an erasure."""
    return [Hold(**row) for row in rows]
