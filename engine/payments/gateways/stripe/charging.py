"""Taking money by Stripe: an intent is made, its id is written down, and only then is it confirmed.

So a lost answer never leaves money under an id that we do not know: before the id is stored nothing can have moved.
A payment id stands for one intent and one confirmation; whoever comes again goes on where the first one stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy.orm import Session

from engine.kit.tenancy import hash_secret
from engine.payments.gateway import CaptureRequest, Charge, ChargeStatus
from engine.payments.gateways import handles
from engine.payments.gateways.delegation import Delegation
from engine.payments.gateways.handles import CANCELED, Handle
from engine.payments.gateways.models import HandleKind
from engine.payments.gateways.stripe import facts
from engine.payments.gateways.stripe.calls import Calls, Json, Refused

GATEWAY: Final = "stripe"
_AUTHENTICATE: Final = "authentication_required"
Work = Callable[[], AbstractContextManager[Session]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a payment stands before Stripe is asked: its handle, and the card its token stood for; ``keep_for`` is the
    customer at Stripe that it is kept for.
    """

    handle: Handle
    method: str
    challenge_id: str | None
    keep_for: str = ""


@dataclass(frozen=True, slots=True)
class Charging:
    """One merchant's way to take money."""

    calls: Calls
    work: Work
    tokens: Delegation
    return_url: str
    multicapture: bool

    def take(self, request: CaptureRequest, *, hold: bool) -> Charge:
        """Authorize, and capture unless ``hold``; a repeat gets what became of the first."""
        with self.work() as session:
            place = self._claim(session, request, hold=hold)
        if place.handle.outcome:
            return ended(place.handle)
        try:
            intent = self._intent(request, place, hold=hold)
        except Refused as refusal:
            return self._end(request, None, _code(refusal))
        if intent is None:
            return Charge(request.payment_id, ChargeStatus.CANCELED, decline_code="canceled")
        if intent["status"] == "requires_confirmation":
            intent = self._confirmed(request, intent)
        if intent["status"] == "requires_action":
            return self._challenge(request, intent)
        return facts.charge(request.payment_id, intent) or self._end(request, intent["id"], "token_invalid")

    def _claim(self, session: Session, request: CaptureRequest, *, hold: bool) -> Place:
        """One transaction: the payment id is taken, and its token used up for it."""
        wanted = Handle(
            gateway=GATEWAY,
            key=request.payment_id,
            kind=HandleKind.HOLD if hold else HandleKind.PAYMENT,
            payment_id=request.payment_id,
            body_hash=handles.body_hash(
                [request.session_id, hash_secret(request.token), request.amount.amount, request.amount.currency, hold]
            ),
            amount=request.amount,
        )
        handle, _ = handles.claim(session, request.merchant, wanted)
        used = None if handle.outcome else self.tokens.use(session, request)
        if used is None and not handle.outcome:
            handles.settle(session, request.merchant, GATEWAY, request.payment_id, outcome="token_invalid")
            return Place(replace(handle, outcome="token_invalid"), "", None)
        if used is None:
            return Place(handle, "", None)
        return Place(handle, used.method, used.challenge_id, used.keep_for)

    def _intent(self, request: CaptureRequest, place: Place, *, hold: bool) -> Json | None:
        """The payment's intent: the one it has, the one that waited for the card's holder, or a new one.

        ``None`` when the payment was canceled meanwhile. Raises ``Refused``.
        """
        if place.handle.gateway_id:
            return self.calls.intent(place.handle.gateway_id)
        if place.challenge_id:
            waiting = self.calls.intent(place.challenge_id)
            if waiting["status"] == "requires_action":
                return waiting
            if self._taken_over(request, waiting, place, hold=hold):
                marks = {"metadata": {"payment_id": request.payment_id}}
                return self.calls.update_intent(waiting["id"], marks, key=f"{request.payment_id}:adopt")
        intent = self.calls.create_intent(self._params(request, place, hold=hold), key=request.payment_id)
        with self.work() as session:
            if handles.settle(session, request.merchant, GATEWAY, request.payment_id, gateway_id=intent["id"]):
                return intent
        stop(self.calls, intent["id"], key=f"{request.payment_id}:cancel")
        return None

    def _confirmed(self, request: CaptureRequest, intent: Json) -> Json:
        """The intent after its one confirmation; a refusal is read from the intent itself, which remembers it."""
        params = {"return_url": self.return_url} if self.return_url else {}
        try:
            return self.calls.confirm_intent(intent["id"], params, key=f"{request.payment_id}:confirm")
        except Refused:
            return self.calls.intent(intent["id"])

    def _params(self, request: CaptureRequest, place: Place, *, hold: bool) -> dict[str, Any]:
        """A card that is to be kept is attached to its customer by the confirmation: one that has paid for nobody
        cannot be attached afterwards.
        """
        method_id = place.method.rpartition("/")[2]
        customer = _customer(place)
        marks = {"payment_id": request.payment_id, "merchant": request.merchant, "session_id": request.session_id}
        many = {"card": {"request_multicapture": "if_available"}} if hold and self.multicapture else {}
        return {
            "amount": request.amount.amount,
            "currency": request.amount.currency.lower(),
            "payment_method": method_id,
            "payment_method_types": ["card"],
            "capture_method": _capture_method(hold=hold),
            "confirmation_method": "manual",
            "metadata": marks,
            **({"customer": customer} if customer else {}),
            **({"setup_future_usage": "on_session"} if place.keep_for else {}),
            **({"payment_method_options": many} if many else {}),
        }

    def _challenge(self, request: CaptureRequest, intent: Json) -> Charge:
        """The bank wants its customer first: this payment ends, and its intent waits for the holder's proof.

        The intent takes no money by that proof alone (``confirmation_method`` is manual): a later payment of the same
        card in the same session takes it over and confirms it.
        """
        with self.work() as session:
            handles.settle(session, request.merchant, GATEWAY, request.payment_id, outcome=_AUTHENTICATE)
            self.tokens.open_challenge(session, request.merchant, request.token, intent["id"])
        url = facts.challenge_url(intent)
        return _declined(request, intent["id"], _AUTHENTICATE, url)

    def _taken_over(self, request: CaptureRequest, waiting: Json, place: Place, *, hold: bool) -> bool:
        """Whether a waiting intent is this payment's now. One that does not fit is let go."""
        same = facts.money(waiting["amount"], waiting["currency"]) == request.amount
        same = same and (waiting.get("customer") or "") == _customer(place)
        proven = waiting["status"] == "requires_confirmation" and waiting["capture_method"] == _capture_method(
            hold=hold
        )
        with self.work() as session:
            mine = self.tokens.close_challenge(session, request.merchant, waiting["id"], payment_id=request.payment_id)
            if mine and same and proven:
                return handles.settle(session, request.merchant, GATEWAY, request.payment_id, gateway_id=waiting["id"])
        if mine:
            stop(self.calls, waiting["id"], key=f"{request.payment_id}:let-go")
        return False

    def _end(self, request: CaptureRequest, intent_id: str | None, code: str) -> Charge:
        """It will not work, and there is no intent that could say so: the answer is written down."""
        left = stop(self.calls, intent_id, key=f"{request.payment_id}:cancel") if intent_id else None
        if left is not None and left["status"] != CANCELED:
            found = facts.charge(request.payment_id, left)
            return found or Charge(request.payment_id, ChargeStatus.PENDING, intent_id, request.amount)
        with self.work() as session:
            handles.settle(session, request.merchant, GATEWAY, request.payment_id, outcome=code)
        return _declined(request, intent_id, code)


def _customer(place: Place) -> str:
    """Whose card it is at Stripe, or is to be."""
    return place.keep_for or place.method.rpartition("/")[0]


def stop(calls: Calls, intent_id: str, *, key: str) -> Json:
    """Cancel an intent, or say what it is when it cannot be canceled any more."""
    try:
        return calls.cancel_intent(intent_id, key=key)
    except Refused:
        return calls.intent(intent_id)


def ended(handle: Handle) -> Charge:
    """A payment that ended without the gateway, or was told apart from its intent."""
    if handle.outcome == CANCELED:
        return Charge(handle.key, ChargeStatus.CANCELED, handle.gateway_id, decline_code="canceled")
    return Charge(handle.key, ChargeStatus.DECLINED, handle.gateway_id, handle.amount, handle.outcome)


def _capture_method(*, hold: bool) -> str:
    return "manual" if hold else "automatic"


def _code(refusal: Refused) -> str:
    return facts.decline_code(refusal.code, refusal.decline_code) if refusal.card else "token_invalid"


def _declined(request: CaptureRequest, intent_id: str | None, code: str, url: str | None = None) -> Charge:
    return Charge(request.payment_id, ChargeStatus.DECLINED, intent_id, request.amount, code, url)
