"""``/v1/ops/connections``: what goes in, what never comes out, and who may."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import text

from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.sync import dialects
from engine.sync.models import Connection, ConnectionSecret, System
from tests.app.conftest import Browser
from tests.engine.sync.scene import Token
from tests.receiver import Receiver, Says, receiving

PATH = "/v1/ops/connections"
SECRET = "shpat_0123456789abcdef"
NEW = "shpat_new0new0new0new0"
MakeKey = Callable[..., str]


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A system of this machine that is known by a token."""
    monkeypatch.setitem(dialects.DIALECTS, System.SHOPIFY, "tests.engine.sync.scene:Token")
    with receiving() as there:
        there.says = lambda heard: Says(200 if heard.headers.get("x-token") == SECRET else 401, b"{}")
        yield there


@pytest.fixture
def ops(tenant: Tenant, make_key: MakeKey) -> str:
    return make_key(tenant, "ops")


def body(url: str = "https://shop.example.com/admin", **more: Any) -> dict[str, Any]:
    usual = {"system": "shopify", "name": "Main", "base_url": url, "secrets": {"access_token": SECRET}}
    return usual | {"settings": {"location": "7"}} | more


def connect(browser: Browser, ops: str, **more: Any) -> dict[str, Any]:
    answer = browser.post(PATH, body(**more), authorization=ops)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def test_a_connection_is_made_and_shown_without_its_secrets(
    browser: Browser, ops: str, runtime: Runtime, tenant: Tenant
) -> None:
    made = connect(browser, ops)
    shown = browser.get(f"{PATH}/{made['id']}", authorization=ops).json()

    assert shown == made == browser.get(PATH, authorization=ops).json()["items"][0]
    assert (made["status"], made["system"], made["settings"]) == ("active", "shopify", {"location": "7"})
    assert made["secrets"] == [{"field": "access_token", "live": 1, "version": 1, "replaced_until": None}]
    assert (made["limit"]["kind"], made["limit"]["capacity"], made["limit"]["used"]) == ("points", 2000, 0)
    assert made["breaker"]["state"] == "closed"
    with runtime.unit_of_work(tenant.id) as session:
        for table in ("idempotency_keys", "audit", "sync_connections", "sync_secrets"):
            rows = session.execute(text(f"SELECT t::text FROM app.{table} t")).scalars().all()  # noqa: S608
            assert rows
            assert not [row for row in rows if SECRET in row or SECRET.encode().hex() in row], table


def test_told_again_it_is_made_once(browser: Browser, ops: str, runtime: Runtime, tenant: Tenant) -> None:
    first = browser.post(PATH, body(), key="k1", authorization=ops)
    again = browser.post(PATH, body(), key="k1", authorization=ops)
    other = browser.post(PATH, body(secrets={"access_token": NEW}), key="k1", authorization=ops)

    assert (again.json(), again.headers["idempotent-replayed"]) == (first.json(), "true")
    assert other.status_code in {409, 422}
    with runtime.unit_of_work(tenant.id) as session:
        assert session.query(Connection).count() == 1


@pytest.mark.parametrize(
    ("more", "status", "words"),
    [
        ({"base_url": "http://169.254.169.254/latest"}, 400, "address"),
        ({"base_url": "https://shop.example.com/?x=1"}, 400, "no query"),
        ({"system": "sap"}, 400, "system"),
        ({"secrets": {}}, 400, "has the secrets"),
        ({"secrets": {"access_token": SECRET, "more": SECRET}}, 400, "has the secrets"),
        ({"secrets": {"access_token": 5}}, 400, "valid string"),
        ({"secrets": {"access_token": "short"}}, 400, "8 to 8,192"),
        ({"settings": {"token": "x"}}, 400, "no place for a secret"),
        ({"limit": {"kind": "points"}}, 400, "capacity"),
        ({"limit": {"kind": "points", "capacity": "5", "period_ms": 1}}, 400, "integer"),
        ({"more": 1}, 400, "Extra"),
    ],
)
def test_what_cannot_be_is_a_problem_that_says_nothing_secret(
    browser: Browser, runtime: Runtime, tenant: Tenant, ops: str, more: dict[str, Any], status: int, words: str
) -> None:
    answer = browser.post(PATH, body() | more, authorization=ops)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    assert words in answer.json()["detail"], answer.text
    assert SECRET not in answer.text
    with runtime.unit_of_work(tenant.id) as session:
        assert (session.query(Connection).count(), session.query(ConnectionSecret).count()) == (0, 0)


def test_secrets_are_replaced_and_the_connection_is_tested(browser: Browser, ops: str, vendor: Receiver) -> None:
    made = connect(browser, ops, url=f"{vendor.url}/admin")
    at = f"{PATH}/{made['id']}"

    tested = browser.post(f"{at}/test", authorization=ops)
    assert (tested.status_code, tested.json()["ok"], tested.json()["code"]) == (200, True, "")
    rotated = browser.post(f"{at}/secrets", {"secrets": {"access_token": NEW}}, authorization=ops).json()
    assert [(one["live"], one["version"]) for one in rotated["secrets"]] == [(2, 2)]
    assert browser.post(f"{at}/test", authorization=ops).json()["ok"]
    assert [heard.headers["x-token"] for heard in vendor.heard] == [SECRET, NEW, SECRET]
    shown = browser.get(at, authorization=ops).json()
    assert (shown["tested_at"] is not None, shown["test_error"]) == (True, "")


def test_a_connection_that_is_refused_rests_until_it_has_new_secrets(
    browser: Browser, ops: str, vendor: Receiver
) -> None:
    made = connect(browser, ops, url=vendor.url, secrets={"access_token": NEW})
    at = f"{PATH}/{made['id']}"

    tested = browser.post(f"{at}/test", authorization=ops).json()
    assert (tested["ok"], tested["code"]) == (False, "auth_expired")
    assert browser.get(at, authorization=ops).json()["status"] == "auth_expired"
    rotated = browser.post(f"{at}/secrets", {"secrets": {"access_token": SECRET}}, authorization=ops).json()
    assert rotated["status"] == "active"
    assert browser.post(f"{at}/test", authorization=ops).json()["ok"]


def test_a_test_is_made_once_for_a_key(browser: Browser, ops: str, vendor: Receiver) -> None:
    made = connect(browser, ops, url=vendor.url)
    for _ in range(2):
        assert browser.post(f"{PATH}/{made['id']}/test", key="once", authorization=ops).json()["ok"]
    assert len(vendor.heard) == 1


def test_what_nobody_here_speaks_cannot_be_tested(browser: Browser, ops: str) -> None:
    made = connect(
        browser, ops, system="slack", url="https://hooks.example.com", secrets={"webhook_path": "services/T0/B0"}
    )
    answer = browser.post(f"{PATH}/{made['id']}/test", authorization=ops)
    assert (answer.status_code, answer.json()["code"]) == (400, "not_testable")


def test_paused_resumed_changed_closed(browser: Browser, ops: str) -> None:
    at = f"{PATH}/{connect(browser, ops)['id']}"
    paused = browser.post(f"{at}/pause", {"reason": "Stocktaking"}, authorization=ops).json()
    assert (paused["status"], paused["reason"]) == ("paused", "Stocktaking")
    assert browser.post(f"{at}/pause", {"reason": "x"}, authorization=ops).status_code == 409
    assert browser.post(f"{at}/resume", authorization=ops).json()["status"] == "active"
    headers = {"authorization": ops, "idempotency-key": "c1"}
    change = {"limit": {"kind": "concurrency", "max_in_flight": 2}, "settings": {}}
    changed = browser.http.patch(at, json=change, headers=headers).json()
    assert (changed["limit"]["kind"], changed["limit"]["max_in_flight"], changed["settings"]) == ("concurrency", 2, {})
    assert browser.post(f"{at}/breaker/reset", authorization=ops).json()["breaker"]["state"] == "closed"
    closed = browser.post(f"{at}/close", {"reason": "Over"}, authorization=ops).json()
    assert (closed["status"], closed["secrets"]) == ("closed", [])
    assert browser.get(PATH, authorization=ops).json()["items"] == []
    assert [one["id"] for one in browser.get(f"{PATH}?closed=true", authorization=ops).json()["items"]] == [
        closed["id"]
    ]


def test_the_journal_is_read_in_pages(browser: Browser, ops: str, vendor: Receiver) -> None:
    at = f"{PATH}/{connect(browser, ops, url=vendor.url)['id']}"
    for _ in range(3):
        browser.post(f"{at}/test", authorization=ops)
    first = browser.get(f"{at}/calls?limit=2", authorization=ops).json()
    second = browser.get(f"{at}/calls?limit=2&cursor={first['next_cursor']}", authorization=ops).json()

    assert [(one["method"], one["path"], one["answer"]) for one in first["items"]] == [("GET", "/shop", 200)] * 2
    assert (len(second["items"]), second["next_cursor"]) == (1, None)
    assert SECRET not in str([first, second])
    assert browser.get(f"{at}/calls?cursor=nonsense", authorization=ops).status_code == 400


def test_it_is_for_operations_alone(browser: Browser, tenant: Tenant, make_key: MakeKey, ops: str) -> None:
    assert browser.get(PATH).status_code == 401
    for scopes in (("staff",), ("acp",)):
        key = make_key(tenant, *scopes)
        assert browser.get(PATH, authorization=key).status_code == 403
        assert browser.post(PATH, body(), authorization=key).status_code == 403
    assert browser.get(PATH, authorization=ops).json() == {"items": [], "next_cursor": None}
    assert browser.get(PATH, authorization=make_key(tenant, "admin")).status_code == 200


assert Token.probe is not None
