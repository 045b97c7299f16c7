"""The gateway's rows in the words of the port, and its events as they go over the wire: signed, and read again."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from engine.kit import clock
from engine.kit.errors import Unauthenticated
from engine.kit.idempotency import canonical_json
from engine.kit.money import Money
from engine.payments.gateway import (
    Charge,
    ChargeStatus,
    DisputeFacts,
    DisputeStatus,
    EventKind,
    GatewayEvent,
    MethodKind,
    Move,
    MoveStatus,
    TokenFacts,
)
from engine.payments.naming import method_label

SIGNATURE: Final = "sandbox-signature"
TOLERANCE: Final = timedelta(minutes=5)
Row = Mapping[str, Any]


def charge_of(row: Row, challenge_url: str | None = None) -> Charge:
    """An authorization whose time is over counts as let go; what was taken of it stays taken."""
    status = ChargeStatus(row["status"])
    if status == ChargeStatus.AUTHORIZED and row["expires_at"] <= clock.now():
        status = ChargeStatus.CAPTURED if row["captured"] else ChargeStatus.VOIDED
    amount = row["captured"] if status == ChargeStatus.CAPTURED else row["amount"]
    money = None if status == ChargeStatus.CANCELED else Money(amount, row["currency"])
    return Charge(
        row["payment_id"], status, row["id"], money, row["decline_code"], challenge_url, expires_at=row["expires_at"]
    )


def token_of(row: Row) -> TokenFacts:
    """What may be told of a token, used up or not."""
    return TokenFacts(
        usable=row["status"] == "live" and row["expires_at"] > clock.now(),
        kind=MethodKind(row["kind"]),
        brand=row["brand"],
        last4=row["last4"],
        label=method_label(row["brand"], row["last4"], wallet=row["wallet"]),
        maximum=Money(row["max_amount"], row["currency"]),
        expires_at=row["expires_at"],
        review=row["review"],
    )


def move_of(row: Row) -> Move:
    amount = Money(row["amount"], row["currency"])
    return Move(row["key"], MoveStatus(row["status"]), row["id"], amount, row["failure_code"])


def dispute_of(row: Row) -> DisputeFacts:
    return DisputeFacts(
        gateway_id=row["id"],
        payment_id=row["payment_id"],
        status=DisputeStatus(row["status"]),
        amount=Money(row["amount"], row["currency"]),
        fee=row["fee"],
        reason=row["reason"],
        evidence_due_at=row["evidence_due_at"],
    )


def event_body(kind: EventKind, row: Row) -> dict[str, Any]:
    """What an event of this kind tells of its row."""
    parts: Mapping[EventKind, tuple[str, ...]] = {
        EventKind.CHARGE: ("id", "status", "amount", "captured", "currency", "decline_code", "expires_at"),
        EventKind.CAPTURE: ("id", "key", "status", "amount", "currency", "failure_code"),
        EventKind.REFUND: ("id", "key", "status", "amount", "currency", "failure_code"),
        EventKind.DISPUTE: ("id", "status", "amount", "fee", "currency", "reason", "evidence_due_at"),
    }
    told = {name: _plain(row[name]) for name in parts[kind]}
    return {"kind": kind, "merchant": row["merchant"], "payment_id": row["payment_id"], "about": told}


def sign(key: bytes, body: Mapping[str, Any]) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a webhook sent now."""
    raw = canonical_json(body)
    moment = str(int(clock.now().timestamp()))
    return raw, {SIGNATURE: f"t={moment},v1={_signature(key, moment, raw)}"}


def read(key: bytes, body: bytes, headers: Mapping[str, str]) -> GatewayEvent:
    """The event in a webhook. Raises ``Unauthenticated`` for a signature that is wrong, or older than five minutes."""
    parts = dict(part.partition("=")[::2] for part in headers.get(SIGNATURE, "").split(","))
    moment, given = parts.get("t", ""), parts.get("v1", "")
    if not hmac.compare_digest(given.encode(), _signature(key, moment, body).encode()):
        raise Unauthenticated("The webhook's signature does not match.")
    if abs(clock.now().timestamp() - int(moment)) > TOLERANCE.total_seconds():
        raise Unauthenticated("The webhook is too old.")
    return _event(json.loads(body))


def _event(told: Row) -> GatewayEvent:
    kind = EventKind(told["kind"])
    about = told["about"] | {"payment_id": told["payment_id"]}
    for name in ("expires_at", "evidence_due_at"):
        if about.get(name):
            about[name] = datetime.fromisoformat(about[name])
    return GatewayEvent(
        id=told["id"],
        kind=kind,
        merchant=told["merchant"],
        occurred_at=datetime.fromisoformat(told["occurred_at"]),
        payment_id=told["payment_id"],
        charge=charge_of(about) if kind == EventKind.CHARGE else None,
        move=move_of(about) if kind in {EventKind.CAPTURE, EventKind.REFUND} else None,
        dispute=dispute_of(about) if kind == EventKind.DISPUTE else None,
    )


def _signature(key: bytes, moment: str, body: bytes) -> str:
    return hmac.new(key, moment.encode() + b"." + body, hashlib.sha256).hexdigest()


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
