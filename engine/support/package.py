"""What a person who takes a conversation over should know, made from the log and the engine without a model."""

from __future__ import annotations

import json
from typing import Any, Final

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from engine.carts import service as carts
from engine.carts.schemas import CartView
from engine.conversations import asking
from engine.conversations.masking import mask_cards
from engine.conversations.models import Event, Message, Thread
from engine.kit.identity import Actor, Identity
from engine.kit.money import format_minor
from engine.orders import queries
from engine.orders.models import Order
from engine.orders.schemas import OrderView
from engine.payments.models import Refund

_ORDERS: Final = 3
_ERRORS: Final = 3
_WORDS: Final = 2
_LINE: Final = 180
_RESULTS_LOOKED_AT: Final = 40
_REASONS: Final = {
    "asked_for_person": "The shopper asks for a person.",
    "complaint": "The shopper complains.",
    "payment_problem": "A payment does not go through.",
    "cannot_help": "The assistant could not help.",
}
_REPLIES: Final = {
    "complaint": "I am sorry about that. I have read what happened{about} and will put it right with you now.",
    "payment_problem": "Nothing is charged twice. I am looking at the payment{about} now.",
}
_REPLY: Final = "Hello, I have read your conversation{about} and take it from here."


def build(
    session: Session, identity: Identity, thread: Thread, *, reason: str, said: str, sentiment: str
) -> dict[str, Any]:
    """``{reason, sentiment, summary, facts: {orders, money, open_cards, cart}, last_tool_errors, suggested_reply}``,
    for the shop's people alone. ``said`` is the assistant's own summary, one line of five.
    """
    who = _owner(identity, thread)
    orders = _orders(session, who)
    cards = [card.message for card in asking.open_cards(session, who, thread.id)]
    cart = carts.view(session, who)
    errors = _errors(session, thread)
    return {
        "reason": reason,
        "sentiment": sentiment,
        "summary": _summary(session, thread, reason, said, orders, cards, cart),
        "facts": {
            "orders": [_order(one) for one in orders],
            "money": _money(session, [one.id for one in orders], thread.tenant_id),
            "open_cards": cards,
            "cart": {"lines": [f"{one.quantity} x {one.title}" for one in cart.lines], "total": str(cart.total)},
        },
        "last_tool_errors": errors,
        "suggested_reply": _reply(reason, orders),
    }


def _owner(identity: Identity, thread: Thread) -> Identity:
    if thread.owner_id == identity.id:
        return identity
    return Identity(thread.tenant_id, Actor.SHOPPER, thread.owner_id, customer_id=None)


def _orders(session: Session, who: Identity) -> list[OrderView]:
    """The newest, as their shopper sees them; one of the shop's own people has none here."""
    if who.actor != Actor.SHOPPER:
        return []
    mine = Order.owner_id == who.id
    if who.customer_id is not None:
        mine = or_(mine, Order.customer_id == who.customer_id)
    query = (
        select(Order.id)
        .where(Order.tenant_id == who.tenant_id, Order.placed_at.is_not(None), mine)
        .order_by(Order.placed_at.desc(), Order.id.desc())
        .limit(_ORDERS)
    )
    return [queries.order_by_id(session, who.tenant_id, order_id) for order_id in session.scalars(query).all()]


def _order(view: OrderView) -> dict[str, Any]:
    return {
        "id": view.id,
        "number": view.number,
        "status": view.status,
        "payment": view.payment_status,
        "fulfillment": view.fulfillment_status,
        "total": str(view.total),
        "lines": [f"{line.ordered} x {line.title}" for line in view.lines],
    }


def _money(session: Session, order_ids: list[str], tenant_id: str) -> list[str]:
    """What went back, or is on its way back, for these orders, oldest first."""
    rows = session.scalars(
        select(Refund)
        .where(Refund.tenant_id == tenant_id, Refund.order_id.in_(order_ids))
        .order_by(Refund.created_at, Refund.id)
    )
    return [f"Refund of {format_minor(row.amount, row.currency)}: {row.status} ({row.reason})" for row in rows]


def _errors(session: Session, thread: Thread) -> list[dict[str, str]]:
    """The newest refusals of tools, oldest first."""
    results = session.scalars(
        select(Event.payload)
        .where(
            Event.tenant_id == thread.tenant_id,
            Event.thread_id == thread.id,
            Event.payload["type"].astext.in_(("TOOL_CALL_START", "TOOL_CALL_RESULT")),
        )
        .order_by(Event.seq.desc())
        .limit(_RESULTS_LOOKED_AT)
    ).all()
    names = {one["toolCallId"]: one["toolCallName"] for one in results if one["type"] == "TOOL_CALL_START"}
    refused = [
        {"tool": names.get(one["toolCallId"], ""), "message": error}
        for one in results
        if one["type"] == "TOOL_CALL_RESULT" and (error := _error(one["content"]))
    ]
    return list(reversed(refused[:_ERRORS]))


def _error(content: str) -> str:
    try:
        answer = json.loads(content)
    except ValueError:
        return ""
    return "" if answer.get("ok", True) else str(answer.get("error", {}).get("message", ""))[:_LINE]


def _summary(
    session: Session,
    thread: Thread,
    reason: str,
    said: str,
    orders: list[OrderView],
    cards: list[str],
    cart: CartView,
) -> list[str]:
    """Five lines: why, what was said last, what the assistant says, the newest order, what is open."""
    words = " / ".join(_last_words(session, thread)) or "nothing yet"
    newest = orders[0] if orders else None
    order = (
        f"Newest order {newest.number}: {newest.status}, {newest.payment_status}, {newest.fulfillment_status},"
        f" {newest.total}."
        if newest
        else "No order in this session."
    )
    basket = f"Cart: {cart.item_count} items, {cart.total}." if cart.lines else "The cart is empty."
    return [
        _REASONS.get(reason, "The conversation was handed over."),
        f"Last words: {words}",
        f"The assistant says: {mask_cards(' '.join(said.split()))[:_LINE] or 'nothing'}",
        order,
        f"Asked on a card: {'; '.join(cards)}. {basket}" if cards else basket,
    ]


def _last_words(session: Session, thread: Thread) -> list[str]:
    rows = session.scalars(
        select(Message.content)
        .where(Message.tenant_id == thread.tenant_id, Message.thread_id == thread.id, Message.role == "user")
        .order_by(Message.seq.desc())
        .limit(_WORDS)
    )
    return [" ".join(words.split())[:_LINE] for words in reversed(rows.all())]


def _reply(reason: str, orders: list[OrderView]) -> str:
    about = f" about order {orders[0].number}" if orders else ""
    return _REPLIES.get(reason, _REPLY).format(about=about)
