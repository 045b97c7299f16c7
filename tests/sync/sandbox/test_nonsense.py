"""Bodies that nobody should send: they are refused in the vendor's form, never by a crash."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from engine.sync.sandbox.merchants import Merchant
from tests.sync.sandbox.ledger import Erp
from tests.sync.sandbox.shopping import FULFILL, ORDER_CREATE, SET_QUANTITIES, Shopper
from tests.sync.sandbox.test_stories import check_erp, check_shop

JUNK: tuple[Any, ...] = (
    None,
    True,
    0,
    -3,
    2.5,
    10**30,
    "",
    "x",
    "\x00",
    [],
    [[]],
    {},
    {"id": {}},
    {"items": 7},
    [None],
    "NaN",
)


def places(body: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place within a body."""
    if isinstance(body, dict):
        for name, value in body.items():
            yield (*path, name)
            yield from places(value, (*path, name))
    elif isinstance(body, list):
        for number, value in enumerate(body):
            yield (*path, number)
            yield from places(value, (*path, number))


def spoiled(body: Any, dice: random.Random) -> Any:
    """A copy with junk at one or two places."""
    made = copy.deepcopy(body)
    for _ in range(dice.randint(1, 2)):
        *parents, last = dice.choice(list(places(made)) or [()]) or ("x",)
        part = made
        for name in parents:
            part = part[name]
        part[last] = copy.deepcopy(dice.choice(JUNK))
    return made


@pytest.mark.parametrize("seed", range(3))
def test_the_erp_refuses_nonsense(client: httpx.Client, merchant: Merchant, seed: int) -> None:
    erp, dice = Erp(client, merchant), random.Random(seed)  # noqa: S311 (reproducible)
    order = erp.order((erp.stocked(0), 5), (erp.stocked(1), 5))
    erp.make(f"salesOrder/{order}/!transform/itemFulfillment", {"shipStatus": {"id": "C"}})
    bill = erp.make(f"salesOrder/{order}/!transform/invoice", {})
    lines = {
        "items": [{"line": 1, "item": {"id": erp.item(erp.stocked())}, "quantity": 2, "rate": 5, "isClosed": False}]
    }
    sold = {
        "entity": {"id": erp.customer()},
        "location": {"id": erp.place()},
        "orderStatus": {"id": "B"},
        "item": lines,
    }
    apply = {"items": [{"doc": {"id": bill}, "apply": True, "amount": 1}]}
    asked: list[tuple[str, str, Any]] = [
        ("POST", "salesOrder", sold | {"externalId": "E", "shippingAddress": {"city": "Denver"}}),
        ("PATCH", f"salesOrder/{order}", {"item": lines, "memo": "m", "orderStatus": {"id": "B"}}),
        (
            "POST",
            f"salesOrder/{order}/!transform/itemFulfillment",
            {"shipStatus": {"id": "A"}, "item": lines, "package": lines},
        ),
        ("POST", f"salesOrder/{order}/!transform/invoice", {"item": {"items": [{"orderLine": 1, "quantity": 1}]}}),
        ("POST", f"invoice/{bill}/!transform/customerPayment", {"payment": 1, "apply": apply}),
        ("POST", "customerPayment", {"customer": {"id": erp.customer()}, "payment": 1, "apply": apply}),
        ("PUT", "kitItem/eid:K", {"itemId": "K", "member": {"items": [{"item": {"id": "1"}, "quantity": 1}]}}),
        ("PUT", "customer/eid:C", {"firstName": "M", "isPerson": True, "subsidiary": {"id": "1"}}),
    ]
    for _ in range(150):
        method, path, body = dice.choice(asked)
        answer = erp.request(method, f"/record/v1/{path}", spoiled(body, dice))
        assert answer.status_code in {204, 400, 404}, answer.text
        check_erp(merchant)
    for _ in range(30):
        text = spoiled({"q": "SELECT id FROM item WHERE id = 5 AND itemid IN ('a', 'b') ORDER BY id"}, dice)
        assert erp.request("POST", "/query/v1/suiteql", text, Prefer="transient").status_code == 400


@pytest.mark.parametrize("seed", range(3))
def test_the_warehouse_refuses_nonsense(client: httpx.Client, merchant: Merchant, seed: int) -> None:
    dice, who = random.Random(seed), merchant.credentials  # noqa: S311 (reproducible)
    auth = (who.dcl_username, who.dcl_password)
    merchant.house.bucket.maximum = merchant.house.bucket.level = 10_000
    sku = next(iter(merchant.house.items))
    line = {"line_number": 1, "item_number": sku, "quantity": 1}
    address = {"address1": "x", "city": "y", "postal_code": "z", "country_code": "US"}
    order = {
        "order_number": "1",
        "account_number": who.dcl_account_number,
        "shipping_address": address,
        "lines": [line],
    }
    goods = {"account_number": who.dcl_account_number, "po_number": "P", "expected_date": "2026-12-01", "lines": [line]}
    rma = {
        "account_number": who.dcl_account_number,
        "rma_number": "R",
        "rma_type": "T01",
        "disposition": "D1",
        "items": [line],
    }
    asked = [
        ("/batches", {"allow_partial": True, "orders": [order]}),
        ("/purchase_orders", goods),
        ("/rmas", {"rmas": [rma]}),
    ]
    for _ in range(200):
        path, body = dice.choice(asked)
        answer = client.post(f"/dcl/api/v1{path}", json=spoiled(body, dice), auth=auth)
        assert answer.status_code in {200, 400}, answer.text
    for name in ("page", "page_size", "status", "modified_from", "received_to", "shipped_from"):
        for junk in ("", "x", "-1", "2.5", "9" * 40):
            answer = client.get("/dcl/api/v1/orders", params={name: junk}, auth=auth)
            assert answer.status_code in {200, 400}, (name, junk)


@pytest.mark.parametrize("seed", range(3))
def test_the_shop_refuses_nonsense(client: httpx.Client, merchant: Merchant, seed: int) -> None:
    shop, dice = Shopper(client, merchant), random.Random(seed)  # noqa: S311 (reproducible)
    merchant.shop.bucket.maximum = merchant.shop.bucket.level = 100_000
    placed = shop.order()
    parent = shop.fulfillment_orders(placed["id"])[0]
    place = next(iter(merchant.shop.state.locations))
    row = {
        "inventoryItemId": f"gid://shopify/InventoryItem/{shop.variant().item_id}",
        "locationId": f"gid://shopify/Location/{place}",
        "quantity": 3,
        "changeFromQuantity": None,
    }
    price = {"shopMoney": {"amount": "5.00", "currencyCode": "USD"}}
    sold = [
        {"variantId": shop.variant().gid, "quantity": 1, "priceSet": price, "taxLines": [{"title": "T", "rate": "0.1"}]}
    ]
    order = {"lineItems": sold, "processedAt": "2026-11-01", "transactions": [{"amountSet": price, "kind": "SALE"}]}
    rows = [
        {
            "fulfillmentOrderId": parent["id"],
            "fulfillmentOrderLineItems": [{"id": parent["lineItems"]["nodes"][0]["id"], "quantity": 1}],
        }
    ]
    asked: list[tuple[str, dict[str, Any]]] = [
        (ORDER_CREATE, {"order": order, "options": {"inventoryBehaviour": "DECREMENT_IGNORING_POLICY"}}),
        (
            FULFILL,
            {"fulfillment": {"lineItemsByFulfillmentOrder": rows, "trackingInfo": {"number": "1", "company": "UPS"}}},
        ),
        (SET_QUANTITIES, {"input": {"name": "available", "reason": "other", "quantities": [row]}, "key": "k"}),
    ]
    for _ in range(150):
        document, variables = dice.choice(asked)
        body = {"query": document, "variables": spoiled(variables, dice)}
        answer = client.post(shop.url, json=body, headers={"X-Shopify-Access-Token": shop.token})
        assert answer.status_code in {200, 400}, answer.text
        for fault in answer.json().get("errors", []):
            if answer.status_code == 200:
                assert fault.get("extensions", {}).get("code") != "INTERNAL_SERVER_ERROR", fault
        check_shop(merchant)
