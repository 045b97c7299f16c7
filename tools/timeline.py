"""An order's card: how far it is, with a lane for each parcel and each return."""

from __future__ import annotations

from sqlalchemy.orm import Session

from engine.conversations import followed
from engine.kit.identity import Identity
from engine.orders.schemas import OrderView
from tools.spec import Card


def order_card(session: Session, identity: Identity, view: OrderView) -> Card:
    """It follows what happens to the order from then on."""
    return Card(followed.ORDER, followed.order_card(session, identity, view), key=view.id)
