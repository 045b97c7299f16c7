"""The page, its files, health, figures, and the headers of every answer."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest

from app.pages import STATIC
from app.protocols.acp.errors import PREFIXES
from engine.kit.tenancy import Tenant
from tests.app.conftest import Browser
from tests.shop import Shop

POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " worker-src 'self'; frame-src http://127.0.0.1:9999; object-src 'none'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types lit-html icommerce-worker"
)


@pytest.mark.parametrize("path", ["/", "/healthz", "/v1/products", "/nothing", "/static/favicon.svg"])
def test_every_answer_is_guarded_by_its_headers(browser: Browser, shop: Shop, path: str) -> None:
    headers = browser.get(path).headers

    assert headers["content-security-policy"] == POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "camera=()" in headers["permissions-policy"]


def test_the_page_names_the_shop_and_starts_its_chat(browser: Browser, shop: Shop) -> None:
    shop.add("TENT", stock={"EAST": 1}, category="tents")

    page = browser.get("/")

    assert page.status_code == 200
    found = re.search(r'data-config="([^"]*)"', page.text)
    assert found
    config = json.loads(unescape(found.group(1)))
    assert config["demo"] is True
    assert {"slug", "name", "theme", "locale", "currency", "suggestions"} <= set(config["tenant"])
    assert len(config["tenant"]["suggestions"]) <= 4
    assert "<script>" not in page.text


def test_a_shops_name_cannot_break_out_of_the_page(open_browser, make_tenant) -> None:
    evil = '"><script>alert(1)</script>'
    tenant = make_tenant(name=evil, host=f"{make_tenant().slug}.example")

    assert evil not in open_browser().get("/", host=str(tenant.host)).text


def test_versioned_files_are_kept_and_others_are_checked(browser: Browser) -> None:
    from app.pages import version

    plain = browser.get("/static/favicon.svg")
    kept = browser.get(f"/static/v-{version()}/favicon.svg")
    old = browser.get("/static/v-0123456789ab/favicon.svg")

    assert plain.headers["cache-control"] == old.headers["cache-control"] == "no-cache"
    assert kept.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert plain.content == kept.content == old.content
    assert browser.get(f"/static/v-{version()}/../pages.py").status_code == 404
    assert browser.get("/static/favicon.svg", if_none_match=plain.headers["etag"]).status_code == 304
    assert browser.get("/static/ui/chat.js").headers["etag"] != plain.headers["etag"]
    asked = browser.http.request("HEAD", "/static/favicon.svg")
    assert (asked.content, asked.headers["content-length"]) == (b"", str(len(plain.content)))
    for method, path, status in (("POST", "/static/favicon.svg", 405), ("GET", "/static/ui", 404)):
        assert browser.http.request(method, path).status_code == status


def test_browsers_find_the_icon_where_they_look_for_it(browser: Browser) -> None:
    found = browser.http.get("/favicon.ico", follow_redirects=True)

    assert found.headers["content-type"] == "image/svg+xml"
    assert found.content == (STATIC / "favicon.svg").read_bytes()


def test_a_picture_is_cacheable(browser: Browser, shop: Shop) -> None:
    shop.add("TENT", stock={"EAST": 1}, motif="tent_dome")
    browser.start(shop.tenant)
    path = browser.get("/v1/products").json()["items"][0]["image"]

    picture = browser.get(path)

    assert picture.headers["content-type"].startswith("image/svg+xml")
    assert picture.headers["cache-control"] == "private, max-age=86400"
    assert browser.get(path, if_none_match=picture.headers["etag"]).status_code == 304


def test_health_answers_before_the_shop_is_open_and_nothing_else_does(browser: Browser, site, tenant: Tenant) -> None:
    site.opened, site.ready, site.step = None, False, "Migrating"

    assert browser.get("/healthz").json() == {"status": "ok"}
    ready = browser.get("/readyz")
    assert (ready.status_code, ready.json()) == (503, {"status": "starting", "step": "Migrating"})
    early = browser.get("/v1/products")
    assert (early.status_code, early.json()["code"]) == (503, "starting")
    assert early.headers["retry-after"] == "1"
    assert browser.get("/").status_code == 503


def test_ready_is_ready(browser: Browser) -> None:
    assert browser.get("/readyz").json() == {"status": "ready"}


def test_figures_name_routes_and_no_ids(browser: Browser, tenant: Tenant) -> None:
    thread = browser.start(tenant)
    browser.get(f"/v1/threads/{thread}")

    figures = browser.get("/metrics").text

    assert 'route="/v1/threads/{thread_id}"' in figures
    assert thread not in figures


def test_a_request_id_is_taken_up_if_it_is_harmless(browser: Browser) -> None:
    assert browser.get("/healthz", x_request_id="abc-123").headers["x-request-id"] == "abc-123"
    told = "2b5d7f3a-9c4e-4f6b-8d7a-3e5c9b7f2d4a"  # it looks like a gift card's code
    assert browser.get("/healthz", x_request_id=told).headers["x-request-id"] == told
    for bad in ("a b", "x" * 81, 'a"b', "", "4242424242424242", "pay-4242-4242-4242-4242"):
        assert browser.get("/healthz", x_request_id=bad).headers["x-request-id"].startswith("req_")


def test_the_api_describes_itself(browser: Browser) -> None:
    paths = browser.get("/openapi.json").json()["paths"]

    assert {"/v1/threads", "/v1/threads/{thread_id}/runs", "/v1/products", "/v1/orders"} <= set(paths)
    assert paths["/v1/threads"]["post"]["responses"]["201"]["content"]["application/json"]["schema"]


def test_the_description_is_made_once_and_not_sent_to_who_has_it(browser: Browser) -> None:
    first, second = browser.get("/openapi.json"), browser.get("/openapi.json")

    assert first.content == second.content
    again = browser.get("/openapi.json", if_none_match=first.headers["etag"])
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])


def test_errors_are_described_as_problems(browser: Browser) -> None:
    schema = browser.get("/openapi.json").json()

    ours = [path for address, path in schema["paths"].items() if not PREFIXES.match(address)]
    for path in ours:
        for operation in path.values():
            assert "422" not in operation["responses"]
            assert "application/problem+json" in operation["responses"]["default"]["content"]


def test_the_docs_load_nothing_from_elsewhere(browser: Browser) -> None:
    page = browser.get("/docs")

    assert page.status_code == 200
    assert "://" not in page.text
    assert "unsafe" not in page.headers["content-security-policy"]
    for path in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert browser.get(path).status_code == 200
