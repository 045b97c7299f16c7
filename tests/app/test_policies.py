"""``/v1/staff/policies`` and ``icommerce tenants policy``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli import app
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from tests.app.conftest import Browser

PATH = "/v1/staff/policies"
MakeKey = Callable[..., str]


def patch(browser: Browser, key: str, section: str, body: Any, *, once: str = "k1") -> Any:
    headers = {"Authorization": key, "Idempotency-Key": once}
    return browser.http.patch(f"{PATH}/{section}", json=body, headers=headers)


def test_staff_read_and_admins_change(browser: Browser, tenant: Tenant, make_key: MakeKey) -> None:
    staff, admin = make_key(tenant, "staff"), make_key(tenant, "admin")

    items = browser.get(PATH, Authorization=staff).json()["items"]
    assert "inventory" in [item["section"] for item in items]
    refused = patch(browser, staff, "inventory", {"lead_days": 3})
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    done = patch(browser, admin, "inventory", {"lead_days": 3})
    again = patch(browser, admin, "inventory", {"lead_days": 3})

    assert (done.status_code, done.json()["values"]["lead_days"]) == (200, 3)
    assert again.headers["Idempotent-Replayed"] == "true"
    shown = browser.get(f"{PATH}/inventory", Authorization=staff).json()
    assert (shown["values"]["lead_days"], shown["changed"]) == (3, ["lead_days"])


@pytest.mark.parametrize(
    ("section", "body", "status"),
    [("nothing", {"a": 1}, 400), ("inventory", {"a": 1}, 400), ("inventory", {"lead_days": -1}, 400)],
)
def test_what_cannot_be_is_a_problem_and_changes_nothing(
    browser: Browser, tenant: Tenant, make_key: MakeKey, section: str, body: dict[str, int], status: int
) -> None:
    answer = patch(browser, make_key(tenant, "admin"), section, body)
    assert answer.status_code == status
    assert answer.json()["code"] == "invalid_request"
    shown = browser.get(f"{PATH}/inventory", Authorization=make_key(tenant, "staff")).json()
    assert shown["changed"] == []


def test_shoppers_and_strangers_see_nothing(browser: Browser, tenant: Tenant, make_key: MakeKey) -> None:
    assert browser.get(PATH).status_code == 401
    browser.start(tenant)
    assert browser.get(PATH).status_code == 403
    assert browser.get(PATH, Authorization=make_key(tenant, "acp")).status_code == 403


@pytest.fixture
def cli(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The command line on the test's store."""

    @contextmanager
    def opened(*_: Any, **__: Any) -> Iterator[Runtime]:
        yield runtime

    monkeypatch.setattr("app.commands.opened.runtime", opened)
    return lambda *words: CliRunner().invoke(app, ["tenants", "policy", *words])


def test_the_command_shows_and_changes(cli: Callable[..., Any], tenant: Tenant) -> None:
    all_of_them = json.loads(cli(tenant.slug, "--json").stdout)
    assert "inventory" in [view["section"] for view in all_of_them]
    changed = cli(tenant.slug, "inventory", "lead_days=3", "low_stock_at=null", "--json")
    assert changed.exit_code == 0
    assert json.loads(changed.stdout)["values"]["lead_days"] == 3
    words = cli(tenant.slug, "inventory").stdout
    assert "lead_days" in words
    assert "set here" in words


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nothing"], "inventory"),
        (["inventory", "colour=red"], "lead_days"),
        (["inventory", "lead_days=soon"], "lead_days"),
        (["inventory", "lead_days"], "key=value"),
    ],
)
def test_the_command_refuses_with_two_and_a_list(
    cli: Callable[..., Any], tenant: Tenant, words: list[str], told: str
) -> None:
    ended = cli(tenant.slug, *words)
    assert ended.exit_code == 2
    assert told in " ".join(ended.output.replace("│", " ").split())
    assert json.loads(cli(tenant.slug, "inventory", "--json").stdout)["changed"] == []
