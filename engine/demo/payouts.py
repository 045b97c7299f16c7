"""What the gateway of a demo shop's past paid out: once a week, everything of the week before."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from engine.demo.ledger import Ledger, Row
from engine.finance import postings
from engine.finance.models import LineMatch, Payout, PayoutLine
from engine.kit import clock
from engine.kit.ids import new_id
from engine.kit.money import share_ppm
from engine.payments.gateway import PayoutKind
from engine.payments.models import Capture, Refund

_FEE_PPM, _FEE_FIXED = 29_000, 30


def add_payouts(ledger: Ledger, gateway: str) -> None:
    """Payouts of all captures and refunds so far, but those of the running week."""
    weeks: dict[datetime, list[Row]] = defaultdict(list)
    for model, kind in ((Capture, PayoutKind.CHARGE), (Refund, PayoutKind.REFUND)):
        for row in ledger.rows.get(model, []):
            weeks[_paid_at(row["created_at"])].append(_line(kind, row))
    for paid_at in sorted(weeks):
        if paid_at <= clock.now():
            _pay_out(ledger, gateway, paid_at, weeks[paid_at])


def _paid_at(moment: datetime) -> datetime:
    """Nine in the morning of the next Monday, UTC."""
    monday = moment + timedelta(days=7 - moment.weekday())
    return monday.replace(hour=9, minute=0, second=0, microsecond=0)


def _line(kind: PayoutKind, row: Row) -> Row:
    charge = kind == PayoutKind.CHARGE
    amount = row["amount"] if charge else -row["amount"]
    return {
        "kind": kind,
        "reference": row["payment_id"] if charge else row["id"],
        "payment_id": row["payment_id"],
        "amount": amount,
        "fee": share_ppm(amount, _FEE_PPM) + _FEE_FIXED if charge else 0,
        "match": LineMatch.MATCHED,
        "matched_id": row["id"],
        "expected": amount,
    }


def _pay_out(ledger: Ledger, gateway: str, paid_at: datetime, lines: list[Row]) -> None:
    payout_id, fees = new_id("payout"), sum(line["fee"] for line in lines)
    amount = sum(line["amount"] for line in lines) - fees
    facts: dict[str, Any] = {"amount": amount, "fees": fees, "paid_at": paid_at, "imported_at": paid_at}
    ledger.add(
        Payout,
        id=payout_id,
        gateway=gateway,
        gateway_payout_id=f"po_{paid_at:%Y%m%d}",
        currency=ledger.currency,
        **facts,
    )
    for position, line in enumerate(lines):
        ledger.add(PayoutLine, payout_id=payout_id, position=position, **line)
    ledger.post(postings.Kind.PAYOUT, payout_id, None, paid_at, postings.payout(amount, fees))
