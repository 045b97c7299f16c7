"""``icommerce books`` and ``icommerce export``, over the test database."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, cast

import pytest
from typer.testing import CliRunner, Result

from app.cli import app
from engine.finance import service as finance
from engine.kit import clock
from engine.kit.errors import NotFound
from engine.payments.gateways.sandbox.gateway import SandboxGateway
from engine.runtime import Runtime
from tests.app.conftest import paid_order
from tests.shop import Shop

Run = Callable[..., Result]


@pytest.fixture
def run(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command for the shop; its runtime is the test's."""

    @contextmanager
    def opened(_settings: Any, **_: Any) -> Iterator[Runtime]:
        yield shop.runtime

    monkeypatch.setattr("app.commands.opened.runtime", opened)

    def invoke(*words: str, tenant: str = shop.tenant.slug) -> Result:
        return CliRunner().invoke(app, [*words, "--tenant", tenant])

    return invoke


@pytest.fixture
def sale(shop: Shop) -> str:
    shop.add("A")
    return paid_order(shop, "A")


def answer(result: Result, code: int = 0) -> Any:
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def test_the_books_on_the_terminal(run: Run, sale: str) -> None:
    [balance] = answer(run("books", "trial-balance", "--json"))
    assert (balance["debits"], balance["credits"]) == (6155, 6155)
    assert "$61.55" in run("books", "trial-balance").stdout
    [entry] = answer(run("books", "journal", "--order", sale, "--json"))["items"]
    assert entry["kind"] == "capture"
    assert "psp_clearing" in run("books", "journal").stdout
    assert answer(run("books", "trial-balance", "--as-of", "2020-01-01", "--json")) == []


def test_a_month_is_locked_and_opened(run: Run, shop: Shop) -> None:
    assert answer(run("books", "lock", "--month", "2026-01", "--json"))["month"] == "2026-01"
    assert [one["locked_by"] for one in answer(run("books", "periods", "--json"))] == ["cli"]
    assert answer(run("books", "unlock", "--month", "2026-01", "--json")) == {"month": "2026-01", "locked": False}
    assert answer(run("books", "periods", "--json")) == []


def test_an_account_gets_its_own_name(run: Run) -> None:
    assert answer(run("books", "account", "revenue", "--number", "8400", "--json"))["number"] == "8400"
    assert [row["code"] for row in answer(run("books", "accounts", "--json"))][-1] == "revenue"


def test_payouts_come_in_and_the_report_is_clean(run: Run, shop: Shop, sale: str) -> None:
    gateway = cast("SandboxGateway", shop.runtime.gateways["sandbox"])
    gateway.pay_out(merchant=shop.tenant.id, before=clock.now() + timedelta(hours=1))
    assert answer(run("books", "import-payouts", "--json")) == {"imported": 1}
    report = answer(run("books", "reconcile", "--json"))
    assert [(one["waiting"], one["payouts"]) for one in report["gateways"]] == [(0, 1)]
    assert "paid out" in run("books", "reconcile").stdout


def test_a_difference_fails_the_report(run: Run, shop: Shop, sale: str) -> None:
    with shop.uow() as session:
        amounts = {finance.Account.PSP_CLEARING: 5, finance.Account.ROUNDING: -5}
        finance.post(session, shop.tenant.id, kind="x", subject="x", currency="USD", amounts=amounts)
    assert answer(run("books", "reconcile", "--json"), 1)["clearing"][0]["unexplained"] == 5


def test_the_journal_is_exported(run: Run, sale: str) -> None:
    rows = list(csv.DictReader(io.StringIO(run("export", "journal").stdout)))
    assert [(row["account"], row["debit"], row["credit"]) for row in rows] == [
        ("psp_clearing", "61.55", ""), ("customer_deposits", "", "55.95"), ("tax_payable", "", "5.60"),
    ]  # fmt: skip
    assert [row["amount"] for row in answer(run("export", "journal", "--format", "json"))] == [6155, -5595, -560]
    assert answer(run("export", "journal", "--format", "json", "--to", "2020-01-01")) == []
    assert run("export", "journal", "--format", "xml").exit_code == 2


def test_a_shop_that_is_none(run: Run) -> None:
    assert isinstance(run("books", "accounts", tenant="nowhere").exception, NotFound)


def test_help_needs_none_of_the_engine() -> None:
    heavy = "sqlalchemy", "pydantic", "fastapi", "litellm"
    code = f"import sys, app.cli; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
