"""The fulfilment-order state machine, parcel by parcel."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from engine.sync.sandbox.merchants import Merchant
from tests.sync.sandbox.shopping import FULFILL, FULFILLMENT_ORDERS, HOLD, RELEASE, TRACKING_UPDATE, Shopper


@pytest.fixture
def shop(client: httpx.Client, merchant: Merchant) -> Shopper:
    return Shopper(client, merchant)


def send(shop: Shopper, parent: dict[str, Any], *, quantity: int | None = None, **tracking: Any) -> dict[str, Any]:
    rows = None
    if quantity is not None:
        rows = [{"id": parent["lineItems"]["nodes"][0]["id"], "quantity": quantity}]
    wanted: dict[str, Any] = {"fulfillmentOrderId": parent["id"]} | (
        {"fulfillmentOrderLineItems": rows} if rows else {}
    )
    given: dict[str, Any] = {"lineItemsByFulfillmentOrder": [wanted]} | ({"trackingInfo": tracking} if tracking else {})
    made: dict[str, Any] = shop(FULFILL, fulfillment=given)["fulfillmentCreate"]
    return made


def parents(shop: Shopper, quantity: int = 5) -> tuple[dict[str, Any], dict[str, Any]]:
    order = shop.order([{"variantId": shop.variant().gid, "quantity": quantity}])
    return order, shop.fulfillment_orders(order["id"])[0]


def state(shop: Shopper, order: dict[str, Any]) -> tuple[str, str, int]:
    found = shop(FULFILLMENT_ORDERS, id=order["id"])["order"]
    parent = found["fulfillmentOrders"]["nodes"][0]
    return found["displayFulfillmentStatus"], parent["status"], parent["lineItems"]["nodes"][0]["remainingQuantity"]


def actions(shop: Shopper, order: dict[str, Any]) -> list[str]:
    return [one["action"] for one in shop.fulfillment_orders(order["id"])[0]["supportedActions"]]


def test_parcels_bring_a_fulfillment_order_from_open_over_in_progress_to_closed(shop: Shopper) -> None:
    order, parent = parents(shop)
    assert state(shop, order) == ("UNFULFILLED", "OPEN", 5)
    assert "CREATE_FULFILLMENT" in actions(shop, order)

    send(shop, parent, quantity=2)
    assert state(shop, order) == ("PARTIALLY_FULFILLED", "IN_PROGRESS", 3)

    send(shop, parent)
    assert state(shop, order) == ("FULFILLED", "CLOSED", 0)
    assert actions(shop, order) == []


def test_a_parcel_takes_what_was_committed_off_the_shelf(shop: Shopper) -> None:
    variant = shop.variant()
    level = next(iter(variant.levels.values()))
    before = level.on_hand
    _, parent = parents(shop)
    assert (level.committed, level.on_hand) == (5, before)

    send(shop, parent, quantity=2)

    assert (level.committed, level.on_hand, level.available) == (3, before - 2, before - 5)


def test_more_than_is_left_is_refused(shop: Shopper) -> None:
    order, parent = parents(shop)

    made = send(shop, parent, quantity=6)

    assert made["fulfillment"] is None
    assert made["userErrors"][0]["message"] == "Invalid fulfillment order line item quantity requested."
    assert state(shop, order) == ("UNFULFILLED", "OPEN", 5)


def test_without_a_key_a_partial_parcel_sent_twice_is_two_parcels_and_a_whole_one_is_refused(shop: Shopper) -> None:
    order, parent = parents(shop)

    send(shop, parent, quantity=2, number="1Z1")
    send(shop, parent, quantity=2, number="1Z1")
    assert state(shop, order) == ("PARTIALLY_FULFILLED", "IN_PROGRESS", 1)

    send(shop, parent)
    again = send(shop, parent)
    assert again["userErrors"][0]["message"].endswith("unfulfillable status= closed.")


def test_fulfillment_orders_of_two_orders_or_two_places_do_not_share_a_parcel(shop: Shopper) -> None:
    _, one = parents(shop)
    _, two = parents(shop)
    first, second = list(shop.merchant.shop.state.locations)[:2]
    variants = shop.merchant.shop.state.variants.values()
    here = next(v for v in variants if v.levels and v.levels[first].available > 2)
    there = next(v for v in variants if v.levels and not v.levels[first].available and v.levels[second].available > 2)
    split = shop.order([{"variantId": v.gid, "quantity": 1} for v in (here, there)])

    def both(*found: dict[str, Any]) -> str:
        rows = [{"fulfillmentOrderId": parent["id"]} for parent in found]
        made = shop(FULFILL, fulfillment={"lineItemsByFulfillmentOrder": rows})["fulfillmentCreate"]
        return str(made["userErrors"][0]["message"])

    assert both(one, two) == "All fulfillment orders must belong to the same order."
    assert (
        both(*shop.fulfillment_orders(split["id"])) == "All fulfillment orders must be assigned to the same location."
    )


def test_a_carrier_spelled_as_the_list_has_it_brings_an_address(shop: Shopper) -> None:
    _, parent = parents(shop)

    known = send(shop, parent, quantity=1, company="UPS", number="1Z9")["fulfillment"]["trackingInfo"]
    unknown = send(shop, parent, quantity=1, company="ups", number="1Z8")["fulfillment"]["trackingInfo"]
    own = send(shop, parent, quantity=1, company="Crestline", numbers=["A", "B"], urls=["https://c.example/A"])

    assert known == [{"company": "UPS", "number": "1Z9", "url": "https://www.ups.com/track?tracknum=1Z9"}]
    assert unknown == [{"company": "ups", "number": "1Z8", "url": None}]
    assert own["fulfillment"]["trackingInfo"] == [
        {"company": "Crestline", "number": "A", "url": "https://c.example/A"},
        {"company": "Crestline", "number": "B", "url": None},
    ]


def test_what_was_said_of_a_parcel_can_be_corrected(shop: Shopper) -> None:
    _, parent = parents(shop)
    made = send(shop, parent, number="WRONG")["fulfillment"]

    fixed = shop(TRACKING_UPDATE, id=made["id"], info={"company": "USPS", "number": "9400"})[
        "fulfillmentTrackingInfoUpdate"
    ]
    nobody = shop(TRACKING_UPDATE, id="gid://shopify/Fulfillment/1", info={"number": "1"})[
        "fulfillmentTrackingInfoUpdate"
    ]

    assert [one["number"] for one in fixed["fulfillment"]["trackingInfo"]] == ["9400"]
    assert nobody["userErrors"][0]["message"] == "Fulfillment could not be found."


def test_what_is_held_does_not_leave_until_it_is_released(shop: Shopper) -> None:
    order, parent = parents(shop)
    held = shop(HOLD, id=parent["id"], hold={"reason": "HIGH_RISK_OF_FRAUD", "externalId": "h-1"})[
        "fulfillmentOrderHold"
    ]
    assert held["fulfillmentOrder"]["status"] == "ON_HOLD"
    assert state(shop, order)[0] == "ON_HOLD"
    assert "CREATE_FULFILLMENT" not in actions(shop, order)

    refused = send(shop, parent)
    assert refused["userErrors"][0]["message"].endswith("unfulfillable status= on_hold.")

    twice = shop(HOLD, id=parent["id"], hold={"reason": "OTHER"})["fulfillmentOrderHold"]
    assert twice["userErrors"][0]["code"] == "DUPLICATE_FULFILLMENT_HOLD_HANDLE"

    freed = shop(RELEASE, id=parent["id"])["fulfillmentOrderReleaseHold"]
    assert freed["fulfillmentOrder"]["status"] == "OPEN"
    assert send(shop, parent)["userErrors"] == []


def test_nothing_and_nobody_are_refused(shop: Shopper) -> None:
    none = shop(FULFILL, fulfillment={"lineItemsByFulfillmentOrder": []})["fulfillmentCreate"]
    unknown = send(shop, {"id": "gid://shopify/FulfillmentOrder/1", "lineItems": {"nodes": []}})
    hold = shop(HOLD, id="gid://shopify/FulfillmentOrder/1", hold={"reason": "OTHER"})["fulfillmentOrderHold"]

    assert none["userErrors"][0]["message"] == "Fulfillment order line items can't be blank."
    assert unknown["userErrors"][0]["message"] == "Fulfillment order could not be found."
    assert hold["userErrors"][0]["code"] == "FULFILLMENT_ORDER_NOT_FOUND"
