"""Receipts, problems and the cart as a conversation shows them: the same message ids whoever writes them."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from engine.carts import service as carts
from engine.checkout import consents
from engine.checkout.models import Consent
from engine.checkout.schemas import ConsentView
from engine.conversations import events
from engine.conversations.events import Emitted
from engine.kit.identity import Actor, Identity
from engine.orders.schemas import OrderView


def card(session: Session, tenant_id: str, consent_id: str) -> ConsentView:
    """The card as it is now. Raises ``NoResultFound``."""
    return consents.view(session.get_one(Consent, (tenant_id, consent_id)))


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


def change_problem(
    consent_id: str, *, code: str, message: str, retry: dict[str, Any] | None, challenge_url: str | None = None
) -> Emitted:
    """Why what was agreed to did not happen. ``retry`` says how it is tried again: an action with its arguments, or the
    same card once more (``{"resume": id}``).
    """
    data: dict[str, Any] = {"code": code, "message": message, "retryable": retry is not None, "retry": retry}
    if challenge_url:
        data["challenge_url"] = challenge_url
    return events.activity(problem_id(consent_id), events.CHANGE_PROBLEM, data)


def present_cart(session: Session, tenant_id: str, owner_id: str) -> Emitted:
    """The shopper's cart as it is now."""
    view = carts.view(session, Identity(tenant_id, Actor.SHOPPER, owner_id))
    return events.cart_changed(view.model_dump(mode="json"))
