"""Stock over HTTP: staff read it page by page and change it once; nobody else does."""

from __future__ import annotations

from typing import Any

import pytest

from engine.inventory.models import Inbound, StockCount, StockMovement
from tests.app.conftest import Browser, counted
from tests.engine.inventory.stocked import bundle, levels, line_of, set_level
from tests.shop import Shop

WRITES = (
    ("adjust", {"sku": "A", "location": "EAST", "delta": 1, "reason": "found"}),
    ("levels", {"sku": "A", "location": "EAST", "safety_stock": 1}),
    ("inbounds", {"location": "EAST", "lines": [{"sku": "A", "quantity": 1}]}),
    ("transfer", {"source_location": "EAST", "location": "WEST", "lines": [{"sku": "A", "quantity": 1}]}),
    ("receive", {"inbound_id": "inb_1", "received": [{"sku": "A", "quantity": 1}]}),
    ("inbounds/inb_1/close", {}),
    ("counts", {"location": "EAST", "skus": ["A"]}),
    ("counts/cnt_1/submit", {"lines": [{"sku": "A", "counted": 1}]}),
    ("counts/cnt_1/approve", {"approved": True}),
    ("import", {"csv": "sku,location,on_hand\nA,EAST,1\n"}),
)
READS = ("stock", "stock/movements", "locations", "inbounds", "counts")


class Staff:
    """A key at the shop's door."""

    def __init__(self, browser: Browser, key: str) -> None:
        self.browser, self.key = browser, key

    def get(self, path: str) -> Any:
        answer = self.browser.get(f"/v1/{path}", authorization=self.key)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any, *, status: int = 200, key: str | None = None) -> Any:
        answer = self.browser.post(f"/v1/staff/inventory/{path}", body, key=key, authorization=self.key)
        assert answer.status_code == status, answer.text
        return answer.json()


@pytest.fixture
def staff(browser: Browser, shop: Shop, make_key) -> Staff:
    return Staff(browser, make_key(shop.tenant, "staff"))


@pytest.mark.parametrize(("path", "body"), WRITES)
def test_only_staff_change_stock(browser: Browser, shop: Shop, make_key, path: str, body: dict[str, Any]) -> None:
    shop.add("A", stock={"EAST": 5})
    browser.start(shop.tenant)
    for headers in ({}, {"authorization": make_key(shop.tenant, "acp")}):
        answer = browser.post(f"/v1/staff/inventory/{path}", body, **headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert levels(shop, "A") == {"EAST": (5, 0)}
    assert (counted(shop, StockMovement), counted(shop, Inbound), counted(shop, StockCount)) == (1, 0, 0)


@pytest.mark.parametrize("path", READS)
def test_only_staff_read_stock(browser: Browser, shop: Shop, path: str) -> None:
    assert browser.get(f"/v1/{path}").status_code == 401
    browser.start(shop.tenant)
    assert browser.get(f"/v1/{path}").status_code == 403


def test_stock_is_read_page_by_page(staff: Staff, shop: Shop) -> None:
    for sku in ("A", "B", "C"):
        shop.add(sku, stock={"EAST": 5, "WEST": 1})
    set_level(shop, "B", "WEST", safety_stock=3, low_stock_at=0)
    bundle(shop, "SET", {"B": 2})
    line_of(shop, "A", 2, region="OH")

    first = staff.get("stock?limit=3")
    assert [item["sku"] for item in first["items"]] == ["A", "B", "C"]
    assert first["items"][0]["locations"][0] == {
        "code": "EAST", "name": "East", "on_hand": 5, "reserved": 2, "available": 3, "safety_stock": 0, "sellable": 3,
        "incoming": 0,
    }  # fmt: skip
    rest = staff.get(f"stock?limit=3&cursor={first['next_cursor']}")
    assert [(item["sku"], item["sellable"], item["locations"]) for item in rest["items"]] == [("SET", 2, [])]
    assert rest["next_cursor"] is None
    assert [item["sku"] for item in staff.get("stock?below_safety=true")["items"]] == ["B"]
    assert [item["sku"] for item in staff.get("stock?low=true")["items"]] == ["B"]
    assert [item["sku"] for item in staff.get("stock?sku=c")["items"]] == ["C"]
    assert [item["sku"] for item in staff.get("stock?q=thing b")["items"]] == ["B"]
    [only] = staff.get("stock?sku=A&location=WEST")["items"]
    assert [place["code"] for place in only["locations"]] == ["WEST"]


def test_the_ledger_is_read_page_by_page(staff: Staff, shop: Shop) -> None:
    shop.add("A", stock={"EAST": 5})
    staff.post("adjust", {"sku": "A", "location": "EAST", "delta": -1, "reason": "broken"})
    first = staff.get("stock/movements?limit=1")
    [row] = first["items"]
    assert (row["kind"], row["sku"], row["location"], row["on_hand_delta"]) == ("adjust", "A", "EAST", -1)
    assert row["reason"] == "broken"
    [older] = staff.get(f"stock/movements?limit=1&cursor={first['next_cursor']}")["items"]
    assert (older["kind"], older["on_hand_delta"]) == ("receipt", 5)
    assert staff.get("stock/movements?kind=receipt&sku=B")["items"] == []


def test_a_write_happens_once(staff: Staff, shop: Shop) -> None:
    shop.add("A", stock={"EAST": 5})
    body = {"sku": "A", "location": "EAST", "delta": 2, "reason": "found"}
    one = staff.post("adjust", body, key="once")
    assert staff.post("adjust", body, key="once") == one
    assert levels(shop, "A") == {"EAST": (7, 0)}


def test_goods_are_bought_and_sent_on(staff: Staff, shop: Shop) -> None:
    shop.add("A", price=1000, stock={})
    order = {"location": "EAST", "lines": [{"sku": "A", "quantity": 4, "unit_cost": 450}], "reference": "PO-7"}
    bought = staff.post("inbounds", order, status=201)
    assert (bought["kind"], bought["status"], bought["reference"]) == ("purchase", "expected", "PO-7")
    came = {"inbound_id": bought["id"], "received": [{"sku": "A", "quantity": 4}]}
    assert staff.post("receive", came)["status"] == "received"
    assert staff.post("receive", came, status=409)["code"] in {"over_receipt", "illegal_transition"}
    move = {"source_location": "EAST", "location": "WEST", "lines": [{"sku": "A", "quantity": 3}]}
    sent = staff.post("transfer", move, status=201)
    assert staff.post("transfer", move, status=409)["code"] == "below_reserved"
    assert [row["id"] for row in staff.get("inbounds?kind=transfer&location=WEST")["items"]] == [sent["id"]]
    assert staff.post(f"inbounds/{sent['id']}/close", {})["status"] == "canceled"
    assert levels(shop, "A") == {"EAST": (4, 0)}
    first = staff.get("inbounds?limit=1")
    assert [row["id"] for row in first["items"]] == [sent["id"]]
    assert [row["id"] for row in staff.get(f"inbounds?cursor={first['next_cursor']}")["items"]] == [bought["id"]]
    assert staff.get(f"inbounds/{bought['id']}")["lines"] == [
        {"sku": "A", "variant_id": shop.variants["A"], "expected": 4, "received": 4, "unit_cost": 450}
    ]


def test_a_count_is_approved_by_another_key(staff: Staff, browser: Browser, shop: Shop, make_key) -> None:
    shop.add("A", stock={"EAST": 10})
    opened = staff.post("counts", {"location": "EAST", "skus": ["A"], "note": "aisle 3"}, status=201)
    found = staff.post(f"counts/{opened['id']}/submit", {"lines": [{"sku": "A", "counted": 3}]})
    assert (found["status"], found["lines"][0]["variance"]) == ("submitted", -7)
    assert staff.post(f"counts/{opened['id']}/approve", {"approved": True}, status=403)["code"] == "own_count"
    assert levels(shop, "A") == {"EAST": (10, 0)}
    nameless = Staff(browser, make_key(shop.tenant, "ops"))
    assert nameless.post(f"counts/{opened['id']}/approve", {"approved": True}, status=403)["code"] == "own_count"
    other = Staff(browser, make_key(shop.tenant, "ops", person="bob"))
    assert other.post(f"counts/{opened['id']}/approve", {"approved": True})["status"] == "approved"
    assert levels(shop, "A") == {"EAST": (3, 0)}
    assert [row["id"] for row in staff.get("counts?status=approved")["items"]] == [opened["id"]]
    assert staff.get(f"counts/{opened['id']}")["note"] == "aisle 3"


def test_a_stock_file_is_shown_to_staff_and_applied_by_operations(
    staff: Staff, browser: Browser, shop: Shop, make_key
) -> None:
    shop.add("AAA", stock={"EAST": 5})
    body = {"csv": "sku,location,on_hand\nAAA,EAST,9\n"}
    told = staff.post("import?dry_run=true", body)
    assert (told["applied"], told["changed"][0]["changes"]) == (
        False,
        [{"field": "on_hand", "before": 5, "after": 9}],
    )
    assert staff.post("import", body, status=403)["code"] == "forbidden"
    assert levels(shop, "AAA") == {"EAST": (5, 0)}
    assert Staff(browser, make_key(shop.tenant, "ops")).post("import", body)["applied"] is True
    assert levels(shop, "AAA") == {"EAST": (9, 0)}


def test_locations_say_what_routing_needs(staff: Staff) -> None:
    places = staff.get("locations")["items"]
    assert [(place["code"], place["ships"]) for place in places] == [("EAST", True), ("WEST", True), ("STORE", False)]
    assert places[0]["handling_days"] == 0


def test_another_shops_stock_is_not_there(open_browser, runtime, make_tenant, make_key, shop: Shop) -> None:
    other = make_tenant()
    shop.add("A", stock={"EAST": 5})
    theirs = Staff(open_browser(), make_key(other, "ops"))
    ours = Staff(open_browser(), make_key(shop.tenant, "ops"))
    bought = ours.post("inbounds", {"location": "EAST", "lines": [{"sku": "A", "quantity": 4}]}, status=201)
    assert theirs.get("stock")["items"] == []
    body = {"sku": "A", "location": "EAST", "delta": 1, "reason": "found"}
    assert theirs.post("adjust", body, status=404)["code"] == "not_found"
    theirs.post(f"inbounds/{bought['id']}/close", {}, status=404)
    assert levels(shop, "A") == {"EAST": (5, 0)}
