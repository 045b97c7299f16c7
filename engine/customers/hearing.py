"""The outbox consumer ``customers``: what an order's life means to its customer."""

from __future__ import annotations

from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.customers import links, loyalty
from engine.kit.ids import is_id
from engine.kit.outbox import OutboxRow

CONSUMER: Final = "customers"
_BUYER: Final = text(
    "SELECT o.customer_id, o.owner_id, o.buyer ->> 'email' AS email, c.merged_into FROM app.orders o"
    " LEFT JOIN app.customers c"
    " ON c.tenant_id = o.tenant_id AND c.id = o.customer_id WHERE o.tenant_id = :tenant AND o.id = :order"
)
_FOLLOW: Final = text("UPDATE app.orders SET customer_id = :customer WHERE tenant_id = :tenant AND id = :order")


def hear(session: Session, row: OutboxRow) -> None:
    """A paid order claims its typed e-mail; every news of an order moves its points."""
    if row.topic == "order.paid":
        _paid(session, row.tenant_id, row.subject_id)
    loyalty.settle_order(session, row.tenant_id, row.subject_id)


def _paid(session: Session, tenant_id: str, order_id: str) -> None:
    key = {"tenant": tenant_id, "order": order_id}
    buyer = session.execute(_BUYER, key).one_or_none()
    if buyer is None:
        return
    if buyer.merged_into is not None:
        session.execute(_FOLLOW, key | {"customer": links.last_of(session, tenant_id, buyer.customer_id)})
    if buyer.customer_id is None and buyer.email:
        source = "checkout" if is_id(buyer.owner_id, "shopper") else "acp"
        links.claim(session, tenant_id, email=buyer.email, source=source, subject_id=order_id)
