"""Money within a charge: captures of an authorization, and refunds. Each key moves money once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from engine.kit import clock
from engine.kit.idempotency import canonical_json
from engine.kit.money import Money
from engine.payments.errors import (
    AuthorizationExpired,
    CaptureExceedsAuthorization,
    RefundExceedsCapture,
    TokenRefused,
)
from engine.payments.gateways.sandbox import charges
from engine.payments.gateways.sandbox.cards import Behavior
from engine.payments.gateways.sandbox.charges import LATE_BY
from engine.payments.gateways.sandbox.store import Db, new_ref

_MOVE: Final = """
INSERT INTO sandbox.moves (key_hash, id, body_hash, charge_hash, merchant, payment_id, key, kind, amount, currency,
  final, status, created_at)
VALUES (%(key_hash)s, %(id)s, %(body_hash)s, %(charge)s, %(merchant)s, %(payment_id)s, %(key)s, %(kind)s, %(amount)s,
  %(currency)s, %(final)s, 'pending', %(now)s)
ON CONFLICT (key_hash) DO NOTHING RETURNING *
"""
Row = Mapping[str, Any]


def request_of(
    kind: str, *, key: str, key_hash: str, charge: str, merchant: str, payment_id: str, amount: Money, final: bool
) -> dict[str, Any]:
    """What is asked for, as a row to be."""
    body = [kind, payment_id, amount.amount, amount.currency, final]
    return {
        "kind": kind,
        "key": key,
        "key_hash": key_hash,
        "id": new_ref("re" if kind == "refund" else "ca"),
        "body_hash": hashlib.sha256(canonical_json(body)).hexdigest(),
        "charge": charge,
        "merchant": merchant,
        "payment_id": payment_id,
        "amount": amount.amount,
        "currency": amount.currency,
        "final": final,
        "now": clock.now(),
    }


def capture(db: Db, asked: Row) -> tuple[Row, Behavior | None]:
    """Take part of an authorization; the row and, when this call made it, how the card behaves."""
    with db.transaction():
        if (first := _begin(db, asked)) is not None:
            return first, None
        charge = _open_authorization(db, asked)
        behavior = Behavior(charge["behavior"])
        if behavior == Behavior.AUTHORIZED_REFUSED:
            return _end(db, asked, "failed", failure_code="card_declined"), behavior
        if behavior == Behavior.CAPTURE_LATE:
            db.execute(
                "UPDATE sandbox.charges SET capturing = capturing + %(amount)s WHERE key_hash = %(charge)s", asked
            )
            return _later(db, asked, "pending", outcome="succeeded"), behavior
        take(db, asked)
        return _end(db, asked, "succeeded"), behavior


def take(db: Db, asked: Row) -> None:
    """Book a capture that succeeded on its charge; the last one ends the authorization."""
    db.execute(
        "UPDATE sandbox.charges SET captured = captured + %(amount)s,"
        " status = CASE WHEN %(final)s OR captured + %(amount)s = amount THEN 'captured' ELSE status END,"
        " disputes_at = CASE WHEN behavior = 'dispute' THEN %(disputes_at)s END WHERE key_hash = %(charge)s",
        {**asked, "disputes_at": clock.now() + LATE_BY},
    )


def refund(db: Db, asked: Row) -> tuple[Row, Behavior | None]:
    """Give back what is left of a charge; the row and, when this call made it, how the card behaves."""
    with db.transaction():
        if (first := _begin(db, asked)) is not None:
            return first, None
        charge = db.execute(
            "UPDATE sandbox.charges SET refunded = refunded + %(amount)s WHERE key_hash = %(charge)s"
            " AND refunded + %(amount)s <= captured - disputed AND currency = %(currency)s RETURNING behavior",
            asked,
        ).fetchone()
        if charge is None:
            raise RefundExceedsCapture("More than was captured cannot be refunded.")
        behavior = Behavior(charge["behavior"])
        if behavior in {Behavior.REFUND_LATE, Behavior.REFUND_REFUSED}:
            outcome = "succeeded" if behavior == Behavior.REFUND_LATE else "failed"
            return _later(db, asked, "pending", outcome=outcome), behavior
        if behavior == Behavior.REFUND_FAILS:
            return _later(db, asked, "succeeded", outcome="failed"), behavior
        return _end(db, asked, "succeeded"), behavior


def find(db: Db, key_hash: str) -> Row | None:
    found: Row | None = db.execute("SELECT * FROM sandbox.moves WHERE key_hash = %s", (key_hash,)).fetchone()
    return found


def _begin(db: Db, asked: Row) -> Row | None:
    """Claim the key; the first answer when it was claimed before. Raises ``TokenRefused`` for another request."""
    if db.execute(_MOVE, asked).fetchone() is not None:
        return None
    first = find(db, asked["key_hash"])
    assert first is not None
    if first["body_hash"] not in {"", asked["body_hash"]}:
        raise TokenRefused("This key was used with another request.")
    return first


def _open_authorization(db: Db, asked: Row) -> Row:
    charge = charges.lock(db, asked["charge"])
    if charge is not None and charge["status"] in {"authorized", "voided"} and charge["expires_at"] <= clock.now():
        raise AuthorizationExpired("The authorization has lapsed.")
    open_ = charge is not None and charge["status"] == "authorized" and charge["currency"] == asked["currency"]
    if not open_ or charge is None or _left(db, charge) < asked["amount"]:
        raise CaptureExceedsAuthorization("There is not so much left of the authorization.")
    return charge


def _left(db: Db, charge: Row) -> int:
    """What may still be captured; nothing once a last capture is under way."""
    last = db.execute(
        "SELECT 1 FROM sandbox.moves WHERE charge_hash = %s AND kind = 'capture' AND final AND ends_at IS NOT NULL",
        (charge["key_hash"],),
    ).fetchone()
    return 0 if last else int(charge["amount"] - charge["captured"] - charge["capturing"])


def _end(db: Db, asked: Row, status: str, *, failure_code: str | None = None) -> Row:
    return _update(db, asked, status, failure_code=failure_code, ends_at=None, outcome=None)


def _later(db: Db, asked: Row, status: str, *, outcome: str) -> Row:
    return _update(db, asked, status, failure_code=None, ends_at=clock.now() + LATE_BY, outcome=outcome)


def _update(db: Db, asked: Row, status: str, **more: Any) -> Row:
    found: Row | None = db.execute(
        "UPDATE sandbox.moves SET status = %(status)s, failure_code = %(failure_code)s, ends_at = %(ends_at)s,"
        " outcome = %(outcome)s, settled_at = CASE WHEN %(status)s = 'pending' THEN NULL ELSE %(now)s END"
        " WHERE key_hash = %(key_hash)s RETURNING *",
        {**asked, **more, "status": status},
    ).fetchone()
    assert found is not None
    return found
