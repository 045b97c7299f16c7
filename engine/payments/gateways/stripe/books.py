"""What Stripe's books say of a merchant: for reconciliation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from engine.payments.gateway import DisputeStatus, PayoutFacts, Standing
from engine.payments.gateways.stripe import facts
from engine.payments.gateways.stripe.calls import Calls, Json
from engine.payments.gateways.stripe.facts import PaymentOf

_TAKEN = frozenset({DisputeStatus.NEEDS_RESPONSE, DisputeStatus.UNDER_REVIEW, DisputeStatus.LOST})


def standings(calls: Calls, merchant: str) -> Mapping[str, Standing]:
    """Payment id → its sums. Reads every intent, refund and dispute of the account, a hundred at a time."""
    disputes = [row for row in calls.disputes() if row.get("payment_intent")]
    refunded, disputed, last = _refunded(calls), _disputed(disputes), _last(disputes)
    found: dict[str, Standing] = {}
    for intent in calls.intents():
        known = intent.get("metadata") or {}
        if known.get("merchant") != merchant or not known.get("payment_id"):
            continue
        if not _was_authorized(intent):
            continue
        found[known["payment_id"]] = Standing(
            currency=intent["currency"].upper(),
            authorized=intent["amount"],
            captured=intent["amount_received"],
            refunded=refunded[intent["id"]],
            disputed=disputed[intent["id"]],
            disputed_at=last.get(intent["id"]),
        )
    return found


def payouts(calls: Calls, since: datetime, payment_of: PaymentOf) -> list[PayoutFacts]:
    """Payouts that arrived since then, oldest first."""
    rows = list(calls.payouts(int(since.timestamp())))
    found = [facts.payout(row, _transactions(calls, row), payment_of) for row in rows]
    return sorted(found, key=lambda payout: (payout.paid_at, payout.gateway_id))


def _transactions(calls: Calls, payout: Json) -> list[Json]:
    """Stripe tells the lines of its automatic payouts alone."""
    return list(calls.payout_transactions(payout["id"])) if payout["automatic"] else []


def _refunded(calls: Calls) -> Counter[str]:
    sums: Counter[str] = Counter()
    for row in calls.refunds():
        if row.get("status") not in {"failed", "canceled"} and row.get("payment_intent"):
            sums[row["payment_intent"]] += row["amount"]
    return sums


def _disputed(disputes: Sequence[Json]) -> Counter[str]:
    sums: Counter[str] = Counter()
    for row in disputes:
        told = facts.dispute(row, "")
        if told and told.status in _TAKEN:
            sums[row["payment_intent"]] += row["amount"]
    return sums


def _last(disputes: Sequence[Json]) -> dict[str, datetime]:
    """When money of each intent last moved because of a dispute."""
    last: dict[str, int] = {}
    for row in disputes:
        moved = [row["created"], *(one["created"] for one in row.get("balance_transactions") or [] if "created" in one)]
        last[row["payment_intent"]] = max([last.get(row["payment_intent"], 0), *moved])
    return {intent: datetime.fromtimestamp(moment, UTC) for intent, moment in last.items()}


def _was_authorized(intent: Json) -> bool:
    latest = intent.get("latest_charge")
    return bool(intent["amount_received"]) or (isinstance(latest, Mapping) and latest.get("status") == "succeeded")
