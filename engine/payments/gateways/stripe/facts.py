"""Stripe's objects in the port's words. Pure: what is read here is all that we read of Stripe."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from engine.kit.money import Money
from engine.payments.gateway import (
    Charge,
    ChargeStatus,
    DisputeFacts,
    DisputeStatus,
    Move,
    MoveStatus,
    PayoutFacts,
    PayoutKind,
    PayoutLine,
)

Json = Mapping[str, Any]
PaymentOf = Callable[[str], str | None]
"""Stripe's intent id → our payment id."""

DECLINE_CODES: Final = {
    "insufficient_funds": "insufficient_funds",
    "expired_card": "expired_card",
    "incorrect_cvc": "incorrect_cvc",
    "invalid_cvc": "incorrect_cvc",
    "authentication_required": "authentication_required",
    "payment_intent_authentication_failure": "authentication_required",
}
"""Stripe's decline code or error code → ours; any other is ``card_declined``."""
_LAPSED: Final = frozenset({"automatic", "expired"})
_REFUNDS: Final = {
    "pending": MoveStatus.PENDING,
    "requires_action": MoveStatus.PENDING,
    "succeeded": MoveStatus.SUCCEEDED,
    "failed": MoveStatus.FAILED,
    "canceled": MoveStatus.FAILED,
}
_DISPUTES: Final = {
    "needs_response": DisputeStatus.NEEDS_RESPONSE,
    "under_review": DisputeStatus.UNDER_REVIEW,
    "won": DisputeStatus.WON,
    "prevented": DisputeStatus.WON,
    "lost": DisputeStatus.LOST,
    "appeal_needs_response": DisputeStatus.LOST,
    "appeal_under_review": DisputeStatus.LOST,
}
"""Stripe's inquiries (``warning_…``) take no money: they are not chargebacks and have no place in the books. An appeal
follows a loss: the money stays taken until it is won.
"""


def decline_code(code: str, bank_code: str) -> str:
    """A decline in our words."""
    return DECLINE_CODES.get(bank_code) or DECLINE_CODES.get(code) or "card_declined"


def money(amount: int, currency: str) -> Money:
    """Stripe counts in the smallest unit too, and writes currencies in lower case."""
    return Money(amount, currency.upper())


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)


def charge(key: str, intent: Json) -> Charge | None:
    """What became of a payment; ``None`` while nothing was decided that could not be started again."""
    status, received = intent["status"], intent["amount_received"]

    def so(found: ChargeStatus, amount: int, **more: Any) -> Charge:
        return Charge(key, found, intent["id"], money(amount, intent["currency"]), **more)

    if status == "succeeded" or (status == "canceled" and received):
        return so(ChargeStatus.CAPTURED, received)
    if status == "requires_capture":
        return so(ChargeStatus.AUTHORIZED, intent["amount"], expires_at=_lapses_at(intent))
    if status == "canceled":
        return _canceled(key, intent)
    if status == "processing":
        return so(ChargeStatus.PENDING, intent["amount"])
    problem = intent.get("last_payment_error")
    if status == "requires_payment_method" and problem:
        code = decline_code(problem.get("code") or "", problem.get("decline_code") or "")
        return so(ChargeStatus.DECLINED, intent["amount"], decline_code=code)
    return None


def challenge_url(intent: Json) -> str | None:
    """Where the card's holder proves who they are, while Stripe waits for it."""
    action = intent.get("next_action") or {}
    return (action.get("redirect_to_url") or {}).get("url") if intent["status"] == "requires_action" else None


def lapsed(intent: Json) -> bool:
    """Whether an authorization ended by itself."""
    return intent["status"] == "canceled" and intent.get("cancellation_reason") in _LAPSED


def many_captures(intent: Json) -> bool:
    """Whether this very card and account may be captured more than once."""
    return ((_card(intent).get("multicapture") or {}).get("status")) == "available"


def capture(key: str, intent: Json) -> Move | None:
    """A capture of ours: its id and amount were written into the intent by the call that captured."""
    amount = (intent.get("metadata") or {}).get(key)
    if amount is None:
        return None
    return Move(key, MoveStatus.SUCCEEDED, _charge_id(intent), money(int(amount), intent["currency"]))


def refund(row: Json) -> Move:
    """A refund; its key is our refund id, or Stripe's for one that was made elsewhere."""
    key = (row.get("metadata") or {}).get("refund_id") or row["id"]
    status = _REFUNDS.get(row.get("status") or "", MoveStatus.PENDING)
    failure = row.get("failure_reason") if status == MoveStatus.FAILED else None
    return Move(key, status, row["id"], money(row["amount"], row["currency"]), failure)


def dispute(row: Json, payment_id: str) -> DisputeFacts | None:
    """A chargeback; ``None`` for an inquiry."""
    status = _DISPUTES.get(row["status"])
    if status is None:
        return None
    due = (row.get("evidence_details") or {}).get("due_by")
    return DisputeFacts(
        gateway_id=row["id"],
        payment_id=payment_id,
        status=status,
        amount=money(row["amount"], row["currency"]),
        fee=max(0, sum(txn["fee"] for txn in row.get("balance_transactions") or ())),
        reason=row["reason"],
        evidence_due_at=moment(due) if due else None,
    )


def payout(row: Json, transactions: Iterable[Json], payment_of: PaymentOf) -> PayoutFacts:
    """A payout with its lines. One that was asked for by hand has no lines at Stripe: it gets a single one."""
    lines = tuple(_line(txn, payment_of) for txn in transactions if txn["type"] not in {"payout", "payout_failure"})
    if not lines:
        lines = (PayoutLine(PayoutKind.ADJUSTMENT, row["id"], "", row["amount"], 0),)
    return PayoutFacts(row["id"], row["currency"].upper(), row["amount"], moment(row["arrival_date"]), lines)


def _line(txn: Json, payment_of: PaymentOf) -> PayoutLine:
    source = txn["source"] if isinstance(txn.get("source"), Mapping) else {}
    known = source.get("metadata") or {}
    kind = _kind(txn)
    payment_id = known.get("payment_id") or payment_of(source.get("payment_intent") or "") or ""
    reference = {
        PayoutKind.CHARGE: payment_id,
        PayoutKind.REFUND: known.get("refund_id"),
    }.get(kind)
    fee = txn["fee"]
    return PayoutLine(
        kind=kind,
        reference=reference or source.get("id") or txn["id"],
        payment_id=payment_id,
        amount=txn["amount"] - min(0, fee),
        fee=max(0, fee),
    )


def _kind(txn: Json) -> PayoutKind:
    category = txn.get("reporting_category")
    named = {"dispute": PayoutKind.DISPUTE, "dispute_reversal": PayoutKind.DISPUTE_WON, "charge": PayoutKind.CHARGE}
    if category in {"refund", "partial_capture_reversal"}:
        return PayoutKind.REFUND if txn["type"] in {"refund", "payment_refund"} else PayoutKind.ADJUSTMENT
    return named.get(category or "", PayoutKind.ADJUSTMENT)


def _canceled(key: str, intent: Json) -> Charge:
    """Let go after it was authorized, or never taken at all."""
    held = intent.get("latest_charge") and not intent.get("last_payment_error")
    if not held:
        return Charge(key, ChargeStatus.CANCELED, intent["id"], decline_code="canceled")
    return Charge(key, ChargeStatus.VOIDED, intent["id"], money(intent["amount"], intent["currency"]))


def _lapses_at(intent: Json) -> datetime | None:
    before = _card(intent).get("capture_before")
    return moment(before) if before else None


def _card(intent: Json) -> Json:
    latest = intent.get("latest_charge")
    if not isinstance(latest, Mapping):
        return {}
    details: Json = (latest.get("payment_method_details") or {}).get("card") or {}
    return details


def _charge_id(intent: Json) -> str:
    latest = intent.get("latest_charge")
    return str(latest["id"] if isinstance(latest, Mapping) else latest or intent["id"])
