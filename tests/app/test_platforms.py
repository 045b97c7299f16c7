"""Platforms and what they are told: for staff over HTTP, on the terminal, and sent by the serving process."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.cli import app
from app.courier import Courier
from engine.agentic import webhooks
from engine.kit.identity import Identity
from engine.lookout import Lookout
from engine.runtime import Runtime
from tests.app.acp.official import valid
from tests.app.conftest import Browser
from tests.engine.agentic.platform_orders import buy_as, hears, platform
from tests.receiver import Heard, Receiver, Says, receiving
from tests.shop import Shop

Run = Callable[..., Result]


@pytest.fixture
def run(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Run:
    @contextmanager
    def opened(_settings: Any, **_: Any) -> Iterator[Runtime]:
        yield shop.runtime

    monkeypatch.setattr("app.commands.opened.runtime", opened)

    def invoke(*words: str, code: int = 0, **more: Any) -> Any:
        result = CliRunner().invoke(app, [*words, "--tenant", shop.tenant.slug, "--json"], **more)
        assert result.exit_code == code, (result.output, result.exception)
        return json.loads(result.stdout) if code == 0 else result

    return invoke


@pytest.fixture
def buyer(shop: Shop) -> Identity:
    shop.add("A", stock={"EAST": 100})
    return platform(shop)


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def tell(shop: Shop) -> None:
    webhooks.tell_platforms(shop.runtime, shop.tenant.id)


def test_a_platform_on_the_terminal(shop: Shop, buyer: Identity, there: Receiver, run: Run) -> None:
    made = run("platforms", "set-webhook", "--platform", "Agent Co", "--url", f"{there.url}/hook")
    assert made["secret"].startswith("whsec_")
    again = run("platforms", "set-webhook", "--platform", buyer.id, "--url", there.url, "--event-names", "past")
    assert "secret" not in again
    rotated = run("platforms", "rotate-secret", "--platform", "Agent Co")
    assert rotated["secret"] != made["secret"]
    run("platforms", "trust", "--platform", "Agent Co", "--no")
    run("platforms", "suspend", "--platform", "Agent Co")
    (listed,) = run("platforms", "list")
    assert (listed["status"], listed["trusted"], listed["event_names"]) == ("suspended", False, "past")
    assert (listed["webhook_url"], listed["waiting"]) == (there.url, 0)
    assert "secret" not in json.dumps(listed).replace("secrets", "")
    run("platforms", "suspend", "--platform", "Agent Co", "--resume")
    assert run("platforms", "list")[0]["status"] == "active"
    run("platforms", "set-webhook", "--platform", "Agent Co", "--url", "http://10.0.0.1/", code=1)
    run("platforms", "set-webhook", "--platform", "Nobody", "--url", there.url, code=1)
    run("platforms", "set-webhook", "--platform", "Agent Co", "--url", "")
    assert run("platforms", "list")[0]["webhook_url"] is None


def test_events_on_the_terminal(shop: Shop, buyer: Identity, there: Receiver, run: Run) -> None:
    hears(shop, buyer, there.url)
    desk = buy_as(shop, buyer, "A")
    tell(shop)
    (event,) = run("webhooks", "list", "--platform", "Agent Co", "--status", "queued")
    assert (event["type"], event["order_id"]) == ("order_create", desk.order_id)
    assert run("webhooks", "replay", event["id"]) == {"queued": 1}
    assert run("webhooks", "replay", "--order", desk.order_id) == {"queued": 1}
    assert run("webhooks", "replay", "--dead", "Agent Co") == {"queued": 0}
    assert len(run("webhooks", "list", "--order", desk.order_id)) == 2
    run("webhooks", "replay", code=2)
    run("webhooks", "list", "--status", "lost", code=2)


def test_the_feed_on_the_terminal(shop: Shop, buyer: Identity, run: Run, tmp_path: Any) -> None:
    out = tmp_path / "products.jsonl"
    CliRunner().invoke(app, ["export", "feed", "--tenant", shop.tenant.slug, "--out", str(out)])
    (line,) = out.read_text().splitlines()
    valid("Product", json.loads(line), file="schema.feed.json")
    assert [path.name for path in tmp_path.iterdir()] == ["products.jsonl"]

    def says(heard: Heard) -> Says:
        made = heard.method == "POST"
        return Says(201 if made else 200, b'{"id":"feed_1"}' if made else b'{"id":"feed_1","accepted":true}')

    with receiving(says=says) as there:
        run("feed", "set", "--platform", "Agent Co", "--url", there.url, "--token-stdin", input="sesame\n")
        assert run("feed", "push", "--platform", "Agent Co") == {"feed_id": "feed_1", "products": 1, "ended": 0}
        assert there.heard[0].headers["authorization"] == "Bearer sesame"


def test_staff_see_events_and_replay_them(
    shop: Shop, buyer: Identity, there: Receiver, browser: Browser, make_key: Callable[..., str]
) -> None:
    hears(shop, buyer, there.url)
    desks = [buy_as(shop, buyer, "A") for _ in range(3)]
    tell(shop)
    key = make_key(shop.tenant, "staff")
    page = browser.get("/v1/staff/webhooks?limit=2", authorization=key).json()
    rest = browser.get(f"/v1/staff/webhooks?limit=2&cursor={page['next_cursor']}", authorization=key).json()
    assert len(page["items"]) == 2
    assert rest["next_cursor"] is None
    one = browser.get(f"/v1/staff/webhooks?order={desks[0].order_id}", authorization=key).json()["items"][0]
    assert (one["status"], one["topics"]) == ("queued", ["order.paid"])
    assert browser.get(f"/v1/staff/webhooks/{one['id']}", authorization=key).json() == one
    again = browser.post(f"/v1/staff/webhooks/{one['id']}/replay", authorization=key)
    assert (again.status_code, again.json()["status"]) == (200, "queued")
    (seen,) = browser.get("/v1/staff/platforms", authorization=key).json()["items"]
    assert (seen["id"], seen["waiting"], seen["given_up"]) == (buyer.id, 3, 0)
    for path in ("/v1/staff/webhooks?status=lost", "/v1/staff/webhooks?cursor=x"):
        assert browser.get(path, authorization=key).status_code in {400, 422}


def test_a_suspended_platforms_keys_open_nothing(
    shop: Shop, browser: Browser, make_key: Callable[..., str], run: Run
) -> None:
    key = make_key(shop.tenant, "acp")
    (seen,) = run("platforms", "list")
    assert browser.get("/v1/orders", authorization=key).status_code == 200
    run("platforms", "suspend", "--platform", seen["id"])
    assert browser.get("/v1/orders", authorization=key).status_code == 401
    made = run("keys", "create", "--scopes", "acp", "--platform", seen["name"])
    assert browser.get("/v1/orders", authorization=f"Bearer {made['key']}").status_code == 401
    run("platforms", "suspend", "--platform", seen["id"], "--resume")
    assert browser.get("/v1/orders", authorization=key).status_code == 200


def test_the_courier_sends_and_a_slow_receiver_holds_up_nobody(shop: Shop, buyer: Identity) -> None:
    slow = platform(shop, "Slow Co")
    arrived, release = threading.Event(), threading.Event()

    def waits(_: Heard) -> Says:
        release.wait(20)
        return Says()

    def takes(_: Heard) -> Says:
        arrived.set()
        return Says()

    with receiving(says=waits) as asleep, receiving(says=takes) as awake:
        hears(shop, slow, asleep.url)
        hears(shop, buyer, awake.url)
        for who in (slow, slow, slow, buyer):
            buy_as(shop, who, "A")
        tell(shop)
        courier = Courier(shop.runtime, Lookout(shop.runtime.store, quiet_seconds=0.0))
        for _ in range(3):
            courier.round()
        assert arrived.wait(20)
        release.set()
        courier.stop()
        assert len(awake.heard) == 1
