"""The outbox consumer ``customers``: what an order's life means to its customer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.customers import links, loyalty
from engine.kit.ids import is_id
from engine.kit.outbox import OutboxRow

CONSUMER: Final = "customers"
_BUYERS: Final = text(
    "SELECT o.id, o.customer_id, o.owner_id, o.buyer ->> 'email' AS email, c.merged_into FROM app.orders o"
    " LEFT JOIN app.customers c"
    " ON c.tenant_id = o.tenant_id AND c.id = o.customer_id WHERE o.tenant_id = :tenant AND o.id = ANY(:orders)"
)
_FOLLOW: Final = text("UPDATE app.orders SET customer_id = :customer WHERE tenant_id = :tenant AND id = :order")


def hear(session: Session, row: OutboxRow) -> None:
    """A paid order claims its typed e-mail; every news of an order moves its points."""
    hear_all(session, [row])


def hear_all(session: Session, rows: Sequence[OutboxRow]) -> None:
    """The same of a batch of one shop's: what guests have bought, who earn no points, is noted in one go."""
    guests: set[str] = set()
    if paid := [row.subject_id for row in rows if row.topic == "order.paid"]:
        guests = _paid(session, rows[0].tenant_id, paid)
    for row in rows:
        if row.subject_id not in guests:
            loyalty.settle_order(session, row.tenant_id, row.subject_id)


def _paid(session: Session, tenant_id: str, order_ids: list[str]) -> set[str]:
    """Those of the orders that were bought by nobody we know."""
    buyers = session.execute(_BUYERS, {"tenant": tenant_id, "orders": order_ids}).all()
    for one in buyers:
        if one.merged_into is not None:
            customer = links.last_of(session, tenant_id, one.customer_id)
            session.execute(_FOLLOW, {"tenant": tenant_id, "order": one.id, "customer": customer})
    guests = [one for one in buyers if one.customer_id is None]
    typed = [
        (one.email, "checkout" if is_id(one.owner_id, "shopper") else "acp", one.id) for one in guests if one.email
    ]
    links.claim_all(session, tenant_id, typed)
    return {one.id for one in guests}
