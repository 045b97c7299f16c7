"""The port every payment gateway stands behind.

The gateway is the authority on its tokens: ``capture`` checks and consumes the token atomically, and answers a
repeat of the same key with the first result before it looks at anything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from engine.kit.errors import Unavailable
from engine.kit.money import Money


class GatewayTimeout(Unavailable):
    """No answer: the charge may or may not have happened. Ask with ``find`` before anything else."""

    code = "gateway_timeout"


class ChargeStatus(StrEnum):
    CAPTURED = "captured"
    DECLINED = "declined"
    PENDING = "pending"  # the gateway has it and has not decided
    CANCELED = "canceled"  # will never be captured under this key


@dataclass(frozen=True, slots=True)
class Charge:
    """What the gateway says of one payment id. ``decline_code`` is from ``DECLINES``."""

    key: str
    status: ChargeStatus
    gateway_id: str | None = None
    amount: Money | None = None
    decline_code: str | None = None
    challenge_url: str | None = None


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a delegated token may be used for."""

    merchant: str
    session_id: str
    maximum: Money
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What may be known of a card outside the vault."""

    ref: str
    brand: str
    last4: str


@dataclass(frozen=True, slots=True)
class TokenFacts:
    usable: bool
    challenge_url: str | None = None
    """Set when the card's bank wants its holder to prove who they are first (3-D Secure)."""


@dataclass(frozen=True, slots=True)
class CaptureRequest:
    """One attempt to take money; ``payment_id`` is the idempotency key."""

    payment_id: str
    merchant: str
    session_id: str
    token: str
    amount: Money


@dataclass(frozen=True, slots=True)
class GatewayEvent:
    """A verified webhook: what became of a payment after we stopped waiting."""

    id: str
    merchant: str
    charge: Charge


class Gateway(Protocol):
    name: str

    def describe(self, card_ref: str, *, merchant: str, session_id: str) -> CardFacts | None:
        """The card behind a reference that this merchant may use in this session; ``None`` for any other."""

    def delegate(self, card_ref: str, allowance: Allowance, *, key: str) -> str:
        """A single-use token (``vt_…``) for a card within an allowance; the same key gives the same token."""

    def inspect(self, token: str, *, merchant: str, session_id: str) -> TokenFacts:
        """Whether the token would be taken now, without using it."""

    def capture(self, request: CaptureRequest) -> Charge:
        """Authorize and capture at once. Raises ``GatewayTimeout`` when the answer is not known."""

    def find(self, payment_id: str, *, merchant: str) -> Charge | None:
        """What became of a payment id; ``None`` when the gateway never heard of it."""

    def cancel(self, payment_id: str, *, merchant: str) -> Charge:
        """Make sure that nothing will ever be captured under this id; a charge already captured is answered as such."""

    def refund(self, payment_id: str, *, merchant: str, amount: Money, key: str) -> str:
        """Give money back; returns the gateway's refund id. Raises ``RefundExceedsCapture``."""

    def parse_webhook(self, body: bytes, headers: Mapping[str, str]) -> GatewayEvent:
        """Verify and read a webhook. Raises ``Unauthenticated`` for a bad signature."""

    def captured(self, *, merchant: str) -> Mapping[str, Money]:
        """Payment id → net captured amount (captured less refunded): for reconciliation."""


DECLINES: Mapping[str, str] = {
    "card_declined": "The bank declined this card.",
    "insufficient_funds": "The bank says there is not enough on this card.",
    "expired_card": "This card has expired.",
    "incorrect_cvc": "The security code did not match.",
    "authentication_required": "The bank wants to check that it is you before it pays.",
    "token_expired": "The payment card on screen was too old.",
    "token_invalid": "This way to pay cannot be used for this order.",
    "canceled": "The payment was stopped before it reached the bank.",
}
"""Decline code → what the shopper is told."""
