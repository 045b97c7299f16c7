"""What a payout's line is on our side: the capture, refund or dispute it settles, and what that says it should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from engine.finance import service as finance
from engine.finance.models import LineMatch
from engine.finance.models import PayoutLine as LineRow
from engine.finance.postings import Kind
from engine.payments.gateway import DisputeStatus, PayoutKind, PayoutLine
from engine.payments.models import Capture, CaptureStatus, Dispute, Refund, RefundStatus

_DISPUTES: Final = frozenset({PayoutKind.DISPUTE, PayoutKind.DISPUTE_WON})


@dataclass(frozen=True, slots=True)
class Found:
    """What a line found: one of our rows and the amount it stands for, or nothing."""

    match: LineMatch
    matched_id: str | None = None
    expected: int | None = None


NOTHING: Final = Found(LineMatch.UNMATCHED)


def settles(kind: str, amount: int, fee: int) -> int:
    """What a line takes out of the clearing account: its amount, and the fee of a dispute, booked when it opened."""
    return amount - fee if kind == PayoutKind.DISPUTE else amount


def find(session: Session, tenant_id: str, line: PayoutLine, *, gateway: str, currency: str) -> Found:
    """Our row for a line. A row that another line settled already is not found again."""
    if line.kind == PayoutKind.CHARGE:
        return _verdict(line, _captures(session, tenant_id, line), currency)
    if line.kind in _DISPUTES:
        return _verdict(line, _disputes(session, tenant_id, line, gateway), currency)
    return _verdict(line, _refunds(session, tenant_id, line), currency)


@dataclass(frozen=True, slots=True)
class _Candidate:
    id: str
    amount: int
    currency: str


def _verdict(line: PayoutLine, candidates: Sequence[_Candidate], currency: str) -> Found:
    """The candidate that equals the line, else the oldest one of its currency, which differs."""
    same = [one for one in candidates if one.currency == currency]
    for one in same:
        if one.amount == settles(line.kind, line.amount, line.fee):
            return Found(LineMatch.MATCHED, one.id, one.amount)
    return Found(LineMatch.DIFFERS, same[0].id, same[0].amount) if same else NOTHING


def _captures(session: Session, tenant_id: str, line: PayoutLine) -> list[_Candidate]:
    named = or_(Capture.id == line.reference, Capture.payment_id.in_({line.reference, line.payment_id}))
    rows = session.scalars(
        select(Capture)
        .where(Capture.tenant_id == tenant_id, named, Capture.status == CaptureStatus.SUCCEEDED)
        .order_by((Capture.id == line.reference).desc(), Capture.created_at, Capture.id)
    ).all()
    if any(row.id == line.reference for row in rows):
        rows = [row for row in rows if row.id == line.reference]
    free = _unsettled(session, tenant_id, [row.id for row in rows], line.kind)
    return [_Candidate(row.id, row.amount, row.currency) for row in rows if row.id in free]


def _refunds(session: Session, tenant_id: str, line: PayoutLine) -> list[_Candidate]:
    """The refund that went out; as an adjustment, one that failed after it had gone and comes back."""
    row = session.get(Refund, (tenant_id, line.reference))
    if row is None or not finance.entry_of(session, tenant_id, kind=Kind.REFUND, subject=row.id):
        return []
    back = line.kind == PayoutKind.ADJUSTMENT
    if (back and row.status != RefundStatus.FAILED) or not _unsettled(session, tenant_id, [row.id], line.kind):
        return []
    return [_Candidate(row.id, row.amount if back else -row.amount, row.currency)]


def _disputes(session: Session, tenant_id: str, line: PayoutLine, gateway: str) -> list[_Candidate]:
    named = or_(Dispute.id == line.reference, Dispute.gateway_dispute_id == line.reference)
    rows = session.scalars(
        select(Dispute).where(Dispute.tenant_id == tenant_id, Dispute.gateway == gateway, named)
    ).all()
    won = line.kind == PayoutKind.DISPUTE_WON
    free = _unsettled(session, tenant_id, [row.id for row in rows], line.kind)
    return [
        _Candidate(row.id, row.amount if won else -(row.amount + row.fee), row.currency)
        for row in rows
        if row.id in free and (row.status == DisputeStatus.WON or not won)
    ]


def _unsettled(session: Session, tenant_id: str, ids: Sequence[str], kind: PayoutKind) -> set[str]:
    settled = session.scalars(
        select(LineRow.matched_id).where(
            LineRow.tenant_id == tenant_id, LineRow.kind == kind, LineRow.matched_id.in_(ids)
        )
    )
    return set(ids) - {one for one in settled if one}
