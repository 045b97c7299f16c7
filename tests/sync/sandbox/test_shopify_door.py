"""Shopify's door: who may come in, which version answers, what a query costs, and how pages are read."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from engine.kit import clock
from engine.sync.sandbox import World
from engine.sync.sandbox.merchants import Merchant
from tests.sync.sandbox.shopping import ORDERS, PRODUCTS, TAGS_ADD, Shopper


@pytest.fixture
def shop(client: httpx.Client, merchant: Merchant) -> Shopper:
    return Shopper(client, merchant)


def test_a_wrong_token_is_turned_away(shop: Shopper) -> None:
    shop.token = "shpat_wrong"

    answer = shop.post("{ shop { name } }")

    assert answer.status_code == 401
    assert answer.json() == {"errors": "[API] Invalid API key or access token (unrecognized login or wrong password)"}


def test_another_shops_token_is_turned_away() -> None:
    world = World.preset("summit", merchants=2)
    from engine.sync.sandbox import WorldTransport

    with httpx.Client(transport=WorldTransport(world), base_url="http://sandbox") as client:
        mine, other = (Shopper(client, one) for one in world.merchants)
        mine.token = other.token
        assert mine.post("{ shop { name } }").status_code == 401


def test_a_shop_that_is_not_there_is_not_found(client: httpx.Client) -> None:
    answer = client.post("/shopify/nobody.myshopify.com/admin/api/2026-10/graphql.json", json={"query": "{shop{name}}"})

    assert (answer.status_code, answer.json()) == (404, {"errors": "Not Found"})


@pytest.mark.parametrize(
    ("asked", "served"),
    [
        ("2026-10", "2026-10"),
        ("2026-04", "2026-04"),
        ("2024-01", "2026-01"),
        ("2031-01", "2026-10"),
        ("unstable", "unstable"),
    ],
)
def test_an_unsupported_version_is_served_by_another_and_says_so(
    client: httpx.Client, merchant: Merchant, asked: str, served: str
) -> None:
    answer = Shopper(client, merchant, version=asked).post("{ shop { name } }")

    assert answer.json()["data"] == {"shop": {"name": "Summit & Pine"}}
    assert answer.headers["x-shopify-api-version"] == served
    assert ("x-shopify-api-deprecated-reason" in answer.headers) is (asked != served)


def test_a_field_that_is_not_there_is_an_error_and_nothing_is_done(shop: Shopper) -> None:
    answer = shop.post("{ shop { name plan } }").json()

    assert answer["errors"][0]["message"] == "Cannot query field 'plan' on type 'Shop'."
    assert answer["errors"][0]["extensions"] == {"code": "undefinedField"}
    assert "data" not in answer


@pytest.mark.parametrize("body", [b"not json", b"[]", b'{"query": 1}', b'{"query": "{shop{name}}", "variables": []}'])
def test_what_is_no_request_is_refused(shop: Shopper, body: bytes) -> None:
    answer = shop.client.post(shop.url, content=body, headers={"X-Shopify-Access-Token": shop.token})

    assert answer.status_code == (400 if body != b'{"query": "{shop{name}}", "variables": []}' else 200)


def test_unreadable_graphql_is_an_error_in_a_good_answer(shop: Shopper) -> None:
    answer = shop.post("{ shop { ")

    assert answer.status_code == 200
    assert answer.json()["errors"][0]["message"].startswith("Syntax Error")


def test_two_operations_need_a_name(shop: Shopper) -> None:
    both = "query A { shop { name } } query B { shop { email } }"
    head = {"X-Shopify-Access-Token": shop.token}

    unnamed = shop.client.post(shop.url, json={"query": both}, headers=head).json()
    named = shop.client.post(shop.url, json={"query": both, "operationName": "B"}, headers=head).json()

    assert unnamed["errors"][0]["message"] == "An operation name is required"
    assert named["data"] == {"shop": {"email": "owner@summit-outdoor.myshopify.com"}}


def test_a_query_says_what_it_could_cost_and_what_it_did(shop: Shopper) -> None:
    cost = shop.post(
        "{ products(first: 10) { pageInfo { hasNextPage } nodes { id title variants(first: 3) { nodes { sku } } } } }"
    ).json()["extensions"]["cost"]

    assert cost["requestedQueryCost"] == 10 * (1 + 3)
    assert 20 <= cost["actualQueryCost"] < 40
    status = cost["throttleStatus"]
    assert status == {
        "maximumAvailable": 2000.0,
        "currentlyAvailable": 2000 - cost["actualQueryCost"],
        "restoreRate": 100.0,
    }


def test_scalars_are_free_and_a_mutation_costs_ten(shop: Shopper) -> None:
    order = shop.order()

    scalar = shop.post("{ shop { name email } }").json()["extensions"]["cost"]
    mutation = shop.post(TAGS_ADD, id=order["id"], tags=["A"]).json()["extensions"]["cost"]

    assert (scalar["requestedQueryCost"], scalar["actualQueryCost"]) == (1, 1)
    assert (mutation["requestedQueryCost"], mutation["actualQueryCost"]) == (11, 11)


def test_a_bucket_that_is_empty_throttles_with_status_200_and_refills_by_the_clock(shop: Shopper, world: World) -> None:
    for _ in range(2):
        shop.merchant.shop.bucket.take(990, world.ground.pace())
    throttled = shop.post("{ products(first: 30) { nodes { id } } }")

    assert throttled.status_code == 200
    said = throttled.json()
    assert said["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert said["extensions"]["cost"]["requestedQueryCost"] == 30
    assert said["extensions"]["cost"]["actualQueryCost"] is None
    assert said["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"] == 20
    assert "data" not in said

    with clock.shifted(timedelta(seconds=0.1)):
        assert "errors" not in shop.post("{ products(first: 30) { nodes { id } } }").json()
        assert "errors" in shop.post("{ products(first: 30) { nodes { id } } }").json()
        world.advance(timedelta(seconds=0.3))
        assert "errors" not in shop.post("{ products(first: 30) { nodes { id } } }").json()


def test_a_query_above_a_thousand_points_is_never_executed(shop: Shopper, world: World) -> None:
    answer = shop.post("{ products(first: 250) { nodes { id variants(first: 10) { nodes { id } } } } }").json()

    assert answer["errors"][0]["extensions"] == {"code": "MAX_COST_EXCEEDED", "cost": 2750, "maxCost": 1000}
    assert shop.merchant.shop.bucket.available(world.ground.pace()) == 2000


def test_a_connection_wants_a_size_of_at_most_250(shop: Shopper) -> None:
    for document in ("{ orders { nodes { id } } }", "{ orders(first: 251) { nodes { id } } }"):
        answer = shop.post(document).json()
        assert answer["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
        assert answer["data"] is None


def test_every_product_is_read_once_page_by_page(shop: Shopper, world: World) -> None:
    seen: list[str] = []
    after = None
    while True:
        page = shop(PRODUCTS, first=8, after=after)["products"]
        world.advance(timedelta(seconds=5))
        seen += [one["id"] for one in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break

    assert len(seen) == len(set(seen)) == len(shop.merchant.shop.state.products)


def test_an_order_that_changes_between_two_pages_is_not_lost(shop: Shopper, world: World) -> None:
    made = []
    for _ in range(4):
        made.append(shop.order())
        world.advance(timedelta(minutes=1))
    first = shop(ORDERS, first=2)["orders"]
    world.advance(timedelta(minutes=1))
    shop(TAGS_ADD, id=made[0]["id"], tags=["LATER"])

    second = shop(ORDERS, first=9, after=first["pageInfo"]["endCursor"])["orders"]

    assert [one["name"] for one in first["nodes"]] == ["#1001", "#1002"]
    assert [one["name"] for one in second["nodes"]] == ["#1003", "#1004", "#1001"]
    assert second["pageInfo"]["hasNextPage"] is False


def test_pages_go_backward_too(shop: Shopper) -> None:
    for _ in range(3):
        shop.order()
    document = """query P($b: String) {
      orders(last: 2, before: $b, sortKey: ID) { pageInfo { hasPreviousPage startCursor } nodes { name } }
    }"""

    last = shop(document)["orders"]
    before = shop(document, b=last["pageInfo"]["startCursor"])["orders"]

    assert [one["name"] for one in last["nodes"]] == ["#1002", "#1003"]
    assert last["pageInfo"]["hasPreviousPage"] is True
    assert [one["name"] for one in before["nodes"]] == ["#1001"]
    assert before["pageInfo"]["hasPreviousPage"] is False


def test_orders_are_found_by_what_the_gap_filling_poll_asks_for(shop: Shopper, world: World) -> None:
    shop.order()
    world.advance(timedelta(hours=1))
    later = world.now().isoformat()
    shop.order(tags=["VIP"], test=True)

    def names(query: str) -> list[str]:
        return [one["name"] for one in shop(ORDERS, first=9, query=query)["orders"]["nodes"]]

    assert names(f"updated_at:>='{later}'") == ["#1002"]
    assert names(f"updated_at:<'{later}'") == ["#1001"]
    assert names("tag:vip") == ["#1002"]
    assert names("-tag:VIP") == ["#1001"]
    assert names("test:true AND status:open") == ["#1002"]
    assert names("name:#1001 OR name:1002") == ["#1001", "#1002"]
    assert names("financial_status:paid") == []


@pytest.mark.parametrize("query", ["risk_level:high", "free words", "tag:x (tag:y)"])
def test_a_search_that_is_not_emulated_is_refused(shop: Shopper, query: str) -> None:
    answer = shop.post(ORDERS, first=2, query=query).json()

    assert answer["errors"][0]["extensions"]["code"] == "SANDBOX_UNSUPPORTED"


def test_a_made_up_cursor_and_a_foreign_id_are_refused(shop: Shopper) -> None:
    cursor = shop.post(ORDERS, first=2, after="AAAA").json()
    foreign = shop.post('{ order(id: "gid://shopify/Product/1") { id } }').json()

    assert cursor["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
    assert foreign["errors"][0]["extensions"]["code"] == "RESOURCE_NOT_FOUND"
    assert shop('{ order(id: "gid://shopify/Order/1") { id } }') == {"order": None}


def test_introspection_names_our_part_of_the_schema(shop: Shopper) -> None:
    found = shop('{ __type(name: "QueryRoot") { fields { name } } }')["__type"]["fields"]

    assert {"name": "orders"} in found
    assert {"name": "customers"} not in found
