"""Nothing of one shop or shopper shows to another: 404, whatever the route (trust rule 4)."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from fastapi.routing import APIRoute

from app.identity import COOKIE
from app.routing import Guarded
from app.server import create_app
from engine.conversations.models import Run
from engine.kit.tenancy import Tenant
from tests.app.conftest import Browser, counted, paid_order
from tests.shop import Shop, open_shop

OPEN_TO_ALL = {"/healthz", "/readyz", "/metrics", "/", "/webhooks/{gateway}", "/openapi.json", "/docs"}
"""Routes that show nothing of any shopper; a new one must be guarded or named here."""


@pytest.fixture
def theirs(open_browser: Callable[[], Browser], runtime, make_tenant) -> dict[str, str]:
    """A conversation, a run, a product and a paid order of another shop."""

    make_tenant()  # the shop of nobody in particular: the first one
    shop = open_shop(runtime, make_tenant())
    variant = shop.add("THEIRS", stock={"EAST": 5})
    browser = open_browser()
    thread = browser.start(shop.tenant)
    run = browser.say(thread, "hello").json()["run_id"]
    with shop.uow() as session:
        from engine.catalog import service

        product = service.product(session, shop.tenant.id, variant).id
    return {"thread_id": thread, "run_id": run, "product_id": product, "order_id": paid_order(shop, "THEIRS")}


def all_routes(site) -> list[APIRoute]:
    """Every route of the application, those of included routers too."""
    routes: list[APIRoute] = []
    waiting = list(create_app(site).routes)
    while waiting:
        route = waiting.pop()
        waiting += getattr(getattr(route, "original_router", None), "routes", [])
        if isinstance(route, APIRoute):
            routes.append(route)
    assert len(routes) >= 14
    return routes


def test_every_route_is_guarded_or_named(site) -> None:
    for route in all_routes(site):
        assert isinstance(route, Guarded) or route.path in OPEN_TO_ALL, route.path


def visitors(open_browser, make_tenant, make_key) -> dict[str, Callable[[str, str], object]]:
    """Everybody who is not the owner: another shop's shopper and key, and nobody at all."""
    other = make_tenant()
    shopper, stranger = open_browser(), open_browser()
    shopper.start(other)
    keys = {scope: make_key(other, scope) for scope in ("acp", "staff", "ops", "admin")}
    ask = {"shopper": shopper, "nobody": stranger}
    found: dict[str, Callable[[str, str], object]] = {
        name: (lambda method, path, b=b: _request(b, method, path)) for name, b in ask.items()
    }
    for scope, key in keys.items():
        found[scope] = lambda method, path, key=key: _request(stranger, method, path, authorization=key)
    return found


def _request(browser: Browser, method: str, path: str, **headers: str):
    if method == "POST":
        return browser.post(path, {"message": "hello"}, **headers)
    return browser.get(path, **headers)


def test_no_id_of_another_shop_is_found(site, theirs, open_browser, make_tenant, make_key, runtime) -> None:
    swept = set()
    for name, ask in visitors(open_browser, make_tenant, make_key).items():
        for route in all_routes(site):
            if not route.path_format.count("{") or route.path in OPEN_TO_ALL:
                continue
            path = re.sub(r"{(\w+)}", lambda found: theirs[found.group(1)], route.path_format)
            for method in route.methods:
                answer = ask(method, path)
                assert answer.status_code == 404, (name, method, path, answer.text)
                assert "THEIRS" not in answer.text
                swept.add(route.path_format)
    assert len(swept) >= 7


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

    from engine.kit import clock
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
