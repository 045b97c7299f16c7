"""The journal for another program: a row per posting, oldest first, never all of it in memory."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, Final, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.finance.chart import chart
from engine.finance.models import JournalEntry, Posting
from engine.finance.reports import within
from engine.kit.money import exponent

COLUMNS: Final = (
    "entry_id", "booked_at", "event_at", "posted_at", "kind", "subject", "order_id", "reverses_id",
    "account_number", "account", "account_name", "debit", "credit", "currency",
)  # fmt: skip
_STARTS_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""OWASP, CSV injection: a cell that begins like this is run by a spreadsheet."""
_AT_ONCE: Final = 1_000


class Sink(Protocol):
    def write(self, text: str, /) -> Any: ...


def write_csv(session: Session, tenant_id: str, sink: Sink, *, start: date | None, end: date | None) -> int:
    """Write RFC 4180 with a header; amounts in units of the currency. Returns how many postings."""
    writer, count = csv.writer(sink), 0
    writer.writerow(COLUMNS)
    for count, row in enumerate(rows(session, tenant_id, start=start, end=end), 1):  # noqa: B007 (the last one counts)
        writer.writerow([_cell(row, column) for column in COLUMNS])
    return count


def write_json(session: Session, tenant_id: str, sink: Sink, *, start: date | None, end: date | None) -> int:
    """Write one JSON array, an object a line; ``amount`` in minor units, debit positive. Returns how many postings."""
    count = 0
    sink.write("[")
    for row in rows(session, tenant_id, start=start, end=end):
        sink.write(("," if count else "") + "\n" + json.dumps(row, ensure_ascii=False, default=_iso))
        count += 1
    sink.write("\n]\n")
    return count


def rows(session: Session, tenant_id: str, *, start: date | None, end: date | None) -> Iterator[dict[str, Any]]:
    """Every posting booked in those days (UTC, both included) with its entry, a thousand at a time."""
    accounts = chart(session, tenant_id)
    found = session.execute(
        select(JournalEntry, Posting)
        .join(Posting, (Posting.tenant_id == JournalEntry.tenant_id) & (Posting.entry_id == JournalEntry.id))
        .where(JournalEntry.tenant_id == tenant_id, *within(start, end))
        .order_by(JournalEntry.occurred_at, JournalEntry.id, Posting.id)
        .execution_options(yield_per=_AT_ONCE)
    )
    for entry, posting in found:
        account = accounts[posting.account]
        yield {
            "entry_id": entry.id,
            "booked_at": entry.occurred_at,
            "event_at": entry.event_at or entry.occurred_at,
            "posted_at": entry.posted_at,
            "kind": entry.kind,
            "subject": entry.subject,
            "order_id": entry.order_id,
            "reverses_id": entry.reverses_id,
            "account_number": account.number,
            "account": account.code,
            "account_name": account.name,
            "amount": posting.amount,
            "currency": posting.currency,
        }


def harmless(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_STARTS_FORMULA) else text


def decimal(amount: int, currency: str) -> str:
    """``1234, "USD"`` → ``12.34``; no sign, no separators."""
    places = exponent(currency)
    whole, rest = divmod(abs(amount), 10**places)
    return f"{whole}.{rest:0{places}d}" if places else str(whole)


def _cell(row: dict[str, Any], column: str) -> str:
    if column in {"debit", "credit"}:
        wanted = row["amount"] > 0 if column == "debit" else row["amount"] < 0
        return decimal(row["amount"], row["currency"]) if wanted else ""
    value = row[column]
    if isinstance(value, datetime):
        return value.isoformat()
    return harmless(value or "")


def _iso(value: datetime) -> str:
    return value.isoformat()
