"""``/v1/reports`` and ``/staff/reports``: who may read them, of which shop, and that they are the journal's."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest

from engine.finance import postings
from engine.finance import reports as books
from engine.finance import service as finance
from engine.finance.schemas import TrialBalanceView
from engine.kit.identity import Role
from engine.kit.tenancy import Tenant
from engine.reports import service
from engine.runtime import Runtime
from tests.app.conftest import Browser
from tests.app.staff.conftest import Console, Hire
from tests.conftest import MakeTenant
from tests.engine.orders.desk import buy
from tests.engine.returns.coming import deliver
from tests.shop import Shop, open_shop


@pytest.fixture
def signed_in(runtime: Runtime, shop: Shop, hire: Hire, console: Callable[..., Console]) -> Callable[..., Console]:
    return lambda role, tenant=shop.tenant: console(runtime, hire(tenant, role))


def sold(shop: Shop) -> None:
    shop.add("TENT", price=10_000)
    deliver(buy(shop, "TENT", 2))


def test_support_does_not_read_reports_and_the_others_do(signed_in: Callable[..., Console], browser: Browser) -> None:
    for role in Role:
        by, status = signed_in(role), 403 if role is Role.SUPPORT else 200
        for path in ("/v1/reports", "/v1/reports/sales", "/v1/reports/sales/csv"):
            assert by.get(path).status_code == status, (role, path)
        page = by.page("/staff/reports")
        assert page.status_code == status
        assert ("Ties to the trial balance" in page.text) == (status == 200)
        assert ('href="/staff/reports"' in page.text) == (status == 200)
    assert browser.get("/v1/reports/sales").status_code == 401
    assert browser.http.get("/staff/reports", follow_redirects=False).status_code == 303


def test_a_key_reads_what_staff_read_and_a_platform_nothing(
    browser: Browser, shop: Shop, make_key: Callable[..., str]
) -> None:
    staff, platform = make_key(shop.tenant, "staff"), make_key(shop.tenant, "acp")
    names = [one["name"] for one in browser.get("/v1/reports", Authorization=staff).json()["items"]]
    assert names == list(service.REPORTS)
    assert browser.get("/v1/reports/tax", Authorization=platform).status_code == 403


def test_money_is_that_of_the_journal(
    shop: Shop, make_tenant: MakeTenant, signed_in: Callable[..., Console], runtime: Runtime
) -> None:
    sold(shop)
    by = signed_in(Role.SUPERVISOR)
    [balance] = by.get("/v1/finance/trial-balance").json()["items"]
    there = {row["code"]: row["credit"] - row["debit"] for row in balance["accounts"]}
    sales, tax = (by.get(f"/v1/reports/{name}").json() for name in ("sales", "tax"))
    assert sales["totals"] == {"goods": 20_000, "shipping": 595, "gross": 20_595, "discounts": 0, "net": 20_595}
    assert (there["revenue"], there["shipping_revenue"]) == (20_000, 595)
    assert (tax["totals"]["owed"], sales["currency"], len(sales["rows"])) == (there["tax_payable"], "USD", 30)
    for report in (sales, tax):
        assert (report["ties"]["holds"], report["ties"]["debits"]) == (True, balance["debits"])
    page = by.page("/staff/reports").text
    assert "$205.95" in page
    assert "Does not tie" not in page
    stranger = signed_in(Role.ADMIN, open_shop(runtime, make_tenant()).tenant)
    assert not any(stranger.get("/v1/reports/sales").json()["totals"].values())
    assert "$205.95" not in stranger.page("/staff/reports").text


def test_what_is_booked_while_a_report_is_made_does_not_come_between_it_and_the_books(
    shop: Shop, signed_in: Callable[..., Console], monkeypatch: pytest.MonkeyPatch
) -> None:
    sold(shop)
    by, balance, booked = signed_in(Role.ADMIN), books.movements, []

    def meanwhile(*asked: Any, **period: Any) -> TrialBalanceView:
        with shop.uow() as session:
            fee = {"kind": "return_fee", "subject": f"{len(booked)}", "currency": "USD"}
            booked.append(finance.post(session, shop.tenant.id, **fee, amounts=postings.return_fee(10)))
        return balance(*asked, **period)

    monkeypatch.setattr(books, "movements", meanwhile)
    answer = by.get("/v1/reports/refunds").json()
    assert (answer["totals"]["fees"], answer["ties"]["holds"]) == (0, True)
    assert "Does not tie" not in by.page("/staff/reports").text
    assert len(booked) == 4
    monkeypatch.undo()
    assert by.get("/v1/reports/refunds").json()["totals"]["fees"] == 40


def test_a_file_says_the_same(shop: Shop, signed_in: Callable[..., Console]) -> None:
    sold(shop)
    by = signed_in(Role.OPS)
    answer = by.http.get("/v1/reports/sales/csv?as=staff")
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows[0] == ["day", "goods USD", "shipping USD", "gross USD", "discounts USD", "net USD"]
    assert rows[-1] == ["Total", "200.00", "5.95", "205.95", "0.00", "205.95"]
    assert answer.headers["content-disposition"].startswith('attachment; filename="sales-')
    assert answer.headers["cache-control"] == "private, no-store"


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("sales?from=yesterday", 400, "invalid_request"),
        ("sales?from=2026-03-02&to=2026-03-01", 400, "invalid_request"),
        ("sales?from=2020-01-01&to=2026-03-01", 400, "invalid_request"),
        ("sales?currency=usd", 400, "invalid_request"),
        ("weather", 404, "not_found"),
        ("weather/csv", 404, "not_found"),
    ],
)
def test_what_is_no_question(
    shop: Shop, browser: Browser, make_key: Callable[..., str], query: str, status: int, code: str
) -> None:
    answer = browser.get(f"/v1/reports/{query}", Authorization=make_key(shop.tenant, "staff"))
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize("query", ["from=yesterday", "from=2026-03-02&to=2026-03-01", "from=0001-01-01"])
def test_a_page_says_what_no_period_is(signed_in: Callable[..., Console], query: str) -> None:
    page = signed_in(Role.ADMIN).page(f"/staff/reports?{query}")
    assert page.status_code == 200
    assert "These are the last thirty days." in page.text


def test_titles_are_text(shop: Shop, signed_in: Callable[..., Console], tenant: Tenant) -> None:
    shop.add("TENT", title="<img src=x onerror=alert(1)>")
    buy(shop, "TENT")
    page = signed_in(Role.ADMIN).page("/staff/reports").text
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page
