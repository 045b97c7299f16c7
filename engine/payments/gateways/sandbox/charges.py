"""Taking money: the token and the charge in one statement, so that a charge costs one round trip and one commit."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from psycopg.errors import DivisionByZero

from engine.kit import clock
from engine.kit.idempotency import canonical_json
from engine.payments.errors import TokenRefused
from engine.payments.gateway import CaptureRequest
from engine.payments.gateways.sandbox.cards import REFUSED, Behavior
from engine.payments.gateways.sandbox.store import Db, new_ref

LATE_BY: Final = timedelta(seconds=4)
AUTHORIZED_FOR: Final = timedelta(days=7)
ANSWER_LOST: Final = frozenset({Behavior.TIMEOUT_AFTER_CAPTURE, Behavior.CAPTURE_LATE})
_CHARGE: Final = """
WITH token AS (
  UPDATE sandbox.tokens
  SET status = CASE WHEN behavior = 'challenge' AND NOT authenticated THEN status ELSE 'consumed' END,
    number_sealed = CASE WHEN behavior = 'challenge' AND NOT authenticated THEN number_sealed END,
    failed = behavior = ANY(%(refused)s)
  WHERE id = %(token)s AND status = 'live' AND merchant = %(merchant)s AND session_id = %(session_id)s
    AND currency = %(currency)s AND max_amount >= %(amount)s AND expires_at > %(now)s
    AND NOT EXISTS (SELECT FROM sandbox.charges WHERE key_hash = %(key_hash)s)
  RETURNING behavior, authenticated, challenge_id),
outcome AS (
  SELECT token.behavior AS taken, coalesce(token.behavior, 'approve') AS behavior, token.challenge_id,
    CASE WHEN token.behavior IS NULL THEN 'token_invalid'
      WHEN token.behavior = ANY(%(refused)s) THEN token.behavior
      WHEN token.behavior = 'challenge' AND NOT token.authenticated THEN 'authentication_required'
    END AS decline_code
  FROM (SELECT) AS one LEFT JOIN token ON true),
made AS (
  INSERT INTO sandbox.charges (key_hash, id, body_hash, merchant, payment_id, session_id, amount, currency, intent,
    behavior, status, decline_code, captured, captures_at, expires_at, disputes_at, created_at)
  SELECT %(key_hash)s, %(id)s, %(body_hash)s, %(merchant)s, %(payment_id)s, %(session_id)s, %(amount)s, %(currency)s,
    %(intent)s, behavior,
    CASE WHEN decline_code IS NOT NULL THEN 'declined' WHEN behavior = 'capture_late' THEN 'pending'
      ELSE %(done)s END,
    decline_code,
    CASE WHEN decline_code IS NULL AND behavior <> 'capture_late' AND %(intent)s = 'capture' THEN %(amount)s ELSE 0 END,
    CASE WHEN decline_code IS NULL AND behavior = 'capture_late' THEN %(late)s::timestamptz END,
    CASE WHEN decline_code IS NULL THEN %(until)s::timestamptz END,
    CASE WHEN decline_code IS NULL AND behavior = 'dispute' AND %(intent)s = 'capture' THEN %(late)s::timestamptz END,
    %(now)s
  FROM outcome
  ON CONFLICT (key_hash) DO NOTHING RETURNING *)
SELECT made.*, outcome.challenge_id,
  1 / CASE WHEN made.key_hash IS NULL AND outcome.taken IS NOT NULL THEN 0 ELSE 1 END AS whole
FROM outcome LEFT JOIN made ON true
"""
"""A token used up for a charge that another request made meanwhile: the division fails, and nothing has happened."""
_BLANK: Final = """
INSERT INTO sandbox.charges (key_hash, id, body_hash, merchant, payment_id, session_id, amount, currency, status,
  decline_code)
VALUES (%(key_hash)s, %(id)s, '', %(merchant)s, %(payment_id)s, '', 0, 'XXX', 'canceled', 'canceled')
ON CONFLICT (key_hash) DO NOTHING RETURNING *
"""


def charge(db: Db, request: CaptureRequest, *, key_hash: str, intent: str) -> tuple[Mapping[str, Any], bool]:
    """Make the charge; the row, and whether this call made it (a repeat finds the first one).

    Raises ``TokenRefused`` when the key was used with another request.
    """
    now = clock.now()
    row = {
        "key_hash": key_hash,
        "id": new_ref("ch"),
        "body_hash": _body_hash(request, intent),
        "merchant": request.merchant,
        "payment_id": request.payment_id,
        "session_id": request.session_id,
        "token": request.token,
        "amount": request.amount.amount,
        "currency": request.amount.currency,
        "intent": intent,
        "done": "captured" if intent == "capture" else "authorized",
        "refused": list(REFUSED),
        "now": now,
        "late": now + LATE_BY,
        "until": now + AUTHORIZED_FOR if intent == "authorize" else None,
    }
    try:
        made = db.execute(_CHARGE, row).fetchone()
    except DivisionByZero:
        made = None
    if made is not None and made["key_hash"] is not None:
        return made, True
    return _first(db, row), False


def find(db: Db, key_hash: str) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None = db.execute(
        "SELECT * FROM sandbox.charges WHERE key_hash = %s", (key_hash,)
    ).fetchone()
    return found


def lock(db: Db, key_hash: str) -> Mapping[str, Any] | None:
    """The charge, held for the transaction that is open."""
    found: Mapping[str, Any] | None = db.execute(
        "SELECT * FROM sandbox.charges WHERE key_hash = %s FOR UPDATE", (key_hash,)
    ).fetchone()
    return found


def let_go(db: Db, *, key_hash: str, merchant: str, payment_id: str) -> Mapping[str, Any]:
    """Make sure that nothing more is taken: never heard of or undecided → canceled, authorized → voided, or captured
    at what was taken. What is decided otherwise stays. An authorization that is being captured is left as it is.
    """
    row = {"key_hash": key_hash, "id": new_ref("ch"), "merchant": merchant, "payment_id": payment_id}
    with db.transaction():
        made: Mapping[str, Any] | None = db.execute(_BLANK, row).fetchone()
        if made is not None:
            return made
        found: Mapping[str, Any] | None = db.execute(
            "UPDATE sandbox.charges SET captures_at = NULL,"
            " status = CASE WHEN status = 'pending' THEN 'canceled' WHEN captured > 0 THEN 'captured'"
            " ELSE 'voided' END,"
            " decline_code = CASE WHEN status = 'pending' THEN 'canceled' END"
            " WHERE key_hash = %(key_hash)s AND (status = 'pending' OR (status = 'authorized' AND capturing = 0))"
            " RETURNING *",
            row,
        ).fetchone()
        found = found or find(db, key_hash)
    assert found is not None
    return found


def _first(db: Db, row: Mapping[str, Any]) -> Mapping[str, Any]:
    found = find(db, row["key_hash"])
    assert found is not None
    if found["status"] != "canceled" and found["body_hash"] != row["body_hash"]:
        raise TokenRefused("This payment id was used with another request.")
    return found


def _body_hash(request: CaptureRequest, intent: str) -> str:
    body = [request.merchant, request.session_id, request.token, request.amount.amount, request.amount.currency]
    return hashlib.sha256(canonical_json(body if intent == "capture" else [*body, intent])).hexdigest()
