"""Cards from agent platforms: checked, sealed and answered with a token in one round trip, once per key.

What is kept of a request is a keyed digest, so that nobody who reads the rows can try card numbers until one fits. The
number itself is sealed with the token and dropped when the token is used; codes and cryptograms are kept nowhere.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final

from engine.kit import clock
from engine.kit.envelope import derive, seal
from engine.kit.errors import RateLimited
from engine.kit.idempotency import KEEP, IdempotencyConflict
from engine.kit.ids import new_id
from engine.payments.delegated import Answer, DelegatedCard, NumberType, Refusal, Request, Signal
from engine.payments.errors import CardRejected
from engine.payments.gateway import Allowance, MethodKind
from engine.payments.gateways.sandbox.cards import (
    BY_NETWORK_TOKEN,
    BY_NUMBER,
    Behavior,
    brand_of,
    luhn_valid,
)
from engine.payments.gateways.sandbox.store import Db

WINDOW: Final = timedelta(minutes=1)
_LONGEST_LIFE_YEARS: Final = 25
_UNNAMED_WALLET: Final = "wallet"
_WALLET: Final = re.compile(r"[a-z0-9_]{1,20}")
ONCE: Final = """
WITH failing AS (SELECT (SELECT count(*) FROM sandbox.asked
    WHERE failed AND merchant = %(merchant)s AND caller = %(caller)s AND created_at > %(since)s)
  + (SELECT count(*) FROM sandbox.tokens
    WHERE failed AND merchant = %(merchant)s AND caller = %(caller)s AND created_at > %(since)s) AS cards),
mine AS (INSERT INTO sandbox.asked (key_hash, body_hash, merchant, caller, made_id, refusal, failed, created_at)
  SELECT %(key_hash)s, %(body_hash)s, %(merchant)s, %(caller)s, %(made_id)s, %(refusal)s::jsonb, %(failed)s, %(now)s
  FROM failing WHERE cards < %(most)s
  ON CONFLICT (key_hash) DO NOTHING RETURNING key_hash)"""
KEEP_ANSWER: Final = f"{ONCE} SELECT count(*) AS made FROM mine"  # noqa: S608 (our own words)
_TOKEN: Final = f"""{ONCE},
token AS (INSERT INTO sandbox.tokens (id, key_hash, merchant, session_id, card_ref, behavior, currency, max_amount,
    expires_at, challenge_id, kind, brand, last4, wallet, review, card_hash, number_sealed, caller, authenticated,
    created_at)
  SELECT %(made_id)s, %(made_id)s, %(merchant)s, %(session_id)s, %(card_ref)s, %(behavior)s, %(currency)s,
    %(max_amount)s, %(expires_at)s, %(challenge_id)s, %(kind)s, %(brand)s, %(last4)s, %(wallet)s, %(review)s,
    %(card_hash)s, %(number_sealed)s, %(caller)s, EXISTS (SELECT FROM sandbox.tokens AS before
      WHERE before.merchant = %(merchant)s AND before.session_id = %(session_id)s
        AND before.card_hash = %(card_hash)s AND before.card_hash <> '' AND before.authenticated), %(now)s
  FROM mine)
SELECT count(*) AS made FROM mine
"""  # noqa: S608 (our own words)


@dataclass(frozen=True, slots=True)
class Keys:
    """The vault's keys for what is compared and never shown again."""

    secret_key: bytes

    def of_request(self, request: Request) -> tuple[str, str]:
        """What its key and its body are known by."""
        place = f"{request.merchant}\x00{request.caller}\x00{request.operation}\x00{request.key}"
        return self._keyed("sandbox-asked", place.encode()), self._keyed("sandbox-body", request.body)

    def of_card(self, merchant: str, number: str) -> str:
        """What tells whether two cards of this merchant are one."""
        return self._keyed("sandbox-card", f"{merchant}\x00{number}".encode())

    def cryptogram(self, facts: str) -> bytes:
        """A bank's proof over these facts: 20 bytes that nobody else can make."""
        return hmac.new(derive(self.secret_key, "sandbox-cryptogram"), facts.encode(), sha256).digest()[:20]

    def _keyed(self, purpose: str, value: bytes) -> str:
        return hmac.new(derive(self.secret_key, purpose), value, sha256).hexdigest()


def delegate_card(
    db: Db,
    keys: Keys,
    request: Request,
    card: DelegatedCard,
    allowance: Allowance,
    signals: tuple[Signal, ...],
    *,
    failing: int,
) -> Answer:
    """The token, or why there is none."""
    try:
        check_card(card)
        _check_signals(signals)
        _check_allowance(allowance)
    except CardRejected as error:
        return keep(db, keys, request, failing=failing, refusal=Refusal(error.message, error.param))
    token = "vt_" + secrets.token_hex(16)
    return keep(
        db,
        keys,
        request,
        failing=failing,
        made_id=token,
        statement=_TOKEN,
        more=_row(keys, token, card, allowance, review=Signal.MANUAL_REVIEW in signals),
    )


def keep(
    db: Db,
    keys: Keys,
    request: Request,
    *,
    failing: int,
    made_id: str | None = None,
    refusal: Refusal | None = None,
    statement: str = KEEP_ANSWER,
    more: Mapping[str, Any] | None = None,
) -> Answer:
    """Keep what a request came to, with all that ``statement`` makes; or find what it came to before."""
    key_hash, body_hash = keys.of_request(request)
    now = clock.now()
    row = {
        "key_hash": key_hash,
        "body_hash": body_hash,
        "merchant": request.merchant,
        "caller": request.caller,
        "made_id": made_id,
        "refusal": json.dumps(asdict(refusal)) if refusal else None,
        "failed": refusal is not None and not refusal.malformed,
        "now": now,
        "since": now - WINDOW,
        "most": failing,
    }
    made = db.execute(statement, row | dict(more or {})).fetchone()
    if made is not None and made["made"]:
        return Answer(now, made_id, refusal)
    return _before(db, key_hash, body_hash)


def _before(db: Db, key_hash: str, body_hash: str) -> Answer:
    found = db.execute(
        "SELECT body_hash, made_id, refusal, created_at FROM sandbox.asked WHERE key_hash = %s", (key_hash,)
    ).fetchone()
    if found is None:
        wait = int(WINDOW.total_seconds())
        raise RateLimited("Too many cards of this key were refused. Please wait.", retry_after_seconds=wait)
    if not hmac.compare_digest(found["body_hash"], body_hash):
        raise IdempotencyConflict("This idempotency key was used with another request body.")
    refusal = Refusal(**found["refusal"]) if found["refusal"] else None
    return Answer(found["created_at"], found["made_id"], refusal, replayed=True)


def check_card(card: DelegatedCard) -> None:
    """Raises ``CardRejected`` with the faulty part's path, never its content."""
    if not (12 <= len(card.number) <= 19 and card.number.isascii() and luhn_valid(card.number)):
        raise CardRejected("That card number is not valid.", param="payment_method.number")
    check_expiry(card.exp_month, card.exp_year)
    if card.cvc is not None and not re.fullmatch(r"[0-9]{3,4}", card.cvc):
        raise CardRejected("A security code has three or four digits.", param="payment_method.cvc")
    if card.cryptogram is not None and not re.fullmatch(r"[A-Za-z0-9+/=_-]{1,128}", card.cryptogram):
        raise CardRejected("The cryptogram is not base64.", param="payment_method.cryptogram")


def check_expiry(month: str | None, year: str | None) -> None:
    """Raises ``CardRejected`` for a date that is none, or is over."""
    if month is not None and not re.fullmatch(r"0[1-9]|1[0-2]", month):
        raise CardRejected("An expiry month is 01 to 12.", param="payment_method.exp_month")
    if year is None:
        return
    today = clock.now()
    if not re.fullmatch(r"[0-9]{4}", year) or not today.year <= int(year) <= today.year + _LONGEST_LIFE_YEARS:
        raise CardRejected("That expiry year has passed or is no year.", param="payment_method.exp_year")
    if month is not None and (int(year), int(month)) < (today.year, today.month):
        raise CardRejected("That expiry date has passed.", param="payment_method.exp_month")


def behavior_of(card: DelegatedCard) -> Behavior:
    """What the imaginary bank will do with it."""
    known = BY_NETWORK_TOKEN.get(card.number) if card.number_type == NumberType.NETWORK_TOKEN else None
    known = known or BY_NUMBER.get(card.number)
    return known.behavior if known else Behavior.APPROVE


def forget_old(db: Db) -> None:
    """Let go of answers past their time, and of numbers whose tokens can take nothing any more."""
    now = clock.now()
    db.execute("DELETE FROM sandbox.asked WHERE created_at < %s", (now - KEEP,))
    db.execute(
        "UPDATE sandbox.tokens SET number_sealed = NULL WHERE number_sealed IS NOT NULL AND expires_at <= %s", (now,)
    )


def _check_signals(signals: tuple[Signal, ...]) -> None:
    if Signal.BLOCKED in signals:
        place = signals.index(Signal.BLOCKED)
        raise CardRejected("This card was blocked by your own risk signal.", param=f"risk_signals[{place}].action")


def _check_allowance(allowance: Allowance) -> None:
    if allowance.expires_at <= clock.now():
        raise CardRejected("This allowance ended before it began.", param="allowance.expires_at")


def _row(keys: Keys, token: str, card: DelegatedCard, allowance: Allowance, *, review: bool) -> dict[str, Any]:
    behavior = behavior_of(card)
    wallet = _wallet(card)
    return {
        "session_id": allowance.session_id,
        "card_ref": new_id("card"),
        "behavior": behavior,
        "currency": allowance.maximum.currency,
        "max_amount": allowance.maximum.amount,
        "expires_at": allowance.expires_at,
        "challenge_id": new_id("challenge") if behavior == Behavior.CHALLENGE else None,
        "kind": MethodKind.WALLET if wallet else MethodKind.CARD,
        "brand": brand_of(card.number),
        "last4": _last4(card),
        "wallet": wallet,
        "review": review,
        "card_hash": keys.of_card(allowance.merchant, card.number),
        "number_sealed": seal(keys.secret_key, "sandbox-vault", token, card.number),
    }


def _last4(card: DelegatedCard) -> str:
    """Of a number on a card its own; of a network's stand-in, what its holder knows it by."""
    own = card.number[-4:]
    return card.last4 or own if card.number_type == NumberType.NETWORK_TOKEN else own


def _wallet(card: DelegatedCard) -> str:
    if card.wallet and _WALLET.fullmatch(card.wallet):
        return card.wallet
    return _UNNAMED_WALLET if card.wallet or card.number_type == NumberType.NETWORK_TOKEN else ""
