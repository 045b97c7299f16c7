"""The receipt: what was bought, paid and given back, as it stands now. It has no number and is not kept."""

from __future__ import annotations

from typing import Final

from sqlalchemy.orm import Session

from engine.kit import clock
from engine.kit.policies import read_policy
from engine.kit.tenancy import Tenant
from engine.orders import queries
from engine.orders.documents import paper
from engine.orders.documents.paper import Paper
from engine.orders.models import Order
from engine.orders.queries import Parts
from engine.orders.seller import SellerPolicy
from engine.payments.models import CaptureStatus, Destination, RefundStatus

_ACCOUNTS: Final = {
    Destination.STORE_CREDIT: "store credit",
    Destination.ACCOUNT: "gift card or store credit",
    Destination.METHOD: "another way to pay",
}


def receipt(session: Session, order: Order) -> Paper:
    """The receipt of a placed order."""
    tenant = session.get_one(Tenant, order.tenant_id)
    policy = read_policy(tenant.settings, SellerPolicy)
    parts = queries.parts_of(session, order.tenant_id, [order.id])[order.id]
    rows = paper.rows_of(session, order, parts.lines)
    rates = paper.by_rate(rows)
    return paper.head(tenant, policy, order) | {
        "title": "Receipt",
        "number": "",
        "corrects": "",
        "issued_on": clock.now().date().isoformat(),
        "lines": [row.told() for row in rows],
        "rates": rates,
        "net": sum(rate["net"] for rate in rates),
        "tax": sum(rate["tax"] for rate in rates),
        "total": sum(rate["total"] for rate in rates),
        "paid": _paid(parts),
        "notes": [],
    }


def _paid(parts: Parts) -> list[dict[str, object]]:
    """Money that came in and went back, oldest first."""
    labels = {payment.id: str(payment.method.get("label") or "payment") for payment in parts.payments}
    moves = [
        (row.settled_at or row.created_at, f"Paid by {labels[row.payment_id]}", row.amount)
        for row in parts.captures
        if row.status == CaptureStatus.SUCCEEDED
    ]
    for refund in parts.refunds:
        if refund.status == RefundStatus.SUCCEEDED:
            where = _ACCOUNTS.get(refund.destination, labels[refund.payment_id])
            moves.append((refund.settled_at or refund.created_at, f"Given back to {where}", -refund.amount))
    return [
        {"on": at.date().isoformat(), "text": text, "amount": amount}
        for at, text, amount in sorted(moves, key=lambda move: move[0])
    ]
