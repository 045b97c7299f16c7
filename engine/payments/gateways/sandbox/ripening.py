"""What happens at the gateway by itself when its time has come: late answers, failed refunds, disputes, verdicts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from engine.kit import clock
from engine.payments.gateway import EventKind
from engine.payments.gateways.sandbox import disputes, moves
from engine.payments.gateways.sandbox.charges import AUTHORIZED_FOR
from engine.payments.gateways.sandbox.store import Db, new_ref
from engine.payments.gateways.sandbox.words import event_body

RESEND: Final = timedelta(seconds=10)
"""A webhook that was handed out and not confirmed is handed out again after this."""
_BATCH: Final = 100
_DUE: Final = (
    "SELECT EXISTS (SELECT FROM sandbox.charges WHERE captures_at <= %(now)s AND notified_at IS NULL)"
    " OR EXISTS (SELECT FROM sandbox.charges WHERE disputes_at <= %(now)s)"
    " OR EXISTS (SELECT FROM sandbox.moves WHERE ends_at <= %(now)s)"
    " OR EXISTS (SELECT FROM sandbox.disputes WHERE decides_at <= %(now)s)"
    " OR EXISTS (SELECT FROM sandbox.disputes WHERE evidence_due_at <= %(now)s AND status = 'needs_response') AS due"
)
Row = Mapping[str, Any]


def ripen(db: Db) -> None:
    """Let everything happen whose time has come, and note an event for each."""
    now = clock.now()
    found = db.execute(_DUE, {"now": now}).fetchone()
    if found is None or not found["due"]:
        return
    with db.transaction():
        for row in _late_charges(db, now):
            tell(db, EventKind.CHARGE, row)
        for row in _due(db, "moves", "key_hash", "ends_at <= %(now)s", now):
            _end_move(db, row)
        for row in _due(db, "charges", "key_hash", "disputes_at <= %(now)s", now):
            _open(db, row)
        for row in _due(db, "disputes", "id", "decides_at <= %(now)s", now):
            _decide(db, row["id"], won=row["outcome"] == "won")
        for row in _due(db, "disputes", "id", "evidence_due_at <= %(now)s AND status = 'needs_response'", now):
            _decide(db, row["id"], won=False)


def tell(db: Db, kind: EventKind, row: Row) -> None:
    """Note an event to be sent to the merchant."""
    occurred_at = clock.now()
    body = event_body(kind, row) | {"id": new_ref("evt"), "occurred_at": occurred_at.isoformat()}
    db.execute(
        "INSERT INTO sandbox.events (id, merchant, body, occurred_at) VALUES (%s, %s, %s, %s)",
        (body["id"], row["merchant"], json.dumps(body), occurred_at),
    )


def to_send(db: Db, merchant: str | None) -> list[Row]:
    """Events that nobody has confirmed, handed out now; each again after a while until it is confirmed."""
    now = clock.now()
    rows = db.execute(
        "UPDATE sandbox.events SET handed_at = %(now)s WHERE id IN (SELECT id FROM sandbox.events"
        " WHERE delivered_at IS NULL AND (handed_at IS NULL OR handed_at <= %(again)s)"
        " AND (%(merchant)s::text IS NULL OR merchant = %(merchant)s) ORDER BY occurred_at"
        " LIMIT 100 FOR UPDATE SKIP LOCKED) RETURNING id, merchant, body, occurred_at",
        {"now": now, "again": now - RESEND, "merchant": merchant},
    ).fetchall()
    return sorted(rows, key=lambda row: (row["occurred_at"], row["id"]))


def confirm(db: Db, event_id: str) -> None:
    """The merchant has it."""
    db.execute("UPDATE sandbox.events SET delivered_at = %s WHERE id = %s", (clock.now(), event_id))


def _due(db: Db, table: str, key: str, when: str, now: datetime) -> list[Row]:
    """Rows that are due and that nobody else is at."""
    query = f"SELECT * FROM sandbox.{table} WHERE {when} ORDER BY {key} LIMIT {_BATCH}"  # noqa: S608 (our own)
    return db.execute(f"{query} FOR UPDATE SKIP LOCKED", {"now": now}).fetchall()


def _late_charges(db: Db, now: datetime) -> list[Row]:
    return db.execute(
        "UPDATE sandbox.charges SET notified_at = %(now)s,"
        " status = CASE intent WHEN 'capture' THEN 'captured' ELSE 'authorized' END,"
        " captured = CASE intent WHEN 'capture' THEN amount ELSE 0 END,"
        " expires_at = CASE intent WHEN 'authorize' THEN captures_at + %(life)s END"
        " WHERE key_hash IN (SELECT key_hash FROM sandbox.charges WHERE captures_at <= %(now)s AND notified_at IS NULL"
        " AND status = 'pending' FOR UPDATE SKIP LOCKED) RETURNING *",
        {"now": now, "life": AUTHORIZED_FOR},
    ).fetchall()


def _end_move(db: Db, row: Row) -> None:
    """A move's late end: book it on its charge and tell."""
    asked = {**row, "charge": row["charge_hash"]}
    succeeded = row["outcome"] == "succeeded"
    if row["kind"] == "capture":
        freed = "UPDATE sandbox.charges SET capturing = capturing - %(amount)s WHERE key_hash = %(charge)s"
        db.execute(freed, asked)
        if succeeded:
            moves.take(db, asked)
    elif not succeeded:
        db.execute("UPDATE sandbox.charges SET refunded = refunded - %(amount)s WHERE key_hash = %(charge)s", asked)
    ended = db.execute(
        "UPDATE sandbox.moves SET ends_at = NULL, status = outcome, settled_at = coalesce(settled_at, ends_at),"
        " failure_code = CASE WHEN outcome = 'failed' THEN 'returned_by_bank' END,"
        " returned_at = CASE WHEN status = 'succeeded' AND outcome = 'failed' THEN ends_at END"
        " WHERE key_hash = %(key_hash)s RETURNING *",
        asked,
    ).fetchone()
    assert ended is not None
    tell(db, EventKind.REFUND if row["kind"] == "refund" else EventKind.CAPTURE, ended)


def _open(db: Db, charge: Row) -> None:
    if charge["captured"] - charge["refunded"] - charge["disputed"] > 0:
        opened = disputes.open_dispute(db, charge["key_hash"], amount=None, reason="fraudulent")
        tell(db, EventKind.DISPUTE, opened)
    else:
        db.execute("UPDATE sandbox.charges SET disputes_at = NULL WHERE key_hash = %(key_hash)s", charge)


def _decide(db: Db, dispute_id: str, *, won: bool) -> None:
    decided = disputes.decide(db, dispute_id, won=won)
    if decided is not None:
        tell(db, EventKind.DISPUTE, decided)
