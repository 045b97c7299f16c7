"""Cards that follow what they show: an order with its parcels and returns, a return, a claim.

The newest card of each in a conversation is shown again whenever something about it has happened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from engine.conversations import events
from engine.conversations.events import Emitted
from engine.conversations.models import Audience, Message, Thread
from engine.customers.models import Shopper
from engine.kit.identity import Actor, Identity
from engine.orders import queries as orders
from engine.orders.models import Order
from engine.orders.schemas import OrderView
from engine.returns import queries as returns
from engine.returns.queries import ReturnFilter
from engine.warranties import queries as claims

ORDER: Final = "order_timeline"
_RETURNS: Final = 20
_LANE: Final = ("id", "number", "kind", "status", "lines", "carrier", "tracking_number", "parcel", "created_at")


def order_card(session: Session, identity: Identity, view: OrderView) -> dict[str, Any]:
    """An order with a lane for each return: ``OrderView`` and ``returns``, oldest first."""
    page = returns.many(session, identity, ReturnFilter(order_id=view.id), limit=_RETURNS)
    lanes = [one.model_dump(mode="json", include=set(_LANE)) for one in reversed(page.items)]
    return view.model_dump(mode="json") | {"returns": lanes}


def renewed(session: Session, order: Order, told: Mapping[str, Any]) -> dict[str, list[Emitted]]:
    """What the conversations of an order's buyer show of it as it is now, by conversation, where that has changed."""
    identity = Identity(order.tenant_id, Actor.SHOPPER, order.owner_id, customer_id=order.customer_id)
    news: dict[str, list[Emitted]] = {}
    for kind, subject in (("claim", "claim_id"), ("return", "return_id"), (ORDER, "order_id")):
        wanted = str((order.id if kind == ORDER else told.get(subject)) or "")
        shown = _newest(session, order, kind, wanted) if wanted else []
        if not shown:
            continue
        now = _NOW[kind](session, identity, wanted)
        for message in shown:
            if message.data != now:
                made = events.activity(message.id, kind, now, audience=Audience(message.audience))
                news.setdefault(message.thread_id, []).append(made)
    return news


def _newest(session: Session, order: Order, kind: str, subject: str) -> list[Message]:
    """The newest card of the subject in each conversation of whoever bought the order."""
    theirs = Thread.owner_id == order.owner_id
    if order.customer_id is not None:
        same = select(Shopper.id).where(Shopper.tenant_id == order.tenant_id, Shopper.customer_id == order.customer_id)
        theirs = or_(theirs, Thread.owner_id.in_(same))
    threads = select(Thread.id).where(Thread.tenant_id == order.tenant_id, theirs)
    query = (
        select(Message)
        .where(
            Message.tenant_id == order.tenant_id,
            Message.thread_id.in_(threads),
            Message.activity_type == kind,
            Message.data["id"].astext == subject,
        )
        .order_by(Message.thread_id, Message.seq)
    )
    return list({message.thread_id: message for message in session.scalars(query)}.values())


def _order(session: Session, identity: Identity, order_id: str) -> dict[str, Any]:
    return order_card(session, identity, orders.order_by_id(session, identity.tenant_id, order_id))


def _return(session: Session, identity: Identity, return_id: str) -> dict[str, Any]:
    return returns.one(session, identity, return_id).model_dump(mode="json")


def _claim(session: Session, identity: Identity, claim_id: str) -> dict[str, Any]:
    return claims.one_claim(session, identity, claim_id).model_dump(mode="json")


_NOW: Final[Mapping[str, Callable[[Session, Identity, str], dict[str, Any]]]] = {
    ORDER: _order,
    "return": _return,
    "claim": _claim,
}
