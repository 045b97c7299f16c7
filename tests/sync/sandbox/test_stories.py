"""Whole stories over the doors, with addresses and credentials alone; and what holds after any story."""

from __future__ import annotations

import random
import threading
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from engine.sync.sandbox import World, WorldTransport
from engine.sync.sandbox.merchants import Merchant
from engine.sync.sandbox.netsuite import statuses
from engine.sync.sandbox.netsuite.state import Record
from engine.sync.sandbox.netsuite.stock import parts
from engine.sync.sandbox.presets import basket, read_goods
from tests.sync.sandbox.ledger import Erp
from tests.sync.sandbox.shopping import (
    CANCEL,
    FULFILL,
    FULFILLMENT_ORDERS,
    ORDER_CREATE,
    ORDERS,
    REFUND,
    SET_QUANTITIES,
    TAGS_ADD,
    Shopper,
)


def sales_order(erp: Erp, placed: dict[str, Any]) -> str:
    """What a shop's order is in the ERP; its id there."""
    number = placed["id"].rpartition("/")[2]
    sold = [
        {
            "item": {"id": erp.item(line["sku"])},
            "quantity": line["currentQuantity"],
            "rate": float(line["originalUnitPriceSet"]["shopMoney"]["amount"]),
        }
        for line in placed["lineItems"]["nodes"]
    ]
    body = {
        "entity": {"id": erp.customer()},
        "location": {"id": erp.place()},
        "otherRefNum": placed["name"],
        "shippingCost": 7.95,
        "custbody_shopify_order_id": number,
        "item": {"items": sold},
    }
    domain = erp.merchant.credentials.shop_domain
    return erp.make(f"salesOrder/eid:SHOP-{domain}-{number}?replace=item", body, "PUT")


def warehouse_order(account: str, number: str, placed: dict[str, Any], sold: dict[str, Any]) -> dict[str, Any]:
    """What a sales order is at the warehouse."""
    to = placed["shippingAddress"]
    return {
        "order_number": number,
        "account_number": account,
        "shipping_address": {
            "address1": to["address1"],
            "city": to["city"],
            "postal_code": to["zip"],
            "country_code": to["countryCodeV2"],
        },
        "lines": [
            {"line_number": line["line"], "item_number": line["item"]["refName"], "quantity": line["quantity"]}
            for line in sold["item"]["items"]
        ],
    }


def item_fulfillment(account: str, shipped: dict[str, Any], shipment: dict[str, Any]) -> dict[str, Any]:
    """What a shipment is in the ERP."""
    lines = [{"orderLine": one["line_number"], "quantity": one["quantity"]} for one in shipment["shipped_lines"]]
    numbers = [{"packageTrackingNumber": one["tracking_number"]} for one in shipment["packages"]]
    return {
        "externalId": f"DCL-{account}-{shipped['order_number']}-1",
        "shipStatus": {"id": "C"},
        "item": {"items": lines},
        "package": {"items": numbers},
    }


def test_an_order_goes_from_the_shop_to_the_erp_and_the_warehouse_and_comes_back_as_tracking_and_cash(
    client: httpx.Client, merchant: Merchant, world: World
) -> None:
    shop, erp = Shopper(client, merchant), Erp(client, merchant)
    who = merchant.credentials
    auth = (who.dcl_username, who.dcl_password)
    options = {"inventoryBehaviour": "DECREMENT_IGNORING_POLICY"}
    goods = [erp.stocked(0), erp.stocked(1)]
    lines = [{"variantId": merchant.shop.state.variant_of_sku(sku).gid, "quantity": 2} for sku in goods]  # type: ignore[union-attr]
    shop(ORDER_CREATE, order=basket(merchant, read_goods(), 1) | {"lineItems": lines}, options=options)

    [placed] = shop(ORDERS, first=5, query="status:open")["orders"]["nodes"]
    order = sales_order(erp, placed)
    shop(TAGS_ADD, id=placed["id"], tags=["SENT_TO_NS"])
    assert f"{erp.get(f'salesOrder/{order}')['total']:.2f}" == placed["totalPriceSet"]["shopMoney"]["amount"]

    waiting = (
        "SELECT id, tranid FROM transaction WHERE type = 'SalesOrd' AND status = 'B' AND custbody_sent_to_3pl = 'F'"
    )
    [row] = erp.rows(waiting)
    sent = warehouse_order(who.dcl_account_number, row["tranid"], placed, erp.get(f"salesOrder/{row['id']}"))
    assert client.post("/dcl/api/v1/batches", json={"orders": [sent]}, auth=auth).json()["error_code"] == 0
    erp.make(f"salesOrder/{row['id']}", {"custbody_sent_to_3pl": True}, "PATCH")
    assert erp.rows(waiting) == []

    world.advance(timedelta(hours=2))
    params = {"status": "3", "modified_from": "2026-11-26T08:00:00Z"}
    [shipped] = client.get("/dcl/api/v1/orders", params=params, auth=auth).json()["orders"]
    [shipment] = shipped["shipments"]
    numbers = [package["tracking_number"] for package in shipment["packages"]]
    moved = item_fulfillment(who.dcl_account_number, shipped, shipment)
    erp.make(f"salesOrder/{order}/!transform/itemFulfillment", moved)
    parents = shop.fulfillment_orders(placed["id"])
    given = {
        "lineItemsByFulfillmentOrder": [{"fulfillmentOrderId": one["id"]} for one in parents],
        "trackingInfo": {"company": "UPS", "numbers": numbers},
    }
    assert shop(FULFILL, fulfillment=given)["fulfillmentCreate"]["userErrors"] == []

    bill = erp.make(f"salesOrder/{order}/!transform/invoice", {"externalId": f"INV-{order}"})
    erp.make(f"invoice/{bill}/!transform/customerPayment", {"externalId": "PAY-1", "account": {"id": "100"}})

    seen = shop(FULFILLMENT_ORDERS, id=placed["id"])["order"]
    assert (seen["displayFulfillmentStatus"], seen["tags"]) == ("FULFILLED", ["SENT_TO_NS"])
    assert [one["number"] for made in seen["fulfillments"] for one in made["trackingInfo"]] == numbers
    assert [erp.status(*one) for one in (("salesOrder", order), ("invoice", bill))] == ["G", "B"]
    for sku in goods:
        erp_stock, house_stock = erp.balance(sku), merchant.house.items[sku].on_hand
        assert erp_stock == (house_stock, house_stock)


def test_callers_at_once_with_one_key_do_it_once(world: World, merchant: Merchant) -> None:
    def caller(answers: list[Any], work: Any) -> threading.Thread:
        def run() -> None:
            with httpx.Client(transport=WorldTransport(world), base_url="http://sandbox") as client:
                answers.append(work(client))

        return threading.Thread(target=run)

    with httpx.Client(transport=WorldTransport(world), base_url="http://sandbox") as first:
        shop, erp = Shopper(first, merchant), Erp(first, merchant)
        variant = shop.variant()
        place = next(iter(merchant.shop.state.locations))
        before = variant.levels[place].available
        row = {
            "inventoryItemId": f"gid://shopify/InventoryItem/{variant.item_id}",
            "locationId": f"gid://shopify/Location/{place}",
            "quantity": before - 1,
            "changeFromQuantity": before,
        }
        stock = {"name": "available", "reason": "correction", "quantities": [row]}
        erp.bearer = erp.ask_token().json()["access_token"]
        merchant.account.concurrency = 16

    answers: list[Any] = []
    work = [
        lambda client: Shopper(client, merchant)(SET_QUANTITIES, input=stock, key="k")["inventorySetQuantities"]
    ] * 8

    def upsert(client: httpx.Client) -> int:
        mine = Erp(client, merchant)
        mine.bearer = erp.bearer
        body = {"firstName": "Maya", "subsidiary": {"id": "1"}}
        return mine.request("PUT", "/record/v1/customer/eid:SHOP-1", body).status_code

    threads = [caller(answers, one) for one in [*work, *[upsert] * 8]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    upserts = [one for one in answers if isinstance(one, int)]
    codes = Counter(
        one["userErrors"][0]["code"] if one["userErrors"] else "" for one in answers if isinstance(one, dict)
    )
    assert upserts == [204] * 8
    assert codes[""] >= 1
    assert set(codes) <= {"", "IDEMPOTENCY_CONCURRENT_REQUEST"}
    assert variant.levels[place].available == before - 1
    assert len(merchant.account.kind("customer")) == 1


def check_erp(merchant: Merchant) -> None:
    """What holds in any account: commitments add up, nothing is billed before it left, statuses are the lines'."""
    state = merchant.account
    held: Counter[tuple[int, int]] = Counter()
    for order in state.kind("salesOrder").values():
        for line in order.lines:
            assert Decimal(0) <= line.billed <= line.done <= line.quantity
            assert Decimal(0) <= line.committed <= line.left
            for item, quantity in parts(state, line.item, line.committed):
                held[(item, line.location or 0)] += int(quantity)
        expected = Record(order.kind, 0, {}, order.created_at, order.created_at, order.lines, status=order.status)
        statuses.recompute(expected)
        assert order.status == expected.status
    for key, balance in state.balances.items():
        assert balance.committed == held[key], key


@pytest.mark.parametrize("seed", range(4))
def test_an_account_adds_up_after_any_story(client: httpx.Client, merchant: Merchant, seed: int) -> None:
    erp, dice = Erp(client, merchant), random.Random(seed)  # noqa: S311 (reproducible)
    skus = [*(erp.stocked(place) for place in range(3)), "KIT-CAMP-DUO"]
    places = ["RNO", "CMH", "ATL"]
    orders: list[str] = []

    def line(number: int) -> dict[str, Any]:
        row: dict[str, Any] = {"orderLine": number, "quantity": dice.randint(1, 4)}
        if dice.random() < 0.3:
            row["location"] = {"id": erp.place(dice.choice(places))}
        return {"item": {"items": [row]}}

    def buy() -> None:
        sold = [(dice.choice(skus), dice.randint(1, 12)) for _ in range(dice.randint(1, 3))]
        orders.append(erp.order(*sold, external_id=f"S-{len(orders)}", location={"id": erp.place(dice.choice(places))}))

    buy()
    for _ in range(60):
        order = dice.choice(orders)
        match dice.randrange(6):
            case 0:
                buy()
            case 1 | 2:
                body = {"shipStatus": {"id": dice.choice("AC")}} | line(1)
                erp.request("POST", f"/record/v1/salesOrder/{order}/!transform/itemFulfillment", body)
            case 3:
                erp.request(
                    "POST", f"/record/v1/salesOrder/{order}/!transform/{dice.choice(['invoice', 'cashSale'])}", {}
                )
            case 4:
                change = (
                    {"line": 1, "quantity": dice.randint(1, 9)}
                    if dice.random() < 0.6
                    else {"line": 1, "isClosed": True}
                )
                erp.request("PATCH", f"/record/v1/salesOrder/{order}", {"item": {"items": [change]}})
            case _:
                vendor = next(iter(merchant.account.kind("vendor")))
                goods = [{"item": {"id": erp.item(dice.choice(skus[:3]))}, "quantity": 5}]
                body = {"entity": {"id": str(vendor)}, "location": {"id": erp.place(dice.choice(places))}}
                bought = erp.make("purchaseOrder", body | {"item": {"items": goods}})
                got = erp.make(f"purchaseOrder/{bought}/!transform/itemReceipt", {})
                if dice.random() < 0.3:
                    erp.request("DELETE", f"/record/v1/itemReceipt/{got}")
        check_erp(merchant)
    assert {one.status for one in merchant.account.kind("salesOrder").values()} >= {"B", "E"}


def check_shop(merchant: Merchant) -> None:
    """What holds in any shop: every unit of a line is sent, still to go, or taken off; what is held is committed."""
    held: Counter[tuple[int, int]] = Counter()
    for order in merchant.shop.state.orders.values():
        remaining: Counter[int] = Counter()
        for parent in order.fulfillment_orders:
            assert (parent.remaining == 0) is (parent.status in {"CLOSED", "CANCELLED"})
            for row in parent.lines:
                remaining[row.line.id] += row.remaining
                assert 0 <= row.held <= row.remaining
                held[(row.line.variant.id if row.line.variant else 0, parent.location.id)] += row.held
        for line in order.lines:
            assert line.quantity - line.removed <= line.fulfilled + remaining[line.id] <= line.quantity
            assert line.fulfilled <= line.quantity
    for variant in merchant.shop.state.variants.values():
        for place, level in variant.levels.items():
            assert level.committed == held[(variant.id, place)]


@pytest.mark.parametrize("seed", range(4))
def test_a_shop_adds_up_after_any_story(client: httpx.Client, merchant: Merchant, world: World, seed: int) -> None:
    shop, dice = Shopper(client, merchant), random.Random(seed)  # noqa: S311 (reproducible)
    orders: list[dict[str, Any]] = []

    def buy() -> None:
        lines = [{"variantId": shop.variant(dice.randrange(6)).gid, "quantity": dice.randint(1, 5)} for _ in range(2)]
        options = {"inventoryBehaviour": dice.choice(["BYPASS", "DECREMENT_IGNORING_POLICY"])}
        paid = {"kind": "SALE", "gateway": "b", "amountSet": {"shopMoney": {"amount": "900.00", "currencyCode": "USD"}}}
        orders.append(
            shop(ORDER_CREATE, order={"lineItems": lines, "transactions": [paid]}, options=options)["orderCreate"][
                "order"
            ]
        )

    buy()
    for step in range(50):
        world.advance(timedelta(seconds=2))
        order = dice.choice(orders)
        match dice.randrange(5):
            case 0:
                buy()
            case 1 | 2:
                parent = dice.choice(shop.fulfillment_orders(order["id"]))
                row = {"id": parent["lineItems"]["nodes"][0]["id"], "quantity": dice.randint(1, 3)}
                rows = [row] if dice.random() < 0.7 else None
                wanted = {"fulfillmentOrderId": parent["id"], "fulfillmentOrderLineItems": rows}
                shop(FULFILL, fulfillment={"lineItemsByFulfillmentOrder": [wanted]})
            case 3:
                shop(CANCEL, id=order["id"], reason="OTHER", restock=dice.random() < 0.5)
            case _:
                place = next(iter(merchant.shop.state.locations))
                row = {
                    "lineItemId": dice.choice(order["lineItems"]["nodes"])["id"],
                    "quantity": dice.randint(1, 2),
                    "restockType": dice.choice(["NO_RESTOCK", "CANCEL", "RETURN"]),
                    "locationId": f"gid://shopify/Location/{place}",
                }
                money = {"orderId": order["id"], "amount": "1.00", "gateway": "b", "kind": "REFUND"}
                given = {"orderId": order["id"], "refundLineItems": [row], "transactions": [money]}
                shop(REFUND, input=given, key=f"r-{step}")
        check_shop(merchant)
    assert {parent.status for parent in merchant.shop.state.fulfillment_orders.values()} >= {"CLOSED", "CANCELLED"}
