"""A payment gateway for one machine: real in its rules (atomic single-use tokens, keyed idempotency, late and lost
answers), imaginary in its money. It pays only for shops flagged demo.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from psycopg_pool import ConnectionPool

from engine.kit import clock
from engine.kit.envelope import derive
from engine.kit.errors import NotFound, Unauthenticated
from engine.kit.idempotency import canonical_json
from engine.kit.ids import new_id
from engine.kit.money import Money
from engine.payments.errors import RefundExceedsCapture, TokenRefused
from engine.payments.gateway import (
    Allowance,
    CaptureRequest,
    CardFacts,
    Charge,
    ChargeStatus,
    EventKind,
    GatewayEvent,
    GatewayTimeout,
    Move,
    MoveStatus,
    Standing,
    TokenFacts,
)
from engine.payments.gateways.sandbox.cards import BY_REF, Behavior
from engine.payments.gateways.sandbox.store import open_pool
from engine.payments.gateways.sandbox.vault import Vault

LATE_BY: Final = timedelta(seconds=4)
_DECLINING: Final = frozenset({Behavior.DECLINE, Behavior.INSUFFICIENT_FUNDS, Behavior.EXPIRED, Behavior.INCORRECT_CVC})
_CONSUME: Final = """
UPDATE sandbox.tokens
SET status = CASE WHEN behavior = 'challenge' AND NOT authenticated THEN status ELSE 'consumed' END
WHERE id = %(token)s AND status = 'live' AND merchant = %(merchant)s AND session_id = %(session_id)s
  AND currency = %(currency)s AND max_amount >= %(amount)s AND expires_at > %(now)s
RETURNING behavior, authenticated, challenge_id
"""
_INSERT: Final = """
INSERT INTO sandbox.charges (key_hash, id, body_hash, merchant, payment_id, session_id, amount, currency, status)
VALUES (%(key_hash)s, %(id)s, %(body_hash)s, %(merchant)s, %(payment_id)s, %(session_id)s, %(amount)s, %(currency)s,
  %(status)s)
ON CONFLICT (key_hash) DO NOTHING RETURNING id
"""


class SandboxGateway:
    """The gateway, called in-process on its own connections and commits."""

    name = "sandbox"

    def __init__(self, url: str, secret_key: bytes, *, page_url: Callable[[], str] = lambda: "") -> None:
        self._pool: ConnectionPool[Any] = open_pool(url)
        self._secret_key = secret_key
        self._hmac_key = derive(secret_key, "sandbox-idempotency")
        self._page_url = page_url
        self.vault = Vault(self._pool, secret_key)

    def close(self) -> None:
        self._pool.close()

    def describe(self, card_ref: str, *, merchant: str, session_id: str) -> CardFacts | None:
        if card_ref in BY_REF:
            card = BY_REF[card_ref]
            return CardFacts(card_ref, card.brand, card.last4)
        row = self._card(card_ref, merchant, session_id)
        return CardFacts(card_ref, row["brand"], row["last4"]) if row else None

    def delegate(self, card_ref: str, allowance: Allowance, *, key: str) -> str:
        behavior = self._behavior(card_ref, allowance)
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
        }
        with self._pool.connection() as connection:
            found = connection.execute(
                "INSERT INTO sandbox.tokens (id, key_hash, merchant, session_id, card_ref, behavior, currency,"
                " max_amount, expires_at, challenge_id, authenticated) VALUES (%(id)s, %(key_hash)s, %(merchant)s,"
                " %(session_id)s, %(card_ref)s, %(behavior)s, %(currency)s, %(max_amount)s, %(expires_at)s,"
                " %(challenge_id)s, EXISTS (SELECT FROM sandbox.tokens WHERE merchant = %(merchant)s AND"
                " session_id = %(session_id)s AND card_ref = %(card_ref)s AND authenticated))"
                " ON CONFLICT (key_hash) DO UPDATE SET key_hash = EXCLUDED.key_hash RETURNING id",
                row,
            ).fetchone()
        return str(found["id"])

    def inspect(self, token: str, *, merchant: str, session_id: str) -> TokenFacts:
        with self._pool.connection() as connection:
            row = connection.execute(
                "SELECT status, expires_at, behavior, authenticated, challenge_id FROM sandbox.tokens"
                " WHERE id = %s AND merchant = %s AND session_id = %s",
                (token, merchant, session_id),
            ).fetchone()
        if row is None or row["status"] != "live" or row["expires_at"] <= clock.now():
            return TokenFacts(usable=False)
        return TokenFacts(usable=True, challenge_url=self._challenge_url(row))

    def capture(self, request: CaptureRequest) -> Charge:
        row = {
            "key_hash": self._keyed(request.merchant, request.payment_id),
            "id": "ch_" + secrets.token_hex(12),
            "body_hash": _body_hash(request),
            "merchant": request.merchant,
            "payment_id": request.payment_id,
            "session_id": request.session_id,
            "amount": request.amount.amount,
            "currency": request.amount.currency,
            "status": "new",
            "token": request.token,
            "now": clock.now(),
        }
        with self._pool.connection() as connection:
            if connection.execute(_INSERT, row).fetchone() is None:
                return self._replay(connection, row)
            token = connection.execute(_CONSUME, row).fetchone()
            outcome = self._outcome(token, row)
            connection.execute(
                "UPDATE sandbox.charges SET status = %(status)s, decline_code = %(decline_code)s,"
                " captures_at = %(captures_at)s WHERE key_hash = %(key_hash)s",
                row | outcome,
            )
        if token and token["behavior"] in {Behavior.TIMEOUT_AFTER_CAPTURE, Behavior.CAPTURE_LATE}:
            raise GatewayTimeout("The payment provider did not answer in time.")
        return _charge(row | outcome, self._challenge_url(token) if token else None)

    def find(self, payment_id: str, *, merchant: str) -> Charge | None:
        with self._pool.connection() as connection:
            row = connection.execute(
                "SELECT * FROM sandbox.charges WHERE key_hash = %s", (self._keyed(merchant, payment_id),)
            ).fetchone()
        return _charge(_aged(row)) if row else None

    def cancel(self, payment_id: str, *, merchant: str) -> Charge:
        row = {
            "key_hash": self._keyed(merchant, payment_id),
            "id": "ch_" + secrets.token_hex(12),
            "body_hash": "",
            "merchant": merchant,
            "payment_id": payment_id,
            "session_id": "",
            "amount": 0,
            "currency": "XXX",
            "status": "canceled",
        }
        with self._pool.connection() as connection:
            made = connection.execute(_INSERT, row).fetchone()
            if made:
                return Charge(payment_id, ChargeStatus.CANCELED, decline_code="canceled")
            found = (
                connection.execute(
                    "UPDATE sandbox.charges SET status = 'canceled', decline_code = 'canceled', captures_at = NULL"
                    " WHERE key_hash = %(key_hash)s AND status = 'pending' AND captures_at > %(now)s RETURNING *",
                    row | {"now": clock.now()},
                ).fetchone()
                or connection.execute("SELECT * FROM sandbox.charges WHERE key_hash = %(key_hash)s", row).fetchone()
            )
        return _charge(_aged(found))

    def refund(self, payment_id: str, *, merchant: str, amount: Money, key: str) -> Move:
        row = {
            "key_hash": self._keyed(merchant, f"refund:{key}"),
            "id": "re_" + secrets.token_hex(12),
            "charge": self._keyed(merchant, payment_id),
            "merchant": merchant,
            "payment_id": payment_id,
            "key": key,
            "n": amount.amount,
            "currency": amount.currency,
            "now": clock.now(),
        }
        with self._pool.connection() as connection:
            made = connection.execute(
                "INSERT INTO sandbox.moves (key_hash, id, body_hash, charge_hash, merchant, payment_id, key, kind,"
                " amount, currency, status, settled_at) VALUES (%(key_hash)s, %(id)s, '', %(charge)s, %(merchant)s,"
                " %(payment_id)s, %(key)s, 'refund', %(n)s, %(currency)s, 'succeeded', %(now)s)"
                " ON CONFLICT (key_hash) DO NOTHING RETURNING id",
                row,
            ).fetchone()
            if made is None:
                found = connection.execute("SELECT id FROM sandbox.moves WHERE key_hash = %(key_hash)s", row).fetchone()
                return Move(key, MoveStatus.SUCCEEDED, str(found["id"]), amount)
            done = connection.execute(
                "UPDATE sandbox.charges SET status = 'captured', captured = amount, refunded = refunded + %(n)s"
                " WHERE key_hash = %(charge)s AND (status = 'captured' OR captures_at <= %(now)s)"
                " AND refunded + %(n)s <= amount AND currency = %(currency)s RETURNING id",
                row,
            ).fetchone()
            if done is None:
                raise RefundExceedsCapture("More than was captured cannot be refunded.")
        return Move(key, MoveStatus.SUCCEEDED, str(row["id"]), amount)

    def parse_webhook(self, body: bytes, headers: Mapping[str, str]) -> GatewayEvent:
        expected = hmac.new(derive(self._secret_key, "sandbox-webhook"), body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(headers.get("sandbox-signature", ""), expected):
            raise Unauthenticated("The webhook's signature does not match.")
        event = json.loads(body)
        charge = Charge(
            event["payment_id"],
            ChargeStatus(event["status"]),
            event["id"],
            Money(event["amount"], event["currency"]),
            event.get("decline_code"),
        )
        return GatewayEvent(
            event["event_id"], EventKind.CHARGE, event["merchant"], clock.now(), event["payment_id"], charge
        )

    def standings(self, *, merchant: str) -> Mapping[str, Standing]:
        with self._pool.connection() as connection:
            rows = connection.execute(
                "SELECT payment_id, amount, refunded, currency FROM sandbox.charges WHERE merchant = %s"
                " AND (status = 'captured' OR (status = 'pending' AND captures_at <= %s))",
                (merchant, clock.now()),
            ).fetchall()
        return {
            row["payment_id"]: Standing(row["currency"], row["amount"], row["amount"], row["refunded"], 0)
            for row in rows
        }

    def late_webhooks(self) -> list[tuple[bytes, dict[str, str]]]:
        """Signed webhooks for captures that came late and were not told yet; each is handed out once."""
        with self._pool.connection() as connection:
            rows = connection.execute(
                "UPDATE sandbox.charges SET notified_at = %(now)s, status = 'captured' WHERE captures_at <= %(now)s"
                " AND notified_at IS NULL RETURNING *",
                {"now": clock.now()},
            ).fetchall()
        return [self.signed_webhook(row) for row in rows]

    def signed_webhook(self, row: Mapping[str, Any]) -> tuple[bytes, dict[str, str]]:
        """A charge's webhook as the gateway would send it: body and headers."""
        event = {k: row[k] for k in ("payment_id", "status", "id", "amount", "currency", "merchant", "decline_code")}
        body = canonical_json(event | {"event_id": f"evt_{row['id']}_{row['status']}"})
        signature = hmac.new(derive(self._secret_key, "sandbox-webhook"), body, hashlib.sha256).hexdigest()
        return body, {"sandbox-signature": signature}

    def challenge(self, challenge_id: str) -> Mapping[str, Any] | None:
        """The open 3-D Secure question, for the bank's page: amount and currency."""
        with self._pool.connection() as connection:
            row: Mapping[str, Any] | None = connection.execute(
                "SELECT max_amount, currency, authenticated, status FROM sandbox.tokens WHERE challenge_id = %s"
                " AND expires_at > %s",
                (challenge_id, clock.now()),
            ).fetchone()
        return row

    def pass_challenge(self, challenge_id: str) -> None:
        """The card's holder said yes at the bank: this card may now pay in this session, also by a fresh token.

        Raises ``NotFound`` for an unknown or expired challenge.
        """
        with self._pool.connection() as connection:
            found = connection.execute(
                "UPDATE sandbox.tokens SET authenticated = true WHERE challenge_id = %s AND expires_at > %s"
                " RETURNING id",
                (challenge_id, clock.now()),
            ).fetchone()
        if found is None:
            raise NotFound("This check has ended.")

    def _card(self, card_ref: str, merchant: str, session_id: str) -> Mapping[str, Any] | None:
        with self._pool.connection() as connection:
            row: Mapping[str, Any] | None = connection.execute(
                "SELECT brand, last4, behavior FROM sandbox.cards WHERE id = %s AND merchant = %s"
                " AND (session_id IS NULL OR session_id = %s)",
                (card_ref, merchant, session_id),
            ).fetchone()
        return row

    def _behavior(self, card_ref: str, allowance: Allowance) -> Behavior:
        if card_ref in BY_REF:
            return BY_REF[card_ref].behavior
        row = self._card(card_ref, allowance.merchant, allowance.session_id)
        if row is None:
            raise TokenRefused("This card cannot be used for this checkout.")
        return Behavior(row["behavior"])

    def _outcome(self, token: Mapping[str, Any] | None, row: Mapping[str, Any]) -> dict[str, Any]:
        outcome: dict[str, Any] = {"status": "captured", "decline_code": None, "captures_at": None}
        if token is None:
            return outcome | {"status": "declined", "decline_code": "token_invalid"}
        behavior = token["behavior"]
        if behavior in _DECLINING:
            return outcome | {"status": "declined", "decline_code": str(behavior)}
        if behavior == Behavior.CHALLENGE and not token["authenticated"]:
            return outcome | {"status": "declined", "decline_code": "authentication_required"}
        if behavior == Behavior.CAPTURE_LATE:
            return outcome | {"status": "pending", "captures_at": row["now"] + LATE_BY}
        return outcome

    def _replay(self, connection: Any, row: Mapping[str, Any]) -> Charge:
        found = connection.execute("SELECT * FROM sandbox.charges WHERE key_hash = %(key_hash)s", row).fetchone()
        if found["status"] != "canceled" and found["body_hash"] != row["body_hash"]:
            raise TokenRefused("This payment id was used with another request.")
        return _charge(_aged(found))

    def _challenge_url(self, token: Mapping[str, Any]) -> str | None:
        if token["behavior"] != Behavior.CHALLENGE or token["authenticated"]:
            return None
        return f"{self._page_url()}/challenge/{token['challenge_id']}"

    def _keyed(self, merchant: str, key: str) -> str:
        return hmac.new(self._hmac_key, f"{merchant}\x00{key}".encode(), hashlib.sha256).hexdigest()


def _body_hash(request: CaptureRequest) -> str:
    body = [
        request.merchant,
        request.session_id,
        request.token,
        request.amount.amount,
        request.amount.currency,
    ]
    return hashlib.sha256(canonical_json(body)).hexdigest()


def _aged(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A late capture counts as captured once its moment has come."""
    if row["status"] == "pending" and row["captures_at"] <= clock.now():
        return dict(row) | {"status": "captured"}
    return row


def _charge(row: Mapping[str, Any], challenge_url: str | None = None) -> Charge:
    status = ChargeStatus(row["status"])
    amount = None if status == ChargeStatus.CANCELED else Money(row["amount"], row["currency"])
    return Charge(row["payment_id"], status, row["id"], amount, row["decline_code"], challenge_url)
