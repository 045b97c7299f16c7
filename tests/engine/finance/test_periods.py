"""A locked month takes no entries: the database refuses them, the service books late events now."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from engine.finance import periods, postings
from engine.finance import service as finance
from engine.finance.errors import PeriodLocked, PeriodNotLocked, PeriodNotOver
from engine.finance.models import AccountingPeriod, JournalEntry
from engine.kit import clock
from engine.kit.audit import AuditRow
from engine.kit.errors import InvalidInput
from tests.conftest import MakeTenant
from tests.shop import Shop, open_shop

PAST = datetime(2026, 9, 30, 23, 59, 59, tzinfo=UTC)
MONTH = "2026-09"


def locked(shop: Shop, month: str = MONTH) -> None:
    with shop.uow() as session:
        periods.lock(session, shop.tenant.id, month=month, actor="key_1")


def post(shop: Shop, subject: str, at: datetime) -> JournalEntry:
    with shop.uow() as session:
        entry_id = finance.post(
            session, shop.tenant.id, kind="capture", subject=subject, currency="USD",
            amounts=postings.capture(100, 0), at=at,
        )  # fmt: skip
        row = session.get_one(JournalEntry, (shop.tenant.id, entry_id))
        session.expunge(row)
    return row


def actions(shop: Shop) -> list[tuple[str, str, str]]:
    with shop.uow() as session:
        rows = session.execute(select(AuditRow.actor, AuditRow.action, AuditRow.subject).order_by(AuditRow.id))
        return [tuple(row) for row in rows]


def test_an_event_of_a_locked_month_is_booked_now_and_keeps_its_time(shop: Shop) -> None:
    assert post(shop, "early", PAST).occurred_at == PAST
    locked(shop)
    late = post(shop, "late", PAST)
    assert (late.occurred_at, late.event_at) == (late.posted_at, PAST)
    next_month = datetime(2026, 10, 1, tzinfo=UTC)
    assert post(shop, "after", next_month).occurred_at == next_month


def test_a_reversal_of_an_entry_in_a_locked_month_is_booked_now(shop: Shop) -> None:
    entry = post(shop, "early", PAST)
    locked(shop)
    with shop.uow() as session:
        reversal = finance.reverse(session, shop.tenant.id, entry.id, kind="reversal", subject=entry.id, at=PAST)
        row = session.get_one(JournalEntry, (shop.tenant.id, reversal))
        assert (row.occurred_at, row.event_at) == (row.posted_at, PAST)


def test_the_database_refuses_an_entry_in_a_locked_month(shop: Shop) -> None:
    locked(shop)
    with pytest.raises(IntegrityError, match="the books of 2026-09 are locked"), shop.uow() as session:
        session.add(JournalEntry(tenant_id=shop.tenant.id, id="je_x", kind="k", subject="s", occurred_at=PAST))
    with shop.uow() as session:
        assert session.scalars(select(JournalEntry.id)).all() == []


def test_a_lock_is_one_shops_own(shop: Shop, make_tenant: MakeTenant) -> None:
    other = open_shop(shop.runtime, make_tenant())
    locked(other)
    assert post(shop, "mine", PAST).occurred_at == PAST


@pytest.mark.parametrize(
    ("month", "error"), [("2026-13", InvalidInput), ("202609", InvalidInput), ("2999-01", PeriodNotOver)]
)
def test_what_cannot_be_locked(shop: Shop, month: str, error: type[Exception]) -> None:
    with pytest.raises(error), shop.uow() as session:
        periods.lock(session, shop.tenant.id, month=month, actor="key_1")
    with shop.uow() as session:
        assert periods.periods(session, shop.tenant.id) == []
    assert actions(shop) == []


def test_the_present_month_stays_open(shop: Shop) -> None:
    with pytest.raises(PeriodNotOver), shop.uow() as session:
        periods.lock(session, shop.tenant.id, month=finance.month_of(clock.now()), actor="key_1")


def test_locking_twice_and_opening_again(shop: Shop) -> None:
    locked(shop)
    with pytest.raises(PeriodLocked), shop.uow() as session:
        periods.lock(session, shop.tenant.id, month=MONTH, actor="key_2")
    with shop.uow() as session:
        assert [(one.month, one.locked_by) for one in periods.periods(session, shop.tenant.id)] == [(MONTH, "key_1")]
        periods.unlock(session, shop.tenant.id, month=MONTH, actor="key_2")
    with pytest.raises(PeriodNotLocked), shop.uow() as session:
        periods.unlock(session, shop.tenant.id, month=MONTH, actor="key_2")
    assert actions(shop) == [("key_1", "period.locked", MONTH), ("key_2", "period.unlocked", MONTH)]
    assert post(shop, "again", PAST).occurred_at == PAST


def test_a_lock_waits_for_an_entry_that_is_being_written(shop: Shop) -> None:
    """The entry is either in before the lock or not in that month at all."""
    done = threading.Event()

    def lock() -> None:
        locked(shop)
        done.set()

    with shop.uow() as session:
        finance.post(
            session, shop.tenant.id, kind="capture", subject="slow", currency="USD",
            amounts=postings.capture(100, 0), at=PAST,
        )  # fmt: skip
        assert session.scalars(select(JournalEntry.subject)).all() == ["slow"]  # it has gone, then
        thread = threading.Thread(target=lock)
        thread.start()
        _until_someone_waits(shop)
        assert not done.is_set()
    thread.join(10)
    assert done.is_set()
    with shop.uow() as session:
        entry = session.scalars(select(JournalEntry)).one()
        period = session.scalars(select(AccountingPeriod)).one()
        assert entry.occurred_at == PAST
        assert entry.posted_at < period.locked_at


def _until_someone_waits(shop: Shop) -> None:
    waiting = text(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND mode = 'ExclusiveLock'"
    )
    for _ in range(2000):
        with shop.uow() as session:
            if session.scalar(waiting):
                return
    raise AssertionError("nobody waits")
