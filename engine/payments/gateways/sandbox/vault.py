"""Taking a card, or a card in a wallet: checked, sealed, and answered with a reference. Numbers and codes never leave
this module.
"""

from __future__ import annotations

import base64
import re
from binascii import Error as NotBase64
from dataclasses import dataclass
from typing import Any, Final

from psycopg_pool import ConnectionPool

from engine.kit import clock
from engine.kit.envelope import seal
from engine.kit.ids import new_id
from engine.payments.errors import CardRejected
from engine.payments.gateway import CardFacts
from engine.payments.gateways.grants import Grant
from engine.payments.gateways.sandbox.cards import (
    BY_NETWORK_TOKEN,
    BY_NUMBER,
    WALLET,
    Behavior,
    brand_of,
    luhn_valid,
)
from engine.payments.gateways.sandbox.delegating import Keys

CRYPTOGRAM_BYTES: Final = 20
"""EMV payment tokenisation: a cryptogram of one payment is 20 bytes, told in base64."""
_ECI: Final = frozenset({"02", "05", "06", "07"})
"""Electronic commerce indicators of a payment by network token: who vouches for its holder."""
_INSERT: Final = """
INSERT INTO sandbox.cards (id, merchant, session_id, number_sealed, brand, last4, exp_month, exp_year, behavior, kind,
  card_hash)
VALUES (%(id)s, %(merchant)s, %(session_id)s, %(number_sealed)s, %(brand)s, %(last4)s, %(exp_month)s, %(exp_year)s,
  %(behavior)s, %(kind)s, %(card_hash)s)
"""


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


@dataclass(frozen=True, slots=True)
class WalletEntry:
    """What a wallet hands over: a network token in place of the number, a cryptogram of this one payment, and the last
    digits of the card as its holder knows it. Its ``repr`` shows nothing.
    """

    network_token: str
    exp_month: int
    exp_year: int
    cryptogram: str
    eci: str
    last4: str

    def __repr__(self) -> str:
        return "WalletEntry(…)"


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
        _check_number(number, "number")
        _check_expiry(entry)
        if not re.fullmatch(r"[0-9]{3,4}", entry.cvc):
            raise CardRejected("The security code has three or four digits.", param="cvc")
        known = BY_NUMBER.get(number)
        return self._seal(grant, entry, number, last4=number[-4:], behavior=known.behavior if known else None)

    def keep_wallet(self, grant: Grant, entry: WalletEntry) -> CardFacts:
        """Check and seal a card in a wallet, as ``keep``. The cryptogram is looked at and kept nowhere."""
        _check_number(entry.network_token, "network_token")
        _check_expiry(entry)
        _check_proof(entry)
        known = BY_NETWORK_TOKEN.get(entry.network_token)
        behavior = known.behavior if known else None
        return self._seal(grant, entry, entry.network_token, last4=entry.last4, behavior=behavior, wallet=WALLET)

    def keep_for(self, card_id: str, merchant: str, *, session_id: str, customer: str) -> bool:
        """Make a card that was entered for one session its customer's for any; ``False`` when it is not there, or
        somebody else's.
        """
        with self._pool.connection() as connection:
            done = connection.execute(
                "UPDATE sandbox.cards SET session_id = NULL, holder = %(customer)s WHERE id = %(id)s"
                " AND merchant = %(merchant)s"
                " AND (session_id = %(session)s AND holder IS NULL OR holder = %(customer)s)",
                {"id": card_id, "merchant": merchant, "session": session_id, "customer": customer},
            )
        return bool(done.rowcount)

    def forget(self, card_id: str, merchant: str) -> None:
        """Drop a card of this merchant, and tokens of it that were not used yet."""
        with self._pool.connection() as connection:
            for table, column in (("cards", "id"), ("tokens", "status = 'live' AND card_ref")):
                statement = f"DELETE FROM sandbox.{table} WHERE {column} = %s AND merchant = %s"  # noqa: S608 (our own)
                connection.execute(statement, (card_id, merchant))

    def _seal(
        self,
        grant: Grant,
        entry: CardEntry | WalletEntry,
        number: str,
        *,
        last4: str,
        behavior: Behavior | None,
        wallet: str = "",
    ) -> CardFacts:
        card_id = new_id("card")
        facts = CardFacts(card_id, brand_of(number), last4, wallet=wallet, entered=True)
        row = {
            "id": card_id,
            "merchant": grant.merchant,
            "session_id": grant.session_id,
            "number_sealed": seal(self._secret_key, "sandbox-vault", card_id, number),
            "brand": facts.brand,
            "last4": last4,
            "exp_month": entry.exp_month,
            "exp_year": entry.exp_year,
            "behavior": behavior or Behavior.APPROVE,
            "kind": facts.kind,
            "card_hash": Keys(self._secret_key).of_card(grant.merchant, number),
        }
        with self._pool.connection() as connection:
            connection.execute(_INSERT, row)
        return facts


def _check_number(number: str, param: str) -> None:
    if not (12 <= len(number) <= 19 and luhn_valid(number)):
        raise CardRejected("That card number is not valid.", param=param)


def _check_expiry(entry: CardEntry | WalletEntry) -> None:
    today = clock.now()
    if not 1 <= entry.exp_month <= 12 or (entry.exp_year, entry.exp_month) < (today.year, today.month):
        raise CardRejected("That expiry date has passed or does not exist.", param="exp_month")
    if entry.exp_year > today.year + 25:
        raise CardRejected("That expiry year is too far away.", param="exp_year")


def _check_proof(entry: WalletEntry) -> None:
    try:
        proof = base64.b64decode(entry.cryptogram, validate=True)
    except (NotBase64, ValueError):
        proof = b""
    if len(proof) != CRYPTOGRAM_BYTES:
        raise CardRejected("The wallet's cryptogram is not valid.", param="cryptogram")
    if entry.eci not in _ECI:
        raise CardRejected("The wallet's indicator (ECI) is not one of a network token.", param="eci")
    if not re.fullmatch(r"[0-9]{4}", entry.last4):
        raise CardRejected("The wallet did not say which card it is.", param="last4")
