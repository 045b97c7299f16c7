"""Webhooks of a shop: signed, told again, given up, and what the post may do to them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from engine.sync.sandbox import World
from engine.sync.sandbox.emitting import change_product
from engine.sync.sandbox.hooks import is_loopback
from engine.sync.sandbox.merchants import Merchant
from tests.sync.sandbox.conftest import Told
from tests.sync.sandbox.shopping import CANCEL, FULFILL, SUBSCRIBE, TAGS_ADD, Shopper

URL = "https://engine.example/webhooks/shopify"
ORDER_FIELDS = """
id admin_graphql_api_id name order_number number confirmed test created_at processed_at updated_at
cancelled_at cancel_reason closed_at currency presentment_currency financial_status fulfillment_status email
contact_email phone tags note note_attributes po_number source_name location_id payment_gateway_names
taxes_included tax_exempt duties_included estimated_taxes total_price subtotal_price total_tax
total_discounts total_line_items_price total_outstanding total_tip_received total_weight total_price_set
current_total_price current_total_price_set discount_codes discount_applications tax_lines line_items
shipping_lines shipping_address billing_address customer fulfillments refunds returns payment_terms
merchant_of_record_app_id
"""
LINE_FIELDS = """
id sku variant_id product_id product_exists title variant_title name vendor quantity current_quantity
fulfillable_quantity fulfillment_status price total_discount discount_allocations tax_lines duties grams
requires_shipping taxable gift_card properties variant_inventory_management
"""


@pytest.fixture
def shop(client: httpx.Client, merchant: Merchant) -> Shopper:
    return Shopper(client, merchant)


def subscribe(shop: Shopper, topic: str = "ORDERS_CREATE", **to: Any) -> dict[str, Any]:
    made: dict[str, Any] = shop(SUBSCRIBE, topic=topic, to={"uri": URL, "format": "JSON"} | to)[
        "webhookSubscriptionCreate"
    ]
    return made


def bodies(receiver: Told) -> list[dict[str, Any]]:
    return [json.loads(one.content) for one in receiver.got]


def signed(request: httpx.Request, secret: str) -> bool:
    mac = base64.b64encode(hmac.new(secret.encode(), request.content, hashlib.sha256).digest()).decode()
    return hmac.compare_digest(mac, request.headers["x-shopify-hmac-sha256"])


def test_an_order_is_told_of_with_a_signature_over_the_raw_body(shop: Shopper, world: World, receiver: Told) -> None:
    assert subscribe(shop)["userErrors"] == []
    order = shop.order()
    assert receiver.got == []

    world.settle()

    [got] = receiver.got
    assert str(got.url) == URL
    assert signed(got, shop.merchant.credentials.shopify_client_secret)
    assert not signed(got, "another")
    assert got.headers["x-shopify-topic"] == "orders/create"
    assert got.headers["x-shopify-shop-domain"] == "summit-outdoor.myshopify.com"
    assert got.headers["x-shopify-api-version"] == "2026-10"
    assert got.headers["x-shopify-triggered-at"].endswith("Z")
    assert len(got.headers["x-shopify-webhook-id"]) == 36
    said = json.loads(got.content)
    assert (said["id"], said["admin_graphql_api_id"], said["name"]) == (
        int(order["legacyResourceId"]),
        order["id"],
        "#1001",
    )


def test_the_body_has_the_fields_that_a_captured_delivery_had(shop: Shopper, world: World, receiver: Told) -> None:
    subscribe(shop)
    shop.order()
    world.settle()

    order = bodies(receiver)[0]
    assert set(order) >= set(ORDER_FIELDS.split())
    assert set(order["line_items"][0]) >= set(LINE_FIELDS.split())
    assert order["tags"] == ""
    assert isinstance(order["total_price"], str)


def test_one_act_is_one_event_over_all_topics_and_each_letter_has_its_own_id(
    shop: Shopper, world: World, receiver: Told
) -> None:
    for topic in ("ORDERS_UPDATED", "ORDERS_CANCELLED", "INVENTORY_LEVELS_UPDATE"):
        subscribe(shop, topic)
    order = shop.order()
    world.settle()
    receiver.got.clear()

    shop(CANCEL, id=order["id"], reason="CUSTOMER", restock=True)
    world.settle()

    topics = [one.headers["x-shopify-topic"] for one in receiver.got]
    assert topics == ["inventory_levels/update", "orders/updated", "orders/cancelled"]
    assert len({one.headers["x-shopify-webhook-id"] for one in receiver.got}) == 3
    assert len({one.headers["x-shopify-event-id"] for one in receiver.got}) == 1
    level = bodies(receiver)[0]
    assert set(level) == {"inventory_item_id", "location_id", "available", "updated_at", "admin_graphql_api_id"}


def test_a_parcel_is_told_of(shop: Shopper, world: World, receiver: Told) -> None:
    subscribe(shop, "FULFILLMENTS_CREATE")
    subscribe(shop, "ORDERS_FULFILLED")
    order = shop.order()
    parent = shop.fulfillment_orders(order["id"])[0]["id"]
    given = {
        "lineItemsByFulfillmentOrder": [{"fulfillmentOrderId": parent}],
        "trackingInfo": {"company": "UPS", "number": "1Z"},
    }
    shop(FULFILL, fulfillment=given)

    world.settle()

    sent, done = bodies(receiver)
    assert (sent["order_id"], sent["tracking_numbers"], sent["status"]) == (
        int(order["legacyResourceId"]),
        ["1Z"],
        "success",
    )
    assert (done["fulfillment_status"], done["fulfillments"][0]["tracking_number"]) == ("fulfilled", "1Z")


def test_a_product_that_was_edited_is_told_of(shop: Shopper, world: World, receiver: Told) -> None:
    subscribe(shop, "PRODUCTS_UPDATE")
    variant = shop.variant()
    change_product(world, shop.merchant, sku=variant.sku, price=12_345, title="Another name")
    world.settle()

    [said] = bodies(receiver)
    assert (said["title"], said["updated_at"]) == ("Another name", "2026-11-26T08:00:00Z")
    assert {one["sku"]: one["price"] for one in said["variants"]}[variant.sku] == "123.45"
    found = shop('{ productVariant(id: "%s") { price updatedAt product { title } } }' % variant.gid)  # noqa: UP031
    assert found["productVariant"] == {
        "price": "123.45",
        "updatedAt": "2026-11-26T08:00:00Z",
        "product": {"title": "Another name"},
    }


def test_a_letter_nobody_takes_is_tried_eight_times_more_within_four_hours_as_it_was(
    shop: Shopper, world: World, receiver: Told
) -> None:
    subscribe(shop)
    receiver.status = 500
    order = shop.order()
    world.settle()
    shop(TAGS_ADD, id=order["id"], tags=["CHANGED"])

    world.advance(timedelta(hours=4))

    assert len(receiver.got) == 9
    assert len({one.content for one in receiver.got}) == 1
    assert len({one.headers["x-shopify-webhook-id"] for one in receiver.got}) == 1
    assert shop.merchant.shop.state.subscriptions == {}
    [delivery] = world.hooks.of(system="shopify", topic="ORDERS_CREATE")
    assert delivery.state == "failed"
    assert [one["at"][11:16] for one in delivery.attempts] == [
        "08:00", "08:01", "08:03", "08:08", "08:18", "08:38", "09:18", "10:18", "12:00",
    ]  # fmt: skip


def test_a_receiver_that_comes_back_keeps_its_subscription(shop: Shopper, world: World, receiver: Told) -> None:
    subscribe(shop)
    receiver.status = httpx.ReadTimeout("slow")
    shop.order()
    world.advance(timedelta(minutes=10))
    assert len(receiver.got) == 4
    receiver.status = 204

    world.advance(timedelta(hours=12))

    assert len(receiver.got) == 5
    assert len(shop.merchant.shop.state.subscriptions) == 1
    [delivery] = world.hooks.of(system="shopify")
    assert (delivery.state, delivery.attempts[0]["outcome"]) == ("delivered", "ReadTimeout")


def test_a_redirect_is_no_delivery(shop: Shopper, world: World, receiver: Told) -> None:
    subscribe(shop)
    receiver.status = 301
    shop.order()
    world.settle()

    assert world.hooks.of(system="shopify")[0].state == "waiting"


def test_by_itself_it_sends_nowhere_but_to_this_machine(shop: Shopper, world: World) -> None:
    subscribe(shop)
    shop.order()
    world.settle()

    [delivery] = world.hooks.of(topic="ORDERS_CREATE")
    assert delivery.attempts[0]["outcome"] == "ElsewhereRefused"
    urls = (
        "http://127.0.0.1:1/x",
        "http://[::1]/",
        "http://localhost/",
        "http://10.0.0.1/",
        "http://localhost.example/",
    )
    assert [is_loopback(url) for url in urls] == [True, True, True, False, False]


def test_an_address_that_nobody_can_have_is_tried_in_vain_and_the_next_one_is_told(shop: Shopper, world: World) -> None:
    for uri in ("https://xn--/", "http://[", "https://a\x7fb/", "http://127.0.0.1:99999/"):
        assert subscribe(shop, uri=uri)["userErrors"] == []
    shop.order()
    assert world.settle() == 4

    outcomes = [one.attempts[0]["outcome"] for one in world.hooks.of(topic="ORDERS_CREATE")]
    assert outcomes == ["IDNAError", "ElsewhereRefused", "InvalidURL", "ConnectError"]


def test_one_address_hears_of_a_topic_once_and_only_of_the_fields_it_wants(
    shop: Shopper, world: World, receiver: Told
) -> None:
    subscribe(shop, includeFields=["id", "name"])
    again = subscribe(shop)
    bad = subscribe(shop, "ORDERS_UPDATED", uri="ftp://engine.example")
    shop.order()
    world.settle()

    assert again["userErrors"] == [
        {"field": ["webhookSubscription", "uri"], "message": "Address for this topic has already been taken"}
    ]
    assert bad["userErrors"][0]["message"] == "Address is invalid"
    assert [set(one) for one in bodies(receiver)] == [{"id", "name"}]


def test_a_subscription_can_be_listed_and_ended(shop: Shopper, world: World, receiver: Told) -> None:
    made = subscribe(shop)["webhookSubscription"]
    listed = shop("{ webhookSubscriptions(first: 5, topics: [ORDERS_CREATE]) { nodes { id topic uri } } }")
    gone = shop('mutation { webhookSubscriptionDelete(id: "%s") { deletedWebhookSubscriptionId } }' % made["id"])  # noqa: UP031
    shop.order()
    world.settle()

    assert listed["webhookSubscriptions"]["nodes"] == [{"id": made["id"], "topic": "ORDERS_CREATE", "uri": URL}]
    assert gone["webhookSubscriptionDelete"]["deletedWebhookSubscriptionId"] == made["id"]
    assert receiver.got == []


def test_a_rotated_secret_signs_what_is_sent_from_then_on(shop: Shopper, world: World, receiver: Told) -> None:
    subscribe(shop)
    shop.order()
    world.settle()
    world.shopify.rotate("summit-outdoor.myshopify.com", {"what": "client_secret", "value": "fresh"})
    shop.order()
    world.settle()

    old, new = receiver.got
    assert signed(old, shop.merchant.credentials.shopify_client_secret)
    assert signed(new, "fresh")


class TestThePost:
    """What faults do to letters on their way."""

    def test_copies_have_the_same_id(self, shop: Shopper, world: World, receiver: Told, put: Any) -> None:
        put("shopify", "webhook_duplicate", params={"n": 2})
        subscribe(shop)
        shop.order()
        world.settle()

        assert len(receiver.got) == 3
        assert len({one.headers["x-shopify-webhook-id"] for one in receiver.got}) == 1

    def test_a_later_letter_overtakes_one_that_lies(
        self, shop: Shopper, world: World, receiver: Told, put: Any
    ) -> None:
        put("shopify", "webhook_out_of_order", match={"operation": "ORDERS_CREATE"})
        subscribe(shop)
        subscribe(shop, "ORDERS_UPDATED")
        order = shop.order()
        shop(TAGS_ADD, id=order["id"], tags=["A"])
        world.advance(timedelta(minutes=1))

        assert [one.headers["x-shopify-topic"] for one in receiver.got] == ["orders/updated", "orders/create"]

    def test_a_letter_comes_late(self, shop: Shopper, world: World, receiver: Told, put: Any) -> None:
        put("shopify", "webhook_delay", params={"seconds": 600})
        subscribe(shop)
        shop.order()
        world.advance(timedelta(seconds=599))
        assert receiver.got == []
        world.advance(timedelta(seconds=1))

        assert len(receiver.got) == 1

    def test_a_letter_is_lost(self, shop: Shopper, world: World, receiver: Told, put: Any) -> None:
        put("shopify", "webhook_drop")
        subscribe(shop)
        shop.order()
        world.advance(timedelta(days=1))

        assert receiver.got == []
        assert world.hooks.of(system="shopify")[0].state == "dropped"

    def test_a_signature_is_wrong(self, shop: Shopper, world: World, receiver: Told, put: Any) -> None:
        put("shopify", "webhook_bad_hmac")
        subscribe(shop)
        shop.order()
        shop.order()
        world.settle()

        assert [signed(one, shop.merchant.credentials.shopify_client_secret) for one in receiver.got] == [False, True]

    def test_a_letter_says_what_was_true_before(self, shop: Shopper, world: World, receiver: Told, put: Any) -> None:
        put("shopify", "webhook_stale_payload", nth=2)
        subscribe(shop, "ORDERS_UPDATED")
        order = shop.order()
        shop(TAGS_ADD, id=order["id"], tags=["ONE"])
        shop(TAGS_ADD, id=order["id"], tags=["TWO"])
        shop(TAGS_ADD, id=order["id"], tags=["ZEN"])
        world.settle()

        assert [one["tags"] for one in bodies(receiver)] == ["ONE", "ONE", "ONE, TWO, ZEN"]

    def test_a_field_drifts_and_a_currency_is_another(
        self, shop: Shopper, world: World, receiver: Told, put: Any
    ) -> None:
        put("shopify", "schema_drift", match={"method": "WEBHOOK"}, params={"op": "remove", "path": "line_items.*.sku"})
        put("shopify", "currency_mismatch", match={"method": "WEBHOOK"}, params={"currency": "CAD"})
        subscribe(shop)
        shop.order()
        world.settle()

        [order] = bodies(receiver)
        assert "sku" not in order["line_items"][0]
        assert order["currency"] == "CAD"
        assert signed(receiver.got[0], shop.merchant.credentials.shopify_client_secret)
