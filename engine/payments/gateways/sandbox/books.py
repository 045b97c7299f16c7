"""The gateway's own books: where each payment stands, and what was sent to the merchant's bank."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import groupby
from typing import Any, Final

from engine.kit import clock
from engine.payments.gateway import PayoutFacts, PayoutKind, PayoutLine, Standing
from engine.payments.gateways.sandbox.store import Db, new_ref

FEE_FIXED: Final = 30
FEE_PER_MILLE: Final = 29
_CLAIMS: Final = (
    (
        "UPDATE sandbox.charges SET payout_id = %(id)s WHERE {mine} AND payout_id IS NULL AND intent = 'capture'"
        " AND captured > 0 AND coalesce(captures_at, created_at) < %(before)s"
    ),
    (
        "UPDATE sandbox.moves SET payout_id = %(id)s WHERE {mine} AND payout_id IS NULL AND settled_at < %(before)s"
        " AND (status = 'succeeded' OR returned_at IS NOT NULL)"
    ),
    (
        "UPDATE sandbox.moves SET return_payout_id = %(id)s WHERE {mine} AND return_payout_id IS NULL"
        " AND returned_at < %(before)s AND payout_id IS NOT NULL"
    ),
    "UPDATE sandbox.disputes SET payout_id = %(id)s WHERE {mine} AND payout_id IS NULL AND opened_at < %(before)s",
    (
        "UPDATE sandbox.disputes SET won_payout_id = %(id)s WHERE {mine} AND won_payout_id IS NULL AND status = 'won'"
        " AND closed_at < %(before)s AND payout_id IS NOT NULL"
    ),
)
"""What goes into a payout, in this order: a thing is paid out before it is taken back."""
_LINES: Final = """
SELECT payout_id, 'charge' AS kind, payment_id AS reference, payment_id, captured AS amount,
  (captured * %(per_mille)s + 500) / 1000 + %(fixed)s AS fee
FROM sandbox.charges WHERE payout_id = ANY(%(ids)s)
UNION ALL
SELECT payout_id, CASE kind WHEN 'capture' THEN 'charge' ELSE 'refund' END, key, payment_id,
  CASE kind WHEN 'capture' THEN amount ELSE -amount END,
  CASE kind WHEN 'capture' THEN (amount * %(per_mille)s + 500) / 1000 + %(fixed)s ELSE 0 END
FROM sandbox.moves WHERE payout_id = ANY(%(ids)s)
UNION ALL
SELECT return_payout_id, 'adjustment', key, payment_id, amount, 0
FROM sandbox.moves WHERE return_payout_id = ANY(%(ids)s)
UNION ALL
SELECT payout_id, 'dispute', id, payment_id, -amount, fee FROM sandbox.disputes WHERE payout_id = ANY(%(ids)s)
UNION ALL
SELECT won_payout_id, 'dispute_won', id, payment_id, amount, 0
FROM sandbox.disputes WHERE won_payout_id = ANY(%(ids)s)
ORDER BY 1, 2, 3
"""


def standings(db: Db, merchant: str) -> dict[str, Standing]:
    rows = db.execute(
        "SELECT c.payment_id, currency, amount AS authorized, captured, refunded, disputed, d.disputed_at"
        " FROM sandbox.charges c LEFT JOIN (SELECT merchant, payment_id, max(coalesce(closed_at, opened_at))"
        " AS disputed_at FROM sandbox.disputes GROUP BY 1, 2) d"
        " ON d.merchant = c.merchant AND d.payment_id = c.payment_id"
        " WHERE c.merchant = %s AND status IN ('captured', 'authorized', 'voided')",
        (merchant,),
    ).fetchall()
    return {row.pop("payment_id"): Standing(**row) for row in rows}


def pay_out(db: Db, merchant: str, *, before: datetime) -> list[str]:
    """Send the merchant everything older than a moment, a payout for each currency; returns their ids."""
    with db.transaction():
        db.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (f"payout:{merchant}",))
        rows = db.execute("SELECT DISTINCT currency FROM sandbox.charges WHERE merchant = %s", (merchant,)).fetchall()
        made = [_pay_out(db, merchant, row["currency"], before) for row in sorted(rows, key=lambda r: r["currency"])]
    return [payout_id for payout_id in made if payout_id]


def payouts(db: Db, merchant: str, *, since: datetime) -> list[PayoutFacts]:
    rows = db.execute(
        "SELECT id, currency, amount, paid_at FROM sandbox.payouts WHERE merchant = %s AND paid_at >= %s"
        " ORDER BY paid_at, id",
        (merchant, since),
    ).fetchall()
    lines = _lines(db, [row["id"] for row in rows])
    return [
        PayoutFacts(row["id"], row["currency"], row["amount"], row["paid_at"], lines.get(row["id"], ())) for row in rows
    ]


def _pay_out(db: Db, merchant: str, currency: str, before: datetime) -> str | None:
    given: dict[str, Any] = {"id": new_ref("po"), "merchant": merchant, "currency": currency, "before": before}
    mine = "merchant = %(merchant)s AND currency = %(currency)s"
    claimed = sum(db.execute(claim.format(mine=mine), given).rowcount for claim in _CLAIMS)
    if not claimed:
        return None
    amount = sum(line.amount - line.fee for line in _lines(db, [given["id"]])[given["id"]])
    db.execute(
        "INSERT INTO sandbox.payouts (id, merchant, currency, amount, paid_at)"
        " VALUES (%(id)s, %(merchant)s, %(currency)s, %(amount)s, %(now)s)",
        given | {"amount": amount, "now": clock.now()},
    )
    return str(given["id"])


def _lines(db: Db, ids: list[str]) -> Mapping[str, tuple[PayoutLine, ...]]:
    rows = db.execute(_LINES, {"ids": ids, "per_mille": FEE_PER_MILLE, "fixed": FEE_FIXED}).fetchall()
    return {
        payout_id: tuple(
            PayoutLine(PayoutKind(r["kind"]), r["reference"], r["payment_id"], r["amount"], r["fee"]) for r in group
        )
        for payout_id, group in groupby(rows, key=lambda row: row["payout_id"])
    }
