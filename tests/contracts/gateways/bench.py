"""What the contract suite needs of a gateway beside the port: cards that behave, and the other side's hands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from engine.db import Addresses, Store
from engine.kit import clock
from engine.kit.ids import new_id
from engine.kit.money import Money
from engine.payments.gateway import Allowance, CaptureRequest, Gateway, GatewayEvent
from engine.payments.gateways import accounts
from engine.payments.gateways.grants import Grant
from engine.payments.gateways.models import AccountMode
from engine.payments.gateways.sandbox.gateway import SandboxGateway
from engine.payments.gateways.sandbox.vault import CardEntry
from engine.payments.gateways.stripe.gateway import MERCHANT_HEADER, StripeGateway
from engine.payments.gateways.stripe.webhooks import SIGNATURE
from tests.contracts.gateways.stripe_double import StripeDouble
from tests.contracts.gateways.stripe_ledger import Ledger

Webhook = tuple[bytes, dict[str, str]]
USD = "USD"


class Hands(Protocol):
    """The world on the gateway's side."""

    gateway: Gateway
    merchant: str

    def card(self, behavior: str) -> str:
        """``pays``, ``wallet``, a decline code, ``challenge``, ``refund_pending``; or one whose answer is lost after
        the work was done: ``capture_lost``, ``move_lost``, ``refund_lost``.
        """

    def entered(self, session_id: str) -> str:
        """A card that pays, entered for one session on the gateway's own element."""

    def publish(self, publishable_key: str) -> None:
        """Let the merchant's account offer its card form, where that needs a key."""

    def pass_challenge(self, url: str) -> None: ...

    def end_refund(self, gateway_id: str) -> None:
        """Let a pending refund arrive."""

    def open_dispute(self, payment_id: str, amount: int | None = None) -> str: ...

    def close_dispute(self, dispute_id: str, *, won: bool) -> None: ...

    def pay_out(self) -> None: ...

    def webhooks(self) -> list[Webhook]:
        """Signed now, of what happened since the last call."""


@dataclass
class Bench:
    """One merchant, one session, and short words for what a test does."""

    hands: Hands
    session_id: str = field(default_factory=lambda: new_id("checkout"))
    spare: list[Webhook] = field(default_factory=list)

    @property
    def gateway(self) -> Gateway:
        return self.hands.gateway

    @property
    def merchant(self) -> str:
        return self.hands.merchant

    def allowance(self, amount: int = 5000, **fields: Any) -> Allowance:
        known = {
            "merchant": self.merchant,
            "session_id": self.session_id,
            "maximum": Money(amount, USD),
            "expires_at": clock.now() + timedelta(minutes=10),
        }
        return Allowance(**(known | fields))

    def token(self, behavior: str = "pays", amount: int = 5000, **fields: Any) -> str:
        card = self.hands.card(behavior)
        return self.gateway.delegate(card, self.allowance(amount, **fields), key=new_id("consent"))

    def request(self, token: str, amount: int = 5000, **fields: Any) -> CaptureRequest:
        known = {
            "payment_id": new_id("payment"),
            "merchant": self.merchant,
            "session_id": self.session_id,
            "token": token,
            "amount": Money(amount, USD),
        }
        return CaptureRequest(**(known | fields))

    def paid(self, amount: int = 5000, behavior: str = "pays") -> str:
        """A captured payment's id."""
        return self.gateway.capture(self.request(self.token(behavior, amount), amount)).key

    def held(self, amount: int = 5000, behavior: str = "pays") -> str:
        """An authorized payment's id."""
        return self.gateway.authorize(self.request(self.token(behavior, amount), amount)).key

    def take(self, payment_id: str, amount: int, *, key: str | None = None, final: bool = False) -> Any:
        key = key or new_id("capture")
        money = Money(amount, USD)
        return self.gateway.capture_authorized(payment_id, merchant=self.merchant, amount=money, key=key, final=final)

    def refund(self, payment_id: str, amount: int, *, key: str | None = None, currency: str = USD) -> Any:
        key = key or new_id("refund")
        return self.gateway.refund(payment_id, merchant=self.merchant, amount=Money(amount, currency), key=key)

    def find(self, payment_id: str) -> Any:
        return self.gateway.find(payment_id, merchant=self.merchant)

    def events(self) -> list[GatewayEvent]:
        return [self.gateway.parse_webhook(body, headers) for body, headers in self.hands.webhooks()]


class SandboxHands:
    """The sandbox gateway: its test cards, and what it offers for demonstrations."""

    CARDS: Mapping[str, str] = {
        "pays": "card_test_visa",
        "wallet": "wallet_test_visa",
        "card_declined": "card_test_declined",
        "insufficient_funds": "card_test_funds",
        "expired_card": "card_test_expired",
        "incorrect_cvc": "card_test_cvc",
        "challenge": "card_test_3ds",
        "capture_lost": "card_test_timeout",
        "move_lost": "card_test_capture_timeout",
        "refund_lost": "card_test_refund_timeout",
        "refund_pending": "card_test_refund_late",
    }

    def __init__(self, gateway: SandboxGateway, merchant: str) -> None:
        self.gateway = gateway
        self.merchant = merchant

    def card(self, behavior: str) -> str:
        return self.CARDS[behavior]

    def entered(self, session_id: str) -> str:
        entry = CardEntry("4242424242424242", 12, 2040, "123")
        return self.gateway.vault.keep(Grant(self.merchant, session_id), entry).ref

    def publish(self, publishable_key: str) -> None:
        """It needs none."""

    def pass_challenge(self, url: str) -> None:
        self.gateway.pass_challenge(url.rpartition("/")[2])

    def end_refund(self, gateway_id: str) -> None:
        """It ends by itself when its time comes: the test moves the clock."""

    def open_dispute(self, payment_id: str, amount: int | None = None) -> str:
        return self.gateway.open_dispute(payment_id, merchant=self.merchant, amount=amount).gateway_id

    def close_dispute(self, dispute_id: str, *, won: bool) -> None:
        self.gateway.decide_dispute(dispute_id, won=won)

    def pay_out(self) -> None:
        self.gateway.pay_out(merchant=self.merchant, before=clock.now() + timedelta(minutes=1))

    def webhooks(self) -> list[Webhook]:
        sent = self.gateway.due_webhooks(merchant=self.merchant)
        for delivery in sent:
            self.gateway.confirm(delivery.event_id)
        return [(delivery.body, dict(delivery.headers)) for delivery in sent]


class StripeHands:
    """Stripe's gateway on the double of its API."""

    CARDS: Mapping[str, str] = {
        "pays": "pm_card_visa",
        "card_declined": "pm_card_visa_chargeDeclined",
        "insufficient_funds": "pm_card_chargeDeclinedInsufficientFunds",
        "expired_card": "pm_card_chargeDeclinedExpiredCard",
        "incorrect_cvc": "pm_card_chargeDeclinedIncorrectCvc",
        "challenge": "pm_card_threeDSecure2Required",
        "refund_pending": "pm_card_pendingRefund",
    }
    LOST: Mapping[str, str] = {"capture_lost": "/confirm", "move_lost": "/capture", "refund_lost": "/v1/refunds"}

    def __init__(self, gateway: StripeGateway, double: StripeDouble, merchant: str, secret_key: str) -> None:
        self.gateway = gateway
        self.double = double
        self.merchant = merchant
        self.ledger: Ledger = double.account(secret_key)
        self.store: Store
        self.key: bytes
        self.webhook_secret = f"whsec_{secret_key[-12:]}"

    def card(self, behavior: str) -> str:
        if behavior in self.LOST:
            self.double.plant(self.LOST[behavior], "lost_after")
        if behavior == "wallet":
            return self.ledger.add_card(wallet="apple_pay")
        return self.ledger.add_card(self.CARDS.get(behavior, "pm_card_visa"))

    def entered(self, session_id: str) -> str:  # noqa: ARG002 (bound to whoever uses it first)
        return self.ledger.add_card()

    def publish(self, publishable_key: str) -> None:
        with self.store.unit_of_work(self.merchant) as session:
            change = accounts.Change(publishable_key=publishable_key)
            accounts.put(session, self.key, self.merchant, "stripe", change, actor="test")

    def pass_challenge(self, url: str) -> None:
        self.ledger.pass_challenge(url.rpartition("/")[2])

    def end_refund(self, gateway_id: str) -> None:
        self.ledger.settle_refund(gateway_id, "succeeded")

    def intent_of(self, payment_id: str) -> str:
        found = (name for name, row in self.ledger.intents.items() if row["metadata"].get("payment_id") == payment_id)
        return next(found)

    def open_dispute(self, payment_id: str, amount: int | None = None) -> str:
        return self.ledger.open_dispute(self.intent_of(payment_id), amount)

    def close_dispute(self, dispute_id: str, *, won: bool) -> None:
        self.ledger.close_dispute(dispute_id, won=won)

    def pay_out(self) -> None:
        self.ledger.pay_out()

    def webhooks(self) -> list[Webhook]:
        told, self.ledger.events = self.ledger.events, []
        return [self.signed(event) for event in told]

    def signed(self, event: Mapping[str, Any], *, secret: str | None = None) -> Webhook:
        import stripe

        text = json.dumps(event)
        stamp = int(clock.now().timestamp())
        header = stripe.WebhookSignature.generate_signature_header(text, secret or self.webhook_secret, stamp)
        return text.encode(), {SIGNATURE: header, MERCHANT_HEADER: self.merchant}


def stripe_hands(
    store: Store, addresses: Addresses, double: StripeDouble, merchant: str, *, multicapture: bool = True
) -> StripeHands:
    """A merchant with an account at the double."""
    secret_key = f"sk_test_{merchant}"
    gateway = StripeGateway(
        store, addresses.secret_key, api_base=double.url, return_url=lambda: "https://shop.example/paid"
    )
    hands = StripeHands(gateway, double, merchant, secret_key)
    hands.store, hands.key = store, addresses.secret_key
    hands.ledger.multicapture = multicapture
    change = accounts.Change(
        mode=AccountMode.TEST,
        secret_key=secret_key,
        webhook_secret=hands.webhook_secret,
        settings={"multicapture": multicapture},
    )
    with store.unit_of_work(merchant) as session:
        accounts.put(session, addresses.secret_key, merchant, "stripe", change, actor="test")
    return hands
