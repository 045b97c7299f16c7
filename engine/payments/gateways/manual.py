"""Money that the shop's own payment system moves: ways to pay that came with its records, not through a gateway here.

What is booked here is what that system is told to do (by the news of payments and refunds); nobody is asked, so every
move succeeds. A token is its own allowance under our seal: it needs no vault and no row.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Protocol, runtime_checkable

from engine.kit import clock
from engine.kit.envelope import derive
from engine.kit.errors import NotFound, Unauthenticated
from engine.kit.money import Money
from engine.payments.errors import GatewayNotConfigured, TokenRefused
from engine.payments.gateway import (
    Allowance,
    CaptureRequest,
    CardFacts,
    Charge,
    ChargeStatus,
    DisputeFacts,
    EntryElement,
    Gateway,
    GatewayEvent,
    Move,
    MoveStatus,
    PayoutFacts,
    Standing,
    TokenFacts,
)

MANUAL: Final = "manual"
CREDITING: Final = frozenset({MANUAL})
"""Gateways that give money to a way to pay from which they did not take it."""
LOCAL: Final = frozenset({MANUAL})
"""Gateways that answer at once and never otherwise: they may be asked within a transaction."""
_HELD: Final = timedelta(days=7)


@runtime_checkable
class Crediting(Gateway, Protocol):
    """A gateway that also gives money to a way to pay from which it did not take it."""

    def credit(self, card_ref: str, *, merchant: str, amount: Money, key: str) -> Move:
        """Give money to a saved way to pay; ``key`` is our refund id."""


class ManualGateway:
    """The shop's own payment system, as a gateway."""

    name = MANUAL
    demo_only = False

    def __init__(self, secret_key: bytes) -> None:
        self._key = derive(secret_key, "manual-gateway")

    def entry(self, *, merchant: str, session_id: str) -> EntryElement:  # noqa: ARG002 (the port's)
        """Nothing is entered here."""
        raise GatewayNotConfigured("The shop's own payment system has no form here.")

    def describe(self, card_ref: str, *, merchant: str, session_id: str) -> CardFacts | None:  # noqa: ARG002
        return None

    def keep(self, card_ref: str, *, merchant: str, session_id: str, customer: str) -> str:  # noqa: ARG002
        raise TokenRefused("Nothing is kept there from here.")

    def forget(self, card_ref: str, *, merchant: str) -> None:
        """That system keeps its own records."""

    def delegate(self, card_ref: str, allowance: Allowance, *, key: str) -> str:
        said = [card_ref, allowance.merchant, allowance.session_id, allowance.maximum.amount]
        said += [allowance.maximum.currency, allowance.expires_at.timestamp(), key]
        body = json.dumps(said, separators=(",", ":")).encode()
        return "vt_" + base64.urlsafe_b64encode(self._seal(body) + body).decode().rstrip("=")

    def inspect(self, token: str, *, merchant: str, session_id: str) -> TokenFacts:
        found = self._read(token)
        fits = found is not None and found[1:3] == [merchant, session_id]
        if found is None or not fits:
            return TokenFacts(usable=False)
        usable = found[5] > clock.now().timestamp()
        return TokenFacts(usable=usable, maximum=Money(found[3], found[4]), expires_at=_moment(found[5]))

    def check_authentication(self, *, session_id: str, merchant: str, amount: Money, result: Mapping[str, str]) -> bool:  # noqa: ARG002
        return False

    def capture(self, request: CaptureRequest) -> Charge:
        return self._charge(request, ChargeStatus.CAPTURED)

    def authorize(self, request: CaptureRequest) -> Charge:
        return self._charge(request, ChargeStatus.AUTHORIZED)

    def capture_authorized(self, payment_id: str, *, merchant: str, amount: Money, key: str, final: bool) -> Move:  # noqa: ARG002
        return Move(key, MoveStatus.SUCCEEDED, amount=amount)

    def void(self, payment_id: str, *, merchant: str, key: str) -> Charge:  # noqa: ARG002
        return Charge(payment_id, ChargeStatus.VOIDED)

    def find(self, payment_id: str, *, merchant: str) -> Charge | None:  # noqa: ARG002
        """It keeps nothing here: what is asked again is answered again."""
        return None

    def find_move(self, key: str, *, payment_id: str, merchant: str) -> Move | None:  # noqa: ARG002
        return None

    def cancel(self, payment_id: str, *, merchant: str) -> Charge:  # noqa: ARG002
        return Charge(payment_id, ChargeStatus.CANCELED)

    def refund(self, payment_id: str, *, merchant: str, amount: Money, key: str) -> Move:  # noqa: ARG002
        return Move(key, MoveStatus.SUCCEEDED, amount=amount)

    def credit(self, card_ref: str, *, merchant: str, amount: Money, key: str) -> Move:  # noqa: ARG002
        return Move(key, MoveStatus.SUCCEEDED, amount=amount)

    def submit_evidence(self, dispute_id: str, *, merchant: str, evidence: Mapping[str, str], key: str) -> DisputeFacts:  # noqa: ARG002
        raise NotFound("There is no such dispute.")

    def parse_webhook(self, body: bytes, headers: Mapping[str, str]) -> GatewayEvent:  # noqa: ARG002
        raise Unauthenticated("Nobody tells us of its moves.")

    def standings(self, *, merchant: str) -> Mapping[str, Standing]:  # noqa: ARG002
        return {}

    def payouts(self, *, merchant: str, since: datetime) -> list[PayoutFacts]:  # noqa: ARG002
        return []

    def _charge(self, request: CaptureRequest, status: ChargeStatus) -> Charge:
        found = self._read(request.token)
        known = (request.merchant, request.session_id, request.amount.currency)
        if found is None or (found[1], found[2], found[4]) != known or request.amount.amount > found[3]:
            return Charge(request.payment_id, ChargeStatus.DECLINED, decline_code="token_invalid")
        if found[5] <= clock.now().timestamp():
            return Charge(request.payment_id, ChargeStatus.DECLINED, decline_code="token_expired")
        ends = clock.now() + _HELD if status == ChargeStatus.AUTHORIZED else None
        return Charge(request.payment_id, status, amount=request.amount, expires_at=ends)

    def _read(self, token: str) -> list[Any] | None:
        """What a token allows; ``None`` for one that is not ours."""
        text = token.removeprefix("vt_")
        try:
            whole = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except ValueError:
            return None
        if not hmac.compare_digest(whole[:32], self._seal(whole[32:])):
            return None
        read: list[Any] = json.loads(whole[32:])
        return read

    def _seal(self, body: bytes) -> bytes:
        return hmac.new(self._key, body, hashlib.sha256).digest()


def _moment(timestamp: float) -> datetime:
    return datetime.fromtimestamp(timestamp, tz=clock.now().tzinfo)
