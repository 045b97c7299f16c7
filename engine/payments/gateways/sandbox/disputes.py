"""Disputes: a card's holder takes money back, the merchant may answer once, and the bank decides."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from engine.kit import clock
from engine.kit.errors import NotFound
from engine.payments.errors import EvidenceTooLate
from engine.payments.gateways.sandbox import charges
from engine.payments.gateways.sandbox.charges import LATE_BY
from engine.payments.gateways.sandbox.store import Db, new_ref

FEE: Final = 1500
ANSWER_WITHIN: Final = timedelta(days=7)
VERDICTS: Final = {"winning_evidence": "won", "losing_evidence": "lost"}
"""Words in any part of the evidence that decide a dispute some seconds later."""
Row = Mapping[str, Any]


def open_dispute(db: Db, charge_hash: str, *, amount: int | None, reason: str) -> Row:
    """Take ``amount`` (all that is left) of a charge back. Raises ``NotFound`` when there is not so much.

    Needs an open transaction.
    """
    charge = charges.lock(db, charge_hash)
    left = charge["captured"] - charge["refunded"] - charge["disputed"] if charge else 0
    taken = left if amount is None else amount
    if charge is None or not 0 < taken <= left:
        raise NotFound("There is nothing to dispute.")
    now = clock.now()
    db.execute(
        "UPDATE sandbox.charges SET disputed = disputed + %s, disputes_at = NULL WHERE key_hash = %s",
        (taken, charge_hash),
    )
    row = {
        "id": new_ref("du"),
        "charge": charge_hash,
        "merchant": charge["merchant"],
        "payment_id": charge["payment_id"],
        "amount": taken,
        "fee": FEE,
        "currency": charge["currency"],
        "reason": reason,
        "due": now + ANSWER_WITHIN,
        "now": now,
    }
    made: Row | None = db.execute(
        "INSERT INTO sandbox.disputes (id, charge_hash, merchant, payment_id, amount, fee, currency, reason, status,"
        " evidence_due_at, opened_at) VALUES (%(id)s, %(charge)s, %(merchant)s, %(payment_id)s, %(amount)s, %(fee)s,"
        " %(currency)s, %(reason)s, 'needs_response', %(due)s, %(now)s) RETURNING *",
        row,
    ).fetchone()
    assert made is not None
    return made


def answer(db: Db, dispute_id: str, *, merchant: str, evidence: Mapping[str, str], key_hash: str) -> tuple[Row, bool]:
    """Take the merchant's evidence, once; the row, and whether this call brought it.

    Raises ``NotFound``, ``EvidenceTooLate``.
    """
    found = _lock(db, dispute_id)
    if found is None or found["merchant"] != merchant:
        raise NotFound("There is no such dispute.")
    if found["evidence_key_hash"] == key_hash:
        return found, False
    if found["status"] != "needs_response" or found["evidence_due_at"] <= clock.now():
        raise EvidenceTooLate("This dispute takes no more evidence.")
    verdict = next((VERDICTS[text] for text in evidence.values() if text in VERDICTS), None)
    row: Row | None = db.execute(
        "UPDATE sandbox.disputes SET status = 'under_review', evidence = %(evidence)s, evidence_key_hash = %(key)s,"
        " outcome = %(verdict)s, decides_at = CASE WHEN %(verdict)s::text IS NOT NULL THEN %(then)s::timestamptz END"
        " WHERE id = %(id)s RETURNING *",
        {
            "id": dispute_id,
            "evidence": json.dumps(dict(evidence)),
            "key": key_hash,
            "verdict": verdict,
            "then": clock.now() + LATE_BY,
        },
    ).fetchone()
    assert row is not None
    return row, True


def decide(db: Db, dispute_id: str, *, won: bool) -> Row | None:
    """The bank's word; ``None`` when it was given before. A won dispute's money comes back."""
    found = _lock(db, dispute_id)
    if found is None or found["closed_at"] is not None:
        return None
    if won:
        db.execute(
            "UPDATE sandbox.charges SET disputed = disputed - %(amount)s WHERE key_hash = %(charge_hash)s", found
        )
    row: Row | None = db.execute(
        "UPDATE sandbox.disputes SET status = %s, closed_at = %s, decides_at = NULL WHERE id = %s RETURNING *",
        ("won" if won else "lost", clock.now(), dispute_id),
    ).fetchone()
    return row


def _lock(db: Db, dispute_id: str) -> Row | None:
    """The dispute, after its charge: always in this order."""
    charge = db.execute("SELECT charge_hash FROM sandbox.disputes WHERE id = %s", (dispute_id,)).fetchone()
    if charge is None:
        return None
    charges.lock(db, charge["charge_hash"])
    found: Row | None = db.execute("SELECT * FROM sandbox.disputes WHERE id = %s FOR UPDATE", (dispute_id,)).fetchone()
    return found
