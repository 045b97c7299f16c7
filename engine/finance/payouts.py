"""Reading payouts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from engine.finance.models import JournalEntry, Payout, PayoutLine
from engine.finance.postings import Kind
from engine.finance.reports import cursor_moment, day_bounds
from engine.finance.schemas import PayoutLineView, PayoutView
from engine.kit.pagination import Page, decode_cursor, encode_cursor
from engine.kit.views import Price


def payouts(
    session: Session,
    tenant_id: str,
    *,
    gateway: str | None = None,
    start: date | None = None,
    end: date | None = None,
    limit: int = 20,
    cursor: str | None = None,
) -> Page[PayoutView]:
    """Payouts, newest first, with their lines. Raises ``InvalidInput`` for a cursor that is not ours."""
    query = select(Payout).where(Payout.tenant_id == tenant_id, *day_bounds(Payout.paid_at, start, end))
    if gateway:
        query = query.where(Payout.gateway == gateway)
    if cursor:
        moment, payout_id = decode_cursor(cursor, size=2)
        query = query.where(tuple_(Payout.paid_at, Payout.id) < (cursor_moment(moment), str(payout_id)))
    rows = session.scalars(query.order_by(Payout.paid_at.desc(), Payout.id.desc()).limit(limit + 1)).all()
    shown = rows[:limit]
    following = encode_cursor([shown[-1].paid_at.isoformat(), shown[-1].id]) if len(rows) > limit else None
    return Page(_views(session, tenant_id, shown), following)


def line_view(line: PayoutLine) -> PayoutLineView:
    return PayoutLineView(
        kind=line.kind,
        reference=line.reference,
        payment_id=line.payment_id,
        amount=line.amount,
        fee=line.fee,
        match=line.match,
        matched_id=line.matched_id,
        expected=line.expected,
    )


def _views(session: Session, tenant_id: str, rows: Sequence[Payout]) -> list[PayoutView]:
    ids = [row.id for row in rows]
    lines: dict[str, list[PayoutLine]] = defaultdict(list)
    for line in session.scalars(
        select(PayoutLine)
        .where(PayoutLine.tenant_id == tenant_id, PayoutLine.payout_id.in_(ids))
        .order_by(PayoutLine.payout_id, PayoutLine.position)
    ):
        lines[line.payout_id].append(line)
    posted = session.execute(
        select(JournalEntry.subject, JournalEntry.id).where(
            JournalEntry.tenant_id == tenant_id, JournalEntry.kind == Kind.PAYOUT, JournalEntry.subject.in_(ids)
        )
    )
    entries = {subject: entry_id for subject, entry_id in posted}  # noqa: C416 (rows are not typed as pairs)
    return [_view(row, lines[row.id], entries.get(row.id)) for row in rows]


def _view(row: Payout, lines: Sequence[PayoutLine], entry_id: str | None) -> PayoutView:
    return PayoutView(
        id=row.id,
        gateway=row.gateway,
        gateway_payout_id=row.gateway_payout_id,
        amount=Price(amount=row.amount, currency=row.currency),
        fees=Price(amount=row.fees, currency=row.currency),
        paid_at=row.paid_at,
        imported_at=row.imported_at,
        entry_id=entry_id,
        lines=[line_view(line) for line in lines],
    )
