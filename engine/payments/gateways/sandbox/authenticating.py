"""3-D Secure as the imaginary banks do it: a fingerprint, perhaps a question to the card's holder, and a proof."""

from __future__ import annotations

import base64
import hmac
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from engine.kit import clock
from engine.kit.errors import NotFound
from engine.kit.ids import new_id
from engine.kit.money import Money
from engine.payments.delegated import (
    Answer,
    AuthenticationFacts,
    AuthenticationRequest,
    AuthenticationStatus,
    DelegatedCard,
    Refusal,
    Request,
)
from engine.payments.errors import CardRejected
from engine.payments.gateways.sandbox.cards import AUTHENTICATION, AuthenticationBehavior, brand_of
from engine.payments.gateways.sandbox.delegating import ONCE, Keys, check_card, keep
from engine.payments.gateways.sandbox.store import Db

VERSION: Final = "2.2.0"
LIFE: Final = timedelta(minutes=30)
_ENROLLED: Final = frozenset({"visa", "mastercard", "amex"})
_ASKED: Final = AuthenticationStatus.ACTION_REQUIRED
_CREATE: Final = f"""{ONCE},
begun AS (INSERT INTO sandbox.authentications (id, merchant, session_id, card_hash, amount, currency, brand, behavior,
    status, step, browser, server_trans_id, directory_trans_id, acs_trans_id, expires_at, created_at)
  SELECT %(made_id)s, %(merchant)s, %(session_id)s, %(card_hash)s, %(amount)s, %(currency)s, %(brand)s, %(behavior)s,
    %(status)s, %(step)s, %(browser)s, %(server_trans_id)s, %(directory_trans_id)s, %(acs_trans_id)s, %(expires_at)s,
    %(now)s FROM mine)
SELECT count(*) AS made FROM mine
"""  # noqa: S608 (our own words)
_GO_ON: Final = """
UPDATE sandbox.authentications SET status = %(status)s, step = %(step)s,
  session_id = coalesce(session_id, %(session_id)s)
WHERE id = %(id)s AND merchant = %(merchant)s AND expires_at > %(now)s AND step IN ('fingerprint', 'ready')
  AND (session_id IS NULL OR %(session_id)s::text IS NULL OR session_id = %(session_id)s)
"""
_USE: Final = """
WITH proof AS (
  UPDATE sandbox.authentications SET used_by = %(session_id)s, session_id = %(session_id)s
  WHERE id = %(id)s AND (used_by IS NULL OR used_by = %(session_id)s)
    AND EXISTS (SELECT FROM sandbox.tokens WHERE merchant = %(merchant)s AND session_id = %(session_id)s
      AND tokens.card_hash = authentications.card_hash)
  RETURNING card_hash)
UPDATE sandbox.tokens SET authenticated = true FROM proof
WHERE merchant = %(merchant)s AND session_id = %(session_id)s AND tokens.card_hash = proof.card_hash
RETURNING tokens.id
"""
_ENDS: Final[Mapping[AuthenticationBehavior, AuthenticationStatus]] = {
    AuthenticationBehavior.FRICTIONLESS: AuthenticationStatus.AUTHENTICATED,
    AuthenticationBehavior.CHALLENGE: AuthenticationStatus.ACTION_REQUIRED,
    AuthenticationBehavior.ATTEMPTED: AuthenticationStatus.ATTEMPTED,
    AuthenticationBehavior.NOT_AUTHENTICATED: AuthenticationStatus.NOT_AUTHENTICATED,
    AuthenticationBehavior.REJECTED: AuthenticationStatus.REJECTED,
    AuthenticationBehavior.UNAVAILABLE: AuthenticationStatus.UNAVAILABLE,
}
_PROVEN: Final = frozenset({AuthenticationStatus.AUTHENTICATED, AuthenticationStatus.ATTEMPTED})
_RESULTS: Final[Mapping[str, Mapping[str, str]]] = {
    AuthenticationStatus.AUTHENTICATED: {"trans_status": "Y"},
    AuthenticationStatus.ATTEMPTED: {"trans_status": "A"},
    AuthenticationStatus.NOT_AUTHENTICATED: {
        "trans_status": "N",
        "trans_status_reason": "01",
        "electronic_commerce_indicator": "07",
        "cardholder_info": "The bank could not make sure that it is you.",
    },
    AuthenticationStatus.REJECTED: {
        "trans_status": "R",
        "trans_status_reason": "02",
        "cardholder_info": "The bank refused this payment.",
    },
    AuthenticationStatus.UNAVAILABLE: {"trans_status": "U"},
    AuthenticationStatus.CHALLENGE_ABANDONED: {"trans_status": "U"},
}
Row = Mapping[str, Any]


def create(db: Db, keys: Keys, request: Request, given: AuthenticationRequest, *, failing: int) -> Answer:
    """Begin; or why not."""
    try:
        check_card(DelegatedCard(given.number, exp_month=given.exp_month, exp_year=given.exp_year))
    except CardRejected as error:
        return keep(db, keys, request, failing=failing, refusal=Refusal(error.message, error.param))
    made_id = f"auth_session_{uuid.uuid4().hex}"
    more = _row(keys, request.merchant, given)
    return keep(db, keys, request, failing=failing, made_id=made_id, statement=_CREATE, more=more)


def go_on(db: Db, authentication_id: str, *, merchant: str, session_id: str | None) -> None:
    """The fingerprint was taken, or cannot be: ask the bank. Does nothing to one that has gone on before."""
    row = find(db, authentication_id, merchant=merchant)
    end = _ENDS[AuthenticationBehavior(row["behavior"])]
    change = {"id": row["id"], "merchant": merchant, "status": end, "now": clock.now()}
    change |= {"step": "challenge" if end == _ASKED else "ended", "session_id": session_id}
    db.execute(_GO_ON, change)


def find(db: Db, authentication_id: str, *, merchant: str) -> Row:
    """Raises ``NotFound``."""
    row: Row | None = db.execute(
        "SELECT * FROM sandbox.authentications WHERE id = %s AND merchant = %s", (authentication_id, merchant)
    ).fetchone()
    if row is None:
        raise NotFound("There is no such authentication.")
    return row


def decide(db: Db, acs_trans_id: str, *, passed: bool) -> bool:
    """The holder's answer to the bank's question; ``False`` when nothing was asked, or not any more."""
    status = AuthenticationStatus.AUTHENTICATED if passed else AuthenticationStatus.NOT_AUTHENTICATED
    done = db.execute(
        "UPDATE sandbox.authentications SET status = %s, step = 'ended'"
        " WHERE acs_trans_id = %s AND step = 'challenge' AND expires_at > %s",
        (status, acs_trans_id, clock.now()),
    )
    return done.rowcount > 0


def question(db: Db, acs_trans_id: str) -> Row | None:
    """The open question, in the words of the bank's page."""
    row: Row | None = db.execute(
        "SELECT amount AS max_amount, currency, step = 'ended' AS authenticated, status FROM sandbox.authentications"
        " WHERE acs_trans_id = %s AND expires_at > %s AND (step = 'challenge' OR status = 'authenticated')",
        (acs_trans_id, clock.now()),
    ).fetchone()
    return row


def check(db: Db, keys: Keys, *, session_id: str, merchant: str, amount: Money, result: Mapping[str, str]) -> bool:
    """Whether the proof is one of ours for this purchase; a card that it proves is not asked about again."""
    row = db.execute(
        "SELECT * FROM sandbox.authentications WHERE merchant = %s AND directory_trans_id = %s AND currency = %s"
        " AND amount >= %s AND expires_at > %s AND (session_id IS NULL OR session_id = %s)",
        (merchant, str(result.get("transaction_id", "")), amount.currency, amount.amount, clock.now(), session_id),
    ).fetchone()
    if row is None or row["status"] not in _PROVEN or not _same(result, _proof(keys, row)):
        return False
    use = {"id": row["id"], "merchant": merchant, "session_id": session_id}
    return db.execute(_USE, use).fetchone() is not None


def facts_of(keys: Keys, row: Row, page_url: str) -> AuthenticationFacts:
    """It as it may be told."""
    status = status_of(row)
    told = _RESULTS.get(status)
    return AuthenticationFacts(
        id=row["id"],
        status=status,
        action=_action(row, page_url) if status == _ASKED else None,
        result=None
        if told is None
        else {**told, **_proof(keys, row), "three_ds_server_trans_id": row["server_trans_id"]},
    )


def facts_as_begun(keys: Keys, row: Row, page_url: str) -> AuthenticationFacts:
    """It as it was told first."""
    status, step = _beginning(row["brand"], browser=row["browser"])
    return facts_of(
        keys, {**row, "status": status, "step": step, "expires_at": datetime.max.replace(tzinfo=UTC)}, page_url
    )


def status_of(row: Row) -> AuthenticationStatus:
    """One that nobody ended in time is over: abandoned at the bank's question, or expired."""
    if row["step"] == "ended" or row["expires_at"] > clock.now():
        return AuthenticationStatus(row["status"])
    asked = row["step"] == "challenge"
    return AuthenticationStatus.CHALLENGE_ABANDONED if asked else AuthenticationStatus.EXPIRED


def forget_old(db: Db) -> None:
    """Let go of authentications that ended a day ago."""
    db.execute("DELETE FROM sandbox.authentications WHERE expires_at < %s", (clock.now() - timedelta(days=1),))


def _beginning(brand: str, *, browser: bool) -> tuple[AuthenticationStatus, str]:
    if brand not in _ENROLLED:
        return AuthenticationStatus.NOT_SUPPORTED, "ended"
    return (_ASKED, "fingerprint") if browser else (AuthenticationStatus.PENDING, "ready")


def _row(keys: Keys, merchant: str, given: AuthenticationRequest) -> dict[str, Any]:
    brand = brand_of(given.number)
    behavior = AUTHENTICATION.get(given.number, AuthenticationBehavior.FRICTIONLESS)
    if given.challenge_first and behavior == AuthenticationBehavior.FRICTIONLESS:
        behavior = AuthenticationBehavior.CHALLENGE
    status, step = _beginning(brand, browser=given.browser)
    return {
        "session_id": given.session_id,
        "card_hash": keys.of_card(merchant, given.number),
        "amount": given.amount.amount,
        "currency": given.amount.currency,
        "brand": brand,
        "behavior": behavior,
        "status": status,
        "step": step,
        "browser": given.browser,
        "server_trans_id": str(uuid.uuid4()),
        "directory_trans_id": str(uuid.uuid4()),
        "acs_trans_id": new_id("challenge"),
        "expires_at": clock.now() + LIFE,
    }


def _action(row: Row, page_url: str) -> dict[str, Any]:
    ours = {"three_ds_server_trans_id": row["server_trans_id"]}
    if row["step"] == "fingerprint":
        return {"type": "fingerprint", "fingerprint": {"three_ds_method_url": f"{page_url}/3ds/method", **ours}}
    asked = {"acs_url": f"{page_url}/3ds/challenge", "acs_trans_id": row["acs_trans_id"], **ours}
    return {"type": "challenge", "challenge": {**asked, "message_version": VERSION}}


def _proof(keys: Keys, row: Row) -> dict[str, str]:
    """What a merchant shows to prove it; a cryptogram only where the bank vouches for something."""
    proof = {"transaction_id": row["directory_trans_id"], "version": VERSION}
    if row["status"] not in _PROVEN:
        return proof
    facts = "|".join(str(row[name]) for name in ("id", "merchant", "card_hash", "amount", "currency", "status"))
    cryptogram = base64.b64encode(keys.cryptogram(facts)).decode()
    authenticated = row["status"] == AuthenticationStatus.AUTHENTICATED
    eci = ("02" if authenticated else "01") if row["brand"] == "mastercard" else ("05" if authenticated else "06")
    return {**proof, "electronic_commerce_indicator": eci, "three_ds_cryptogram": cryptogram}


def _same(given: Mapping[str, Any], proof: Mapping[str, str]) -> bool:
    return all(hmac.compare_digest(str(given.get(name, "")).encode(), proof[name].encode()) for name in proof)
