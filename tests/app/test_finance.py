"""``/v1/finance``: the shop's people read its books; nobody else does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from engine.finance import periods, postings
from engine.finance import service as finance
from engine.finance.models import Account, JournalEntry
from tests.app.conftest import Browser, paid_order
from tests.conftest import MakeTenant
from tests.shop import Shop, open_shop

PAGES = (
    "accounts", "accounts/revenue/statement", "trial-balance", "journal", "journal/je_x", "periods", "payouts",
    "reconciliation",
)  # fmt: skip


@pytest.fixture
def read(browser: Browser, shop: Shop, make_key: Callable[..., str]) -> Callable[..., dict]:
    """GET below ``/v1/finance`` as the shop's staff."""
    key = make_key(shop.tenant, "staff")

    def get(path: str, status: int = 200) -> dict:
        answer = browser.get(f"/v1/finance/{path}", Authorization=key)
        assert answer.status_code == status, answer.text
        return answer.json()

    return get


@pytest.mark.parametrize("page", PAGES)
def test_only_the_shops_people(browser: Browser, shop: Shop, make_key: Callable[..., str], page: str) -> None:
    path = f"/v1/finance/{page}"
    assert browser.get(path).status_code == 401
    assert browser.get(path, Authorization=make_key(shop.tenant, "acp")).status_code == 403
    browser.start(shop.tenant)
    assert browser.get(path).status_code == 403


def test_a_sale_in_the_books(shop: Shop, read: Callable[..., dict]) -> None:
    shop.add("A")
    order_id = paid_order(shop, "A")
    [entry] = read(f"journal?order_id={order_id}")["items"]
    assert (entry["kind"], entry["currency"], entry["reverses_id"]) == ("capture", "USD", None)
    assert {line["account"]: line["amount"] for line in entry["postings"]} == {
        "psp_clearing": 6155, "customer_deposits": -5595, "tax_payable": -560,
    }  # fmt: skip
    assert read(f"journal/{entry['id']}") == entry
    [balance] = read("trial-balance")["items"]
    assert (balance["currency"], balance["debits"], balance["credits"]) == ("USD", 6155, 6155)
    [line] = read("accounts/tax_payable/statement")["items"]
    assert (line["entry_id"], line["amount"], line["balance"]) == (entry["id"], -560, -560)
    assert read("accounts/tax_payable/statement?currency=EUR")["items"] == []
    [gateway] = read("reconciliation")["gateways"]
    assert (gateway["gateway"], gateway["waiting"], gateway["waiting_events"]) == ("sandbox", 6155, 1)
    assert read("payouts") == {"items": [], "next_cursor": None}


def test_another_shops_books_are_not_there(shop: Shop, make_tenant: MakeTenant, read: Callable[..., dict]) -> None:
    other = open_shop(shop.runtime, make_tenant())
    other.add("A")
    paid_order(other, "A")
    with other.uow() as session:
        entry_id = session.scalars(select(JournalEntry.id)).one()
    assert read(f"journal/{entry_id}", 404)["code"] == "not_found"
    assert read("journal")["items"] == []
    assert read("trial-balance")["items"] == []
    assert read("reconciliation")["gateways"] == []


def test_the_chart_and_the_locked_months(shop: Shop, read: Callable[..., dict]) -> None:
    numbers = [account["number"] for account in read("accounts")["items"]]
    assert numbers == sorted(numbers)
    assert len(numbers) == len(Account)
    assert read("periods") == {"items": []}
    with shop.uow() as session:
        periods.lock(session, shop.tenant.id, month="2026-01", actor="key_1")
    assert [one["month"] for one in read("periods")["items"]] == ["2026-01"]


def test_pages_of_the_journal(shop: Shop, read: Callable[..., dict]) -> None:
    with shop.uow() as session:
        for number in range(5):
            finance.post(
                session, shop.tenant.id, kind="receipt", subject=f"inb_{number}", currency="USD",
                amounts=postings.receipt(100 + number), at=datetime(2026, 9, 1 + number, tzinfo=UTC),
            )  # fmt: skip
    seen, cursor = [], ""
    while True:
        page = read(f"journal?limit=2{cursor}")
        seen.append([entry["subject"] for entry in page["items"]])
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [["inb_4", "inb_3"], ["inb_2", "inb_1"], ["inb_0"]]
    assert [e["subject"] for e in read("journal?from=2026-09-02&to=2026-09-03")["items"]] == ["inb_2", "inb_1"]
    [first] = read("trial-balance?as_of=2026-09-01")["items"]
    assert (first["debits"], first["credits"]) == (100, 100)


@pytest.mark.parametrize(
    "query",
    [
        "journal?from=yesterday", "journal?limit=0", "journal?limit=201", "journal?cursor=no", "journal?account=no",
        "journal?kind=a%00b", "journal?from=9999-12-31", "trial-balance?as_of=0001-01-01", "journal?currency=usd",
        "payouts?cursor=WzEsMl0", "accounts/mattress/statement", "accounts/bank/statement?cursor=WyJhIiwiYiJd",
        "journal?cursor=WyIyMDI2LTAxLTAxVDAwOjAwOjAwIiwieCJd",
    ],
)  # fmt: skip
def test_what_is_not_a_question(read: Callable[..., dict], query: str) -> None:
    assert read(query, 400)["code"] == "invalid_request"
