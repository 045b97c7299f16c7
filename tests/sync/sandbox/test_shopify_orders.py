"""Orders of a shop: what they cost, and what may become of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from engine.sync.sandbox import World
from engine.sync.sandbox.merchants import Merchant
from engine.sync.sandbox.shopify.bodies import order_body
from tests.sync.sandbox.shopping import (
    CANCEL,
    FULFILL,
    FULFILLMENT_ORDERS,
    ORDER_CREATE,
    ORDERS,
    REFUND,
    RETURN,
    TAGS_ADD,
    UPDATE,
    Shopper,
    dollars,
)


@pytest.fixture
def shop(client: httpx.Client, merchant: Merchant) -> Shopper:
    return Shopper(client, merchant)


def body(shop: Shopper, order: dict[str, Any]) -> dict[str, Any]:
    return order_body(shop.merchant.shop.state.orders[int(order["legacyResourceId"])])


def levels(shop: Shopper, variant: Any) -> list[tuple[int, int]]:
    return [(one.available, one.committed) for one in variant.levels.values()]


def test_an_order_adds_up_from_lines_discount_shipping_and_tax(shop: Shopper) -> None:
    one, two = shop.variant(0), shop.variant(1)
    order = shop.order(
        [
            {
                "variantId": one.gid,
                "quantity": 2,
                "priceSet": dollars("100.00"),
                "taxLines": [{"title": "CO", "rate": "0.029"}],
            },
            {"variantId": two.gid, "quantity": 1, "priceSet": dollars("50.00")},
        ],
        discountCode={"itemFixedDiscountCode": {"code": "TEN", "amountSet": dollars("10.00")}},
        shippingLines=[{"title": "Standard", "code": "standard", "priceSet": dollars("7.95")}],
        transactions=[{"kind": "SALE", "gateway": "bogus", "amountSet": dollars("253.52")}],
    )

    said = body(shop, order)

    assert said["total_line_items_price"] == "250.00"
    assert said["total_discounts"] == "10.00"
    assert said["subtotal_price"] == "240.00"
    assert [line["discount_allocations"][0]["amount"] for line in said["line_items"]] == ["8.00", "2.00"]
    assert said["total_tax"] == "5.57"
    assert said["total_price"] == "253.52"
    assert (said["financial_status"], said["total_outstanding"]) == ("paid", "0.00")
    assert said["discount_codes"] == [{"code": "TEN", "amount": "10.00", "type": "fixed_amount"}]


def test_taxes_within_the_price_are_not_added_and_the_buyers_currency_is_kept(shop: Shopper) -> None:
    price = {
        "shopMoney": {"amount": "120.00", "currencyCode": "USD"},
        "presentmentMoney": {"amount": "100.00", "currencyCode": "GBP"},
    }
    order = shop.order(
        [
            {
                "variantId": shop.variant().gid,
                "quantity": 1,
                "priceSet": price,
                "taxLines": [{"title": "VAT", "rate": "0.2"}],
            }
        ],
        presentmentCurrency="GBP",
        taxesIncluded=True,
    )

    said = body(shop, order)

    assert said["total_price"] == "120.00"
    assert said["total_price_set"]["presentment_money"] == {"amount": "100.00", "currency_code": "GBP"}
    assert (said["currency"], said["presentment_currency"]) == ("USD", "GBP")


def test_an_order_commits_stock_at_the_first_place_that_has_it(shop: Shopper) -> None:
    variant = shop.variant()
    before = levels(shop, variant)

    order = shop.order([{"variantId": variant.gid, "quantity": 3}])

    assert levels(shop, variant) == [(before[0][0] - 3, 3), *before[1:]]
    found = shop.fulfillment_orders(order["id"])
    assert [(one["status"], one["requestStatus"]) for one in found] == [("OPEN", "UNSUBMITTED")]
    assert [line["remainingQuantity"] for line in found[0]["lineItems"]["nodes"]] == [3]


def test_by_default_an_order_created_by_the_api_touches_no_stock(shop: Shopper) -> None:
    variant = shop.variant()
    before = levels(shop, variant)

    shop(ORDER_CREATE, order={"lineItems": [{"variantId": variant.gid, "quantity": 3}]})

    assert levels(shop, variant) == before


def test_lines_of_two_places_make_two_fulfillment_orders(shop: Shopper) -> None:
    first, second = list(shop.merchant.shop.state.locations)[:2]
    variants = shop.merchant.shop.state.variants.values()
    here = next(one for one in variants if one.levels and one.levels[first].available > 2)
    there = next(
        one for one in variants if one.levels and not one.levels[first].available and one.levels[second].available > 2
    )

    order = shop.order([{"variantId": one.gid, "quantity": 2} for one in (here, there)])

    places = [one["assignedLocation"]["location"]["id"] for one in shop.fulfillment_orders(order["id"])]
    assert places == [f"gid://shopify/Location/{first}", f"gid://shopify/Location/{second}"]


def test_an_order_that_must_find_its_stock_is_refused_without_it(shop: Shopper) -> None:
    variant = shop.variant()
    before = levels(shop, variant)
    given = {"lineItems": [{"variantId": variant.gid, "quantity": 100_000}]}

    made = shop(ORDER_CREATE, order=given, options={"inventoryBehaviour": "DECREMENT_OBEYING_POLICY"})["orderCreate"]

    assert [one["code"] for one in made["userErrors"]] == ["INVENTORY_CLAIM_FAILED"]
    assert made["order"] is None
    assert levels(shop, variant) == before
    assert not shop.merchant.shop.state.orders


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ({"variantId": "gid://shopify/ProductVariant/1", "quantity": 1}, "variantId"),
        ({"title": "Thing", "quantity": 0}, "quantity"),
        ({"quantity": 1}, "title"),
    ],
)
def test_a_line_that_cannot_be_is_refused(shop: Shopper, line: dict[str, Any], field: str) -> None:
    made = shop(ORDER_CREATE, order={"lineItems": [line]})["orderCreate"]

    assert made["userErrors"][0]["field"] == ["order", "lineItems", field]
    assert made["userErrors"][0]["code"] == "INVALID"
    assert shop.merchant.shop.state.next_order_number == 1001


def test_an_empty_order_and_a_bad_time_are_refused(shop: Shopper) -> None:
    empty = shop(ORDER_CREATE, order={})["orderCreate"]
    timeless = shop(ORDER_CREATE, order={"lineItems": [{"title": "T", "quantity": 1}], "processedAt": "yesterday"})[
        "orderCreate"
    ]

    assert empty["userErrors"][0]["code"] == "INVALID"
    assert timeless["userErrors"][0]["code"] == "PROCESSED_AT_INVALID"


def test_what_a_shop_sells_may_have_no_sku_no_variant_and_no_buyer(shop: Shopper) -> None:
    order = shop.order(
        [{"title": "Hand-made thing", "quantity": 1, "priceSet": dollars("9.00"), "sku": ""}], email=None
    )

    said = body(shop, order)

    assert (said["customer"], said["shipping_address"], said["billing_address"]) == (None, None, None)
    line = said["line_items"][0]
    assert (line["sku"], line["variant_id"], line["product_exists"]) == ("", None, False)
    assert (line["price"], line["requires_shipping"]) == ("9.00", False)


def test_one_buyer_is_one_customer(shop: Shopper) -> None:
    one, two = shop.order(), shop.order()

    assert body(shop, one)["customer"]["id"] == body(shop, two)["customer"]["id"]
    assert len(shop.merchant.shop.state.customers) == 1


def test_a_native_bundle_arrives_as_its_components(shop: Shopper) -> None:
    kit = shop.merchant.shop.state.variant_of_sku("KIT-CAMP-DUO")
    assert kit is not None

    order = shop.order([{"variantId": kit.gid, "quantity": 2}])

    said = shop(ORDERS, first=1)["orders"]["nodes"][0]
    lines = said["lineItems"]["nodes"]
    assert [(line["sku"], line["quantity"]) for line in lines] == [
        (part.variant.sku, part.quantity * 2) for part in kit.components
    ]
    assert {line["lineItemGroup"]["variantSku"] for line in lines} == {"KIT-CAMP-DUO"}
    assert {line["lineItemGroup"]["quantity"] for line in lines} == {2}
    assert said["totalPriceSet"]["shopMoney"]["amount"] == f"{kit.price * 2 / 100:.2f}"
    assert len(shop.fulfillment_orders(order["id"])) >= 1


def test_tags_are_added_once_and_never_taken_away(shop: Shopper, world: World) -> None:
    order = shop.order(tags=["web"])
    world.advance(timedelta(minutes=5))

    shop(TAGS_ADD, id=order["id"], tags=["SENT_TO_NS", "web"])
    world.advance(timedelta(minutes=5))
    shop(TAGS_ADD, id=order["id"], tags=["SENT_TO_NS"])

    found = shop(ORDERS, first=1)["orders"]["nodes"][0]
    assert found["tags"] == ["SENT_TO_NS", "web"]
    assert found["updatedAt"] == "2026-11-26T08:05:00Z"


def test_order_update_replaces_all_tags(shop: Shopper) -> None:
    order = shop.order(tags=["web", "vip"], shippingAddress={"city": "Denver", "zip": "80211"})

    made = shop(
        UPDATE,
        input={"id": order["id"], "tags": ["only"], "note": "ring twice", "shippingAddress": {"city": "Boulder"}},
    )

    assert made["orderUpdate"]["order"]["tags"] == ["only"]
    assert made["orderUpdate"]["order"]["note"] == "ring twice"
    assert made["orderUpdate"]["order"]["shippingAddress"]["city"] == "Boulder"


def test_a_tag_for_nobody_and_a_tag_too_long_are_refused(shop: Shopper) -> None:
    order = shop.order()

    nobody = shop(TAGS_ADD, id="gid://shopify/Order/1", tags=["A"])["tagsAdd"]
    long = shop(TAGS_ADD, id=order["id"], tags=["x" * 41])["tagsAdd"]

    assert nobody == {"node": None, "userErrors": [{"field": ["id"], "message": "Order could not be found."}]}
    assert long["userErrors"][0]["field"] == ["tags"]
    assert shop(ORDERS, first=1)["orders"]["nodes"][0]["tags"] == []


def test_a_cancelled_order_frees_its_stock_and_gives_the_money_back(shop: Shopper) -> None:
    variant = shop.variant()
    before = levels(shop, variant)
    order = shop.order(
        [{"variantId": variant.gid, "quantity": 2, "priceSet": dollars("10.00")}],
        transactions=[{"kind": "SALE", "gateway": "bogus", "amountSet": dollars("20.00")}],
    )

    made = shop(CANCEL, id=order["id"], reason="CUSTOMER", restock=True, refund=True)["orderCancel"]

    assert made["orderCancelUserErrors"] == []
    assert shop(f'{{ job(id: "{made["job"]["id"]}") {{ done }} }}') == {"job": {"done": True}}
    assert levels(shop, variant) == before
    found = shop(FULFILLMENT_ORDERS, id=order["id"])["order"]
    assert found["fulfillmentOrders"]["nodes"][0]["status"] == "CANCELLED"
    assert found["displayFinancialStatus"] == "REFUNDED"
    assert body(shop, order)["cancel_reason"] == "customer"
    assert body(shop, order)["line_items"][0]["current_quantity"] == 0


def test_an_order_is_cancelled_once_and_not_after_it_left(shop: Shopper) -> None:
    one, two = shop.order(), shop.order()
    shop(CANCEL, id=one["id"], reason="OTHER", restock=True)
    parent = shop.fulfillment_orders(two["id"])[0]["id"]
    shop(FULFILL, fulfillment={"lineItemsByFulfillmentOrder": [{"fulfillmentOrderId": parent}]})

    again = shop(CANCEL, id=one["id"], reason="OTHER", restock=True)["orderCancel"]
    left = shop(CANCEL, id=two["id"], reason="OTHER", restock=True)["orderCancel"]

    assert [one["code"] for one in again["orderCancelUserErrors"]] == ["INVALID"]
    assert [one["code"] for one in left["orderCancelUserErrors"]] == ["INVALID"]
    assert body(shop, two)["cancelled_at"] is None


def paid_order(shop: Shopper) -> dict[str, Any]:
    return shop.order(
        [{"variantId": shop.variant().gid, "quantity": 2, "priceSet": dollars("10.00")}],
        transactions=[{"kind": "SALE", "gateway": "bogus", "amountSet": dollars("20.00")}],
    )


def refund_of(order: dict[str, Any], *, amount: str, quantity: int = 1) -> dict[str, Any]:
    return {
        "orderId": order["id"],
        "refundLineItems": [
            {"lineItemId": order["lineItems"]["nodes"][0]["id"], "quantity": quantity, "restockType": "CANCEL"}
        ],
        "transactions": [{"orderId": order["id"], "amount": amount, "gateway": "bogus", "kind": "REFUND"}],
    }


def test_a_refund_takes_goods_and_money_off_once_for_one_key(shop: Shopper) -> None:
    order = paid_order(shop)

    first = shop(REFUND, input=refund_of(order, amount="10.00"), key="r-1")["refundCreate"]
    again = shop(REFUND, input=refund_of(order, amount="10.00"), key="r-1")["refundCreate"]

    assert first["refund"]["totalRefundedSet"]["shopMoney"]["amount"] == "10.00"
    assert first["order"]["displayFinancialStatus"] == "PARTIALLY_REFUNDED"
    assert again["refund"]["id"] == first["refund"]["id"]
    assert len(body(shop, order)["refunds"]) == 1
    assert shop.fulfillment_orders(order["id"])[0]["lineItems"]["nodes"][0]["remainingQuantity"] == 1


def test_a_refund_without_a_key_fails_and_one_above_what_was_paid_is_refused(shop: Shopper) -> None:
    order = paid_order(shop)
    keyless = (
        "mutation R($input: RefundInput!) { refundCreate(input: $input) { refund { id } userErrors { message } } }"
    )

    failed = shop.post(keyless, input=refund_of(order, amount="10.00")).json()
    over = shop(REFUND, input=refund_of(order, amount="20.01"), key="r-2")["refundCreate"]
    many = shop(REFUND, input=refund_of(order, amount="1.00", quantity=3), key="r-3")["refundCreate"]

    assert failed["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
    assert failed["data"] == {"refundCreate": None}
    assert over["userErrors"][0]["field"] == ["transactions"]
    assert many["userErrors"][0]["field"] == ["refundLineItems", "quantity"]
    assert body(shop, order)["refunds"] == []


def test_what_was_sent_may_come_back_once(shop: Shopper) -> None:
    order = paid_order(shop)
    parent = shop.fulfillment_orders(order["id"])[0]["id"]
    shop(FULFILL, fulfillment={"lineItemsByFulfillmentOrder": [{"fulfillmentOrderId": parent}]})
    sent = shop(FULFILLMENT_ORDERS, id=order["id"])["order"]["fulfillments"][0]["fulfillmentLineItems"]["nodes"][0]
    wanted = {
        "orderId": order["id"],
        "returnLineItems": [{"fulfillmentLineItemId": sent["id"], "quantity": 2, "returnReason": "WRONG_ITEM"}],
    }

    first = shop(RETURN, input=wanted)["returnCreate"]
    again = shop(RETURN, input=wanted)["returnCreate"]

    assert first["return"]["name"] == f"{order['name']}-R1"
    assert (first["return"]["status"], first["return"]["totalQuantity"]) == ("OPEN", 2)
    assert [one["code"] for one in again["userErrors"]] == ["INVALID"]
    assert len(shop.merchant.shop.state.orders[int(order["legacyResourceId"])].returns) == 1
