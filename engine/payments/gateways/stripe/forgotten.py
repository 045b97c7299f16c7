"""An intent at Stripe that our own tables lost, found by the time that is part of our payment id."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from engine.kit.ids import is_id, made_at
from engine.payments.gateways.handles import Handle
from engine.payments.gateways.models import HandleKind
from engine.payments.gateways.stripe import facts
from engine.payments.gateways.stripe.calls import Calls, Json
from engine.payments.gateways.stripe.charging import GATEWAY

_BEFORE: Final = timedelta(minutes=2)
_AFTER: Final = timedelta(minutes=30)
"""An intent is made seconds after its payment id; recovery may have made it some minutes later."""


def look(calls: Calls, payment_id: str, merchant: str) -> Json | None:
    """The intent that carries this payment id, from Stripe's list (its search lags behind its books)."""
    if not is_id(payment_id, "payment"):
        return None
    at = made_at(payment_id)
    window = {"gte": int((at - _BEFORE).timestamp()), "lte": int((at + _AFTER).timestamp())}
    for intent in calls.intents(created=window):
        known = intent.get("metadata") or {}
        if known.get("payment_id") == payment_id and known.get("merchant") == merchant:
            return intent
    return None


def handle(payment_id: str, intent: Json) -> Handle:
    """What we would have written down. Its request is not known: a repeat with any body is refused."""
    kind = HandleKind.HOLD if intent["capture_method"] == "manual" else HandleKind.PAYMENT
    amount = facts.money(intent["amount"], intent["currency"])
    return Handle(GATEWAY, payment_id, kind, payment_id, "", amount, intent["id"])
