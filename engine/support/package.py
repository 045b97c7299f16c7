"""What a person who takes a conversation over should know, made from the log and the engine without a model."""

from __future__ import annotations

import json
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.carts import service as carts
from engine.carts.schemas import CartView
from engine.conversations import asking
from engine.conversations.masking import mask_cards
from engine.conversations.models import Thread
from engine.kit.direct import Statement
from engine.kit.gathering import ask
from engine.kit.identity import Actor, Identity
from engine.kit.money import format_minor
from engine.orders import queries
from engine.orders.schemas import OrderView
from engine.payments.models import Refund
from engine.support import words

_ORDERS: Final = 3
_ERRORS: Final = 3
_WORDS: Final = 2
_LINE: Final = 180
_RESULTS_LOOKED_AT: Final = 40
_CALLS: Final = Statement(f"""
SELECT payload FROM app.events WHERE tenant_id = %(tenant)s AND thread_id = %(thread)s
  AND payload ->> 'type' IN ('TOOL_CALL_START', 'TOOL_CALL_RESULT')
ORDER BY seq DESC LIMIT {_RESULTS_LOOKED_AT}
""")  # noqa: S608 (our own)
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
    return list(queries.own_orders(session, who, limit=_ORDERS).items)


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
    if not order_ids:
        return []
    rows = session.scalars(
        select(Refund)
        .where(Refund.tenant_id == tenant_id, Refund.order_id.in_(order_ids))
        .order_by(Refund.created_at, Refund.id)
    )
    return [f"Refund of {format_minor(row.amount, row.currency)}: {row.status} ({row.reason})" for row in rows]


def _errors(session: Session, thread: Thread) -> list[dict[str, str]]:
    """The newest refusals of tools, oldest first."""
    results = [row["payload"] for row in ask(session, _CALLS, {"tenant": thread.tenant_id, "thread": thread.id})]
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
    last = " / ".join(_last_words(session, thread)) or "nothing yet"
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
        f"Last words: {last}",
        f"The assistant says: {mask_cards(' '.join(said.split()))[:_LINE] or 'nothing'}",
        order,
        f"Asked on a card: {'; '.join(cards)}. {basket}" if cards else basket,
    ]


def _last_words(session: Session, thread: Thread) -> list[str]:
    newest = words.said(session, thread)[:_WORDS]
    return [" ".join(one.split())[:_LINE] for one in reversed(newest)]


def _reply(reason: str, orders: list[OrderView]) -> str:
    about = f" about order {orders[0].number}" if orders else ""
    return _REPLIES.get(reason, _REPLY).format(about=about)
