"""The port every payment gateway stands behind.

The gateway is the authority on its tokens: ``capture`` checks and consumes the token atomically, and answers a
repeat of the same key with the first result before it looks at anything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from engine.kit.errors import Unavailable
from engine.kit.money import Money


class GatewayTimeout(Unavailable):
    """No answer: the charge may or may not have happened. Ask with ``find`` before anything else."""

    code = "gateway_timeout"


class ChargeStatus(StrEnum):
    AUTHORIZED = "authorized"  # the money is held on the card; ``Charge.expires_at`` says until when
    CAPTURED = "captured"
    DECLINED = "declined"
    PENDING = "pending"  # the gateway has it and has not decided
    CANCELED = "canceled"  # will never be captured under this key
    VOIDED = "voided"  # was authorized and was let go


@dataclass(frozen=True, slots=True)
class Charge:
    """What the gateway says of one payment id. ``decline_code`` is from ``DECLINES``."""

    key: str
    status: ChargeStatus
    gateway_id: str | None = None
    amount: Money | None = None
    decline_code: str | None = None
    challenge_url: str | None = None
    expires_at: datetime | None = None
    """When an authorization lapses."""


class MoveStatus(StrEnum):
    """Where a capture of an authorization, or a refund, stands at the gateway."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Move:
    """Money that moved within a charge. ``key`` is our capture or refund id."""

    key: str
    status: MoveStatus
    gateway_id: str | None = None
    amount: Money | None = None
    failure_code: str | None = None


class DisputeStatus(StrEnum):
    NEEDS_RESPONSE = "needs_response"  # opened; evidence is due
    UNDER_REVIEW = "under_review"  # evidence was sent
    WON = "won"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class DisputeFacts:
    """A chargeback as the gateway tells it."""

    gateway_id: str
    payment_id: str
    status: DisputeStatus
    amount: Money
    fee: int
    """Minor units of the amount's currency that the gateway keeps for it."""
    reason: str
    evidence_due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Standing:
    """The gateway's own books of one payment, in minor units: what reconciliation compares with ours."""

    currency: str
    authorized: int
    captured: int
    refunded: int
    disputed: int
    """Taken back by disputes that are open or lost."""
    disputed_at: datetime | None = field(default=None, compare=False)
    """When the gateway last moved a dispute of it: we may not have heard yet."""

    @property
    def net(self) -> int:
        return self.captured - self.refunded - self.disputed


class PayoutKind(StrEnum):
    CHARGE = "charge"
    REFUND = "refund"
    DISPUTE = "dispute"
    DISPUTE_WON = "dispute_won"
    ADJUSTMENT = "adjustment"


@dataclass(frozen=True, slots=True)
class PayoutLine:
    """One movement that a payout settles. ``reference`` is our payment, capture or refund id, or the dispute's."""

    kind: PayoutKind
    reference: str
    payment_id: str
    amount: int
    """Minor units; positive comes to the merchant."""
    fee: int
    """Minor units that the gateway kept; never negative."""


@dataclass(frozen=True, slots=True)
class PayoutFacts:
    """Money that the gateway sent to the merchant's bank: the sum of amounts less the sum of fees of its lines."""

    gateway_id: str
    currency: str
    amount: int
    paid_at: datetime
    lines: tuple[PayoutLine, ...]


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a delegated token may be used for."""

    merchant: str
    session_id: str
    maximum: Money
    expires_at: datetime
    keep_for: str = ""
    """The customer of ours who wants the card kept once it has paid, where they do."""


class MethodKind(StrEnum):
    CARD = "card"
    WALLET = "wallet"  # a card in a wallet: the network's token of it, proven by a cryptogram


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What may be known of a card outside the vault."""

    ref: str
    brand: str
    last4: str
    """Of the card as its holder knows it, in a wallet too."""
    wallet: str = ""
    """The wallet it is in: ``apple_pay``, ``google_pay``, ``demo_wallet``, …; empty for a plain card."""
    entered: bool = False
    """Whether it was entered for this one session, on the gateway's own element."""
    exp_month: int = 0
    exp_year: int = 0

    @property
    def kind(self) -> MethodKind:
        return MethodKind.WALLET if self.wallet else MethodKind.CARD


@dataclass(frozen=True, slots=True)
class TokenFacts:
    usable: bool
    challenge_url: str | None = None
    """Set when the card's bank wants its holder to prove who they are first (3-D Secure)."""
    kind: MethodKind = MethodKind.CARD
    brand: str = ""
    last4: str = ""
    label: str = ""
    """The way to pay as people read it: ``Visa •••• 4242``."""
    maximum: Money | None = None
    """The most that it pays, told of every token of this session, usable or not."""
    expires_at: datetime | None = None
    review: bool = False
    """Whether who delegated it wants a person to look before the money is taken."""


class EntryKind(StrEnum):
    PAGE = "page"  # the gateway's own page
    ELEMENT = "element"  # the vendor's script, on a page of ours that serves nothing else


@dataclass(frozen=True, slots=True)
class EntryElement:
    """Where a way to pay is entered at a gateway. Nothing in it is secret."""

    gateway: str
    kind: EntryKind
    path: str
    """The page to frame, on the payment pages' own origin; its parent is told a card reference, never a number."""
    publishable_key: str = ""
    wallets: tuple[str, ...] = ()
    """Wallets that it may offer, as in ``CardFacts.wallet``."""
    script_url: str = ""
    """An element's script at the vendor."""
    script_origins: tuple[str, ...] = ()
    frame_origins: tuple[str, ...] = ()
    connect_origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CaptureRequest:
    """One attempt to take money; ``payment_id`` is the idempotency key."""

    payment_id: str
    merchant: str
    session_id: str
    token: str
    amount: Money


class EventKind(StrEnum):
    CHARGE = "charge"
    CAPTURE = "capture"
    REFUND = "refund"
    DISPUTE = "dispute"
    IGNORED = "ignored"  # verified, and nothing that we act on


@dataclass(frozen=True, slots=True)
class GatewayEvent:
    """A verified webhook: one thing that happened at the gateway. Exactly the part that ``kind`` names is set."""

    id: str
    kind: EventKind
    merchant: str
    occurred_at: datetime
    payment_id: str = ""
    charge: Charge | None = None
    move: Move | None = None
    dispute: DisputeFacts | None = None


class Gateway(Protocol):
    """Every call may raise ``GatewayTimeout``: the answer is not known, ask with ``find`` or ``find_move``.

    ``merchant`` is our tenant id. Keys are idempotency keys: a repeat with the same body gets the first answer, before
    anything else is looked at; another body raises ``TokenRefused``.
    """

    name: str
    demo_only: bool
    """Whether its money is imaginary: it serves demo shops alone."""

    def entry(self, *, merchant: str, session_id: str) -> EntryElement:
        """Where a card is entered for this checkout session. Asks nobody over the network.

        Raises ``GatewayNotConfigured`` for a merchant without an account, ``CardEntryUnavailable`` where theirs offers
        no such thing.
        """

    def describe(self, card_ref: str, *, merchant: str, session_id: str) -> CardFacts | None:
        """The card behind a reference that this merchant may use in this session; ``None`` for any other."""

    def keep(self, card_ref: str, *, merchant: str, session_id: str, customer: str) -> str:
        """Keep a card that was entered for this session and has paid, for this customer's next purchases; returns the
        reference that it has from now on, in any session. Asked again, the same. Its token was delegated with
        ``keep_for``.

        Raises ``TokenRefused`` for a card that cannot be kept.
        """

    def forget(self, card_ref: str, *, merchant: str) -> None:
        """Let go of a card for good; one that is not there any more is forgotten already."""

    def delegate(self, card_ref: str, allowance: Allowance, *, key: str) -> str:
        """A single-use token (``vt_…``) for a card within an allowance; the same key gives the same token."""

    def inspect(self, token: str, *, merchant: str, session_id: str) -> TokenFacts:
        """Whether the token would be taken now, without using it."""

    def check_authentication(self, *, session_id: str, merchant: str, amount: Money, result: Mapping[str, str]) -> bool:
        """Whether a 3-D Secure proof (``three_ds_cryptogram``, ``electronic_commerce_indicator``, ``transaction_id``,
        ``version``) is one that this gateway gave out for a card delegated in this session, and for this amount or
        more. It works in one session alone; the card that it proves pays without asking its holder again.
        """

    def capture(self, request: CaptureRequest) -> Charge:
        """Authorize and capture at once, using up the token."""

    def authorize(self, request: CaptureRequest) -> Charge:
        """Hold the money, using up the token; ``AUTHORIZED`` with ``expires_at``, or as ``capture`` refuses."""

    def capture_authorized(self, payment_id: str, *, merchant: str, amount: Money, key: str, final: bool) -> Move:
        """Take part (or all) of what was authorized; ``final`` lets the rest go. ``key`` is our capture id.

        Raises ``CaptureExceedsAuthorization``, ``AuthorizationExpired``.
        """

    def void(self, payment_id: str, *, merchant: str, key: str) -> Charge:
        """Let go what is authorized and not captured. A charge with captures stays captured at what was taken."""

    def find(self, payment_id: str, *, merchant: str) -> Charge | None:
        """What became of a payment id; ``None`` when the gateway never heard of it."""

    def find_move(self, key: str, *, payment_id: str, merchant: str) -> Move | None:
        """What became of a capture or refund by our id; ``None`` when the gateway never heard of it."""

    def cancel(self, payment_id: str, *, merchant: str) -> Charge:
        """Make sure that nothing will ever be captured under this id; a charge already captured is answered as such."""

    def refund(self, payment_id: str, *, merchant: str, amount: Money, key: str) -> Move:
        """Give money back; ``key`` is our refund id. Raises ``RefundExceedsCapture``."""

    def submit_evidence(self, dispute_id: str, *, merchant: str, evidence: Mapping[str, str], key: str) -> DisputeFacts:
        """Send our side of a dispute, once. Raises ``NotFound``, ``EvidenceTooLate``."""

    def parse_webhook(self, body: bytes, headers: Mapping[str, str]) -> GatewayEvent:
        """Verify and read a webhook. Raises ``Unauthenticated`` for a bad signature or a stale one."""

    def standings(self, *, merchant: str) -> Mapping[str, Standing]:
        """Payment id → the gateway's books of it, for every payment of the merchant: for reconciliation."""

    def payouts(self, *, merchant: str, since: datetime) -> list[PayoutFacts]:
        """Payouts made since then, oldest first, each with all its lines."""


DECLINES: Mapping[str, str] = {
    "card_declined": "The bank declined this card.",
    "insufficient_funds": "The bank says there is not enough on this card.",
    "expired_card": "This card has expired.",
    "incorrect_cvc": "The security code did not match.",
    "wallet_refused": "The bank does not take this card from the wallet. The card itself may work.",
    "cryptogram_invalid": "The wallet's proof for this payment did not match. Please choose the card in it again.",
    "wallet_suspended": "This card is locked in the wallet.",
    "authentication_required": "The bank wants to check that it is you before it pays.",
    "token_expired": "The payment card on screen was too old.",
    "token_invalid": "This way to pay cannot be used for this order.",
    "canceled": "The payment was stopped before it reached the bank.",
}
"""Decline code → what the shopper is told."""
