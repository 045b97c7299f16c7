"""A world as a whole: its control, its scenarios, and that it stands alone."""

from __future__ import annotations

import ast
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine.sync.sandbox import World, WorldTransport
from engine.sync.sandbox.merchants import Merchant
from engine.sync.sandbox.presets import PRESETS, basket, read_goods
from tests.source import parsed
from tests.sync.sandbox.shopping import Shopper

ROOT = Path(__file__).resolve().parents[3]
SANDBOX = ROOT / "engine" / "sync" / "sandbox"


def imports(path: Path) -> set[str]:
    tree = parsed(path)
    plain = {one.name for node in ast.walk(tree) if isinstance(node, ast.Import) for one in node.names}
    return plain | {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


def test_the_sandbox_knows_nothing_of_the_engine_but_its_kit() -> None:
    known = {
        name for path in SANDBOX.rglob("*.py") for name in imports(path) if name.startswith(("engine", "app", "tools"))
    }

    assert {name for name in known if not name.startswith(("engine.kit", "engine.sync.sandbox"))} == set()


def test_nothing_of_the_engine_knows_the_sandbox() -> None:
    folders = ("engine", "tools", "graph", "prompts", "agents")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py") if SANDBOX not in path.parents]

    assert [path for path in paths if "engine.sync.sandbox" in path.read_text()] == []


def test_the_goods_are_the_demo_shops() -> None:
    from engine.catalog.shop_file import read_catalog
    from engine.demo.seed import demo_files

    catalog = read_catalog(demo_files()[0])
    world = World.preset("summit")
    merchant = world.merchants[0]
    skus = [variant.sku for product in catalog.products for variant in product.variants]
    stock = {variant.sku: sum(variant.stock.values()) for product in catalog.products for variant in product.variants}

    kits = {"KIT-CAMP-DUO", "KIT-TRAIL-SET"}
    assert {one.sku for one in merchant.shop.state.variants.values()} == {*skus, *kits}
    assert {one.fields["itemId"] for one in merchant.account.kind("inventoryItem").values()} == set(skus)
    assert {one.fields["itemId"] for one in merchant.account.kind("kitItem").values()} == kits
    assert set(merchant.house.items) == set(skus)
    shop = {one.sku: one.available() for one in merchant.shop.state.variants.values() if one.sku in stock}
    assert shop == stock


def test_shop_erp_and_warehouse_begin_with_the_same_stock(merchant: Merchant) -> None:
    account = merchant.account
    reno = account.external[("location", "RNO")]
    by_sku = {one.fields["itemId"]: one.id for one in account.kind("inventoryItem").values()}

    for sku, item in merchant.house.items.items():
        assert account.balance(by_sku[sku], reno).on_hand == item.on_hand


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_scenario_is_the_same_each_time_for_each_merchant(name: str) -> None:
    def state() -> Any:
        world = World.preset(name, seed=5, merchants=2)
        with httpx.Client(transport=WorldTransport(world), base_url="http://sandbox") as client:
            said = client.get("/_sandbox/state").json()["merchants"]
            return said, client.get("/_sandbox/merchants").json()

    first, again = state(), state()
    assert first == again
    assert len(first[0]) == 2
    tokens = [one["credentials"]["shopify_access_token"] for one in first[1]["merchants"]]
    assert len(set(tokens)) == 2


def test_scenarios_have_what_they_say() -> None:
    orders = World.preset("summit_orders").merchants[0]
    buying = World.preset("summit_purchasing").merchants[0]

    assert len(orders.shop.state.orders) == 12
    assert [one.status for one in buying.account.kind("purchaseOrder").values()] == ["B", "B"]
    assert [one.status for one in buying.account.kind("transferOrder").values()] == ["F"]


class TestControl:
    def test_time_is_moved_and_never_back(self, client: httpx.Client, world: World) -> None:
        moved = client.post("/_sandbox/clock/advance", json={"seconds": 90})
        back = client.post("/_sandbox/clock/advance", json={"seconds": -1})

        assert moved.json() == {"now": "2026-11-26T08:01:30+00:00", "done": 0}
        assert (back.status_code, world.now().minute) == (400, 1)

    def test_faults_are_put_listed_and_taken_away(self, client: httpx.Client, merchant: Merchant) -> None:
        rule = {"id": "r1", "system": "shopify", "kind": "http_500", "times": 2}
        assert client.post("/_sandbox/faults", json=[rule, rule | {"id": "r2"}]).json() == {"faults": ["r1", "r2"]}
        assert Shopper(client, merchant).post("{ shop { name } }").status_code == 500

        listed = client.get("/_sandbox/faults").json()["faults"]
        assert [(one["id"], one["struck"]) for one in listed] == [("r1", 1), ("r2", 1)]
        assert client.delete("/_sandbox/faults/r1").status_code == 204
        assert client.delete("/_sandbox/faults").status_code == 204
        assert client.get("/_sandbox/faults").json() == {"faults": []}
        assert client.post("/_sandbox/faults", json={"id": "r", "kind": "meteor"}).status_code == 400

    def test_the_journal_is_filtered_and_does_not_hold_the_control(
        self, client: httpx.Client, merchant: Merchant
    ) -> None:
        shop = Shopper(client, merchant)
        shop.post("{ shop { name } }")
        shop.post("{ products(first: 1) { nodes { id } } }")
        client.get("/dcl/api/v1/orders")

        whole = client.get("/_sandbox/journal").json()["entries"]
        assert [(one["system"], one["operation"], one["status"]) for one in whole] == [
            ("shopify", "shop", 200),
            ("shopify", "products", 200),
            ("dcl", "GET orders", 401),
        ]
        assert [one["number"] for one in client.get("/_sandbox/journal?system=shopify&after=1").json()["entries"]] == [
            2
        ]
        assert len(client.get("/_sandbox/journal?tenant=summit-outdoor.myshopify.com").json()["entries"]) == 2

    def test_a_reset_forgets_everything(self, client: httpx.Client, world: World) -> None:
        Shopper(client, world.merchants[0]).order()
        client.post("/_sandbox/clock/advance", json={"seconds": 90})
        client.post("/_sandbox/reset")

        assert world.merchants[0].shop.state.orders == {}
        assert client.get("/_sandbox/journal").json() == {"entries": []}
        assert world.now().minute == 0

    def test_a_world_is_seeded_with_a_scenario(self, client: httpx.Client, world: World) -> None:
        made = client.post("/_sandbox/seed", json={"preset": "summit_orders", "seed": 3, "merchants": 2})

        assert made.json() == {"merchants": ["summit-outdoor", "summit-outdoor-2"]}
        assert (world.seed, len(world.merchants[1].shop.state.orders)) == (3, 12)
        assert client.post("/_sandbox/seed", json={"preset": "atlantis"}).status_code == 400

    def test_stories_are_told(self, client: httpx.Client, world: World) -> None:
        merchant = world.merchants[0]
        sku = next(one.number for one in merchant.house.items.values() if one.on_hand > 9)

        def emit(system: str, what: str, **told: Any) -> Any:
            answer = client.post("/_sandbox/emit", json={"system": system, "what": what} | told)
            assert answer.status_code == 200, answer.text
            return answer.json()["outcome"]

        assert emit("shopify", "order", order=basket(merchant, read_goods(), 0)) == {"name": "#1001"}
        assert emit("shopify", "cancel", name="#1001") == {"name": "#1001"}
        emit("shopify", "sale", sku=sku, quantity=1)
        bought = emit("netsuite", "purchase", lines=[{"sku": sku, "quantity": 4}], location="RNO")
        assert bought["id"] in merchant.account.kind("purchaseOrder")
        emit("netsuite", "transfer", lines=[{"sku": sku, "quantity": 1}], source="RNO", target="CMH")
        emit("netsuite", "count", sku=sku, location="CMH", by=-1)
        state = client.get("/_sandbox/state?merchant=summit-outdoor").json()["merchants"]["summit-outdoor"]
        assert state["shopify"]["orders"][0]["cancelled"] is True
        assert [one["status"] for one in state["netsuite"]["records"]["transferOrder"]] == ["F"]

    def test_stories_of_the_warehouse(self, client: httpx.Client, world: World) -> None:
        merchant = world.merchants[0]
        who = merchant.credentials
        sku = next(one.number for one in merchant.house.items.values() if one.on_hand > 9)
        address = {"address1": "x", "city": "Denver", "postal_code": "80211", "country_code": "US"}
        orders = [
            {
                "order_number": number,
                "account_number": who.dcl_account_number,
                "shipping_address": address,
                "lines": [{"item_number": sku, "quantity": 2}],
            }
            for number in ("A-1", "A-2")
        ]
        auth = (who.dcl_username, who.dcl_password)
        client.post("/dcl/api/v1/batches", json={"orders": orders}, auth=auth)
        goods = {
            "account_number": who.dcl_account_number,
            "po_number": "PO1",
            "lines": [{"line_number": 1, "item_number": sku, "quantity": 5}],
        }
        client.post("/dcl/api/v1/purchase_orders", json=goods, auth=auth)

        def emit(what: str, **told: Any) -> httpx.Response:
            return client.post("/_sandbox/emit", json={"system": "dcl", "what": what, "merchant": merchant.slug} | told)

        assert emit("ship", order_number="A-1", short=True).status_code == 200
        assert emit("cancel", order_number="A-2").json() == {"outcome": {"done": True}}
        receipt = emit("receive", po_number="PO1", quantities={"1": 3}).json()["outcome"]
        assert receipt["lines"][0] == {
            "line_number": 1,
            "item_number": sku,
            "quantity_expected": 5,
            "quantity_received": 3,
        }
        house = client.get("/_sandbox/state").json()["merchants"][merchant.slug]["dcl"]
        assert [(one["stage"], one["shipments"]) for one in house["orders"]] == [("Shipped", 2), ("Cancelled", 0)]
        assert emit("ship", order_number="Z").status_code == 400

    def test_deliveries_and_letters_can_be_looked_at(self, client: httpx.Client) -> None:
        assert client.get("/_sandbox/deliveries").json() == {"deliveries": []}
        assert client.get("/_sandbox/mail").json() == {"letters": []}

    def test_what_is_not_there_is_not_found(self, client: httpx.Client) -> None:
        assert client.get("/_sandbox/secrets").status_code == 404
        assert client.get("/gorgias/api/tickets").status_code == 404
        assert client.get("/").status_code == 404
        assert client.post("/_sandbox/clock/advance", content=b"{").status_code == 400


def test_a_running_world_runs() -> None:
    world = World(seed=1)
    first = world.now()
    world.advance(timedelta(hours=1))

    assert world.now() - first >= timedelta(hours=1)
    assert world.ground.clock.running


def test_the_state_is_json(world: World, client: httpx.Client) -> None:
    assert json.loads(client.get("/_sandbox/state").text)["now"] == "2026-11-26T08:00:00+00:00"
