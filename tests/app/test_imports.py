"""Files over HTTP: streamed, told first, applied once, large ones beside the request; what is no file is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from app import imports as door
from app.jobs import Jobs
from app.server import create_app
from app.site import Site
from engine.carts.models import Discount
from engine.catalog.bulk import running
from engine.catalog.models import Product
from engine.imports import service, work
from engine.imports.models import CatalogImport, ImportPart
from engine.kit import clock
from engine.lookout import Lookout
from tests.app.conftest import Browser, counted
from tests.app.test_bad_input import MARK, is_problem
from tests.shop import Shop, open_shop

FILES = "/v1/staff/imports/files"
TYPES = {"csv": "text/csv", "json": "application/json", "jsonl": "application/x-ndjson"}


def products(count: int, *, words: str = "") -> bytes:
    rows = [
        {"slug": f"p-{n}", "title": f"P {n}", "category": "things", "description": words,
         "variants": [{"sku": f"SKU-{n}", "price": 100, "weight_g": 1}]}
        for n in range(count)
    ]  # fmt: skip
    return b"\n".join(json.dumps(row).encode() for row in rows)


def hand_in(browser: Browser, by: str, body: bytes, form: str = "jsonl", *, key: str = "k", query: str = "") -> Any:
    headers = {"Idempotency-Key": key, "Content-Type": TYPES[form]} | ({"Authorization": by} if by else {})
    return browser.http.post(f"{FILES}{query}", content=body, headers=headers)


@pytest.fixture
def staff(shop: Shop, make_key) -> str:
    return str(make_key(shop.tenant, "staff"))


def test_a_small_file_is_told_and_applied_at_once(browser: Browser, shop: Shop, staff: str) -> None:
    made = hand_in(browser, staff, products(3))
    assert made.status_code == 201, made.text
    told = made.json()
    assert (told["status"], told["total"], told["done"], told["report"]["counts"]["added"]) == ("reported", 3, 3, 3)
    assert (counted(shop, Product), counted(shop, ImportPart)) == (0, 1)
    done = browser.post(f"/v1/staff/imports/{told['id']}/apply", authorization=staff, key="apply")
    assert (done.status_code, done.json()["status"]) == (200, "applied")
    again = browser.post(f"/v1/staff/imports/{told['id']}/apply", authorization=staff)
    assert (again.json(), counted(shop, Product), counted(shop, ImportPart)) == (done.json(), 3, 0)
    assert browser.get(f"/v1/staff/imports/{told['id']}", authorization=staff).json() == done.json()


def test_a_replay_is_the_same_import_and_another_body_none(browser: Browser, shop: Shop, staff: str) -> None:
    first, again = (hand_in(browser, staff, products(2)) for _ in range(2))
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    is_problem(hand_in(browser, staff, products(1)), 422, "idempotency_conflict")
    is_problem(hand_in(browser, staff, products(2), query="?atomic=true"), 422, "idempotency_conflict")
    assert counted(shop, CatalogImport) == 1


def test_a_large_file_is_worked_through_beside_the_request(
    browser: Browser, shop: Shop, staff: str, site: Site
) -> None:
    body = products(700, words="x" * 400)
    assert len(body) > service.AT_ONCE
    made = hand_in(browser, staff, body)
    assert (made.status_code, made.json()["status"], made.json()["report"]) == (202, "waiting", None)
    path = f"/v1/staff/imports/{made.json()['id']}"
    is_problem(browser.post(f"{path}/apply", authorization=staff), 409, "conflict")
    jobs = Jobs(site, None, None, Lookout(shop.runtime.store, quiet_seconds=0.0))  # type: ignore[arg-type]  # (no index is asked)
    jobs.bring_in_files()
    told = browser.get(path, authorization=staff).json()
    assert (told["status"], told["total"], told["done"], counted(shop, Product)) == ("reported", 700, 700, 0)
    begun = browser.post(f"{path}/apply", authorization=staff)
    assert (begun.status_code, begun.json()["status"], begun.json()["done"]) == (202, "applying", 0)
    jobs.bring_in_files()
    done = browser.get(path, authorization=staff).json()
    assert (done["status"], done["outcome"]["counts"]["added"], counted(shop, Product)) == ("applied", 700, 700)
    assert counted(shop, ImportPart) == 0


def test_what_broke_off_goes_on_where_it_was(browser: Browser, shop: Shop, staff: str, monkeypatch) -> None:
    made = hand_in(browser, staff, products(700, words="x" * 400)).json()
    tenant_id = shop.tenant.id
    work.work(shop.runtime, tenant_id)
    browser.post(f"/v1/staff/imports/{made['id']}/apply", authorization=staff)
    real = work.Tally.report

    def broken(self: work.Tally, **more: Any) -> Any:
        if self.done == 700:
            raise ConnectionError
        return real(self, **more)

    with monkeypatch.context() as patched:
        patched.setattr(work.Tally, "report", broken)
        with pytest.raises(ConnectionError):
            work.work(shop.runtime, tenant_id)
    half = browser.get(f"/v1/staff/imports/{made['id']}", authorization=staff).json()
    assert (half["status"], half["done"], counted(shop, Product)) == ("applying", 500, 500)
    work.work(shop.runtime, tenant_id)
    done = browser.get(f"/v1/staff/imports/{made['id']}", authorization=staff).json()
    assert (done["outcome"]["counts"], counted(shop, Product)) == (
        {"added": 700, "changed": 0, "unchanged": 0, "refused": 0}, 700,
    )  # fmt: skip


def test_what_breaks_off_often_and_comes_further_each_time_is_not_given_up(
    browser: Browser, shop: Shop, staff: str, monkeypatch
) -> None:
    monkeypatch.setattr(running, "CHUNK", 1)
    count = work.MOST_ATTEMPTS + 4
    made = hand_in(browser, staff, products(count)).json()
    with monkeypatch.context() as patched:
        patched.setattr(service, "AT_ONCE", 0)
        browser.post(f"/v1/staff/imports/{made['id']}/apply", authorization=staff)
    real, calls = work.Tally.report, []

    def broken(self: work.Tally, **more: Any) -> Any:
        calls.append(self.done)
        if len(calls) % 2 == 0 and self.done < count:
            raise ConnectionError
        return real(self, **more)

    monkeypatch.setattr(work.Tally, "report", broken)
    for _ in range(count - 2):
        with pytest.raises(ConnectionError):
            work.work(shop.runtime, shop.tenant.id)
    work.work(shop.runtime, shop.tenant.id)
    done = browser.get(f"/v1/staff/imports/{made['id']}", authorization=staff).json()
    assert (done["status"], done["outcome"]["counts"]["added"], counted(shop, Product)) == ("applied", count, count)


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (MARK.encode(), "json"),
        (b'{"products": [' + MARK.encode(), "json"),
        (b'{"products": [{"slug": "a"}, 1', "json"),
        (b'{"products": []} more', "json"),
        (b"[" * 5000, "json"),
        (b'[{"slug": ' + b"9" * 5000 + b"}]", "json"),
        (b'{"slug": NaN}', "jsonl"),
        (b'{"slug": "a"}\n{' + MARK.encode(), "jsonl"),
        (b"slug,4242424242424242\n", "csv"),
        (b"slug,slug\n", "csv"),
        (b"sku\nA\n", "csv"),
        (b"slug\n\xff\xfe\n", "csv"),
        (b"slug\na\x00b\n", "csv"),
        (b'slug\n"' + b"x" * 200_000 + b'"\n', "csv"),
    ],
)
def test_what_is_no_such_file(browser: Browser, shop: Shop, staff: str, body: bytes, form: str) -> None:
    answer = hand_in(browser, staff, body, form)
    assert (answer.status_code, answer.json()["status"], answer.json()["report"]) == (201, "unreadable", None)
    assert answer.json()["problem"]
    assert MARK not in answer.text
    assert "4242424242424242" not in answer.text
    applied = browser.post(f"/v1/staff/imports/{answer.json()['id']}/apply", authorization=staff)
    is_problem(applied, 409, "conflict")
    assert (counted(shop, Product), counted(shop, ImportPart)) == (0, 0)


@pytest.mark.parametrize("text", ["\\u0000", "\\ud800"])
def test_text_that_nobody_can_keep_is_a_row_that_is_refused(browser: Browser, shop: Shop, staff: str, text) -> None:
    body = b'{"slug": "a", "title": "x' + text.encode() + b'"}\n' + products(1)
    told = hand_in(browser, staff, body).json()
    assert {name: told["report"]["counts"][name] for name in ("added", "refused")} == {"added": 1, "refused": 1}


def test_nobody_else_may(browser: Browser, shop: Shop, staff: str, runtime, make_tenant, make_key) -> None:
    made = hand_in(browser, staff, products(1)).json()
    browser.start(shop.tenant)
    for by in ("", make_key(shop.tenant, "acp")):
        is_problem(hand_in(browser, by, products(1), key="other"), 403, "forbidden")
    theirs = make_key(open_shop(runtime, make_tenant()).tenant, "staff")
    is_problem(browser.get(f"/v1/staff/imports/{made['id']}", authorization=theirs), 404, "not_found")
    is_problem(browser.post(f"/v1/staff/imports/{made['id']}/apply", authorization=theirs), 404, "not_found")
    assert (counted(shop, CatalogImport), counted(shop, Product)) == (1, 0)


def test_it_is_a_file_of_a_kind_that_is_known_and_not_empty(browser: Browser, shop: Shop, staff: str) -> None:
    headers = {"Idempotency-Key": "k", "Authorization": staff}
    other = browser.http.post(FILES, content=b"x", headers=headers | {"Content-Type": "application/zip"})
    is_problem(other, 415, other.json()["code"])
    unknown = hand_in(browser, staff, products(1), query="?kind=orders")
    is_problem(unknown, 400, unknown.json()["code"])
    assert counted(shop, CatalogImport) == 0


def test_a_file_that_is_too_large_is_not_read(shop: Shop, staff: str, site: Site) -> None:
    site.settings = replace(site.settings, import_limit_mb=1)
    with TestClient(create_app(site), raise_server_exceptions=False) as http:
        answer = hand_in(Browser(http), staff, b"x" * (1024 * 1024 + 1))
        is_problem(answer, 413, answer.json()["code"])
        pieces = (b"x" * 65536 for _ in range(17))
        headers = {"Idempotency-Key": "s", "Authorization": staff, "Content-Type": "text/csv"}
        streamed = http.post(FILES, content=pieces, headers=headers)
        is_problem(streamed, 413, streamed.json()["code"])
    assert counted(shop, CatalogImport) == 0
    assert door.IN_MEMORY <= 1024 * 1024


def test_promotions_are_told_and_applied_like_products(browser: Browser, shop: Shop, staff: str) -> None:
    csv = b"code,title,percent_off,usage_limit\nSPRING10,Spring,10,50\n,Always,5,\nBAD,Bad,101,\n"
    told = hand_in(browser, staff, csv, "csv", query="?kind=promotions").json()
    counts = told["report"]["counts"]
    assert (told["kind"], counts["added"], counts["refused"]) == ("promotions", 2, 1)
    assert counted(shop, Discount) == 0
    done = browser.post(f"/v1/staff/imports/{told['id']}/apply", authorization=staff)
    assert (done.json()["outcome"]["counts"]["added"], counted(shop, Discount)) == (2, 2)


@pytest.mark.parametrize("said", [{"backorder_limit": 10**12}, {"stock": {"\n,EAST": 1}}, {"stock": {"EAST\n": 1}}])
def test_what_no_column_holds_is_a_row_that_is_refused(
    browser: Browser, shop: Shop, staff: str, said: dict[str, Any]
) -> None:
    bad, good = json.loads(products(1)), products(2).splitlines()[1]
    bad["variants"][0] |= said
    told = hand_in(browser, staff, json.dumps(bad).encode() + b"\n" + good).json()
    assert (told["status"], told["report"]["counts"]["refused"], told["report"]["counts"]["added"]) == (
        "reported",
        1,
        1,
    )
    browser.post(f"/v1/staff/imports/{told['id']}/apply", authorization=staff)
    assert counted(shop, Product) == 1


def test_a_cell_that_is_folded_without_end_is_a_row_that_is_refused(browser: Browser, shop: Shop, staff: str) -> None:
    head = b"slug,sku,title,category,price,weight_g,faqs\n"
    rows = b"a,SKU-1,A,things,1,1," + b"[" * 3000 + b"\nb,SKU-2,B,things,1,1,\n"
    told = hand_in(browser, staff, head + rows, "csv").json()
    assert (told["report"]["counts"]["refused"], told["report"]["counts"]["added"]) == (1, 1)


def test_a_file_that_nobody_applies_keeps_its_bytes_for_a_week(browser: Browser, shop: Shop, staff: str) -> None:
    made = hand_in(browser, staff, products(2)).json()
    with clock.shifted(work.KEPT - timedelta(minutes=1)):
        assert (work.work(shop.runtime, shop.tenant.id), counted(shop, ImportPart)) == (0, 1)
    with clock.shifted(work.KEPT + timedelta(minutes=1)):
        assert (work.work(shop.runtime, shop.tenant.id), counted(shop, ImportPart)) == (1, 0)
    seen = browser.get(f"/v1/staff/imports/{made['id']}", authorization=staff).json()
    assert (seen["status"], seen["problem"]) == ("unreadable", "It was not applied in time.")
    is_problem(browser.post(f"/v1/staff/imports/{made['id']}/apply", authorization=staff), 409, "conflict")
    assert counted(shop, Product) == 0
