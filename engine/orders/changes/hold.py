"""Keeping an order still while a change of it waits for money or for an answer: nothing of it is released meanwhile."""

from __future__ import annotations

from sqlalchemy.orm import Session

from engine.orders import service
from engine.orders.models import Order, OrderChange, OrderStatus


def still(session: Session, order: Order, change: OrderChange, reason: str) -> None:
    """Hold the order for the change. One that is on hold already stays so, for its own reason, afterwards too."""
    if order.status == OrderStatus.OPEN:
        service.hold(session, order, reason=reason, actor=change.requested_by)
        change.quote = change.quote | {"held": True}
    else:
        service.touch(order)


def go_on(session: Session, order: Order, change: OrderChange) -> None:
    """Undo ``still``."""
    if change.quote.get("held") and order.status == OrderStatus.ON_HOLD:
        service.resume(session, order, actor=change.requested_by)
