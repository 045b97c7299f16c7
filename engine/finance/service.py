"""The journal's one writer. An event posts once; what was wrong is reversed, never changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine.finance.errors import AlreadyReversed
from engine.finance.models import Account, JournalEntry, Posting
from engine.kit import clock
from engine.kit.direct import Statement
from engine.kit.errors import NotFound
from engine.kit.gathering import post as post_later
from engine.kit.ids import echo, new_id

_WRITE: Final = Statement("""
WITH entry AS (
  INSERT INTO app.journal_entries
    (tenant_id, id, kind, subject, order_id, occurred_at, event_at, posted_at, reverses_id)
  SELECT %(tenant_id)s, %(id)s, %(kind)s, %(subject)s, %(order_id)s,
    CASE WHEN locked THEN %(now)s ELSE %(at)s END, CASE WHEN locked THEN %(at)s END, %(now)s, %(reverses_id)s
  FROM (SELECT EXISTS (SELECT FROM app.accounting_periods WHERE tenant_id = %(tenant_id)s AND month = %(month)s)
    AS locked)
  RETURNING id)
INSERT INTO app.postings (tenant_id, entry_id, line, account, amount, currency)
SELECT %(tenant_id)s, entry.id, line.number, line.account, line.amount, line.currency
FROM entry, unnest(CAST(%(accounts)s AS text[]), CAST(%(amounts)s AS bigint[]), CAST(%(currencies)s AS text[]))
  WITH ORDINALITY AS line (account, amount, currency, number)
""")
"""An entry and its postings in one statement: the database checks an entry as it is written."""
_POSTINGS: Final = Statement("""
INSERT INTO app.postings (tenant_id, entry_id, line, account, amount, currency)
SELECT %(tenant_id)s, line.entry_id, row_number() OVER (PARTITION BY line.entry_id ORDER BY line.place),
  line.account, line.amount, line.currency
FROM unnest(CAST(%(entries)s AS text[]), CAST(%(accounts)s AS text[]), CAST(%(amounts)s AS bigint[]),
  CAST(%(currencies)s AS text[])) WITH ORDINALITY AS line (entry_id, account, amount, currency, place)
ORDER BY line.place
""")


@dataclass(frozen=True, slots=True)
class Line:
    """One posting of an entry."""

    account: str
    amount: int
    currency: str


def post(
    session: Session,
    tenant_id: str,
    *,
    kind: str,
    subject: str,
    currency: str,
    amounts: Mapping[Account, int],
    order_id: str | None = None,
    at: datetime | None = None,
) -> str | None:
    """Post one event once. Returns the entry's id, ``None`` when nothing moves.

    An event of a locked month is booked now and keeps its own time in ``event_at``. Raises ``ValueError`` when the
    amounts do not add up to zero (the database would refuse them too), and an ``IntegrityError`` when the event was
    posted before.
    """
    lines = [Line(account, amount, currency) for account, amount in amounts.items() if amount]
    if sum(line.amount for line in lines):
        raise ValueError(f"{kind} of {subject} does not balance: {dict(amounts)}")
    if not lines:
        return None
    return _write(session, tenant_id, lines, kind=kind, subject=subject, order_id=order_id, at=at)


def reverse(
    session: Session, tenant_id: str, entry_id: str, *, kind: str, subject: str, at: datetime | None = None
) -> str:
    """Take an entry back with a new one that mirrors it; the original stays. Returns the new entry's id.

    Raises ``NotFound``, ``AlreadyReversed``.
    """
    original = session.get(JournalEntry, (tenant_id, entry_id))
    if original is None:
        raise NotFound(f"There is no journal entry {echo(entry_id, 'of that id')}.")
    if entry_reversing(session, tenant_id, entry_id):
        raise AlreadyReversed(f"Journal entry {entry_id} was reversed before.")
    rows = session.execute(
        select(Posting.account, Posting.amount, Posting.currency)
        .where(Posting.tenant_id == tenant_id, Posting.entry_id == entry_id)
        .order_by(Posting.line)
    )
    lines = [Line(account, -amount, currency) for account, amount, currency in rows]
    order_id = original.order_id
    return _write(session, tenant_id, lines, kind=kind, subject=subject, order_id=order_id, at=at, reverses_id=entry_id)


def entry_of(session: Session, tenant_id: str, *, kind: str, subject: str) -> str | None:
    """The id of the entry that an event posted."""
    return session.scalar(
        select(JournalEntry.id).where(
            JournalEntry.tenant_id == tenant_id, JournalEntry.kind == kind, JournalEntry.subject == subject
        )
    )


def entry_reversing(session: Session, tenant_id: str, entry_id: str) -> str | None:
    """The id of the entry that took this one back."""
    return session.scalar(
        select(JournalEntry.id).where(JournalEntry.tenant_id == tenant_id, JournalEntry.reverses_id == entry_id)
    )


def write_postings(session: Session, tenant_id: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert the postings (entry_id, account, amount, currency) of many new entries, in one statement."""
    columns = {
        "entries": [row["entry_id"] for row in rows],
        "accounts": [str(row["account"]) for row in rows],
        "amounts": [row["amount"] for row in rows],
        "currencies": [row["currency"] for row in rows],
    }
    post_later(session, (_POSTINGS, {"tenant_id": tenant_id} | columns))


def balances(session: Session, tenant_id: str, *, currency: str | None = None) -> dict[str, int]:
    """Account → balance (debit positive) in one currency; without it the shop is taken to have only one."""
    query = select(Posting.account, func.sum(Posting.amount)).where(Posting.tenant_id == tenant_id)
    if currency:
        query = query.where(Posting.currency == currency)
    return {str(account): int(amount) for account, amount in session.execute(query.group_by(Posting.account))}


def month_of(moment: datetime) -> str:
    """The accounting month of a moment, ``YYYY-MM`` in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m")


def _write(
    session: Session,
    tenant_id: str,
    lines: Sequence[Line],
    *,
    kind: str,
    subject: str,
    order_id: str | None,
    at: datetime | None,
    reverses_id: str | None = None,
) -> str:
    now = clock.now()
    entry = {
        "tenant_id": tenant_id,
        "id": new_id("entry"),
        "kind": kind,
        "subject": subject,
        "order_id": order_id,
        "now": now,
        "at": at or now,
        "month": month_of(at or now),
        "reverses_id": reverses_id,
        "accounts": [str(line.account) for line in lines],
        "amounts": [line.amount for line in lines],
        "currencies": [line.currency for line in lines],
    }
    post_later(session, (_WRITE, entry))
    return str(entry["id"])
