"""Stripe's webhooks: the signature by the SDK, the time by our clock, the facts from the event alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from engine.kit import clock
from engine.kit.errors import Unauthenticated
from engine.payments.gateway import EventKind, GatewayEvent
from engine.payments.gateways.stripe import facts
from engine.payments.gateways.stripe.calls import Json
from engine.payments.gateways.stripe.facts import PaymentOf

TOLERANCE: Final = timedelta(minutes=5)
SIGNATURE: Final = "stripe-signature"
_INTENTS: Final = frozenset(
    {
        "payment_intent.succeeded",
        "payment_intent.payment_failed",
        "payment_intent.canceled",
        "payment_intent.amount_capturable_updated",
        "payment_intent.processing",
    }
)
_REFUNDS: Final = frozenset({"refund.created", "refund.updated", "refund.failed"})


def unverified(body: bytes) -> Json:
    """The event as it says it is. Raises ``Unauthenticated`` for what is no event."""
    try:
        event = json.loads(body)
    except ValueError:
        raise Unauthenticated("The webhook is not an event.") from None
    if not isinstance(event, dict) or event.get("object") != "event":
        raise Unauthenticated("The webhook is not an event.")
    return event


def named_merchant(event: Json) -> str:
    """Whose event it claims to be, to know whose secrets to verify it with."""
    thing = (event.get("data") or {}).get("object") or {}
    return str((thing.get("metadata") or {}).get("merchant") or "")


def verify(body: bytes, header: str, secrets: Sequence[str]) -> None:
    """Whether one of the secrets signed this, just now. Raises ``Unauthenticated``."""
    import stripe

    for secret in secrets:
        try:
            stripe.WebhookSignature.verify_header(body.decode(), header, secret)
        except (stripe.SignatureVerificationError, ValueError):
            continue
        return _check_age(header)
    raise Unauthenticated("The webhook's signature does not match.")


def read(event: Json, merchant: str, payment_of: PaymentOf) -> GatewayEvent:
    """A verified event in the port's words."""
    told = _told(event["type"], event["data"]["object"], payment_of) if _ours(event, merchant) else {}
    return GatewayEvent(
        id=event["id"],
        merchant=merchant,
        occurred_at=facts.moment(event["created"]),
        **(told or {"kind": EventKind.IGNORED}),
    )


def _ours(event: Json, merchant: str) -> bool:
    """Whether it is about this shop: another one may share the account at Stripe."""
    return named_merchant(event) in {"", merchant}


def _told(kind: str, thing: Json, payment_of: PaymentOf) -> Mapping[str, Any]:
    if kind in _INTENTS:
        return _charge(thing, payment_of)
    if kind in _REFUNDS:
        return _refund(thing, payment_of)
    return _dispute(thing, payment_of) if kind.startswith("charge.dispute.") else {}


def _charge(intent: Json, payment_of: PaymentOf) -> Mapping[str, Any]:
    payment_id = payment_of(intent["id"]) or _marked(intent)
    found = facts.charge(payment_id, intent) if payment_id else None
    return {"kind": EventKind.CHARGE, "payment_id": payment_id, "charge": found} if found else {}


def _refund(row: Json, payment_of: PaymentOf) -> Mapping[str, Any]:
    payment_id = payment_of(row.get("payment_intent") or "") or _marked(row)
    return {"kind": EventKind.REFUND, "payment_id": payment_id, "move": facts.refund(row)} if payment_id else {}


def _dispute(row: Json, payment_of: PaymentOf) -> Mapping[str, Any]:
    payment_id = payment_of(row.get("payment_intent") or "")
    found = facts.dispute(row, payment_id) if payment_id else None
    return {"kind": EventKind.DISPUTE, "payment_id": payment_id, "dispute": found} if found else {}


def _marked(thing: Json) -> str:
    """The payment id that we wrote on it, for when our own tables do not know it."""
    return str((thing.get("metadata") or {}).get("payment_id") or "")


def _check_age(header: str) -> None:
    """The signature covers its time, so the time can be believed once the signature holds."""
    stamps = [part[2:] for part in header.split(",") if part.startswith("t=")]
    age = clock.now() - facts.moment(int(stamps[0]))
    if abs(age) > TOLERANCE:
        raise Unauthenticated("The webhook is too old.")
