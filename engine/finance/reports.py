"""Reading the books: trial balance, journal, the statement of one account."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import and_, exists, func, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased
from sqlalchemy.sql import ColumnElement

from engine.finance.chart import chart
from engine.finance.models import Account, JournalEntry, Posting
from engine.finance.schemas import (
    AccountView,
    BalanceView,
    EntryView,
    PostingView,
    StatementLineView,
    TrialBalanceView,
)
from engine.kit.errors import InvalidInput, NotFound
from engine.kit.ids import echo
from engine.kit.pagination import Page, decode_cursor, encode_cursor


@dataclass(frozen=True, slots=True)
class JournalFilter:
    """Which entries; days are whole days in UTC, both included."""

    start: date | None = None
    end: date | None = None
    kind: str | None = None
    subject: str | None = None
    order_id: str | None = None
    account: str | None = None
    currency: str | None = None

    def conditions(self, tenant_id: str) -> list[ColumnElement[bool]]:
        """What an entry must be. Raises ``InvalidInput`` for an account that is none."""
        found = [JournalEntry.tenant_id == tenant_id, *within(self.start, self.end)]
        if self.kind:
            found.append(JournalEntry.kind == self.kind)
        if self.subject:
            found.append(JournalEntry.subject == self.subject)
        if self.order_id:
            found.append(JournalEntry.order_id == self.order_id)
        touched = [Posting.account == known(self.account)] if self.account else []
        if self.currency:
            touched.append(Posting.currency == self.currency)
        if touched:
            found.append(exists().where(_of_entry(), *touched))
        return found


def trial_balance(session: Session, tenant_id: str, *, as_of: date | None = None) -> list[TrialBalanceView]:
    """The balances at the end of a day (UTC; without one: of everything), a list per currency."""
    sums = session.execute(
        select(Posting.currency, Posting.account, func.sum(Posting.amount))
        .join(JournalEntry, _of_entry())
        .where(Posting.tenant_id == tenant_id, *within(None, as_of))
        .group_by(Posting.currency, Posting.account)
    )
    by_currency: dict[str, dict[str, int]] = defaultdict(dict)
    for currency, account, amount in sums:
        by_currency[currency][account] = int(amount)
    accounts = chart(session, tenant_id).values()
    return [_balance(currency, accounts, by_currency[currency]) for currency in sorted(by_currency)]


def movements(session: Session, tenant_id: str, *, since: datetime, until: datetime, currency: str) -> TrialBalanceView:
    """The trial balance of a period: by how much it moved every account of the chart, in one currency.

    ``since`` is the first moment of it, ``until`` the first one after it.
    """
    found = session.execute(
        select(Posting.account, func.sum(Posting.amount))
        .join(JournalEntry, _of_entry())
        .where(
            Posting.tenant_id == tenant_id,
            JournalEntry.occurred_at >= since,
            JournalEntry.occurred_at < until,
            Posting.currency == currency,
        )
        .group_by(Posting.account)
    )
    accounts = chart(session, tenant_id)
    sums = dict.fromkeys(accounts, 0) | {str(account): int(amount) for account, amount in found}
    return _balance(currency, accounts.values(), sums)


def journal(
    session: Session, tenant_id: str, wanted: JournalFilter, *, limit: int = 50, cursor: str | None = None
) -> Page[EntryView]:
    """Entries, newest first. Raises ``InvalidInput`` for a cursor that is not ours."""
    query = select(JournalEntry).where(*wanted.conditions(tenant_id))
    if cursor:
        moment, entry_id = decode_cursor(cursor, size=2)
        query = query.where(tuple_(JournalEntry.occurred_at, JournalEntry.id) < (cursor_moment(moment), str(entry_id)))
    newest = (JournalEntry.occurred_at.desc(), JournalEntry.id.desc())
    rows = session.scalars(query.order_by(*newest).limit(limit + 1)).all()
    shown = rows[:limit]
    following = encode_cursor([shown[-1].occurred_at.isoformat(), shown[-1].id]) if len(rows) > limit else None
    return Page(_entries(session, tenant_id, shown), following)


def entry(session: Session, tenant_id: str, entry_id: str) -> EntryView:
    """One entry. Raises ``NotFound``."""
    row = session.get(JournalEntry, (tenant_id, entry_id))
    if row is None:
        raise NotFound("There is no such journal entry.")
    return _entries(session, tenant_id, [row])[0]


def statement(
    session: Session,
    tenant_id: str,
    account: str,
    *,
    currency: str,
    start: date | None = None,
    end: date | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[StatementLineView]:
    """What moved one account, oldest first, each line with the balance after it.

    Raises ``InvalidInput`` for an account or a cursor that is none.
    """
    mine = [Posting.tenant_id == tenant_id, Posting.account == known(account), Posting.currency == currency]
    place = (JournalEntry.occurred_at, Posting.id)
    query = select(Posting, JournalEntry).join(JournalEntry, _of_entry()).where(*mine, *within(start, end))
    if cursor:
        moment, posting_id = decode_cursor(cursor, size=2)
        query = query.where(tuple_(*place) > (cursor_moment(moment), _number(posting_id)))
    rows = session.execute(query.order_by(*place).limit(limit + 1)).all()
    if not rows:
        return Page([])
    first = rows[0]
    before = tuple_(*place) < (first.JournalEntry.occurred_at, first.Posting.id)
    balance = session.scalar(select(func.sum(Posting.amount)).join(JournalEntry, _of_entry()).where(*mine, before))
    running, lines = int(balance or 0), []
    for posting, entry_row in rows[:limit]:
        running += posting.amount
        lines.append(_statement_line(posting, entry_row, running))
    last = rows[:limit][-1]
    key = encode_cursor([last.JournalEntry.occurred_at.isoformat(), last.Posting.id])
    return Page(lines, key if len(rows) > limit else None)


def known(account: str) -> Account:
    """The account of a code. Raises ``InvalidInput``."""
    try:
        return Account(account)
    except ValueError:
        raise InvalidInput(f"There is no account {echo(account, 'of that code')}.", param="account") from None


def within(start: date | None, end: date | None) -> list[ColumnElement[bool]]:
    """Entries booked from the start of one day to the end of another, both in UTC."""
    return day_bounds(JournalEntry.occurred_at, start, end)


def day_bounds(
    column: InstrumentedAttribute[datetime], start: date | None, end: date | None
) -> list[ColumnElement[bool]]:
    """A moment from the start of one day to the end of another, both in UTC."""
    found = []
    if start:
        found.append(column >= _midnight(start))
    if end:
        found.append(column < _midnight(end + timedelta(days=1)))
    return found


def cursor_moment(part: str | int) -> datetime:
    """The moment in a cursor. Raises ``InvalidInput`` when it is none."""
    try:
        moment = datetime.fromisoformat(str(part))
    except ValueError:
        raise InvalidInput("The cursor is not one of ours.", param="cursor") from None
    if moment.tzinfo is None:
        raise InvalidInput("The cursor is not one of ours.", param="cursor")
    return moment


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _of_entry() -> ColumnElement[bool]:
    return and_(Posting.tenant_id == JournalEntry.tenant_id, Posting.entry_id == JournalEntry.id)


def _balance(currency: str, accounts: Iterable[AccountView], sums: dict[str, int]) -> TrialBalanceView:
    rows = [
        BalanceView(**account.model_dump(), debit=max(0, sums[account.code]), credit=max(0, -sums[account.code]))
        for account in accounts
        if account.code in sums
    ]
    return TrialBalanceView(
        currency=currency,
        accounts=rows,
        debits=sum(row.debit for row in rows),
        credits=sum(row.credit for row in rows),
    )


def _entries(session: Session, tenant_id: str, rows: Sequence[JournalEntry]) -> list[EntryView]:
    ids = [row.id for row in rows]
    found: dict[str, list[Posting]] = defaultdict(list)
    for posting in session.scalars(
        select(Posting).where(Posting.tenant_id == tenant_id, Posting.entry_id.in_(ids)).order_by(Posting.id)
    ):
        found[posting.entry_id].append(posting)
    later = aliased(JournalEntry)
    undone = session.execute(
        select(later.reverses_id, later.id).where(later.tenant_id == tenant_id, later.reverses_id.in_(ids))
    )
    reversed_by = {original: reversal for original, reversal in undone}  # noqa: C416 (rows are not typed as pairs)
    return [_entry(row, found[row.id], reversed_by.get(row.id)) for row in rows]


def _entry(row: JournalEntry, postings: Sequence[Posting], reversed_by: str | None) -> EntryView:
    return EntryView(
        id=row.id,
        kind=row.kind,
        subject=row.subject,
        order_id=row.order_id,
        occurred_at=row.occurred_at,
        event_at=row.event_at,
        posted_at=row.posted_at,
        reverses_id=row.reverses_id,
        reversed_by_id=reversed_by,
        currency=postings[0].currency if postings else "",
        postings=[PostingView(account=line.account, amount=line.amount) for line in postings],
    )


def _statement_line(posting: Posting, row: JournalEntry, balance: int) -> StatementLineView:
    return StatementLineView(
        entry_id=row.id,
        kind=row.kind,
        subject=row.subject,
        order_id=row.order_id,
        occurred_at=row.occurred_at,
        amount=posting.amount,
        balance=balance,
    )


def _number(part: str | int) -> int:
    if not isinstance(part, int) or abs(part) >= 2**63:
        raise InvalidInput("The cursor is not one of ours.", param="cursor")
    return part
