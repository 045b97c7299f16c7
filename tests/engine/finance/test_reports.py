"""Trial balance, journal, account statement, chart and export, each to the cent."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime

import pytest

from engine.finance import chart, postings, reports
from engine.finance import service as finance
from engine.finance.errors import NumberTaken
from engine.finance.export import harmless, rows, write_csv, write_json
from engine.finance.models import Account
from engine.finance.reports import JournalFilter
from engine.kit.errors import InvalidInput, NotFound
from tests.conftest import MakeTenant
from tests.shop import Shop, open_shop

DAYS = [datetime(2026, 9, day, 10, tzinfo=UTC) for day in (1, 2, 3, 4, 5)]


@pytest.fixture
def kept(shop: Shop) -> Shop:
    """Five captures on five days, the third in euros; the first was shipped on the last day."""
    with shop.uow() as session:
        for number, at in enumerate(DAYS):
            finance.post(
                session, shop.tenant.id, kind="capture", subject=f"pay_{number}", order_id=f"ord_{number % 2}",
                currency="EUR" if number == 2 else "USD", amounts=postings.capture(1100 + number, 100), at=at,
            )  # fmt: skip
        finance.post(
            session, shop.tenant.id, kind="shipment", subject="shi_0", order_id="ord_0", currency="USD",
            amounts=postings.shipment(900, 50, 150, 400), at=DAYS[4],
        )  # fmt: skip
    return shop


def subjects(shop: Shop, **wanted: object) -> list[str]:
    with shop.uow() as session:
        page = reports.journal(session, shop.tenant.id, JournalFilter(**wanted))  # type: ignore[arg-type]
    return [entry.subject for entry in page.items]


def test_the_trial_balance_is_zero_in_each_currency_on_each_day(kept: Shop) -> None:
    with kept.uow() as session:
        days = [reports.trial_balance(session, kept.tenant.id, as_of=at.date()) for at in DAYS]
        everything = reports.trial_balance(session, kept.tenant.id)
        assert reports.trial_balance(session, kept.tenant.id, as_of=date(2026, 8, 31)) == []
    assert [[one.currency for one in day] for day in days] == [["USD"], ["USD"], ["EUR", "USD"]] + [["EUR", "USD"]] * 2
    assert all(one.debits == one.credits for day in days for one in day)
    assert days[4] == everything
    assert {(row.number, row.code): (row.debit, row.credit) for row in everything[1].accounts} == {
        ("1100", "psp_clearing"): (4408, 0), ("1200", "inventory"): (0, 400), ("2100", "customer_deposits"): (0, 3008),
        ("2200", "tax_payable"): (0, 400), ("4000", "revenue"): (0, 900), ("4100", "shipping_revenue"): (0, 150),
        ("4800", "discounts"): (50, 0), ("5000", "cogs"): (400, 0),
    }  # fmt: skip
    assert (everything[1].debits, everything[1].credits) == (4858, 4858)
    assert (everything[0].debits, everything[0].credits) == (1102, 1102)


def test_the_journal_by_its_filters(kept: Shop) -> None:
    assert subjects(kept, kind="shipment") == ["shi_0"]
    assert subjects(kept, order_id="ord_1") == ["pay_3", "pay_1"]
    assert subjects(kept, currency="EUR") == ["pay_2"]
    assert subjects(kept, account="cogs") == ["shi_0"]
    assert subjects(kept, start=date(2026, 9, 2), end=date(2026, 9, 3)) == ["pay_2", "pay_1"]
    assert subjects(kept, subject="pay_4") == ["pay_4"]
    with pytest.raises(InvalidInput):
        subjects(kept, account="mattress")


def test_the_journal_pages_by_key(kept: Shop) -> None:
    seen, cursor = [], None
    with kept.uow() as session:
        while True:
            page = reports.journal(session, kept.tenant.id, JournalFilter(kind="capture"), limit=2, cursor=cursor)
            seen.append([entry.subject for entry in page.items])
            cursor = page.next_cursor
            if cursor is None:
                break
        with pytest.raises(InvalidInput):
            reports.journal(session, kept.tenant.id, JournalFilter(), cursor="WzEsMl0")
    assert seen == [["pay_4", "pay_3"], ["pay_2", "pay_1"], ["pay_0"]]


def test_an_entry_says_what_it_reverses_and_what_reversed_it(kept: Shop) -> None:
    with kept.uow() as session:
        first = finance.entry_of(session, kept.tenant.id, kind="capture", subject="pay_0") or ""
        reversal = finance.reverse(session, kept.tenant.id, first, kind="reversal", subject=first, at=DAYS[1])
        shown = [reports.entry(session, kept.tenant.id, one) for one in (first, reversal)]
        with pytest.raises(NotFound):
            reports.entry(session, kept.tenant.id, "je_none")
    assert [(one.reverses_id, one.reversed_by_id) for one in shown] == [(None, reversal), (first, None)]
    assert [(line.account, line.amount) for line in shown[1].postings] == [
        ("psp_clearing", -1100), ("customer_deposits", 1000), ("tax_payable", 100),
    ]  # fmt: skip


def test_a_statement_runs_its_balance_over_pages(kept: Shop) -> None:
    seen, cursor = [], None
    with kept.uow() as session:
        while True:
            page = reports.statement(
                session, kept.tenant.id, "customer_deposits", currency="USD", limit=2, cursor=cursor
            )
            seen += [(line.subject, line.amount, line.balance) for line in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
        since = reports.statement(session, kept.tenant.id, "customer_deposits", currency="USD", start=date(2026, 9, 5))
    assert seen == [
        ("pay_0", -1000, -1000), ("pay_1", -1001, -2001), ("pay_3", -1003, -3004), ("pay_4", -1004, -4008),
        ("shi_0", 1000, -3008),
    ]  # fmt: skip
    assert [(line.subject, line.balance) for line in since.items] == [("pay_4", -4008), ("shi_0", -3008)]


def test_a_shop_calls_its_accounts_as_it_likes(kept: Shop, make_tenant: MakeTenant) -> None:
    other = open_shop(kept.runtime, make_tenant())
    with kept.uow() as session:
        chart.change_account(session, kept.tenant.id, "revenue", actor="key_1", number="8400", name=" Erlöse 19 % ")
    with kept.uow() as session:
        own = chart.chart(session, kept.tenant.id)
        assert (own["revenue"].number, own["revenue"].name) == ("8400", "Erlöse 19 %")
        assert list(own)[-1] == "revenue"
        chart.change_account(session, kept.tenant.id, "revenue", actor="key_1", number="4000")
    with kept.uow() as session:
        own = chart.chart(session, kept.tenant.id)
    assert (own["revenue"].number, own["revenue"].name) == ("4000", "Erlöse 19 %")
    with other.uow() as session:
        assert chart.chart(session, other.tenant.id)["revenue"].name == "Sales"


@pytest.mark.parametrize(
    ("code", "changes", "error"),
    [
        ("mattress", {"name": "x"}, NotFound),
        ("revenue", {"name": "  "}, InvalidInput),
        ("revenue", {"number": "1" * 21}, InvalidInput),
        ("revenue", {"name": "a\nb"}, InvalidInput),
        ("revenue", {"number": "1000"}, NumberTaken),
    ],
)
def test_what_an_account_cannot_be_called(
    kept: Shop, code: str, changes: dict[str, str], error: type[Exception]
) -> None:
    with pytest.raises(error), kept.uow() as session:
        chart.change_account(session, kept.tenant.id, code, actor="key_1", **changes)
    with kept.uow() as session:
        assert chart.chart(session, kept.tenant.id)["revenue"].name == "Sales"


def test_every_account_has_a_place_in_the_chart() -> None:
    assert set(chart.DEFAULT) == set(Account)
    assert len({number for number, _, _ in chart.DEFAULT.values()}) == len(Account)


def test_the_export_holds_every_posting_and_no_formula(kept: Shop) -> None:
    with kept.uow() as session:
        chart.change_account(session, kept.tenant.id, "revenue", actor="key_1", name='=cmd|"/c calc"!A1')
    out = io.StringIO()
    with kept.uow() as session:
        assert write_csv(session, kept.tenant.id, out, start=None, end=None) == 21
    table = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert len(table) == 21
    assert (table[0]["subject"], table[0]["account"], table[0]["debit"], table[0]["credit"]) == (
        "pay_0", "psp_clearing", "11.00", "",
    )  # fmt: skip
    [revenue] = [row for row in table if row["account"] == "revenue"]
    assert revenue["account_name"] == '\'=cmd|"/c calc"!A1'
    assert (revenue["debit"], revenue["credit"], revenue["currency"]) == ("", "9.00", "USD")
    assert not [cell for row in table for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]


def test_the_export_of_some_days_as_json(kept: Shop) -> None:
    out = io.StringIO()
    with kept.uow() as session:
        assert write_json(session, kept.tenant.id, out, start=date(2026, 9, 3), end=date(2026, 9, 3)) == 3
        nothing = io.StringIO()
        assert write_json(session, kept.tenant.id, nothing, start=date(2027, 1, 1), end=None) == 0
    found = json.loads(out.getvalue())
    assert [(row["account"], row["amount"], row["currency"]) for row in found] == [
        ("psp_clearing", 1102, "EUR"), ("customer_deposits", -1002, "EUR"), ("tax_payable", -100, "EUR"),
    ]  # fmt: skip
    assert json.loads(nothing.getvalue()) == []


def test_the_export_streams(kept: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows come in portions by a cursor of the database: the first is there before the last is asked for."""
    monkeypatch.setattr("engine.finance.export._AT_ONCE", 2)
    with kept.uow() as session:
        stream = rows(session, kept.tenant.id, start=None, end=None)
        assert next(stream)["subject"] == "pay_0"
        assert sum(1 for _ in stream) == 20


@pytest.mark.parametrize(
    ("cell", "written"),
    [("=1+1", "'=1+1"), ("+1", "'+1"), ("-1", "'-1"), ("@x", "'@x"), ("\tx", "'\tx"), ("Sales", "Sales"), ("", "")],
)
def test_cells_that_a_spreadsheet_would_run(cell: str, written: str) -> None:
    assert harmless(cell) == written
