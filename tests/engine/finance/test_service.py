"""The journal: once, balanced in one statement, never changed, taken back by a mirror."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from engine.finance import postings
from engine.finance import service as finance
from engine.finance.errors import AlreadyReversed
from engine.finance.models import Account, JournalEntry, Posting
from engine.kit.errors import NotFound
from tests.conftest import MakeTenant
from tests.shop import Shop, open_shop

LINE = "INSERT INTO app.postings (tenant_id, entry_id, line, account, amount, currency) VALUES "


def captured(shop: Shop, subject: str = "pay_1", *, currency: str = "USD") -> str:
    with shop.uow() as session:
        entry_id = finance.post(
            session, shop.tenant.id, kind="capture", subject=subject, currency=currency,
            amounts=postings.capture(1100, 100), order_id="ord_1", at=datetime(2026, 9, 4, tzinfo=UTC),
        )  # fmt: skip
    assert entry_id
    return entry_id


def counted(shop: Shop) -> tuple[int, int]:
    with shop.uow() as session:
        entries, lines = (session.scalar(select(func.count()).select_from(model)) for model in (JournalEntry, Posting))
    return entries or 0, lines or 0


def test_an_entry_and_its_postings_are_one_statement(shop: Shop) -> None:
    entry_id = captured(shop)
    with shop.uow() as session:
        row = session.get_one(JournalEntry, (shop.tenant.id, entry_id))
        assert (row.kind, row.subject, row.order_id) == ("capture", "pay_1", "ord_1")
        assert (row.occurred_at, row.event_at) == (datetime(2026, 9, 4, tzinfo=UTC), None)
        assert finance.entry_of(session, shop.tenant.id, kind="capture", subject="pay_1") == entry_id
        assert finance.balances(session, shop.tenant.id) == {
            "psp_clearing": 1100, "customer_deposits": -1000, "tax_payable": -100,
        }  # fmt: skip
    assert counted(shop) == (1, 3)


def test_nothing_that_moves_is_no_entry(shop: Shop) -> None:
    with shop.uow() as session:
        amounts = postings.capture(0, 0)
        assert finance.post(session, shop.tenant.id, kind="k", subject="s", currency="USD", amounts=amounts) is None
    assert counted(shop) == (0, 0)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("(:t, :e, 4, 'bank', 5, 'USD'), (:t, :e, 5, 'revenue', -4, 'USD')", "does not balance"),
        ("(:t, :e, 4, 'bank', 5, 'USD'), (:t, :e, 5, 'revenue', -5, 'EUR')", "does not balance"),
        ("(:t, :e, 4, 'bank', 5, 'USD'), (:t, :e, 5, 'revenue', -5, 'USD')", "is not written from its first line"),
        ("(:t, :e, 0, 'bank', 5, 'USD'), (:t, :e, 5, 'revenue', -5, 'USD')", "is not written from its first line"),
        ("(:t, :e, 1, 'bank', 5, 'USD'), (:t, :e, 5, 'revenue', -5, 'USD')", "uq_postings_line"),
    ],
)
def test_the_database_refuses_what_does_not_balance_and_what_comes_later(shop: Shop, lines: str, words: str) -> None:
    entry_id = captured(shop)
    with pytest.raises(IntegrityError, match=words), shop.uow() as session:
        session.execute(text(LINE + lines), {"t": shop.tenant.id, "e": entry_id})
    assert counted(shop) == (1, 3)


def test_two_statements_for_one_entry_are_refused_at_the_first(shop: Shop) -> None:
    with shop.uow() as session:
        session.add(JournalEntry(tenant_id=shop.tenant.id, id="je_half", kind="k", subject="s"))
    with pytest.raises(IntegrityError, match="does not balance"), shop.uow() as session:
        session.execute(text(LINE + "(:t, 'je_half', 1, 'bank', 5, 'USD')"), {"t": shop.tenant.id})
    assert counted(shop) == (1, 0)


def test_many_entries_in_one_statement(shop: Shop) -> None:
    rows = [
        {"entry_id": f"je_{number}", "account": account, "amount": amount, "currency": currency}
        for number, currency in enumerate(("USD", "EUR"))
        for account, amount in ((Account.BANK, 7), (Account.PSP_CLEARING, -7))
    ]
    with shop.uow() as session:
        session.add_all(
            JournalEntry(tenant_id=shop.tenant.id, id=f"je_{n}", kind="k", subject=str(n)) for n in range(2)
        )
        session.flush()
        finance.write_postings(session, shop.tenant.id, rows)
        assert finance.balances(session, shop.tenant.id, currency="EUR") == {"bank": 7, "psp_clearing": -7}
    assert counted(shop) == (2, 4)


def test_a_reversal_mirrors_its_original_which_stays(shop: Shop) -> None:
    entry_id = captured(shop)
    with shop.uow() as session:
        reversal = finance.reverse(session, shop.tenant.id, entry_id, kind="reversal", subject=entry_id)
        row = session.get_one(JournalEntry, (shop.tenant.id, reversal))
        assert (row.reverses_id, row.order_id, row.kind) == (entry_id, "ord_1", "reversal")
        assert finance.entry_reversing(session, shop.tenant.id, entry_id) == reversal
        assert set(finance.balances(session, shop.tenant.id).values()) == {0}
    assert counted(shop) == (2, 6)


def test_what_is_reversed_is_not_reversed_again(shop: Shop) -> None:
    entry_id = captured(shop)
    with shop.uow() as session:
        reversal = finance.reverse(session, shop.tenant.id, entry_id, kind="reversal", subject=entry_id)
    with pytest.raises(AlreadyReversed), shop.uow() as session:
        finance.reverse(session, shop.tenant.id, entry_id, kind="refund_failed", subject="rfd_1")
    with shop.uow() as session:
        finance.reverse(session, shop.tenant.id, reversal, kind="reversal", subject=reversal)
        assert finance.balances(session, shop.tenant.id)["psp_clearing"] == 1100


def test_four_who_reverse_at_once_reverse_once(shop: Shop) -> None:
    entry_id = captured(shop)

    def reverse(number: int) -> bool:
        try:
            with shop.uow() as session:
                finance.reverse(session, shop.tenant.id, entry_id, kind="reversal", subject=f"x{number}")
        except (AlreadyReversed, IntegrityError):
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(reverse, range(4))) == 1
    assert counted(shop) == (2, 6)


def test_another_shops_entry_is_not_there(shop: Shop, make_tenant: MakeTenant) -> None:
    other = open_shop(shop.runtime, make_tenant())
    entry_id = captured(other)
    with pytest.raises(NotFound), shop.uow() as session:
        finance.reverse(session, shop.tenant.id, entry_id, kind="reversal", subject=entry_id)
    assert (counted(shop), counted(other)) == ((0, 0), (1, 3))
