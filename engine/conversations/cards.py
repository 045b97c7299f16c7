"""Payment cards, receipts and problems as a conversation shows them: the same message ids whoever writes them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.carts import service as carts
from engine.checkout import consents
from engine.checkout.models import Consent, ConsentStatus
from engine.checkout.schemas import ConsentView
from engine.conversations import events
from engine.conversations.events import Emitted
from engine.conversations.models import Message
from engine.kit.identity import Actor, Identity
from engine.orders.schemas import OrderView

_MAY_CHANGE: Final = (ConsentStatus.OPEN, ConsentStatus.APPROVED)


def card(session: Session, tenant_id: str, consent_id: str) -> ConsentView:
    """The card as it is now. Raises ``NoResultFound``."""
    return consents.view(session.get_one(Consent, (tenant_id, consent_id)))


def decided(view: ConsentView) -> list[Emitted]:
    """The card with its new status, and the news that it has one."""
    return [events.confirmation(view), events.confirm_resolved(view.id, view.status)]


def outdated(session: Session, tenant_id: str, thread_id: str) -> list[Emitted]:
    """News about every card whose shown status is no longer true (paid, ran out, replaced)."""
    shown = session.execute(
        select(Message.id, Message.data["status"].astext).where(
            Message.tenant_id == tenant_id,
            Message.thread_id == thread_id,
            Message.activity_type == events.CONFIRMATION,
            Message.data["status"].astext.in_(_MAY_CHANGE),
        )
    ).all()
    news: list[Emitted] = []
    for consent_id, status in shown:
        view = card(session, tenant_id, consent_id)
        if view.status != status:
            news.extend(decided(view))
    return news


def receipt_id(order_id: str) -> str:
    return f"receipt-{order_id}"


def problem_id(consent_id: str) -> str:
    return f"problem-{consent_id}"


def receipt(order: OrderView, paid_by: ConsentView) -> Emitted:
    """The order as bought, with how it was paid and where the mail goes."""
    method = paid_by.checkout.payment_method
    more = {
        "payment_method": method.model_dump(mode="json") if method else None,
        "tenders": [one.model_dump(mode="json") for one in paid_by.checkout.tenders],
        "email": paid_by.checkout.buyer.email,
    }
    return events.activity(receipt_id(order.id), "receipt", order.model_dump(mode="json") | more)


def problem(consent_id: str, *, code: str, message: str, retryable: bool, challenge_url: str | None = None) -> Emitted:
    data = {"code": code, "message": message, "retryable": retryable}
    if challenge_url:
        data["challenge_url"] = challenge_url
    return events.activity(problem_id(consent_id), "payment_problem", data)


def present_cart(session: Session, tenant_id: str, owner_id: str) -> Emitted:
    """The shopper's cart as it is now."""
    view = carts.view(session, Identity(tenant_id, Actor.SHOPPER, owner_id))
    return events.cart_changed(view.model_dump(mode="json"))
