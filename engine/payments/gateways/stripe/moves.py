"""Money within a payment at Stripe: parts of an authorization, and refunds."""

from __future__ import annotations

from dataclasses import dataclass

from engine.kit.money import Money
from engine.payments.errors import AuthorizationExpired, CaptureExceedsAuthorization, RefundExceedsCapture
from engine.payments.gateway import Move, MoveStatus
from engine.payments.gateways import handles
from engine.payments.gateways.handles import Handle
from engine.payments.gateways.models import HandleKind
from engine.payments.gateways.stripe import facts
from engine.payments.gateways.stripe.calls import Calls, Json, Refused
from engine.payments.gateways.stripe.charging import GATEWAY, Work

_LAPSED = frozenset({"capture_charge_authorization_expired", "charge_expired_for_capture"})


@dataclass(frozen=True, slots=True)
class Moves:
    """One merchant's captures and refunds."""

    calls: Calls
    work: Work
    merchant: str

    def capture(self, payment_id: str, amount: Money, *, key: str, final: bool) -> Move:
        """Capture a part. The capture's own id goes into the intent's metadata by the very call that captures."""
        handle, _ = self._claim(payment_id, HandleKind.CAPTURE, amount, key=key, more=[final])
        if handle is None or not handle.gateway_id:
            raise CaptureExceedsAuthorization("Nothing is authorized under this payment.")
        intent = self.calls.intent(handle.gateway_id)
        done = facts.capture(key, intent)
        if done is not None:
            return done
        if facts.lapsed(intent):
            raise AuthorizationExpired("The time to take this money has passed.")
        if amount.currency != handle.amount.currency or amount.amount > intent["amount_capturable"]:
            raise CaptureExceedsAuthorization("More than is authorized cannot be captured.")
        try:
            intent = self.calls.capture_intent(intent["id"], _part(intent, amount, key=key, final=final), key=key)
        except Refused as refusal:
            return self._not_captured(intent["id"], amount, refusal, key=key)
        return facts.capture(key, intent) or Move(key, MoveStatus.PENDING, intent["id"], amount)

    def refund(self, payment_id: str, amount: Money, *, key: str) -> Move:
        """Give money back."""
        handle, first = self._claim(payment_id, HandleKind.REFUND, amount, key=key, more=[])
        if handle is None or not handle.gateway_id:
            raise RefundExceedsCapture("Nothing was captured under this payment.")
        intent_id = handle.gateway_id
        known = None if first else self._refund(intent_id, key)
        if known is not None:
            return known
        if amount.currency != handle.amount.currency:
            raise RefundExceedsCapture("A refund is made in the currency of the payment.")
        marks = {"refund_id": key, "payment_id": payment_id, "merchant": self.merchant}
        params = {"payment_intent": intent_id, "amount": amount.amount, "metadata": marks}
        try:
            return facts.refund(self.calls.create_refund(params, key=key))
        except Refused as refusal:
            return self._not_refunded(intent_id, amount, refusal, key=key)

    def find(self, key: str, payment_id: str) -> Move | None:
        """A capture or refund by our id, read from Stripe's books (never from its search, which lags)."""
        with self.work() as session:
            handle = handles.find(session, self.merchant, GATEWAY, payment_id)
        if handle is None or not handle.gateway_id:
            return None
        return facts.capture(key, self.calls.intent(handle.gateway_id)) or self._refund(handle.gateway_id, key)

    def _claim(
        self, payment_id: str, kind: HandleKind, amount: Money, *, key: str, more: list[bool]
    ) -> tuple[Handle | None, bool]:
        """The payment's handle, and whether this move is asked for the first time."""
        body = handles.body_hash([payment_id, amount.amount, amount.currency, *more])
        with self.work() as session:
            payment = handles.find(session, self.merchant, GATEWAY, payment_id)
            _, first = handles.claim(session, self.merchant, Handle(GATEWAY, key, kind, payment_id, body, amount))
        return payment, first

    def _refund(self, intent_id: str, key: str) -> Move | None:
        found = (facts.refund(row) for row in self.calls.refunds(intent_id))
        return next((move for move in found if move.key == key), None)

    def _not_captured(self, intent_id: str, amount: Money, refusal: Refused, *, key: str) -> Move:
        if refusal.code in _LAPSED:
            raise AuthorizationExpired("The time to take this money has passed.")
        intent = self.calls.intent(intent_id)
        done = facts.capture(key, intent)
        if done is not None:
            return done
        if facts.lapsed(intent):
            raise AuthorizationExpired("The time to take this money has passed.")
        if amount.amount > intent["amount_capturable"]:
            raise CaptureExceedsAuthorization("More than is authorized cannot be captured.")
        return Move(key, MoveStatus.FAILED, intent_id, amount, refusal.decline_code or refusal.code)

    def _not_refunded(self, intent_id: str, amount: Money, refusal: Refused, *, key: str) -> Move:
        disputed = refusal.code == "charge_disputed"
        if disputed or amount.amount > _refundable(self.calls.intent(intent_id)):
            raise RefundExceedsCapture("More than was captured cannot be refunded.")
        return Move(key, MoveStatus.FAILED, None, amount, refusal.code or "refused")


def _part(intent: Json, amount: Money, *, key: str, final: bool) -> Json:
    """What to capture. Where only one capture is allowed it is final by Stripe's own rule: the rest is let go."""
    many = {"final_capture": final} if facts.many_captures(intent) else {}
    return {"amount_to_capture": amount.amount, "metadata": {key: str(amount.amount)}, **many}


def _refundable(intent: Json) -> int:
    latest = intent.get("latest_charge") or {}
    return int(intent["amount_received"]) - int(latest.get("amount_refunded") or 0)
