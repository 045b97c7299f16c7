"""An order's changes, to be read."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.kit.identity import Identity
from engine.orders import queries
from engine.orders.changes.schemas import ChangeView
from engine.orders.changes.views import view
from engine.orders.models import OrderChange

_MOST = 100


def of_order(session: Session, identity: Identity, order_id: str) -> list[ChangeView]:
    """The newest changes of one of the identity's own orders. Raises ``NotFound``."""
    order = queries.find_own(session, identity, order_id)
    rows = session.scalars(
        select(OrderChange)
        .where(OrderChange.tenant_id == order.tenant_id, OrderChange.order_id == order.id)
        .order_by(OrderChange.created_at.desc(), OrderChange.id.desc())
        .limit(_MOST)
    )
    return [view(order, row) for row in rows]
