"""Bulk operations: a file is staged, worked in the background, and its result fetched."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from engine.sync.sandbox import World
from engine.sync.sandbox.merchants import Merchant
from engine.sync.sandbox.shopify import bulk
from tests.sync.sandbox.conftest import Told
from tests.sync.sandbox.shopping import BULK, BULK_STATUS, SET_QUANTITIES, STAGE, SUBSCRIBE, TAGS_ADD, Shopper


@pytest.fixture
def shop(client: httpx.Client, merchant: Merchant) -> Shopper:
    return Shopper(client, merchant)


def stage(shop: Shopper, method: str = "PUT") -> dict[str, Any]:
    wanted = {
        "resource": "BULK_MUTATION_VARIABLES",
        "filename": "v.jsonl",
        "mimeType": "text/jsonl",
        "httpMethod": method,
    }
    made: dict[str, Any] = shop(STAGE, input=[wanted])["stagedUploadsCreate"]["stagedTargets"][0]
    return made


def upload(shop: Shopper, rows: list[dict[str, Any]]) -> str:
    target = stage(shop)
    content = "\n".join(json.dumps(row) for row in rows)
    assert shop.client.put(target["url"], content=content).status_code == 200
    return str(target["url"].partition("/_staged/")[2])


def run(shop: Shopper, path: str, mutation: str = TAGS_ADD) -> dict[str, Any]:
    made: dict[str, Any] = shop(BULK, mutation=mutation, path=path)["bulkOperationRunMutation"]
    return made


def status(shop: Shopper, operation: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = shop(BULK_STATUS, id=operation["id"])["bulkOperation"]
    return found


def test_a_file_is_worked_line_by_line_in_the_background(shop: Shopper, world: World) -> None:
    order = shop.order()
    path = upload(shop, [{"id": order["id"], "tags": ["A"]}, {"id": "gid://shopify/Order/1", "tags": ["A"]}])
    operation = run(shop, path)["bulkOperation"]
    assert operation["status"] == "CREATED"

    world.advance(timedelta(seconds=1))
    assert status(shop, operation)["status"] == "RUNNING"
    assert shop.merchant.shop.state.orders[int(order["legacyResourceId"])].tags == []

    world.advance(timedelta(seconds=1))
    done = status(shop, operation)
    assert (done["status"], done["objectCount"], done["errorCode"]) == ("COMPLETED", "2", None)
    rows = [json.loads(line) for line in shop.client.get(done["url"]).text.splitlines()]
    assert [row["__lineNumber"] for row in rows] == [0, 1]
    assert rows[0]["data"]["tagsAdd"]["userErrors"] == []
    assert rows[1]["data"]["tagsAdd"]["userErrors"][0]["message"] == "Order could not be found."
    assert shop.merchant.shop.state.orders[int(order["legacyResourceId"])].tags == ["A"]


def test_stock_is_set_in_bulk_once_for_one_key(shop: Shopper, world: World) -> None:
    variant, place = shop.variant(), next(iter(shop.merchant.shop.state.locations))
    quantity = {
        "inventoryItemId": f"gid://shopify/InventoryItem/{variant.item_id}",
        "locationId": f"gid://shopify/Location/{place}",
        "quantity": 3,
        "changeFromQuantity": variant.levels[place].available,
    }
    row = {"input": {"name": "available", "reason": "correction", "quantities": [quantity]}, "key": "chunk-1"}

    operation = run(shop, upload(shop, [row, row]), SET_QUANTITIES)["bulkOperation"]
    world.advance(timedelta(seconds=5))

    rows = [json.loads(line) for line in shop.client.get(status(shop, operation)["url"]).text.splitlines()]
    assert [row["data"]["inventorySetQuantities"]["userErrors"] for row in rows] == [[], []]
    assert variant.levels[place].available == 3


def test_a_form_upload_works_too_and_an_address_that_was_not_given_out_does_not(shop: Shopper) -> None:
    target = stage(shop, "POST")
    fields = {one["name"]: one["value"] for one in target["parameters"]}

    sent = shop.client.post(target["url"], data=fields, files={"file": ("v.jsonl", b'{"tags": []}\n')})
    foreign = shop.client.put(target["url"] + "/other", content=b"{}")

    assert sent.status_code == 201
    assert shop.merchant.shop.state.staged[fields["key"]] == b'{"tags": []}\n'
    assert foreign.status_code == 403


def test_a_file_has_its_bound(shop: Shopper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "LARGEST_BYTES", 10)
    target = stage(shop)

    sent = shop.client.put(target["url"], content=b"x" * 11)

    assert (sent.status_code, b"EntityTooLarge" in sent.content) == (400, True)
    assert shop.client.put(target["url"], content=b"x" * 10).status_code == 200


def test_five_run_at_once_and_a_sixth_is_refused(shop: Shopper, world: World) -> None:
    order = shop.order()
    path = upload(shop, [{"id": order["id"], "tags": ["A"]}])
    for _ in range(5):
        assert run(shop, path)["userErrors"] == []

    assert run(shop, path)["userErrors"][0]["code"] == "OPERATION_IN_PROGRESS"
    world.advance(timedelta(seconds=5))
    assert run(shop, path)["userErrors"] == []


@pytest.mark.parametrize(
    ("mutation", "code"),
    [
        ("{ shop { name } }", "INVALID_MUTATION"),
        ("mutation { nothing }", "INVALID_MUTATION"),
        ("mutation {", "INVALID_MUTATION"),
        (BULK, "INVALID_MUTATION"),
    ],
)
def test_what_is_no_mutation_for_a_file_is_refused(shop: Shopper, mutation: str, code: str) -> None:
    path = upload(shop, [{"id": "x", "tags": []}])

    assert run(shop, path, mutation)["userErrors"][0]["code"] == code


def test_a_file_that_is_missing_or_unreadable_is_refused(shop: Shopper) -> None:
    nothing = stage(shop)["url"].partition("/_staged/")[2]
    target = stage(shop)
    shop.client.put(target["url"], content=b"not json")

    assert run(shop, nothing)["userErrors"][0]["code"] == "NO_SUCH_FILE"
    assert run(shop, "tmp/other")["userErrors"][0]["code"] == "NO_SUCH_FILE"
    unreadable = target["url"].partition("/_staged/")[2]
    assert run(shop, unreadable)["userErrors"][0]["code"] == "INVALID_STAGED_UPLOAD_FILE"


def test_its_end_is_told(shop: Shopper, world: World, receiver: Told) -> None:
    shop(SUBSCRIBE, topic="BULK_OPERATIONS_FINISH", to={"uri": "https://engine.example/w"})
    operation = run(shop, upload(shop, [{"id": "gid://shopify/Order/1", "tags": ["A"]}]))["bulkOperation"]
    world.advance(timedelta(seconds=5))

    [got] = receiver.got
    said = json.loads(got.content)
    assert got.headers["x-shopify-topic"] == "bulk_operations/finish"
    assert (said["admin_graphql_api_id"], said["status"], said["type"]) == (operation["id"], "completed", "mutation")
