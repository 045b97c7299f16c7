"""Bad input gets a clear problem, is never echoed, and changes nothing."""

from __future__ import annotations

import json

import pytest

from engine.conversations.models import Run, Thread
from engine.kit.tenancy import Tenant
from tests.app.conftest import Browser, counted
from tests.shop import Shop

MARK = "zebra-4242424242424242"
KEY = {"Idempotency-Key": "k", "Content-Type": "application/json"}


def is_problem(answer, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert set(body) - {"param"} == {"type", "title", "status", "detail", "code", "trace_id"}
    assert (body["status"], body["code"]) == (status, code)
    assert body["trace_id"] == answer.headers["x-request-id"]
    assert MARK not in answer.text
    assert "4242424242424242" not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        "{bad",
        "",
        "[]",
        '"words"',
        "null",
        "NaN",
        json.dumps({"message": MARK, "action": {"name": "retry"}}),
        json.dumps({"message": 7}),
        json.dumps({"message": None}),
        json.dumps({"message": "   "}),
        json.dumps({"message": "a\x00b"}),
        '{"message": "\\ud800"}',
        json.dumps({"message": "x" * 8001}),
        json.dumps({MARK: 1}),
        json.dumps({"message": "hi", MARK: 1}),
        json.dumps({"action": {"name": MARK, "args": {}}}),
        json.dumps({"action": {"name": "confirm", "args": {}}}),
        json.dumps({"action": {"name": "add_to_cart", "args": {"variant_id": "v", "quantity": 0}}}),
        json.dumps({"action": {"name": "add_to_cart", "args": {MARK: 1}}}),
        json.dumps({"resume": []}),
        json.dumps({"resume": [{"interruptId": MARK, "status": MARK}]}),
        json.dumps({"resume": [{"interruptId": "cnf_x", "status": "resolved", "payload": {"approved": "yes"}}]}),
        json.dumps({"resume": [{"interruptId": "a\x00b", "status": "cancelled"}]}),
        json.dumps({"action": {"name": "view_product", "args": {"product_id": "4242424242424242"}}}),
        "[" * 5000 + "]" * 5000,
        '{"message": ' + "9" * 5000 + "}",
    ],
)
def test_a_turn_that_makes_no_sense(browser: Browser, tenant: Tenant, shop: Shop, body: str) -> None:
    thread = browser.start(tenant)

    answer = browser.http.post(f"/v1/threads/{thread}/runs", content=body.encode(), headers=KEY)

    assert 400 <= answer.status_code < 500
    is_problem(answer, 400, "invalid_request")
    assert counted(shop, Run) == 0


def test_a_write_needs_an_idempotency_key(browser: Browser, tenant: Tenant, shop: Shop) -> None:
    thread = browser.start(tenant)

    for path in ("/v1/threads", f"/v1/threads/{thread}/runs"):
        is_problem(browser.http.post(path, json={"message": "hi"}), 400, "idempotency_key_required")
    assert (counted(shop, Run), counted(shop, Thread)) == (0, 1)


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "caf\u00e9"])
def test_a_bad_idempotency_key(browser: Browser, tenant: Tenant, key: str) -> None:
    answer = browser.http.post("/v1/threads", json={}, headers={"Idempotency-Key": key.encode("latin-1")})

    is_problem(answer, 400, "invalid_request")


def test_a_key_of_255_characters_is_good(browser: Browser, tenant: Tenant) -> None:
    assert browser.post("/v1/threads", {"tenant": tenant.slug}, key="x" * 255).status_code == 201


def test_too_large_a_body_is_not_read(browser: Browser, tenant: Tenant, shop: Shop) -> None:
    thread = browser.start(tenant)
    path, large = f"/v1/threads/{thread}/runs", b'{"message": "' + b"x" * 1_000_000 + b'"}'

    is_problem(browser.http.post(path, content=large, headers=KEY), 413, "payload_too_large")
    pieces = (large[i : i + 50_000] for i in range(0, len(large), 50_000))
    is_problem(browser.http.post(path, content=pieces, headers=KEY), 413, "payload_too_large")
    assert counted(shop, Run) == 0


def test_only_json(browser: Browser, tenant: Tenant) -> None:
    answer = browser.http.post("/v1/threads", content=b"tenant=x", headers={"Idempotency-Key": "k"})

    is_problem(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize("path", ["/v1/nothing", "/nothing", "/v1/threads/", "/v1/threads/a/b/c", "/static/nothing.js"])
def test_an_unknown_path_is_a_problem(browser: Browser, path: str) -> None:
    is_problem(browser.get(path), 404, "not_found")


def test_a_wrong_method_is_a_problem(browser: Browser) -> None:
    for method, path in (("PUT", "/v1/threads"), ("DELETE", "/v1/products"), ("POST", "/v1/orders")):
        answer = browser.http.request(method, path)
        is_problem(answer, 405, "method_not_allowed")
        assert answer.headers["allow"]


@pytest.mark.parametrize("bad", ["a%00b", "x" * 300, "thr_%F0%9F%98%80", "%2e%2e", "thr_1'%20OR%201=1"])
def test_strange_ids_are_not_found(browser: Browser, tenant: Tenant, bad: str) -> None:
    browser.start(tenant)

    for path in (f"/v1/threads/{bad}", f"/v1/threads/{bad}/events", f"/v1/products/{bad}", f"/v1/orders/{bad}"):
        is_problem(browser.get(path), 404, "not_found")
    is_problem(browser.say(bad, "hello"), 404, "not_found")


BAD_QUERIES = [
    "limit=0",
    "limit=201",
    "limit=x",
    "max_price=-1",
    "max_price=1e9",
    "max_price=99999999999",
    "cursor=zzz",
    "in_stock=maybe",
    "q=%00",
    "category=a%00b",
    "q=" + "x" * 501,
]


@pytest.mark.parametrize("query", BAD_QUERIES)
def test_a_bad_product_query(browser: Browser, shop: Shop, query: str) -> None:
    browser.start(shop.tenant)

    is_problem(browser.get(f"/v1/products?{query}"), 400, "invalid_request")


@pytest.mark.parametrize("after", ["-1", "x", "99999999999", "1.5"])
def test_a_bad_place_in_the_log(browser: Browser, tenant: Tenant, after: str) -> None:
    thread = browser.start(tenant)

    is_problem(browser.get(f"/v1/threads/{thread}/events?after={after}"), 400, "invalid_request")


def test_a_fault_of_ours_says_nothing(browser: Browser, tenant: Tenant, monkeypatch) -> None:
    from engine.conversations import service

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(MARK)

    monkeypatch.setattr(service, "snapshot", broken)
    thread = browser.start(tenant)

    is_problem(browser.get(f"/v1/threads/{thread}"), 500, "internal_error")


def test_a_database_that_is_down_is_503(browser: Browser, tenant: Tenant, monkeypatch) -> None:
    from sqlalchemy.exc import OperationalError

    from app import routing

    def down(*_: object, **__: object) -> None:
        raise OperationalError(MARK, {}, Exception(MARK))

    monkeypatch.setattr(routing, "authenticate", down)

    answer = browser.get("/v1/products")

    is_problem(answer, 503, "service_unavailable")
    assert answer.headers["retry-after"] == "2"


@pytest.mark.parametrize("slug", ["a\x00b", "A B", "", "x" * 81])
def test_a_shop_that_cannot_be(browser: Browser, shop: Shop, slug: str) -> None:
    is_problem(browser.post("/v1/threads", {"tenant": slug}), 400, "invalid_request")
    assert counted(shop, Thread) == 0


@pytest.mark.parametrize("host", ["[abc", "[::1"])
def test_a_host_that_cannot_be(browser: Browser, shop: Shop, host: str) -> None:
    for path in ("/", "/v1/products"):
        is_problem(browser.get(path, host=host), 400, "invalid_request")
    is_problem(browser.post("/v1/threads", host=host), 400, "invalid_request")
    assert counted(shop, Thread) == 0


@pytest.mark.parametrize(
    "query",
    [
        "orders?q=%00",
        "orders?customer=a%00b",
        "stock?q=%00",
        "orders?cursor=WyIyMDI0LTAxLTAxVDAwOjAwOjAwIiwgIlx1MDAwMCJd",
        "products?cursor=Wzk5OTk5OTk5OTk5OTk5OTk5OTk5OTksICJhIl0",
        "inbounds?cursor=WzEsMl0",
        "counts?cursor=WyJhIiwiYiJd",
        "stock/movements?cursor=WyJ4Il0",
    ],
)
def test_a_bad_query_of_staff(browser: Browser, shop: Shop, make_key, query: str) -> None:
    is_problem(browser.get(f"/v1/{query}", authorization=make_key(shop.tenant, "admin")), 400, "invalid_request")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("inventory/adjust", {"sku": "a\0b", "location": "EAST", "delta": 1, "reason": "x"}),
        ("inventory/levels", {"sku": "x", "location": "\0"}),
        ("inventory/counts", {"location": "EAST", "skus": ["\0"]}),
        ("orders/ord_x/hold", {"reason": "\0"}),
        ("disputes/dsp_x/evidence", {"evidence": {MARK: "x"}}),
        ("fulfillments/ful_x/short_pick", {"short": {MARK: 1}}),
        ("fulfillments/ful_x/ship", {"packages": [{"items": {MARK: 1}}]}),
        ("inventory/adjust", {"sku": "x", "location": "EAST", "delta": True, "reason": "x"}),
        ("inventory/adjust", {"sku": "x", "location": "EAST", "delta": "1", "reason": "x"}),
        ("inventory/counts/cnt_x/approve", {"approved": "yes"}),
        ("inventory/import", {"csv": 'sku,location,on_hand\n"' + "a" * 140_000 + '",EAST,1\n'}),
    ],
)
def test_a_bad_word_of_staff(browser: Browser, shop: Shop, make_key, path: str, body: dict[str, object]) -> None:
    answer = browser.post(f"/v1/staff/{path}", body, authorization=make_key(shop.tenant, "admin"))

    is_problem(answer, 400, "invalid_request")


def test_an_unknown_kind_of_change_is_not_echoed(browser: Browser, shop: Shop) -> None:
    browser.start(shop.tenant)
    for kind in (MARK, [MARK], {MARK: 1}):
        is_problem(browser.post("/v1/orders/ord_x/changes", {"kind": kind}), 400, "invalid_request")


def test_a_backslash_before_u0000_is_no_nul(browser: Browser, tenant: Tenant) -> None:
    thread = browser.start(tenant)

    assert browser.say(thread, "a \\u0000 b").status_code == 202


def test_a_yes_to_a_change_is_true_and_nothing_like_it(browser: Browser, shop: Shop) -> None:
    browser.start(shop.tenant)
    for yes in ("yes", 1, "true", None):
        answer = browser.post("/v1/orders/ord_x/changes/chg_x/confirm", {"approved": yes})
        is_problem(answer, 400, "invalid_request")
    wanted = {"kind": "cancel", "reason": "other", "lines": [{"line_id": "x", "quantity": True}]}
    is_problem(browser.post("/v1/orders/ord_x/changes", wanted), 400, "invalid_request")


@pytest.mark.parametrize("values", [{"change_window_minutes": 10**18}, {"cancel_reasons": []}])
def test_a_policy_that_would_stop_every_change(
    browser: Browser, shop: Shop, make_key, values: dict[str, object]
) -> None:
    headers = {"Idempotency-Key": "k", "Authorization": make_key(shop.tenant, "admin")}
    is_problem(browser.http.patch("/v1/staff/policies/orders", json=values, headers=headers), 400, "invalid_request")


@pytest.mark.parametrize(
    "path",
    [
        "/?shop=a%00b",
        "/account?shop=a%00b",
        "/products/a?shop=a%00b",
        "/staff/sign-in?shop=a%00b",
        "/staff/join?shop=a%00b",
        "/embed.js?shop=a%00b",
        "/embed/a%00b",
        "/theme/a%00b.css?v=1",
        "/theme/{slug}/logo/a%00b",
    ],
)
def test_a_page_of_what_cannot_be(browser: Browser, shop: Shop, path: str) -> None:
    assert browser.get(path.format(slug=shop.tenant.slug)).status_code == 404


@pytest.mark.parametrize("member", ["a\x00b", "stf_" + "x" * 200])
def test_a_demo_person_who_cannot_be(browser: Browser, shop: Shop, member: str) -> None:
    path, own = f"/staff/sign-in/demo?shop={shop.tenant.slug}", {"Origin": "http://127.0.0.1:8000"}
    assert browser.http.post(path, data={"member": member}, headers=own).status_code == 404
    assert "ic_staff" not in browser.http.cookies
