"""Card numbers: what is valid, what the test numbers do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Behavior(StrEnum):
    """What the imaginary bank does with a card."""

    APPROVE = "approve"
    DECLINE = "card_declined"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    EXPIRED = "expired_card"
    WALLET_REFUSED = "wallet_refused"  # the bank takes the card, and not out of this wallet
    WALLET_UNPROVEN = "cryptogram_invalid"  # what the wallet proves the payment with does not match
    WALLET_SUSPENDED = "wallet_suspended"  # its holder or the bank has locked the card on the device
    INCORRECT_CVC = "incorrect_cvc"
    CHALLENGE = "challenge"  # approves once its holder has passed 3-D Secure
    TIMEOUT_AFTER_CAPTURE = "timeout_after_capture"  # takes the money, and the answer is lost
    CAPTURE_LATE = "capture_late"  # no answer now; the capture appears seconds later
    AUTHORIZED_TIMEOUT = "authorized_timeout"  # a capture of what was authorized is made, and the answer is lost
    AUTHORIZED_REFUSED = "authorized_refused"  # what was authorized cannot be captured after all
    REFUND_LATE = "refund_late"  # a refund is pending, and arrives seconds later
    REFUND_REFUSED = "refund_refused"  # a refund is pending, and fails seconds later
    REFUND_FAILS = "refund_fails"  # a refund succeeds, and is sent back seconds later
    REFUND_TIMEOUT = "refund_timeout"  # a refund is made, and the answer is lost
    DISPUTE = "dispute"  # pays, and its holder disputes it seconds later


REFUSED: Final = tuple(
    behavior.value
    for behavior in (
        Behavior.DECLINE,
        Behavior.INSUFFICIENT_FUNDS,
        Behavior.EXPIRED,
        Behavior.INCORRECT_CVC,
        Behavior.WALLET_REFUSED,
        Behavior.WALLET_UNPROVEN,
        Behavior.WALLET_SUSPENDED,
    )
)
"""A definite no of the bank; the decline code is the behavior's own name."""
WALLET: Final = "demo_wallet"


@dataclass(frozen=True, slots=True)
class TestCard:
    ref: str
    """A reference that needs no vault, for demo shops."""
    number: str
    brand: str
    behavior: Behavior
    label: str

    shown: str = ""
    """The last digits of a card in a wallet, as its holder knows it; its ``number`` is the network's token of it."""

    @property
    def last4(self) -> str:
        return self.shown or self.number[-4:]

    @property
    def wallet(self) -> str:
        return WALLET if self.shown else ""


TEST_CARDS: Final = (
    TestCard("card_test_visa", "4242424242424242", "visa", Behavior.APPROVE, "Pays"),
    TestCard("card_test_mastercard", "5555555555554444", "mastercard", Behavior.APPROVE, "Pays"),
    TestCard("card_test_amex", "378282246310005", "amex", Behavior.APPROVE, "Pays"),
    TestCard("card_test_declined", "4000000000000002", "visa", Behavior.DECLINE, "Is declined"),
    TestCard("card_test_funds", "4000000000009995", "visa", Behavior.INSUFFICIENT_FUNDS, "Has too little on it"),
    TestCard("card_test_expired", "4000000000000069", "visa", Behavior.EXPIRED, "Has expired"),
    TestCard("card_test_cvc", "4000000000000127", "visa", Behavior.INCORRECT_CVC, "Has another security code"),
    TestCard("card_test_3ds", "4000000000003220", "visa", Behavior.CHALLENGE, "Asks its holder first (3-D Secure)"),
    TestCard(
        "card_test_timeout",
        "4000000000000341",
        "visa",
        Behavior.TIMEOUT_AFTER_CAPTURE,
        "Pays, but the answer is lost",
    ),
    TestCard("card_test_late", "4000000000000259", "visa", Behavior.CAPTURE_LATE, "Pays some seconds late"),
    TestCard(
        "card_test_capture_timeout",
        "4000000000000085",
        "visa",
        Behavior.AUTHORIZED_TIMEOUT,
        "Is authorized; the answer to its capture is lost",
    ),
    TestCard(
        "card_test_capture_refused",
        "4000000000000663",
        "visa",
        Behavior.AUTHORIZED_REFUSED,
        "Is authorized; its capture is refused",
    ),
    TestCard("card_test_refund_late", "4000000000007726", "visa", Behavior.REFUND_LATE, "Refunds take some seconds"),
    TestCard("card_test_refund_refused", "4000000000003055", "visa", Behavior.REFUND_REFUSED, "Refunds never arrive"),
    TestCard(
        "card_test_refund_fails",
        "4000000000005126",
        "visa",
        Behavior.REFUND_FAILS,
        "Refunds come back seconds later",
    ),
    TestCard(
        "card_test_refund_timeout",
        "4000000000000416",
        "visa",
        Behavior.REFUND_TIMEOUT,
        "The refund's answer is lost",
    ),
    TestCard("card_test_dispute", "4000000000002685", "visa", Behavior.DISPUTE, "Is disputed some seconds later"),
)
TEST_WALLETS: Final = (
    TestCard("wallet_test_visa", "4895370012003478", "visa", Behavior.APPROVE, "Pays", "4242"),
    TestCard("wallet_test_mastercard", "5204240250197840", "mastercard", Behavior.APPROVE, "Pays", "4444"),
    TestCard("wallet_test_amex", "374987004541500", "amex", Behavior.APPROVE, "Pays", "0005"),
    TestCard("wallet_test_refused", "4895370013341471", "visa", Behavior.WALLET_REFUSED, "The bank refuses it", "0002"),
    TestCard(
        "wallet_test_unproven",
        "4895370013596306",
        "visa",
        Behavior.WALLET_UNPROVEN,
        "Its cryptogram does not match",
        "0127",
    ),
    TestCard(
        "wallet_test_suspended",
        "4895370013666604",
        "visa",
        Behavior.WALLET_SUSPENDED,
        "Is locked on the device",
        "0069",
    ),
)
"""Cards in the Demo Wallet."""


class AuthenticationBehavior(StrEnum):
    """What the imaginary bank does when it is asked to authenticate a card's holder (3-D Secure)."""

    FRICTIONLESS = "frictionless"  # it is sure without asking
    CHALLENGE = "challenge"  # it asks the holder
    ATTEMPTED = "attempted"  # it takes no part, and vouches for the attempt
    NOT_AUTHENTICATED = "not_authenticated"
    REJECTED = "rejected"
    UNAVAILABLE = "unavailable"  # it does not answer


AUTHENTICATION: Final = {
    "4000000000003220": AuthenticationBehavior.CHALLENGE,
    "4000000000003238": AuthenticationBehavior.ATTEMPTED,
    "4000000000003246": AuthenticationBehavior.NOT_AUTHENTICATED,
    "4000000000003253": AuthenticationBehavior.REJECTED,
    "4000000000003261": AuthenticationBehavior.UNAVAILABLE,
}
"""Numbers with an authentication of their own; any other of an enrolled brand is frictionless."""
BY_NUMBER: Final = {card.number: card for card in TEST_CARDS}
BY_NETWORK_TOKEN: Final = {card.number: card for card in TEST_WALLETS}
BY_REF: Final = {card.ref: card for card in (*TEST_CARDS, *TEST_WALLETS)}


def luhn_valid(digits: str) -> bool:
    """ISO/IEC 7812-1 annex B check digit."""
    if not digits.isdigit():
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def brand_of(number: str) -> str:
    """The brand by issuer range; ``card`` for one we have no name for."""
    if number.startswith("4"):
        return "visa"
    if number[:2] in {"34", "37"}:
        return "amex"
    if "51" <= number[:2] <= "55" or "2221" <= number[:4] <= "2720":
        return "mastercard"
    return "discover" if number.startswith(("6011", "65")) else "card"
