"""What becomes of an order."""

from __future__ import annotations

from sqlalchemy import update
from sqlalchemy.orm import Session

from engine.kit import clock
from engine.orders.models import Order, OrderLine, OrderStatus
from engine.orders.states import ORDER


def abandon(session: Session, tenant_id: str, order_id: str) -> None:
    """The payment came to nothing: the order never was."""
    order = session.get_one(Order, (tenant_id, order_id), with_for_update=True)
    order.status = ORDER.check(order.status, OrderStatus.CANCELED)
    order.updated_at = clock.now()
    order.version += 1
    session.execute(
        update(OrderLine).where(OrderLine.tenant_id == tenant_id, OrderLine.order_id == order_id).values(allocated=0)
    )
