"""Taking a card: checked, sealed, and answered with a reference. The number and the code never leave this module."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg_pool import ConnectionPool

from engine.kit import clock
from engine.kit.envelope import derive, seal
from engine.kit.errors import Unauthenticated
from engine.kit.ids import new_id
from engine.payments.errors import CardRejected
from engine.payments.gateway import CardFacts
from engine.payments.gateways.sandbox.cards import BY_NUMBER, Behavior, brand_of, luhn_valid

GRANT_LIFE: Final = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Grant:
    """Leave to enter one card for one checkout session of one merchant."""

    merchant: str
    session_id: str


@dataclass(frozen=True, slots=True)
class CardEntry:
    """What was typed. Its ``repr`` shows nothing."""

    number: str
    exp_month: int
    exp_year: int
    cvc: str
    name: str = ""

    def __repr__(self) -> str:
        return "CardEntry(…)"


def issue_grant(secret_key: bytes, grant: Grant) -> str:
    """A signed, expiring grant to put into the card-entry page's address."""
    expires = int((clock.now() + GRANT_LIFE).timestamp())
    body = _b64(json.dumps([grant.merchant, grant.session_id, expires]).encode())
    return f"{body}.{_sign(secret_key, body)}"


def read_grant(secret_key: bytes, token: str) -> Grant:
    """The grant again. Raises ``Unauthenticated`` when it is forged or too old."""
    body, _, signature = token.partition(".")
    if not hmac.compare_digest(signature, _sign(secret_key, body)):
        raise Unauthenticated("This card form is not valid any more. Please open it again.")
    merchant, session_id, expires = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    if datetime.fromtimestamp(expires, tz=clock.now().tzinfo) < clock.now():
        raise Unauthenticated("This card form is not valid any more. Please open it again.")
    return Grant(merchant, session_id)


class Vault:
    """Cards of the sandbox gateway."""

    def __init__(self, pool: ConnectionPool[Any], secret_key: bytes) -> None:
        self._pool = pool
        self._secret_key = secret_key

    def keep(self, grant: Grant, entry: CardEntry) -> CardFacts:
        """Check and seal a card; the reference works for this merchant and session alone.

        Raises ``CardRejected`` with the faulty part's name, never its content.
        """
        number = re.sub(r"[ -]", "", entry.number)
        _check(number, entry)
        known = BY_NUMBER.get(number)
        card_id = new_id("card")
        row = {
            "id": card_id,
            "merchant": grant.merchant,
            "session_id": grant.session_id,
            "number_sealed": seal(self._secret_key, "sandbox-vault", card_id, number),
            "brand": brand_of(number),
            "last4": number[-4:],
            "exp_month": entry.exp_month,
            "exp_year": entry.exp_year,
            "behavior": known.behavior if known else Behavior.APPROVE,
        }
        with self._pool.connection() as connection:
            connection.execute(
                "INSERT INTO sandbox.cards (id, merchant, session_id, number_sealed, brand, last4, exp_month, exp_year,"
                " behavior) VALUES (%(id)s, %(merchant)s, %(session_id)s, %(number_sealed)s, %(brand)s, %(last4)s,"
                " %(exp_month)s, %(exp_year)s, %(behavior)s)",
                row,
            )
        return CardFacts(card_id, str(row["brand"]), number[-4:])

    def forget(self, card_id: str, merchant: str) -> None:
        """Drop a card of this merchant, and tokens of it that were not used yet."""
        with self._pool.connection() as connection:
            for table, column in (("cards", "id"), ("tokens", "status = 'live' AND card_ref")):
                statement = f"DELETE FROM sandbox.{table} WHERE {column} = %s AND merchant = %s"  # noqa: S608 (our own)
                connection.execute(statement, (card_id, merchant))


def _check(number: str, entry: CardEntry) -> None:
    if not (12 <= len(number) <= 19 and luhn_valid(number)):
        raise CardRejected("That card number is not valid.", param="number")
    today = clock.now()
    if not 1 <= entry.exp_month <= 12 or (entry.exp_year, entry.exp_month) < (today.year, today.month):
        raise CardRejected("That expiry date has passed or does not exist.", param="exp_month")
    if entry.exp_year > today.year + 25:
        raise CardRejected("That expiry year is too far away.", param="exp_year")
    if not re.fullmatch(r"[0-9]{3,4}", entry.cvc):
        raise CardRejected("The security code has three or four digits.", param="cvc")


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _sign(secret_key: bytes, body: str) -> str:
    return _b64(hmac.new(derive(secret_key, "card-entry"), body.encode(), hashlib.sha256).digest())
