"""A payment gateway for one machine: real in its rules (atomic single-use tokens, keyed idempotency, late and lost
answers, disputes, payouts), imaginary in its money. It pays only for shops flagged demo.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from psycopg_pool import ConnectionPool

from engine.kit import clock
from engine.kit.envelope import derive
from engine.kit.errors import NotFound
from engine.kit.ids import new_id
from engine.kit.money import Money
from engine.payments.delegated import (
    Answer,
    AuthenticationFacts,
    AuthenticationRequest,
    DelegatedCard,
    Refusal,
    Request,
    Signal,
)
from engine.payments.errors import TokenRefused
from engine.payments.gateway import (
    Allowance,
    CaptureRequest,
    CardFacts,
    Charge,
    DisputeFacts,
    EntryElement,
    EntryKind,
    EventKind,
    GatewayEvent,
    GatewayTimeout,
    MethodKind,
    Move,
    PayoutFacts,
    Standing,
    TokenFacts,
)
from engine.payments.gateways.grants import Grant, issue_grant
from engine.payments.gateways.sandbox import (
    authenticating,
    books,
    charges,
    delegating,
    disputes,
    moves,
    ripening,
    words,
)
from engine.payments.gateways.sandbox.cards import BY_REF, WALLET, Behavior
from engine.payments.gateways.sandbox.charges import ANSWER_LOST
from engine.payments.gateways.sandbox.store import Db, open_pool
from engine.payments.gateways.sandbox.vault import Vault

_LOST = "The payment provider did not answer in time."
_DELEGATE = """
INSERT INTO sandbox.tokens (id, key_hash, merchant, session_id, card_ref, behavior, currency, max_amount, expires_at,
  challenge_id, kind, brand, last4, wallet, card_hash, authenticated)
VALUES (%(id)s, %(key_hash)s, %(merchant)s, %(session_id)s, %(card_ref)s, %(behavior)s, %(currency)s, %(max_amount)s,
  %(expires_at)s, %(challenge_id)s, %(kind)s, %(brand)s, %(last4)s, %(wallet)s, %(card_hash)s,
  EXISTS (SELECT FROM sandbox.tokens WHERE merchant = %(merchant)s AND session_id = %(session_id)s
    AND card_ref = %(card_ref)s AND authenticated))
ON CONFLICT (key_hash) DO UPDATE SET key_hash = EXCLUDED.key_hash RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook to be sent: ``confirm`` it by its event id when the merchant has taken it."""

    event_id: str
    merchant: str
    body: bytes
    headers: Mapping[str, str]


class SandboxGateway:
    """The gateway, called in-process on its own connections and commits."""

    name = "sandbox"
    demo_only = True

    def __init__(self, url: str, secret_key: bytes, *, page_url: Callable[[], str] = lambda: "") -> None:
        self._pool: ConnectionPool[Any] = open_pool(url)
        self._hmac_key = derive(secret_key, "sandbox-idempotency")
        self._webhook_key = derive(secret_key, "sandbox-webhook")
        self._secret_key = secret_key
        self._page_url = page_url
        self._keys = delegating.Keys(secret_key)
        self.vault = Vault(self._pool, secret_key)

    def close(self) -> None:
        self._pool.close()

    def entry(self, *, merchant: str, session_id: str) -> EntryElement:
        grant = issue_grant(self._secret_key, Grant(merchant, session_id))
        return EntryElement(self.name, EntryKind.PAGE, f"/card-entry?grant={grant}", wallets=(WALLET,))

    def describe(self, card_ref: str, *, merchant: str, session_id: str) -> CardFacts | None:
        if card_ref in BY_REF:
            card = BY_REF[card_ref]
            return CardFacts(card_ref, card.brand, card.last4, wallet=card.wallet)
        row = self._card(card_ref, merchant, session_id)
        if row is None:
            return None
        return _facts(card_ref, row)

    def keep(self, card_ref: str, *, merchant: str, session_id: str, customer: str) -> str:
        if not self.vault.keep_for(card_ref, merchant, session_id=session_id, customer=customer):
            raise TokenRefused("This card cannot be kept.")
        return card_ref

    def forget(self, card_ref: str, *, merchant: str) -> None:
        if card_ref not in BY_REF:
            self.vault.forget(card_ref, merchant)

    def delegate(self, card_ref: str, allowance: Allowance, *, key: str) -> str:
        behavior, card, card_hash = self._delegable(card_ref, allowance)
        row = {
            "id": "vt_" + secrets.token_hex(16),
            "key_hash": self._keyed(allowance.merchant, f"delegate:{key}"),
            "merchant": allowance.merchant,
            "session_id": allowance.session_id,
            "card_ref": card_ref,
            "behavior": behavior,
            "currency": allowance.maximum.currency,
            "max_amount": allowance.maximum.amount,
            "expires_at": allowance.expires_at,
            "challenge_id": new_id("challenge") if behavior == Behavior.CHALLENGE else None,
            "kind": card.kind,
            "brand": card.brand,
            "last4": card.last4,
            "wallet": card.wallet,
            "card_hash": card_hash,
        }
        with self._pool.connection() as db:
            found = db.execute(_DELEGATE, row).fetchone()
        return str(found["id"])

    def delegate_card(
        self, request: Request, card: DelegatedCard, allowance: Allowance, signals: tuple[Signal, ...], *, failing: int
    ) -> Answer:
        with self._pool.connection() as db:
            return delegating.delegate_card(db, self._keys, request, card, allowance, signals, failing=failing)

    def refuse(self, request: Request, refusal: Refusal, *, failing: int) -> Answer:
        with self._pool.connection() as db:
            return delegating.keep(db, self._keys, request, failing=failing, refusal=refusal)

    def authenticate_card(self, request: Request, given: AuthenticationRequest, *, failing: int) -> Answer:
        with self._pool.connection() as db:
            return authenticating.create(db, self._keys, request, given, failing=failing)

    def authentication(self, authentication_id: str, *, merchant: str, as_begun: bool = False) -> AuthenticationFacts:
        with self._pool.connection() as db:
            row = authenticating.find(db, authentication_id, merchant=merchant)
        if as_begun:
            return authenticating.facts_as_begun(self._keys, row, self._page_url())
        return authenticating.facts_of(self._keys, row, self._page_url())

    def go_on(self, authentication_id: str, *, merchant: str, session_id: str | None) -> AuthenticationFacts:
        with self._pool.connection() as db:
            authenticating.go_on(db, authentication_id, merchant=merchant, session_id=session_id)
        return self.authentication(authentication_id, merchant=merchant)

    def check_authentication(self, *, session_id: str, merchant: str, amount: Money, result: Mapping[str, str]) -> bool:
        with self._pool.connection() as db:
            return authenticating.check(
                db, self._keys, session_id=session_id, merchant=merchant, amount=amount, result=result
            )

    def forget_old(self) -> None:
        """Let go of what its time is over of: kept answers, numbers of tokens that can take nothing any more."""
        with self._pool.connection() as db:
            delegating.forget_old(db)
            authenticating.forget_old(db)

    def inspect(self, token: str, *, merchant: str, session_id: str) -> TokenFacts:
        with self._pool.connection() as db:
            row = db.execute(
                "SELECT status, expires_at, behavior, authenticated, challenge_id, kind, brand, last4, wallet,"
                " currency, max_amount, review FROM sandbox.tokens WHERE id = %s AND merchant = %s AND session_id = %s",
                (token, merchant, session_id),
            ).fetchone()
        if row is None:
            return TokenFacts(usable=False)
        facts = words.token_of(row)
        open_question = row["behavior"] == Behavior.CHALLENGE and not row["authenticated"]
        return replace(facts, challenge_url=self._challenge_url(row)) if facts.usable and open_question else facts

    def capture(self, request: CaptureRequest) -> Charge:
        return self._take(request, "capture")

    def authorize(self, request: CaptureRequest) -> Charge:
        return self._take(request, "authorize")

    def capture_authorized(self, payment_id: str, *, merchant: str, amount: Money, key: str, final: bool) -> Move:
        with self._ripe() as db:
            asked = self._asked("capture", payment_id, merchant, amount, key, final=final)
            row, behavior = moves.capture(db, asked)
        if behavior == Behavior.AUTHORIZED_TIMEOUT:
            raise GatewayTimeout(_LOST)
        return words.move_of(row)

    def void(self, payment_id: str, *, merchant: str, key: str) -> Charge:  # noqa: ARG002 (twice is as once)
        return self.cancel(payment_id, merchant=merchant)

    def find(self, payment_id: str, *, merchant: str) -> Charge | None:
        with self._ripe() as db:
            row = charges.find(db, self._keyed(merchant, payment_id))
        return words.charge_of(row) if row else None

    def find_move(self, key: str, *, payment_id: str, merchant: str) -> Move | None:
        with self._ripe() as db:
            row = moves.find(db, self._keyed(merchant, f"refund:{key}"))
        return words.move_of(row) if row and row["payment_id"] == payment_id else None

    def cancel(self, payment_id: str, *, merchant: str) -> Charge:
        with self._ripe() as db:
            key_hash = self._keyed(merchant, payment_id)
            row = charges.let_go(db, key_hash=key_hash, merchant=merchant, payment_id=payment_id)
        return words.charge_of(row)

    def refund(self, payment_id: str, *, merchant: str, amount: Money, key: str) -> Move:
        with self._ripe() as db:
            row, behavior = moves.refund(db, self._asked("refund", payment_id, merchant, amount, key, final=False))
        if behavior == Behavior.REFUND_TIMEOUT:
            raise GatewayTimeout(_LOST)
        return words.move_of(row)

    def submit_evidence(self, dispute_id: str, *, merchant: str, evidence: Mapping[str, str], key: str) -> DisputeFacts:
        with self._ripe() as db, db.transaction():
            key_hash = self._keyed(merchant, f"evidence:{key}")
            row, new = disputes.answer(db, dispute_id, merchant=merchant, evidence=evidence, key_hash=key_hash)
            if new:
                ripening.tell(db, EventKind.DISPUTE, row)
        return words.dispute_of(row)

    def parse_webhook(self, body: bytes, headers: Mapping[str, str]) -> GatewayEvent:
        return words.read(self._webhook_key, body, headers)

    def standings(self, *, merchant: str) -> Mapping[str, Standing]:
        with self._ripe() as db:
            return books.standings(db, merchant)

    def payouts(self, *, merchant: str, since: datetime) -> list[PayoutFacts]:
        with self._pool.connection() as db:
            return books.payouts(db, merchant, since=since)

    def pay_out(self, *, merchant: str, before: datetime) -> list[str]:
        """Pay the merchant everything older than a moment; the payouts' ids."""
        with self._ripe() as db:
            return books.pay_out(db, merchant, before=before)

    def open_dispute(
        self, payment_id: str, *, merchant: str, amount: int | None = None, reason: str = "fraudulent"
    ) -> DisputeFacts:
        """As if the card's holder had gone to the bank: about ``amount`` minor units, or all that is left."""
        with self._ripe() as db, db.transaction():
            row = disputes.open_dispute(db, self._keyed(merchant, payment_id), amount=amount, reason=reason)
            ripening.tell(db, EventKind.DISPUTE, row)
        return words.dispute_of(row)

    def decide_dispute(self, dispute_id: str, *, won: bool) -> DisputeFacts:
        """As if the bank had decided. Raises ``NotFound`` when it has before."""
        with self._ripe() as db, db.transaction():
            row = disputes.decide(db, dispute_id, won=won)
            if row is None:
                raise NotFound("There is no such open dispute.")
            ripening.tell(db, EventKind.DISPUTE, row)
        return words.dispute_of(row)

    def due_webhooks(self, *, merchant: str | None = None) -> list[Delivery]:
        """Signed webhooks (of all merchants) for what happened and was not confirmed; each comes again until it is."""
        with self._ripe() as db:
            rows = ripening.to_send(db, merchant)
        return [Delivery(r["id"], r["merchant"], *words.sign(self._webhook_key, r["body"])) for r in rows]

    def confirm(self, event_id: str) -> None:
        """The merchant has taken a webhook: it is not sent again."""
        with self._pool.connection() as db:
            ripening.confirm(db, event_id)

    def sign(self, body: Mapping[str, Any]) -> tuple[bytes, dict[str, str]]:
        """Body and headers of a webhook with this content, as the gateway would send it now."""
        return words.sign(self._webhook_key, body)

    def challenge(self, challenge_id: str) -> Mapping[str, Any] | None:
        """The open 3-D Secure question, for the bank's page: amount and currency."""
        with self._pool.connection() as db:
            row: Mapping[str, Any] | None = db.execute(
                "SELECT max_amount, currency, authenticated, status FROM sandbox.tokens WHERE challenge_id = %s"
                " AND expires_at > %s",
                (challenge_id, clock.now()),
            ).fetchone()
            return row or authenticating.question(db, challenge_id)

    def pass_challenge(self, challenge_id: str) -> None:
        """The card's holder said yes at the bank: this card may now pay in this session, also by a fresh token.

        Raises ``NotFound`` for an unknown or expired challenge.
        """
        with self._pool.connection() as db:
            found = db.execute(
                "UPDATE sandbox.tokens SET authenticated = true WHERE challenge_id = %s AND expires_at > %s"
                " RETURNING id",
                (challenge_id, clock.now()),
            ).fetchone()
            if found is None and not authenticating.decide(db, challenge_id, passed=True):
                raise NotFound("This check has ended.")

    def refuse_challenge(self, challenge_id: str) -> None:
        """The card's holder said no: an authentication ends with it, a payment may be asked about again."""
        with self._pool.connection() as db:
            authenticating.decide(db, challenge_id, passed=False)

    @contextmanager
    def _ripe(self) -> Iterator[Db]:
        """A connection, after everything has happened whose time had come."""
        with self._pool.connection() as db:
            ripening.ripen(db)
            yield db

    def _take(self, request: CaptureRequest, intent: str) -> Charge:
        key_hash = self._keyed(request.merchant, request.payment_id)
        with self._pool.connection() as db:
            row, new = charges.charge(db, request, key_hash=key_hash, intent=intent)
        if not new:
            return self.find(request.payment_id, merchant=request.merchant) or words.charge_of(row)
        if row["decline_code"] is None and row["behavior"] in ANSWER_LOST:
            raise GatewayTimeout(_LOST)
        asked_first = row["decline_code"] == "authentication_required"
        return words.charge_of(row, self._challenge_url(row) if asked_first else None)

    def _asked(
        self, kind: str, payment_id: str, merchant: str, amount: Money, key: str, *, final: bool
    ) -> dict[str, Any]:
        return moves.request_of(
            kind,
            key=key,
            key_hash=self._keyed(merchant, f"refund:{key}"),
            charge=self._keyed(merchant, payment_id),
            merchant=merchant,
            payment_id=payment_id,
            amount=amount,
            final=final,
        )

    def _card(self, card_ref: str, merchant: str, session_id: str) -> Mapping[str, Any] | None:
        with self._pool.connection() as db:
            row: Mapping[str, Any] | None = db.execute(
                "SELECT brand, last4, behavior, kind, session_id, exp_month, exp_year, card_hash"
                " FROM sandbox.cards WHERE id = %s AND merchant = %s AND (session_id IS NULL OR session_id = %s)",
                (card_ref, merchant, session_id),
            ).fetchone()
        return row

    def _delegable(self, card_ref: str, allowance: Allowance) -> tuple[Behavior, CardFacts, str]:
        if card_ref in BY_REF:
            known = BY_REF[card_ref]
            facts = CardFacts(card_ref, known.brand, known.last4, wallet=known.wallet)
            return known.behavior, facts, self._keys.of_card(allowance.merchant, known.number)
        row = self._card(card_ref, allowance.merchant, allowance.session_id)
        if row is None:
            raise TokenRefused("This card cannot be used for this checkout.")
        return Behavior(row["behavior"]), _facts(card_ref, row), row["card_hash"]

    def _challenge_url(self, row: Mapping[str, Any]) -> str:
        return f"{self._page_url()}/challenge/{row['challenge_id']}"

    def _keyed(self, merchant: str, key: str) -> str:
        return hmac.new(self._hmac_key, f"{merchant}\x00{key}".encode(), hashlib.sha256).hexdigest()


def _facts(card_ref: str, row: Mapping[str, Any]) -> CardFacts:
    wallet = WALLET if row["kind"] == MethodKind.WALLET else ""
    entered, expiry = row["session_id"] is not None, (row["exp_month"], row["exp_year"])
    return CardFacts(card_ref, row["brand"], row["last4"], wallet, entered, *expiry)
