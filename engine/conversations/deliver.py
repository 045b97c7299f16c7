"""The outbox consumer ``conversation``: what recovery or a webhook settled shows where it was asked for, and what
happens to an order later is told to its shopper.

The live run writes the same message ids, and news has its row's, so that a second delivery changes nothing.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy.orm import Session

from engine.approvals.words import outcome_words
from engine.checkout.models import Consent
from engine.conversations import asking, cards, events, followed, log, news, told
from engine.conversations.events import Emitted
from engine.conversations.models import Message, Thread
from engine.kit.identity import Actor, Identity
from engine.kit.outbox import OutboxRow
from engine.orders import queries
from engine.orders.models import Order
from engine.payments.gateway import DECLINES
from engine.runtime import Runtime
from engine.warranties import choosing
from engine.warranties.errors import NoClaim, WrongClaimStep

CONSUMER: Final = "conversation"
SPEAKER: Final = "Order updates"


def deliver(session: Session, runtime: Runtime, row: OutboxRow) -> None:  # noqa: ARG001 (every consumer takes it)
    """Tell the thread that ``row`` names; nothing to do for what was bought outside a conversation."""
    if row.topic in news.TELLERS:
        _tell_of_order(session, row)
        return
    thread_id = row.payload.get("thread_id")
    thread = session.get(Thread, (row.tenant_id, thread_id)) if thread_id else None
    if thread is None:
        return
    shown = [*_news(session, thread, row), *asking.outdated(session, row.tenant_id, thread.id)]
    if shown:
        log.append(session, row.tenant_id, thread.id, None, shown)


def _tell_of_order(session: Session, row: OutboxRow) -> None:
    asked_in, order = told.card_of(session, row), news.order_of(session, row)
    if order is not None and (asked_in is None or not told.is_told(session, asked_in)):
        _tell(session, row, order)
    if order is not None:
        for thread_id, shown in followed.renewed(session, order, row.payload).items():
            log.append(session, row.tenant_id, thread_id, None, shown)
    if asked_in is not None:
        _renew(session, asked_in)


def _tell(session: Session, row: OutboxRow, order: Order) -> None:
    """News of an order, once, where its shopper hears of it; what is to be chosen comes with its card."""
    message_id = f"news-{row.id}"
    thread = news.thread_of(session, order)
    if thread is None or _shown(session, row.tenant_id, message_id):
        return
    asked = _choice(session, thread, row, order) if row.topic == "claim.approved" else []
    if said := news.words(session, row, order):
        shown = [*events.text(message_id, "assistant", said, name=SPEAKER), *asked]
        log.append(session, row.tenant_id, thread.id, None, shown)


def _choice(session: Session, thread: Thread, row: OutboxRow, order: Order) -> list[Emitted]:
    """The card on which the shopper chooses among what is offered, if there is still something to choose."""
    buyer = Identity(order.tenant_id, Actor.SHOPPER, thread.owner_id, customer_id=order.customer_id)
    try:
        card = choosing.show(session, buyer, row.subject_id, thread_id=thread.id)
    except (WrongClaimStep, NoClaim):
        return []
    return [events.asked(asking.view(session, card))]


def _renew(session: Session, card: Consent) -> None:
    """The conversation that asked shows its cards as they are now."""
    if card.thread_id and (now := asking.outdated(session, card.tenant_id, card.thread_id)):
        log.append(session, card.tenant_id, card.thread_id, None, now)


def _news(session: Session, thread: Thread, row: OutboxRow) -> list[Emitted]:
    match row.topic:
        case "order.paid":
            return _paid(session, thread, row)
        case "payment.failed":
            return _failed(session, row)
        case "approval.decided":
            return _decided(session, row)
        case _:
            return []


def _paid(session: Session, thread: Thread, row: OutboxRow) -> list[Emitted]:
    if _shown(session, row.tenant_id, cards.receipt_id(row.subject_id)):
        return []
    order = queries.order_by_id(session, row.tenant_id, row.subject_id)
    paid_by = cards.card(session, row.tenant_id, row.payload["consent_id"])
    return [cards.receipt(order, paid_by), cards.present_cart(session, row.tenant_id, thread.owner_id)]


def _failed(session: Session, row: OutboxRow) -> list[Emitted]:
    consent_id, code = row.payload["consent_id"], row.payload["code"]
    if _shown(session, row.tenant_id, cards.problem_id(consent_id)):
        return []
    message = DECLINES.get(code, DECLINES["card_declined"])
    return [cards.problem(consent_id, code=code, message=message, retryable=True)]


def _decided(session: Session, row: OutboxRow) -> list[Emitted]:
    message_id = f"msg-{row.subject_id}"
    words = outcome_words(row.payload)
    if words is None or _shown(session, row.tenant_id, message_id):
        return []
    return events.text(message_id, "assistant", words, name="Support")


def _shown(session: Session, tenant_id: str, message_id: str) -> bool:
    return session.get(Message, (tenant_id, message_id)) is not None
