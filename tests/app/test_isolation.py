"""Nothing of one shop or shopper shows to another: 404, whatever the route (trust rule 4)."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import pytest
from fastapi.routing import APIRoute

from app.identity import COOKIE
from app.protocols.acp.kernel import Acp
from app.routing import Guarded
from app.server import create_app
from engine.conversations.models import Run
from engine.kit import clock
from engine.kit.ids import new_id
from engine.kit.tenancy import Tenant
from tests.app.belongings import ADDRESS, belongings
from tests.app.conftest import Browser, counted, paid_order
from tests.shop import Shop, open_shop

SIGNED: Final = {
    "/webhooks/{gateway}",
    "/webhooks/{gateway}/{shop}",
    "/webhooks/carriers/{carrier}",
    "/webhooks/sync/{connection_id}",
}
"""Doors for gateways and carriers: who calls is told by the signature on what is said."""
DEMO: Final = {"/outbox", "/outbox/{slug}/{mail_id}"}
"""Not there but in demo mode; there they show letters that go to nobody."""
LINKED: Final = {
    "/confirm/{consent_id}",
    *(f"/confirm/{{consent_id}}/{verb}" for verb in ("open", "pay", "decline", "card")),
}
"""Behind a link that is signed for one card (tests/app/test_confirm.py)."""
KEYED: Final = {"/acp/mcp"}
"""Looks at keys by itself, before the body is read (tests/app/acp/test_mcp.py)."""
CONSOLE: Final = {
    *(
        f"/staff{page}"
        for page in (
            "",
            "/cases/{case_id}",
            "/orders",
            "/orders/{number}",
            "/approvals",
            "/people",
            "/macros",
            "/reports",
            "/tenant",
        )
    ),
    *(f"/staff/catalog{page}" for page in ("", "/new", "/promotions", "/products/{product_id}")),
    *(f"/ops{page}" for page in ("", "/runs", "/run", "/object", "/exceptions", "/deliveries", "/shadows", "/stock")),
    *(f"/staff/{door}" for door in ("sign-in", "sign-in/code", "sign-in/demo", "sign-out", "join")),
}
"""Pages of the console: who is not signed in is led to its door (tests/app/staff)."""
OPEN_TO_ALL: Final = {
    "/healthz",
    "/readyz",
    "/metrics",
    "/",
    "/openapi.json",
    "/docs",
    "/favicon.ico",
    "/.well-known/acp.json",
    "/theme/{slug}.css",
    "/theme/{slug}/logo/{digest}",
    "/about",
    "/embed.js",
    "/embed/{slug}",  # the chat for a frame: a guest's, new (tests/app/test_embed.py)
    "/products/{handle}",  # what everybody may see of a product (tests/app/test_product_page.py)
    "/products/{handle}/ask",
    *(f"/account{door}" for door in ("", "/code", "/sign-in", "/sign-out")),  # whose cookie it is (test_account.py)
    "/order/{number}",  # asks who looks (tests/app/test_order_page.py)
    *SIGNED,
    *KEYED,
    *LINKED,
    *DEMO,
    *CONSOLE,
}
"""Routes that show nothing of any shopper; a new one must be guarded or named here."""
STAFF: Final = re.compile(
    r"/v1/(staff|ops|finance|payments|refunds|disputes|alerts|stock|locations|inbounds|counts|fulfillments|shipments|customers)(/|$)"
    r"|/v1/(reports|discounts|variants|products/gaps|invoices|cases|macros|approvals|prices|tax|shipping|restrictions)(/|$)"
    r"|/v1/orders/{order_id}/routing$"
)
"""Routes for the shop's people alone: everybody else hears 403, and 401 who shows nothing."""
STREAMS: Final = {"/v1/staff/events", "/v1/ops/events"}
"""Streams that do not end (tests/app/test_desk.py looks at what they tell)."""
NAMED: Final = {
    "/v1/finance/accounts/{code}/statement",
    "/v1/reports/{report}",
    "/v1/reports/{report}/csv",
    "/v1/staff/policies/{section}",
    "/v1/staff/policies/{section}/shape",
    "/v1/staff/carriers/{carrier}/webhook",
    *(f"/v1/ops/workflows/{{name}}/{what}" for what in ("runs", "switch", "settings", "activations")),
}
"""Staff routes whose path names a word that every shop has: each hears of its own."""
QUERIED: Final = {
    "/v1/ops/run": "?id={run_of_sync}",
    "/v1/ops/run/why": "?id={run_of_sync}",
    "/v1/ops/objects": "?kind=order&ref=THEIRS",
    "/v1/ops/shadows/differences": "?workflow=inventorySync&version=1.0.0",
}
"""Routes that name one thing in their query: a run's id has colons."""
BODIES: Final[dict[str, dict[str, Any]]] = {
    "/v1/threads/{thread_id}/runs": {"message": "hello"},
    "/v1/orders/{order_id}/notes": {"text": "hello"},
    "/v1/orders/{order_id}/changes": {"kind": "address", "ship_to": ADDRESS},
    "/v1/orders/{order_id}/changes/{change_id}/confirm": {"approved": True},
    "/v1/orders/{order_id}/returns": {"lines": [{"line_id": "oli_x", "reason": "other"}]},
    "/v1/staff/returns/{return_id}/decline": {"words": "hello"},
    "/v1/staff/returns/{return_id}/receive": {"units": {"rtl_1": 1}},
    "/v1/staff/returns/{return_id}/inspect": {"findings": [{"return_line_id": "rtl_1", "outcome": {"scrap": 1}}]},
    "/v1/staff/inventory/locations/{code}/pickup": {"pickup": None},
    "/v1/staff/returns/{return_id}/move": {
        "return_line_id": "rtl_1", "source": "quarantine", "outcome": "scrap", "units": 1, "reason": "broken",
    },
    "/v1/me/addresses/{address_id}": {"city": "Salem"},
    "/v1/staff/customers/{customer_id}/erase": {"reason": "asked_by_customer"},
    "/v1/staff/customers/merge": {"source_id": "cus_x", "target_id": "cus_y"},
    "/v1/staff/orders/{order_id}/hold": {"reason": "hello"},
    "/v1/staff/orders/{order_id}/cards": {"action": "hold", "reason": "hello"},
    "/v1/staff/orders/{order_id}/acts": {
        "asked": {"action": "hold", "reason": "hello"},
        "card_id": "act_x",
        "seen": "0" * 64,
    },
    "/v1/staff/disputes/{dispute_id}/evidence": {"evidence": {"uncategorized_text": "hello"}},
    "/v1/staff/inventory/counts/{count_id}/submit": {"lines": [{"sku": "OWN", "counted": 1}]},
    "/v1/staff/inventory/counts/{count_id}/approve": {"approved": True},
    "/v1/staff/theme/logo": {"name": "x.png", "content": "AAAA"},
    "/v1/staff/fulfillments/{fulfillment_id}/short_pick": {"short": {"sol_1": 1}},
    "/v1/staff/fulfillments/{fulfillment_id}/answer_cancel": {"accepted": True},
    "/v1/staff/shipments/{shipment_id}/remedy": {"remedy": "refund"},
    "/v1/staff/policies/{section}": {"cancel_in_part": True},
    "/v1/staff/digital/pools/{variant_id}/codes": {"codes": ["hello"]},
    "/v1/staff/digital/pools/{variant_id}/withdrawals": {"units": 1},
    "/v1/staff/digital/deliveries/{delivery_id}/revoke": {"reason": "hello"},
    "/v1/staff/gift-cards": {"amount": 100},
    "/v1/staff/prices": {"prices": [{"sku": "OWN", "amount": 1}]},
    "/v1/staff/tax/rates": {
        "rates": [{"country": "US", "level": "country", "name": "X", "rate_ppm": 1, "valid_from": "2026-01-01"}],
    },
    "/v1/staff/shipping/zones": {"name": "X", "countries": ["US"], "rates": []},
    "/v1/staff/shipping/zones/{zone_id}": {"name": "X", "countries": ["US"], "rates": []},
    "/v1/staff/tax/rates/{tax_rate_id}/end": {"last_day": "2040-01-01"},
    "/v1/staff/tax/exemptions": {
        "customer_id": "cus_x", "kind": "resale", "country": "US", "certificate": "1", "valid_from": "2026-01-01",
    },
    "/v1/staff/tax/exemptions/{tax_exemption_id}/decide": {"status": "verified"},
    "/v1/tax/quote": {"country": "US", "items": [{"unit_price": 1}]},
    "/v1/staff/inventory/adjust": {"sku": "OWN", "location": "EAST", "delta": 1, "reason": "hello"},
    "/v1/staff/inventory/levels": {"sku": "OWN", "location": "EAST"},
    "/v1/staff/inventory/inbounds": {"location": "EAST", "lines": [{"sku": "OWN", "quantity": 1}]},
    "/v1/staff/inventory/transfer": {
        "source_location": "EAST", "location": "WEST", "lines": [{"sku": "OWN", "quantity": 1}],
    },
    "/v1/staff/inventory/receive": {"inbound_id": "inb_x", "received": [{"sku": "OWN", "quantity": 1}]},
    "/v1/staff/inventory/counts": {"location": "EAST", "skus": ["OWN"]},
    "/v1/warranties/{warranty_id}/claims": {"symptom": "other", "description": "hello"},
    "/v1/claims/{claim_id}/evidence": {"name": "a.png", "content": "aGVsbG8="},
    "/v1/returns/{return_id}/evidence": {"name": "a.png", "content": "aGVsbG8="},
    "/v1/claims/{claim_id}/answer": {"text": "hello"},
    "/v1/claims/{claim_id}/choose": {"resolution": "refund"},
    "/v1/staff/claims/{claim_id}/ask": {"question": "hello"},
    "/v1/staff/claims/{claim_id}/approve": {"offers": ["refund"]},
    "/v1/staff/claims/{claim_id}/deny": {"message": "hello"},
    "/v1/staff/cases": {"subject": "hello"},
    "/v1/staff/cases/{case_id}/assign": {"assignee": "me", "expected": None},
    "/v1/staff/cases/{case_id}/notes": {"text": "hello"},
    "/v1/staff/cases/{case_id}/reply": {"text": "hello"},
    "/v1/staff/cases/{case_id}/resolve": {"then": "agents"},
    "/v1/staff/cases/{case_id}/priority": {"priority": "low"},
    "/v1/staff/cases/{case_id}/presence": {"doing": "here"},
    "/v1/staff/macros": {"name": "hello", "body": "hello"},
    "/v1/staff/macros/{macro_id}": {"name": "hello"},
    "/v1/staff/members": {"email": "b@example.com", "role": "support"},
    "/v1/staff/members/{member_id}/role": {"role": "ops"},
    "/v1/staff/macros/{macro_id}/render": {"case_id": "cas_x"},
    "/v1/staff/refunds": {"order_id": "ord_x", "amount": 1, "reason": "hello"},
    "/v1/staff/goodwill": {"order_id": "ord_x", "amount": 1, "reason": "hello"},
    "/v1/products": {"slug": "hello", "title": "hello", "category": "things"},
    "/v1/products/{product_id}": {"title": "hello"},
    "/v1/products/{product_id}/variants": {"sku": "HELLO", "price": 1, "weight_g": 1},
    "/v1/staff/imports": {"format": "csv", "content": "slug\n"},
    "/v1/variants/{variant_id}": {"price": 1},
    "/v1/staff/discounts": {"title": "hello", "percent_off": 5},
    "/v1/staff/discounts/{discount_id}": {"title": "hello"},
    "/v1/staff/courtesy-codes": {"percent_off": 5},
    "/v1/ops/connections": {
        "system": "dcl", "name": "hello", "base_url": "https://hello.example", "secrets": {"password": "hello hello"},
    },
    "/v1/ops/connections/{connection_id}": {"settings": {"user": "hello"}},
    "/v1/ops/connections/{connection_id}/secrets": {"secrets": {"password": "hello hello"}},
    "/v1/ops/connections/{connection_id}/pause": {"reason": "hello"},
    "/v1/ops/connections/{connection_id}/close": {"reason": "hello"},
    "/v1/ops/exceptions/{exception_id}/fix": {"payload": {"hello": 1}},
    "/v1/ops/run/retry": {"id": "hello"},
    "/v1/ops/run/now": {"id": "hello"},
    "/v1/ops/run/cancel": {"id": "hello", "reason": "hello"},
    "/v1/ops/workflows/{name}/runs": {"payload": {}},
    "/v1/ops/workflows/{name}/switch": {"on": True},
    "/v1/ops/workflows/{name}/settings": {"is_on": True},
    "/v1/ops/workflows/{name}/activations": {"version": 1},
    "/v1/ops/mappings": {"name": "hello", "target": "hello", "spec": {"fields": {}}},
    "/v1/ops/mappings/{mapping}/activate": {"version": 1},
    "/v1/ops/mappings/{mapping}/dry-run": {"documents": [{"hello": 1}]},
    "/v1/ops/mappings/{mapping}/diff": {"documents": [{"hello": 1}], "old": 1, "new": 1},
    "/v1/staff/inventory/import": {"csv": "sku,location,on_hand\nOWN,EAST,5\n"},
}  # fmt: skip
"""A body that each write would take from whom it is for, so that what is refused is the caller."""
WORDS: Final = {
    "code": "customer_deposits", "section": "orders", "carrier": "embedded", "report": "sales",
    "name": "netsuiteInvoice", "version": "1",
}  # fmt: skip


@pytest.fixture
def theirs(open_browser: Callable[[], Browser], runtime, make_tenant) -> dict[str, str]:
    """One of everything of another shop that has an id: a conversation, an order that was sent, money, stock."""
    make_tenant()  # the shop of nobody in particular: the first one
    shop = open_shop(runtime, make_tenant())
    shop.add("THEIRS", stock={"EAST": 5})
    browser = open_browser()
    thread = browser.start(shop.tenant)
    run = browser.say(thread, "hello").json()["run_id"]
    return {"thread_id": thread, "run_id": run} | WORDS | belongings(shop)


def own_routes(site) -> list[APIRoute]:
    """Every route of our own API and pages; the Agentic Commerce Protocol has its own sweep (tests/app/acp)."""
    return [route for route in all_routes(site) if not isinstance(route, Acp)]


def all_routes(site) -> list[APIRoute]:
    """Every route of the application, those of included routers too."""
    routes: list[APIRoute] = []
    waiting = list(create_app(site).routes)
    while waiting:
        route = waiting.pop()
        waiting += getattr(getattr(route, "original_router", None), "routes", [])
        if isinstance(route, APIRoute):
            routes.append(route)
    assert len(routes) >= 70
    return routes


def test_every_route_is_guarded_or_named(site) -> None:
    for route in all_routes(site):
        assert isinstance(route, Guarded | Acp) or route.path_format in OPEN_TO_ALL, route.path
        assert not isinstance(route, Guarded) or route.path_format not in SIGNED | LINKED, route.path


Ask = Callable[[str, str, Any], Any]


def visitors(open_browser, tenant, make_key) -> dict[str, Ask]:
    """Everybody who may come to a shop: a shopper, a key of each scope, and nobody at all."""
    shopper, stranger = open_browser(), open_browser()
    shopper.start(tenant)
    keys = {scope: make_key(tenant, scope) for scope in ("acp", "staff", "ops", "admin")}
    found: dict[str, Ask] = {"shopper": partial(_request, shopper), "nobody": partial(_request, stranger)}
    return found | {scope: partial(_request, stranger, authorization=key) for scope, key in keys.items()}


def _request(browser: Browser, method: str, path: str, body: Any = None, **headers: str) -> Any:
    if method == "GET":
        return browser.get(path, **headers)
    sent = headers | {"Idempotency-Key": new_id("key")}
    return browser.http.request(method, path, json=body or {}, headers=sent)


def expected(name: str, path: str, method: str = "GET") -> set[int]:
    """What a stranger hears at a route that names an id of ours."""
    staffs = STAFF.match(path) or (path.startswith("/v1/products/") and method != "GET")
    known = {"admin"} if path.startswith("/v1/staff/members") else {"staff", "ops", "admin"}
    if path.startswith("/v1/ops/"):
        known = {"ops", "admin"}
    if not staffs or name in known:
        return {404}
    return {401} if name == "nobody" else {403}


def test_no_id_of_another_shop_is_found(site, theirs, open_browser, make_tenant, make_key, runtime) -> None:
    other = open_shop(runtime, make_tenant())
    other.add("OWN", stock={"EAST": 5})
    swept = set()
    for name, ask in visitors(open_browser, other.tenant, make_key).items():
        for route in own_routes(site):
            path = route.path_format
            if ("{" not in path and path not in QUERIED) or path in OPEN_TO_ALL | NAMED:
                continue
            for method in route.methods:
                answer = ask(method, (path + QUERIED.get(path, "")).format(**theirs), BODIES.get(path))
                assert answer.status_code in expected(name, path, method), (name, method, path, answer.text)
                assert "THEIRS" not in answer.text
                swept.add((method, path))
    assert len(swept) >= 34


def test_a_shopper_of_the_same_shop_finds_nothing(runtime, make_tenant, site, open_browser, make_key) -> None:
    shop = open_shop(runtime, make_tenant())
    shop.add("THEIRS", stock={"EAST": 5})
    owner = open_browser()
    thread = owner.start(shop.tenant)
    run = owner.say(thread, "hello").json()["run_id"]
    ids = {"thread_id": thread, "run_id": run} | WORDS | belongings(shop)
    everybody = visitors(open_browser, shop.tenant, make_key)
    for name in ("shopper", "acp"):
        for route in own_routes(site):
            path = route.path_format
            if "{" not in path or "product_id" in path or path in OPEN_TO_ALL:
                continue
            for method in route.methods:
                answer = everybody[name](method, path.format(**ids), BODIES.get(path))
                assert answer.status_code in expected(name, path, method), (name, method, path, answer.text)
                assert "THEIRS" not in answer.text


def test_what_is_for_staff_is_for_nobody_else(site, theirs, open_browser, make_tenant, make_key, runtime) -> None:
    shop = open_shop(runtime, make_tenant())
    shop.add("OWN", stock={"EAST": 5})
    everybody = visitors(open_browser, shop.tenant, make_key)
    for route in own_routes(site):
        path = route.path_format
        if not STAFF.match(path):
            continue
        for method in route.methods:
            for name, status in (("shopper", 403), ("acp", 403), ("nobody", 401)):
                answer = everybody[name](method, (path + QUERIED.get(path, "")).format(**theirs), BODIES.get(path))
                assert answer.status_code == status, (name, method, path, answer.text)
            if method == "GET" and path not in STREAMS | set(QUERIED) and ("{" not in path or path in NAMED):
                answer = everybody["admin"](method, path.format(**theirs))
                assert answer.status_code == 200, (path, answer.text)
                assert not [one for one in theirs.values() if one not in WORDS.values() and one in answer.text], path
                assert "THEIRS" not in answer.text


@pytest.mark.parametrize("path", sorted(SIGNED))
def test_a_word_without_a_signature_is_not_heard(path: str, browser: Browser, shop: Shop) -> None:
    known = {"connection_id": "con_x", "gateway": "sandbox", "carrier": "embedded", "shop": shop.tenant.slug}
    for names in (known, known | {"shop": "a%00b", "carrier": "a%00b"}, dict.fromkeys(known, "nobody")):
        answer = browser.http.post(path.format(**names), content=b"{}")
        assert answer.status_code in {400, 401, 404}, answer.text


def test_another_shopper_of_the_same_shop_sees_nothing(open_browser, shop: Shop) -> None:
    owner, other = open_browser(), open_browser()
    thread = owner.start(shop.tenant)
    run = owner.say(thread, "hello").json()["run_id"]
    other.start(shop.tenant)

    for path in (f"/v1/threads/{thread}", f"/v1/threads/{thread}/events", f"/v1/threads/{thread}/runs/{run}"):
        assert other.get(path).status_code == 404
    assert other.say(thread, "hello").status_code == 404
    assert counted(shop, Run) == 1


def test_staff_read_a_thread_of_their_shop_but_do_not_speak_in_it(open_browser, shop: Shop, make_key) -> None:
    owner, staff = open_browser(), open_browser()
    thread = owner.start(shop.tenant)
    owner.say(thread, "hello")
    key = make_key(shop.tenant, "staff")

    assert staff.get(f"/v1/threads/{thread}", authorization=key).status_code == 200
    assert staff.say(thread, "I am the shopper", authorization=key).status_code == 403
    assert counted(shop, Run) == 1


def test_a_key_without_staff_scope_reads_no_shoppers_thread(open_browser, shop: Shop, make_key) -> None:
    owner, program = open_browser(), open_browser()
    thread = owner.start(shop.tenant)

    assert program.get(f"/v1/threads/{thread}", authorization=make_key(shop.tenant, "acp")).status_code == 404


def test_products_are_the_callers_shops(open_browser, runtime, make_tenant) -> None:
    one, two = (open_shop(runtime, make_tenant()) for _ in range(2))
    one.add("OURS", stock={"EAST": 1})
    two.add("THEIRS", stock={"EAST": 1})
    browser = open_browser()
    browser.start(one.tenant)

    listed = browser.get("/v1/products").json()["items"]
    found = browser.get("/v1/products?q=OURS").json()["items"]

    assert [[v["sku"] for v in item["variants"]] for item in listed] == [["OURS"]]
    assert all(v["sku"] == "OURS" for item in found for v in item["variants"])


@pytest.mark.parametrize(
    "key", ["Bearer nope", "Bearer ick_nope", "Basic aWNrOm5v", "Bearer", "", "Bearer " + "ick_" + "x" * 5000]
)
def test_a_bad_key_is_401_before_anything_else(browser: Browser, tenant: Tenant, key: str) -> None:
    browser.start(tenant)
    answers = [
        browser.get("/v1/products", authorization=key),
        browser.http.post("/v1/threads", content=b"{bad", headers={"authorization": key}),
    ]

    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"
        assert COOKIE not in answer.headers.get("set-cookie", "")


def test_a_revoked_key_is_401(browser: Browser, shop: Shop, make_key) -> None:
    from sqlalchemy import update

    from engine.kit.tenancy import ApiKey

    key = make_key(shop.tenant, "staff")
    assert browser.get("/v1/orders", authorization=key).status_code == 200
    with shop.runtime.store.without_tenant() as session:
        session.execute(update(ApiKey).where(ApiKey.tenant_id == shop.tenant.id).values(revoked_at=clock.now()))

    assert browser.get("/v1/orders", authorization=key).status_code == 401


def test_a_forged_cookie_is_nobody(browser: Browser, tenant: Tenant) -> None:
    browser.http.cookies.set(COOKIE, "guessed")

    assert browser.get("/v1/orders").status_code == 401


def test_a_host_name_decides_the_shop(open_browser, runtime, make_tenant) -> None:
    named = open_shop(runtime, make_tenant(host=f"shop{id(runtime)}-{make_tenant().slug}.example"))
    named.add("NAMED", stock={"EAST": 1})
    host = named.tenant.host

    answer = open_browser().get("/v1/products", host=f"{host}:8000")

    assert [v["sku"] for item in answer.json()["items"] for v in item["variants"]] == ["NAMED"]


def test_orders_are_the_identitys_own_and_all_for_staff(open_browser, shop: Shop, make_key) -> None:

    shop.add("SOLD", stock={"EAST": 5})
    order = paid_order(shop, "SOLD")
    stranger = open_browser()
    stranger.start(shop.tenant)
    staff = {"authorization": make_key(shop.tenant, "staff")}

    assert stranger.get("/v1/orders").json() == {"items": [], "next_cursor": None}
    assert stranger.get(f"/v1/orders/{order}").status_code == 404
    assert [row["id"] for row in stranger.get("/v1/orders", **staff).json()["items"]] == [order]
    assert stranger.get(f"/v1/orders/{order}", **staff).json()["payment_status"] == "paid"


@pytest.mark.parametrize(
    "headers",
    [{"origin": "https://evil.example"}, {"origin": "null"}, {"sec_fetch_site": "cross-site"}, {"origin": "https://127.0.0.1:8000"}],
)  # fmt: skip
def test_another_sites_page_cannot_write(browser: Browser, shop: Shop, headers: dict[str, str]) -> None:
    thread = browser.start(shop.tenant)

    answer = browser.say(thread, "hello", **headers)

    assert (answer.status_code, answer.json()["code"]) == (403, "cross_site_request")
    assert counted(shop, Run) == 0


def test_our_own_page_can_write(browser: Browser, shop: Shop) -> None:
    thread = browser.start(shop.tenant)

    answer = browser.say(thread, "hello", origin="http://127.0.0.1:8000", sec_fetch_site="same-origin")

    assert answer.status_code == 202
