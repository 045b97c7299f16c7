"""Stripe as a ``Gateway``: every merchant with an account of their own, on the vendor's SDK."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from threading import Lock
from typing import Final

from engine.db import Store
from engine.kit.errors import Unauthenticated
from engine.kit.money import Money
from engine.kit.tenancy import hash_secret
from engine.payments.errors import CardEntryUnavailable, GatewayNotConfigured, TokenRefused
from engine.payments.gateway import (
    Allowance,
    CaptureRequest,
    CardFacts,
    Charge,
    ChargeStatus,
    DisputeFacts,
    EntryElement,
    GatewayEvent,
    Move,
    PayoutFacts,
    Standing,
    TokenFacts,
)
from engine.payments.gateways import accounts, handles
from engine.payments.gateways.accounts import Account
from engine.payments.gateways.delegation import Delegation
from engine.payments.gateways.grants import Grant, issue_grant
from engine.payments.gateways.handles import Handle
from engine.payments.gateways.stripe import books, facts, forgotten, webhooks
from engine.payments.gateways.stripe.calls import Calls, Json, Refused
from engine.payments.gateways.stripe.charging import GATEWAY, Charging, Work, ended, stop
from engine.payments.gateways.stripe.element import card_facts, element
from engine.payments.gateways.stripe.evidence import submit
from engine.payments.gateways.stripe.facts import PaymentOf
from engine.payments.gateways.stripe.keeping import Keeping
from engine.payments.gateways.stripe.moves import Moves

TIMEOUT_SECONDS: Final = 8
"""Of one call. Taking money makes two, so both end within the lease of a payment (20 s)."""
MERCHANT_HEADER: Final = "icommerce-merchant"
"""Set by our own edge, never by the sender: whose webhook address was called."""


class StripeGateway:
    """The gateway. Cheap to build: nothing of Stripe's is imported before the first call.

    A card reference is ``pm_…`` for a card just entered on Stripe's own element, bound to the first session that uses
    it, or ``cus_…/pm_…`` for one that a customer has saved.
    """

    name = GATEWAY
    demo_only = False

    def __init__(
        self,
        store: Store,
        secret_key: bytes,
        *,
        return_url: Callable[[], str] = lambda: "",
        api_base: str | None = None,
        timeout_seconds: int = TIMEOUT_SECONDS,
    ) -> None:
        self._store = store
        self._secret_key = secret_key
        self._return_url = return_url
        self._api_base = api_base
        self._timeout_seconds = timeout_seconds
        self._tokens = Delegation(GATEWAY, secret_key)
        self._doors: dict[str, Calls] = {}
        self._lock = Lock()

    def entry(self, *, merchant: str, session_id: str) -> EntryElement:
        with self._store.unit_of_work(merchant) as session:
            key = accounts.publishable_key(session, merchant, GATEWAY)
        if not key:
            raise CardEntryUnavailable("This shop's card form is not set up: its account has no publishable key.")
        grant = issue_grant(self._secret_key, Grant(merchant, session_id))
        return element(GATEWAY, f"/card-element/{GATEWAY}?grant={grant}", key)

    def describe(self, card_ref: str, *, merchant: str, session_id: str) -> CardFacts | None:
        method = self._method(card_ref, merchant, session_id)
        card = (method or {}).get("card")
        return card_facts(card_ref, card) if card else None

    def keep(self, card_ref: str, *, merchant: str, session_id: str, customer: str) -> str:
        with self._store.unit_of_work(merchant) as session:
            if self._tokens.bound_elsewhere(session, merchant, card_ref, session_id):
                raise TokenRefused("This card cannot be kept.")
        return self._keeping(merchant).keep(card_ref, customer)

    def forget(self, card_ref: str, *, merchant: str) -> None:
        method_id = card_ref.rpartition("/")[2]
        with suppress(Refused):  # it is nobody's any more
            self._calls(merchant).detach_method(method_id)

    def delegate(self, card_ref: str, allowance: Allowance, *, key: str) -> str:
        known = self.describe(card_ref, merchant=allowance.merchant, session_id=allowance.session_id)
        if known is None:
            raise TokenRefused("This card cannot be used for this checkout.")
        keep_for = ""
        if allowance.keep_for and known.entered:
            keep_for = self._keeping(allowance.merchant).customer_of(allowance.keep_for)
        with self._store.unit_of_work(allowance.merchant) as session:
            return self._tokens.issue(session, card_ref, allowance, key=key, card=known, keep_for=keep_for)

    def inspect(self, token: str, *, merchant: str, session_id: str) -> TokenFacts:
        with self._store.unit_of_work(merchant) as session:
            row = self._tokens.find(session, token, merchant=merchant, session_id=session_id)
            known = self._tokens.facts(row) if row else TokenFacts(usable=False)
            waiting = self._tokens.challenge(session, row) if row and known.usable else None
        if waiting is None:
            return known
        return replace(known, challenge_url=facts.challenge_url(self._calls(merchant).intent(waiting)))

    def check_authentication(
        self,
        *,
        session_id: str,  # noqa: ARG002 (it gives out no proofs: it asks card holders itself)
        merchant: str,  # noqa: ARG002
        amount: Money,  # noqa: ARG002
        result: Mapping[str, str],  # noqa: ARG002
    ) -> bool:
        return False

    def capture(self, request: CaptureRequest) -> Charge:
        return self._charging(request.merchant).take(request, hold=False)

    def authorize(self, request: CaptureRequest) -> Charge:
        return self._charging(request.merchant).take(request, hold=True)

    def capture_authorized(self, payment_id: str, *, merchant: str, amount: Money, key: str, final: bool) -> Move:
        return self._moves(merchant).capture(payment_id, amount, key=key, final=final)

    def void(self, payment_id: str, *, merchant: str, key: str) -> Charge:
        return self._stop(payment_id, merchant, key=f"{payment_id}:void:{key}")

    def find(self, payment_id: str, *, merchant: str) -> Charge | None:
        handle = self._handle(payment_id, merchant)
        if handle is None:
            return self._forgotten(payment_id, merchant)
        if handle.outcome:
            return ended(handle)
        if not handle.gateway_id:
            return None
        return facts.charge(payment_id, self._calls(merchant).intent(handle.gateway_id))

    def find_move(self, key: str, *, payment_id: str, merchant: str) -> Move | None:
        return self._moves(merchant).find(key, payment_id)

    def cancel(self, payment_id: str, *, merchant: str) -> Charge:
        return self._stop(payment_id, merchant, key=f"{payment_id}:cancel")

    def refund(self, payment_id: str, *, merchant: str, amount: Money, key: str) -> Move:
        return self._moves(merchant).refund(payment_id, amount, key=key)

    def submit_evidence(self, dispute_id: str, *, merchant: str, evidence: Mapping[str, str], key: str) -> DisputeFacts:
        return submit(self._calls(merchant), self._payment_of(merchant), dispute_id, evidence, key=key)

    def parse_webhook(self, body: bytes, headers: Mapping[str, str]) -> GatewayEvent:
        event = webhooks.unverified(body)
        merchant = headers.get(MERCHANT_HEADER) or webhooks.named_merchant(event)
        try:
            secrets = self._account(merchant).webhook_secrets
        except GatewayNotConfigured:
            raise Unauthenticated("Nobody here expects this webhook.") from None
        webhooks.verify(body, headers.get(webhooks.SIGNATURE, ""), secrets)
        return webhooks.read(event, merchant, self._payment_of(merchant))

    def standings(self, *, merchant: str) -> Mapping[str, Standing]:
        with self._store.unit_of_work(merchant) as session:
            known = accounts.configured(session, merchant, GATEWAY)
        return books.standings(self._calls(merchant), merchant) if known else {}

    def payouts(self, *, merchant: str, since: datetime) -> list[PayoutFacts]:
        return books.payouts(self._calls(merchant), since, self._payment_of(merchant))

    def ping(self, merchant: str) -> bool:
        """Whether Stripe takes the merchant's key, and whether it is a live one.

        Raises ``GatewayMisconfigured`` or ``GatewayTimeout``.
        """
        return bool(self._calls(merchant).balance()["livemode"])

    def _stop(self, payment_id: str, merchant: str, *, key: str) -> Charge:
        """Nothing more will be taken under this id, also when it has not come yet."""
        with self._store.unit_of_work(merchant) as session:
            handle = handles.give_up(session, merchant, GATEWAY, payment_id)
        if handle.outcome or not handle.gateway_id:
            return ended(handle)
        intent = stop(self._calls(merchant), handle.gateway_id, key=key)
        return facts.charge(payment_id, intent) or Charge(payment_id, ChargeStatus.PENDING, intent["id"], handle.amount)

    def _forgotten(self, payment_id: str, merchant: str) -> Charge | None:
        """What became of a payment that our own tables do not know, as after a restored backup."""
        intent = forgotten.look(self._calls(merchant), payment_id, merchant)
        if intent is None:
            return None
        with self._store.unit_of_work(merchant) as session:
            handles.claim(session, merchant, forgotten.handle(payment_id, intent))
        return facts.charge(payment_id, intent)

    def _method(self, card_ref: str, merchant: str, session_id: str) -> Json | None:
        customer, _, method_id = card_ref.rpartition("/")
        if not method_id.startswith("pm_"):
            return None
        with self._store.unit_of_work(merchant) as session:
            if not customer and self._tokens.bound_elsewhere(session, merchant, card_ref, session_id):
                return None
        try:
            method = self._calls(merchant).payment_method(method_id)
        except Refused:
            return None
        return method if (method.get("customer") or "") == customer else None

    def _handle(self, payment_id: str, merchant: str) -> Handle | None:
        with self._store.unit_of_work(merchant) as session:
            return handles.find(session, merchant, GATEWAY, payment_id)

    def _payment_of(self, merchant: str) -> PaymentOf:
        def payment_of(intent_id: str) -> str | None:
            with self._store.unit_of_work(merchant) as session:
                return handles.payment_of(session, merchant, GATEWAY, intent_id)

        return payment_of

    def _account(self, merchant: str) -> Account:
        with self._store.unit_of_work(merchant) as session:
            return accounts.read(session, self._secret_key, merchant, GATEWAY)

    def _work(self, merchant: str) -> Work:
        return lambda: self._store.unit_of_work(merchant)

    def _charging(self, merchant: str) -> Charging:
        account = self._account(merchant)
        return Charging(
            calls=self._door(account.secret_key),
            work=self._work(merchant),
            tokens=self._tokens,
            return_url=account.settings.get("return_url") or self._return_url(),
            multicapture=bool(account.settings.get("multicapture")),
        )

    def _keeping(self, merchant: str) -> Keeping:
        return Keeping(self._calls(merchant), self._work(merchant), merchant)

    def _moves(self, merchant: str) -> Moves:
        return Moves(self._calls(merchant), self._work(merchant), merchant)

    def _calls(self, merchant: str) -> Calls:
        return self._door(self._account(merchant).secret_key)

    def _door(self, api_key: str) -> Calls:
        """The client of a key, kept with its connections; a new key opens a new one at once."""
        digest = hash_secret(api_key)
        with self._lock:
            if digest not in self._doors:
                self._doors[digest] = Calls(api_key, api_base=self._api_base, timeout_seconds=self._timeout_seconds)
            return self._doors[digest]
