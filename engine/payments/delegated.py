"""Cards that an agent platform brings, and proofs that their holders were asked: what a gateway that takes them does.

Numbers, codes and cryptograms pass through these shapes into the vault and nowhere else: no ``repr`` shows one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from engine.kit.money import Money
from engine.payments.errors import DelegationUnsupported
from engine.payments.gateway import Allowance, Gateway


class NumberType(StrEnum):
    FPAN = "fpan"  # the number on the card
    NETWORK_TOKEN = "network_token"  # the network's stand-in for it  # noqa: S105 (a kind of number)


class Signal(StrEnum):
    """What the platform's own fraud detection says to do."""

    BLOCKED = "blocked"
    MANUAL_REVIEW = "manual_review"
    AUTHORIZED = "authorized"


@dataclass(frozen=True, slots=True)
class DelegatedCard:
    """A card as it was brought. Its ``repr`` shows nothing."""

    number: str
    number_type: NumberType = NumberType.FPAN
    exp_month: str | None = None
    exp_year: str | None = None
    cvc: str | None = None
    cryptogram: str | None = None
    last4: str | None = None
    """Of the card as its holder knows it."""
    wallet: str = ""

    def __repr__(self) -> str:
        return "DelegatedCard(…)"


@dataclass(frozen=True, slots=True)
class Request:
    """Who asks what under which key. ``body`` is what makes two requests the same; only a keyed digest is kept."""

    merchant: str
    caller: str
    operation: str
    key: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing was made, in words that hold nothing of what was sent. ``param`` is a path in the request's body."""

    message: str
    param: str
    malformed: bool = False
    """Whether the request was not of the right shape at all: nothing was learned about a card."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request came to, now or when it was first made: exactly one of ``made_id`` and ``refusal`` is set."""

    created_at: datetime
    made_id: str | None = None
    refusal: Refusal | None = None
    replayed: bool = False


class AuthenticationStatus(StrEnum):
    """Where a 3-D Secure authentication stands, in the protocol's words."""

    ACTION_REQUIRED = "action_required"
    PENDING = "pending"
    NOT_SUPPORTED = "not_supported"
    AUTHENTICATED = "authenticated"
    ATTEMPTED = "attempted"
    NOT_AUTHENTICATED = "not_authenticated"
    REJECTED = "rejected"
    UNAVAILABLE = "unavailable"
    EXPIRED = "expired"
    CHALLENGE_ABANDONED = "challenge_abandoned"


@dataclass(frozen=True, slots=True)
class AuthenticationRequest:
    """A card and an amount to authenticate. Its ``repr`` shows no number."""

    number: str = field(repr=False)
    exp_month: str
    exp_year: str
    amount: Money
    session_id: str | None = None
    browser: bool = False
    """Whether the browser was described: without it there is no fingerprint to take."""
    challenge_first: bool = False
    """Whether the merchant's mandate is to ask the holder in any case."""


@dataclass(frozen=True, slots=True)
class AuthenticationFacts:
    """An authentication as it may be told. ``action`` and ``result`` are in the protocol's shape."""

    id: str
    status: AuthenticationStatus
    action: Mapping[str, Any] | None = None
    result: Mapping[str, Any] | None = None


@runtime_checkable
class CardTaker(Protocol):
    """A gateway that takes cards from agent platforms and authenticates their holders.

    Every write answers a repeat of its key with what the first came to, refusals too. Raises ``IdempotencyConflict``
    for another body under a known key, ``RateLimited`` when too many cards of this caller failed.
    """

    def delegate_card(
        self, request: Request, card: DelegatedCard, allowance: Allowance, signals: tuple[Signal, ...], *, failing: int
    ) -> Answer:
        """A token (``vt_…``) for this card within the allowance. ``failing`` cards a minute are a caller's most."""

    def refuse(self, request: Request, refusal: Refusal, *, failing: int) -> Answer:
        """Keep a refusal under its key."""

    def authenticate_card(self, request: Request, given: AuthenticationRequest, *, failing: int) -> Answer:
        """Begin to authenticate a card's holder; ``made_id`` names the authentication."""

    def authentication(self, authentication_id: str, *, merchant: str, as_begun: bool = False) -> AuthenticationFacts:
        """Where it stands, or stood when it was begun. Raises ``NotFound``."""

    def go_on(self, authentication_id: str, *, merchant: str, session_id: str | None) -> AuthenticationFacts:
        """After the fingerprint: ask the bank. A repeat tells where it stands. Raises ``NotFound``."""


def card_taker(gateways: Mapping[str, Gateway], *, demo: bool) -> CardTaker:
    """The gateway that takes agents' cards for this shop. Raises ``DelegationUnsupported``."""
    for gateway in gateways.values():
        if isinstance(gateway, CardTaker) and (demo or not gateway.demo_only):
            return gateway
    raise DelegationUnsupported("This merchant takes no cards from agent platforms here.")
