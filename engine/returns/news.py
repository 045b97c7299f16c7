"""What is told of a return: to the outbox, in ids; to its shopper, in words."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy.orm import Session

from engine.kit import outbox
from engine.kit.money import Money
from engine.orders.models import Order
from engine.returns.models import Return, ReturnKind

TOPICS: Final = (
    "return.requested",
    "return.approved",
    "return.label_ready",
    "return.received",
    "return.refunded",
    "return.declined",
    "return.closed",
)


def tell(session: Session, order: Order, row: Return, topic: str, **more: Any) -> None:
    """Say in the outbox what happened, with the words for its shopper as they are at this moment."""
    payload = {
        "return_id": row.id,
        "number": row.number,
        "order_id": order.id,
        "thread_id": order.thread_id,
        "status": str(row.status),
        "words": words(order, row, topic, **more),
    }
    outbox.emit(session, order.tenant_id, topic, row.id, payload | more)


def changed(session: Session, row: Return) -> None:
    """What is shown of it is no longer true, and there is nothing to say."""
    payload = {"return_id": row.id, "order_id": row.order_id}
    outbox.emit(session, row.tenant_id, "return.changed", row.id, payload)


def words(order: Order, row: Return, topic: str, **more: Any) -> str:
    """One or two plain sentences."""
    amount, until = Money(int(more.get("amount", 0)), order.currency), f"{row.expires_at:%B} {row.expires_at.day}"
    said = {
        "return.requested": f"Return {row.number} of order {order.number} is with the shop, which looks at it first.",
        "return.approved": f"Return {row.number} is approved. Please send it by {until}.",
        "return.label_ready": f"The label of return {row.number} is ready to print. Please send it by {until}.",
        "return.received": f"What you sent back for return {row.number} has arrived.",
        "return.refunded": f"{amount} of return {row.number} is on its way back to you.",
        "return.declined": f"The shop declined return {row.number}.",
        "return.closed": f"Return {row.number} is {row.status}.",
    }
    if topic == "return.approved" and row.keep:
        return f"Return {row.number}: please keep the goods; {Money(row.refund, order.currency)} goes back to you."
    if topic == "return.refunded" and not amount.amount:
        given = (
            "what you get in exchange is being sent" if row.kind == ReturnKind.EXCHANGE else "no money is left for it"
        )
        return f"Return {row.number} is settled; {given}."
    ended = topic in {"return.declined", "return.closed"}
    return f"{said[topic]} {row.message or ''}".strip() if ended else said[topic]
