"""The doors by which a shop's people write its catalog: each does it once, for its own, and refuses the rest whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import pytest
from sqlalchemy import select

from engine.carts.models import Discount
from engine.catalog.models import ListedPrice, Product, Variant
from engine.inventory.models import StockLevel
from engine.kit.audit import AuditRow
from tests.app.conftest import Browser
from tests.app.test_bad_input import MARK, is_problem
from tests.shop import Shop, open_shop

NEW: Final = {
    "slug": "steel-mug",
    "title": "Steel Mug",
    "category": "mugs",
    "status": "active",
    "options": {"color": ["red"]},
    "variants": [{"sku": "MUG-RED", "options": {"color": "red"}, "price": 1900, "weight_g": 120}],
}
CODE: Final = {"code": "SPRING10", "title": "Spring", "percent_off": 10}


@dataclass(frozen=True)
class Door:
    """``path`` with places for ids of the shop's, what it takes, what it answers, what it must not take."""

    method: str
    path: str
    body: dict[str, Any]
    status: int
    bad: dict[str, Any]
    other: dict[str, Any]
    """What it takes too."""


DOORS: Final = {
    "product": Door("POST", "/v1/products", NEW, 201, NEW | {"category": MARK}, NEW | {"title": "X"}),
    "product change": Door(
        "PATCH", "/v1/products/{product}", {"title": "Tin"}, 200, {"title": "", MARK: 1}, {"title": "X"}
    ),
    "variant": Door(
        "POST",
        "/v1/products/{bare}/variants",
        {"sku": "NEW-ONE", "price": 5, "weight_g": 1},
        201,
        {"sku": MARK, "price": 5, "weight_g": 1},
        {"sku": "NEW-ONE", "price": 6, "weight_g": 1},
    ),
    "variant change": Door("PATCH", "/v1/variants/{variant}", {"price": 77}, 200, {"price": MARK}, {"price": 78}),
    "retire": Door("POST", "/v1/variants/{other}/retire", {}, 200, {}, {"more": 1}),
    "price": Door(
        "PUT",
        "/v1/staff/prices",
        {"prices": [{"sku": "TENT-A", "amount": 9, "currency": "EUR"}]},
        200,
        {"prices": [{"sku": "TENT-A", "amount": -1, "currency": MARK}]},
        {"prices": [{"sku": "TENT-A", "amount": 8, "currency": "EUR"}]},
    ),
    "stock": Door(
        "POST",
        "/v1/staff/inventory/levels",
        {"sku": "TENT-A", "location": "EAST", "safety_stock": 2},
        200,
        {"sku": "TENT-A", "location": MARK, "safety_stock": -2},
        {"sku": "TENT-A", "location": "EAST", "safety_stock": 3},
    ),
    "discount": Door(
        "POST", "/v1/staff/discounts", CODE, 201, CODE | {"percent_off": 101, "title": MARK}, CODE | {"title": "X"}
    ),
    "discount change": Door(
        "PATCH", "/v1/staff/discounts/{discount}", {"title": "T"}, 200, {"percent_off": MARK}, {"title": "X"}
    ),
}


@pytest.fixture
def ids(shop: Shop, browser: Browser, make_key) -> dict[str, str]:
    """Things of the shop's that doors name."""
    found = {
        name: shop.add(sku, price=5000, stock={"EAST": 5}) for name, sku in (("variant", "TENT-A"), ("other", "TENT-B"))
    }
    with shop.uow() as session:
        found["product"] = found["bare"] = session.scalars(
            select(Variant.product_id).where(Variant.sku == "TENT-A")
        ).one()
    staff = make_key(shop.tenant, "staff")
    made = browser.post(
        "/v1/staff/discounts", {"code": "OLD-CODE", "title": "Old", "percent_off": 5}, authorization=staff
    )
    empty = NEW | {"slug": "bare", "options": {}, "status": "draft", "variants": []}
    shop_product = browser.post("/v1/products", empty,
                                authorization=staff)  # fmt: skip
    with shop.uow() as session:
        spare = session.scalars(
            select(Product).join(Variant, Variant.product_id == Product.id).where(Variant.sku == "TENT-B")
        ).one()
        spare.status = "archived"
    return found | {"discount": made.json()["id"], "bare": shop_product.json()["id"]}


def send(browser: Browser, door: Door, ids: dict[str, str], body: Any, *, key: str, by: str) -> Any:
    headers = {"Idempotency-Key": key} | ({"Authorization": by} if by else {})
    return browser.http.request(door.method, door.path.format(**ids), json=body, headers=headers)


def everything(shop: Shop) -> list[Any]:
    """All that these doors may change, and the audit of it."""
    with shop.uow() as session:
        found = [
            sorted(str(vars_of(row)) for row in session.scalars(select(model)))
            for model in (Product, Variant, ListedPrice, StockLevel, Discount)
        ]
        acts = session.execute(select(AuditRow.action, AuditRow.subject).where(AuditRow.actor != "test"))
        return [*found, sorted(map(tuple, acts))]


def vars_of(row: Any) -> list[tuple[str, Any]]:
    return [(column.key, getattr(row, column.key)) for column in row.__mapper__.column_attrs]


@pytest.mark.parametrize("name", DOORS)
def test_it_is_done_once(browser: Browser, shop: Shop, ids, make_key, name: str) -> None:
    door, staff, before = DOORS[name], make_key(shop.tenant, "staff"), everything(shop)
    first = send(browser, door, ids, door.body, key="one", by=staff)
    assert first.status_code == door.status, first.text
    after = everything(shop)
    assert after != before
    again = send(browser, door, ids, door.body, key="one", by=staff)
    assert (again.status_code, again.json(), everything(shop)) == (door.status, first.json(), after)
    assert again.headers["idempotent-replayed"] == "true"
    is_problem(send(browser, door, ids, door.other, key="one", by=staff), 422, "idempotency_conflict")
    assert everything(shop) == after


@pytest.mark.parametrize("name", DOORS)
def test_nobody_else_may(browser: Browser, shop: Shop, ids, make_key, name: str) -> None:
    browser.start(shop.tenant)
    before = everything(shop)
    for by in ("", make_key(shop.tenant, "acp")):
        is_problem(send(browser, DOORS[name], ids, DOORS[name].body, key="k", by=by), 403, "forbidden")
    assert everything(shop) == before


@pytest.mark.parametrize("name", [name for name in DOORS if DOORS[name].bad])
def test_bad_input_changes_nothing_and_is_not_said_again(browser: Browser, shop: Shop, ids, make_key, name) -> None:
    before, staff = everything(shop), make_key(shop.tenant, "staff")
    answer = send(browser, DOORS[name], ids, DOORS[name].bad, key="bad", by=staff)
    assert answer.status_code in {400, 404, 422}, answer.text
    is_problem(answer, answer.status_code, answer.json()["code"])
    assert everything(shop) == before


@pytest.mark.parametrize("name", [name for name, door in DOORS.items() if "{" in door.path])
def test_another_shop_has_no_such_thing(
    browser: Browser, shop: Shop, ids, runtime, make_tenant, make_key, name
) -> None:
    theirs, before = open_shop(runtime, make_tenant()), everything(shop)
    by = make_key(theirs.tenant, "staff")
    is_problem(send(browser, DOORS[name], ids, DOORS[name].body, key="k", by=by), 404, "not_found")
    assert everything(shop) == before


def test_what_is_taken_is_a_conflict(browser: Browser, shop: Shop, ids, make_key) -> None:
    staff = make_key(shop.tenant, "staff")
    assert send(browser, DOORS["product"], ids, NEW, key="1", by=staff).status_code == 201
    before = everything(shop)
    taken = send(browser, DOORS["product"], ids, NEW, key="2", by=staff)
    is_problem(taken, 409, "already_there")
    sku = send(browser, DOORS["variant"], ids, {"sku": "MUG-RED", "price": 1, "weight_g": 1}, key="3", by=staff)
    is_problem(sku, 409, "already_there")
    old = send(browser, DOORS["discount"], ids, CODE | {"code": "OLD-CODE"}, key="4", by=staff)
    is_problem(old, 409, "code_taken")
    stale = browser.http.patch(
        f"/v1/products/{ids['product']}", json={"title": "New"},
        headers={"Idempotency-Key": "5", "Authorization": staff, "If-Match": '"99"'},
    )  # fmt: skip
    is_problem(stale, 409, "conflict")
    assert everything(shop) == before


def test_a_promotion_above_the_limits_waits_for_another_person(browser: Browser, shop: Shop, ids, make_key) -> None:
    ann, bob = make_key(shop.tenant, "staff", person="ann"), make_key(shop.tenant, "staff", person="bob")
    big = CODE | {"code": "FREE-ALL", "percent_off": 100, "note": "The anniversary"}
    before = everything(shop)
    asked = browser.post("/v1/staff/discounts", big, key="big", authorization=ann)
    assert asked.status_code == 202, asked.text
    waiting = asked.json()
    assert (waiting["status"], waiting["approval"]["kind"]) == ("pending_approval", "promotion")
    assert waiting["approval"]["rule"] == "promotions.percent_without_approval"
    assert waiting["approval"]["reason"] == "The anniversary"
    assert everything(shop)[:-1] == before[:-1]
    assert browser.post("/v1/staff/discounts", big, key="big", authorization=ann).json() == waiting
    url = f"/v1/staff/approvals/{waiting['approval']['id']}/approve"
    is_problem(browser.post(url, {}, authorization=ann), 403, "own_request")
    done = browser.post(url, {}, authorization=bob).json()
    made = browser.get(f"/v1/discounts/{done['outcome']['discount_id']}", authorization=ann).json()
    assert (done["status"], made["code"], made["percent_off"], made["status"]) == (
        "approved",
        "FREE-ALL",
        100,
        "active",
    )

    headers = {"Idempotency-Key": "more", "Authorization": ann}
    more = browser.http.patch(f"/v1/staff/discounts/{ids['discount']}", json={"percent_off": 90}, headers=headers)
    assert (more.status_code, more.json()["approval"]["subject_id"]) == (202, ids["discount"])
    assert browser.get(f"/v1/discounts/{ids['discount']}", authorization=ann).json()["percent_off"] == 5


def test_a_file_brings_no_promotion_above_the_limits(browser: Browser, shop: Shop, make_key) -> None:
    key = make_key(shop.tenant, "staff")
    rows = "code,title,percent_off\nFREE-ALL,Free,100\nTEN,Ten,10\n"
    told = browser.post(
        "/v1/staff/imports", {"format": "csv", "content": rows, "kind": "promotions"}, key="i", authorization=key
    )
    problems = told.json()["report"]["rows"][0]["problems"]
    assert problems == ["More than 50 % off takes another person's approval."]
    done = browser.post(f"/v1/staff/imports/{told.json()['id']}/apply", {}, key="a", authorization=key)
    assert done.json()["outcome"]["counts"] == {"added": 1, "changed": 0, "unchanged": 0, "refused": 1}
    with shop.uow() as session:
        assert list(session.scalars(select(Discount.code))) == ["TEN"]
