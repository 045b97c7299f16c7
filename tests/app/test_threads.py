"""``/v1/threads`` as ARCHITECTURE §8 has it."""

from __future__ import annotations

import pytest

from app.identity import COOKIE
from engine.conversations.models import Run, Thread
from engine.kit.tenancy import BrowserSession, Tenant
from tests.app.conftest import Browser, Woken, counted
from tests.shop import Shop


def test_a_guest_starts_a_conversation_and_gets_a_cookie(browser: Browser, tenant: Tenant) -> None:
    answer = browser.post("/v1/threads", {"tenant": tenant.slug})

    assert answer.status_code == 201
    assert answer.json() == {"id": answer.json()["id"], "mode": "agent", "tenant": tenant.slug}
    assert answer.json()["id"].startswith("thr_")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie


def test_the_cookie_is_kept_as_a_hash(browser: Browser, tenant: Tenant, shop: Shop) -> None:
    browser.start(tenant)

    with shop.runtime.store.without_tenant() as session:
        assert session.get(BrowserSession, browser.http.cookies[COOKIE]) is None


def test_without_a_cookie_every_post_makes_another_guest(open_browser, tenant: Tenant, shop: Shop) -> None:
    first, second = open_browser(), open_browser()
    body = {"tenant": tenant.slug}

    one = first.post("/v1/threads", body, key="same")
    two = second.post("/v1/threads", body, key="same")

    assert one.json()["id"] != two.json()["id"]
    assert one.headers["set-cookie"] != two.headers["set-cookie"]
    assert "idempotent-replayed" not in two.headers


def test_with_a_cookie_the_same_key_gives_the_same_conversation(browser: Browser, tenant: Tenant, shop: Shop) -> None:
    browser.start(tenant)

    one = browser.post("/v1/threads", {}, key="k1")
    two = browser.post("/v1/threads", {}, key="k1")

    assert (one.status_code, two.status_code) == (201, 201)
    assert one.content == two.content
    assert two.headers["idempotent-replayed"] == "true"
    assert "set-cookie" not in two.headers
    assert counted(shop, Thread) == 2


def test_another_shop_makes_another_guest(browser: Browser, make_tenant) -> None:
    one, two = make_tenant(), make_tenant()
    first = browser.start(one)
    cookie = browser.http.cookies[COOKIE]

    browser.start(two)

    assert browser.http.cookies[COOKIE] != cookie
    assert browser.get(f"/v1/threads/{first}").status_code == 404


def test_two_tabs_of_two_shops_keep_who_they_are(browser: Browser, make_tenant) -> None:
    one, two = make_tenant(), make_tenant()
    threads = {shop.slug: browser.start(shop) for shop in (one, two)}

    def look(shop: Tenant, thread_of: Tenant) -> int:
        return int(browser.get(f"/v1/threads/{threads[thread_of.slug]}", X_Shop=shop.slug).status_code)

    assert [look(one, one), look(two, two), look(one, two), look(two, one)] == [200, 200, 404, 404]
    again = browser.post("/v1/threads", {"tenant": one.slug}, X_Shop=one.slug)
    assert (again.status_code, "set-cookie" in again.headers) == (201, False)
    assert browser.get(f"/v1/threads/{threads[two.slug]}").status_code == 200

    assert browser.post("/v1/identity/sign_out", {}, X_Shop=one.slug).status_code == 200
    assert [look(one, one), look(two, two)] == [404, 200]
    assert browser.get(f"/v1/threads/{threads[two.slug]}").status_code == 200

    # Pressed once more, in another tab of the same shop: nobody is signed out who was not meant.
    assert browser.post("/v1/identity/sign_out", {}, X_Shop=one.slug).status_code == 401
    assert look(two, two) == 200
    assert browser.post("/v1/threads", {"tenant": one.slug}, X_Shop=one.slug).json()["tenant"] == one.slug


def test_an_unknown_or_suspended_shop_is_not_found(browser: Browser, make_tenant) -> None:
    closed = make_tenant(status="suspended")

    for slug in ("no-such-shop", closed.slug):
        answer = browser.post("/v1/threads", {"tenant": slug})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_cookie_of_a_suspended_shop_is_refused(browser: Browser, tenant: Tenant, shop: Shop) -> None:
    thread = browser.start(tenant)
    with shop.runtime.store.without_tenant() as session:
        session.get_one(Tenant, tenant.id).status = "suspended"

    answer = browser.get(f"/v1/threads/{thread}")

    assert (answer.status_code, answer.json()["code"]) == (403, "tenant_suspended")


def test_a_message_is_queued_stored_and_announced(browser: Browser, tenant: Tenant, shop: Shop, woken: Woken) -> None:
    thread = browser.start(tenant)

    answer = browser.say(thread, "hello there")

    assert answer.status_code == 202
    run_id = answer.json()["run_id"]
    assert answer.json() == {"run_id": run_id}
    assert woken.keys == [(tenant.id, thread)]
    snapshot = browser.get(f"/v1/threads/{thread}").json()
    assert [(m["role"], m["content"]) for m in snapshot["messages"]] == [("user", "hello there")]
    assert snapshot["last_event"] == 3
    assert snapshot["interrupts"] == []
    assert snapshot["cart"]["lines"] == []
    run = browser.get(f"/v1/threads/{thread}/runs/{run_id}").json()
    assert (run["status"], run["agent_path"], run["tool_calls"]) == ("running", [], [])


def test_the_same_key_and_body_is_one_run(browser: Browser, tenant: Tenant, shop: Shop) -> None:
    thread = browser.start(tenant)

    one, two = (browser.say(thread, "hello", key="k") for _ in range(2))

    assert one.content == two.content
    assert two.headers["idempotent-replayed"] == "true"
    assert counted(shop, Run) == 1


def test_the_same_key_with_another_body_is_a_conflict(browser: Browser, tenant: Tenant, shop: Shop) -> None:
    thread = browser.start(tenant)
    browser.say(thread, "hello", key="k")

    answer = browser.say(thread, "something else", key="k")

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_conflict")
    assert counted(shop, Run) == 1


def test_keys_of_two_threads_do_not_meet(browser: Browser, tenant: Tenant, shop: Shop) -> None:
    first, second = browser.start(tenant), browser.start(tenant)

    assert browser.say(first, "hello", key="k").json() != browser.say(second, "hello", key="k").json()
    assert counted(shop, Run) == 2


def test_card_numbers_are_masked_before_they_are_kept(browser: Browser, tenant: Tenant) -> None:
    thread = browser.start(tenant)

    browser.say(thread, "my card is 4242 4242 4242 4242")

    assert browser.get(f"/v1/threads/{thread}").json()["messages"][0]["content"] == "my card is •••• 4242"


def test_a_key_may_talk_but_not_confirm(browser: Browser, shop: Shop, make_key) -> None:
    key = make_key(shop.tenant, "staff")
    thread = browser.post("/v1/threads", {}, authorization=key).json()["id"]
    resume = {"resume": [{"interruptId": "cnf_x", "status": "resolved", "payload": {"approved": True}}]}

    answer = browser.post(f"/v1/threads/{thread}/runs", resume, authorization=key)

    assert answer.status_code == 403


def test_the_identitys_runs_are_limited(browser: Browser, tenant: Tenant, site) -> None:
    from app.site import Limits

    site.limits = Limits(runs_per_identity=3)
    thread = browser.start(tenant)

    answers = [browser.say(thread, f"hello {n}") for n in range(4)]

    assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
    assert answers[-1].json()["code"] == "rate_limited"
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 61


@pytest.mark.parametrize("decision", [{"approved": True}, {"approved": False}])
def test_an_unknown_card_is_not_found(browser: Browser, tenant: Tenant, shop: Shop, decision) -> None:
    thread = browser.start(tenant)
    resume = {"resume": [{"interruptId": "cnf_00000000000000000000000000", "status": "resolved", "payload": decision}]}

    answer = browser.post(f"/v1/threads/{thread}/runs", resume)

    assert answer.status_code == 404
    assert counted(shop, Run) == 0
