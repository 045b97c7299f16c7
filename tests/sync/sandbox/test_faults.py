"""Every kind of accident, at the doors of the vendors."""

from __future__ import annotations

import json
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from engine.kit import clock
from engine.sync.sandbox import World, WorldTransport
from engine.sync.sandbox.faults import Kind, Rule
from engine.sync.sandbox.merchants import Merchant
from tests.sync.sandbox.shopping import FULFILLMENT_ORDERS, ORDERS, TAGS_ADD, Shopper

NAME = "{ shop { name currencyCode } }"


@pytest.fixture
def shop(client: httpx.Client, merchant: Merchant) -> Shopper:
    return Shopper(client, merchant)


def tags(shop: Shopper, order: dict[str, Any]) -> list[str]:
    return list(shop.merchant.shop.state.orders[int(order["legacyResourceId"])].tags)


def test_the_kinds_are_those_of_the_specification() -> None:
    assert {kind.value for kind in Kind} == {
        "http_429",
        "throttled_points",
        "concurrency_exceeded",
        "http_500",
        "http_502",
        "http_503",
        "timeout_before_commit",
        "timeout_after_commit",
        "connection_reset",
        "slow",
        "truncated_json",
        "partial_page",
        "partial_batch",
        "stale_read",
        "auth_expired",
        "secret_rotated",
        "schema_drift",
        "currency_mismatch",
        "webhook_duplicate",
        "webhook_out_of_order",
        "webhook_delay",
        "webhook_drop",
        "webhook_bad_hmac",
        "webhook_stale_payload",
        "clock_skew",
        "process_kill",
    }


def test_too_many_requests_say_when_to_come_back(shop: Shopper, put: Any) -> None:
    put("shopify", "http_429", params={"retry_after": 4})

    struck, after = shop.post(NAME), shop.post(NAME)

    assert (struck.status_code, struck.headers["retry-after"]) == (429, "4.0")
    assert after.status_code == 200


def test_points_run_out_in_a_good_answer(shop: Shopper, put: Any) -> None:
    put("shopify", "throttled_points", params={"cost": 120})

    answer = shop.post(NAME)

    assert answer.status_code == 200
    assert answer.json()["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert answer.json()["extensions"]["cost"]["requestedQueryCost"] == 120


@pytest.mark.parametrize(("kind", "status"), [("http_500", 500), ("http_502", 502), ("http_503", 503)])
def test_a_server_error_comes_before_the_work_or_after_it(shop: Shopper, put: Any, kind: str, status: int) -> None:
    order = shop.order()
    put("shopify", kind, match={"operation": "tagsAdd"})
    assert shop.post(TAGS_ADD, id=order["id"], tags=["A"]).status_code == status
    assert tags(shop, order) == []

    put("shopify", kind, match={"operation": "tagsAdd"}, when="after_commit")
    assert shop.post(TAGS_ADD, id=order["id"], tags=["A"]).status_code == status
    assert tags(shop, order) == ["A"]


def test_a_lost_answer_is_lost_before_the_work_or_after_it(shop: Shopper, put: Any) -> None:
    order = shop.order()
    put("shopify", "timeout_before_commit", match={"operation": "tagsAdd"})
    with pytest.raises(httpx.ReadTimeout):
        shop.post(TAGS_ADD, id=order["id"], tags=["A"])
    assert tags(shop, order) == []

    put("shopify", "timeout_after_commit", match={"operation": "tagsAdd"})
    with pytest.raises(httpx.ReadTimeout):
        shop.post(TAGS_ADD, id=order["id"], tags=["A"])
    assert tags(shop, order) == ["A"]


@pytest.mark.parametrize(("when", "left"), [("before", []), ("after_commit", ["A"])])
def test_a_connection_breaks(shop: Shopper, put: Any, when: str, left: list[str]) -> None:
    order = shop.order()
    put("shopify", "connection_reset", match={"operation": "tagsAdd"}, when=when)

    with pytest.raises(httpx.ReadError):
        shop.post(TAGS_ADD, id=order["id"], tags=["A"])

    assert tags(shop, order) == left


def test_an_answer_takes_its_time(world: World, merchant: Merchant, put: Any) -> None:
    put("shopify", "slow", params={"ms": 1500})
    waited: list[float] = []
    with httpx.Client(transport=WorldTransport(world, wait=waited.append), base_url="http://sandbox") as client:
        assert Shopper(client, merchant).post(NAME).status_code == 200

    assert waited == [1.5]


def test_an_answer_is_cut_in_the_middle(shop: Shopper, put: Any) -> None:
    whole = shop.post(NAME)
    put("shopify", "truncated_json")

    cut = shop.post(NAME)

    assert cut.status_code == 200
    assert cut.headers["content-type"] == "application/json"
    assert len(cut.content) < len(whole.content)
    with pytest.raises(json.JSONDecodeError):
        cut.json()


def test_a_page_is_shorter_than_asked_and_the_next_begins_after_it(shop: Shopper, put: Any) -> None:
    for _ in range(4):
        shop.order()
    put("shopify", "partial_page", match={"operation": "orders"})

    first = shop(ORDERS, first=4)["orders"]
    rest = shop(ORDERS, first=4, after=first["pageInfo"]["endCursor"])["orders"]

    assert [one["name"] for one in first["nodes"]] == ["#1001", "#1002"]
    assert first["pageInfo"]["hasNextPage"] is True
    assert [one["name"] for one in rest["nodes"]] == ["#1003", "#1004"]


def test_a_read_is_behind_the_last_write(shop: Shopper, put: Any) -> None:
    order = shop.order()
    shop(FULFILLMENT_ORDERS, id=order["id"])
    shop(TAGS_ADD, id=order["id"], tags=["A"])
    put("shopify", "stale_read", match={"operation": "order"})

    stale = shop(FULFILLMENT_ORDERS, id=order["id"])["order"]
    fresh = shop(FULFILLMENT_ORDERS, id=order["id"])["order"]

    assert (stale["tags"], fresh["tags"]) == ([], ["A"])


def test_a_token_expires_for_a_while(shop: Shopper, put: Any) -> None:
    put("shopify", "auth_expired", times=2)

    assert [shop.post(NAME).status_code for _ in range(3)] == [401, 401, 200]


def test_a_secret_is_rotated_and_the_old_one_is_worth_nothing(shop: Shopper, put: Any) -> None:
    put("shopify", "secret_rotated", params={"value": "shpat_new"})

    assert [shop.post(NAME).status_code for _ in range(2)] == [401, 401]
    shop.token = "shpat_new"
    assert shop.post(NAME).status_code == 200


@pytest.mark.parametrize(
    ("params", "found"),
    [
        (
            {"op": "add", "path": "data.shop.planet", "value": "Earth"},
            {"name": "Summit & Pine", "currencyCode": "USD", "planet": "Earth"},
        ),
        ({"op": "remove", "path": "data.shop.name"}, {"currencyCode": "USD"}),
        ({"op": "null", "path": "**.name"}, {"name": None, "currencyCode": "USD"}),
    ],
)
def test_a_field_drifts(shop: Shopper, put: Any, params: dict[str, Any], found: dict[str, Any]) -> None:
    put("shopify", "schema_drift", params=params)

    assert shop(NAME)["shop"] == found
    assert shop(NAME)["shop"] == {"name": "Summit & Pine", "currencyCode": "USD"}


def test_a_currency_is_another(shop: Shopper, put: Any) -> None:
    put("shopify", "currency_mismatch", params={"currency": "EUR"})

    assert shop(NAME)["shop"]["currencyCode"] == "EUR"


def test_a_vendors_clock_goes_wrong(shop: Shopper, put: Any) -> None:
    with clock.stopped():
        put("shopify", "clock_skew", params={"seconds": 3600})
        dates = [parsedate_to_datetime(shop.post(NAME).headers["date"]) for _ in range(2)]
        assert {round((one - clock.now()).total_seconds() / 60) for one in dates} == {60}


def test_a_rule_fits_by_method_path_operation_and_tenant(shop: Shopper, put: Any) -> None:
    put(
        "shopify",
        "http_500",
        match={"method": "POST", "path": r"graphql\.json$", "operation": "shop", "tenant": "other.myshopify.com"},
    )
    assert shop.post(NAME).status_code == 200

    put("shopify", "http_500", match={"operation": "orders"})
    assert shop.post(NAME).status_code == 200
    assert shop.post(ORDERS, first=1).status_code == 500

    put("netsuite", "http_500")
    assert shop.post(NAME).status_code == 200


def test_a_rule_strikes_at_the_nth_fit_and_so_many_times(shop: Shopper, put: Any) -> None:
    rule = put("shopify", "http_503", nth=2, times=2)

    assert [shop.post(NAME).status_code for _ in range(5)] == [200, 503, 503, 200, 200]
    assert rule.struck == 2


def test_chance_is_the_seeds(put: Any) -> None:
    def struck(seed: int) -> list[bool]:
        rule = Rule(id="r", system="shopify", kind=Kind.HTTP_500, probability=0.3)
        return [rule.strikes(seed) for _ in range(200)]

    assert struck(1) == struck(1) != struck(2)
    assert 40 <= sum(struck(1)) <= 80


def test_what_is_no_rule_is_refused() -> None:
    for wrong in (
        {"kind": "meteor"},
        {"kind": "slow", "nth": 0},
        {"kind": "slow", "match": {"verb": "GET"}},
        {"kind": "schema_drift"},
    ):
        with pytest.raises(ValidationError):
            Rule.model_validate({"id": "r", "system": "shopify"} | wrong)


def test_a_kill_is_carried_for_the_engine_and_strikes_nobody_here(shop: Shopper, put: Any) -> None:
    rule = put("shopify", "process_kill", params={"step": "w1.put_order"})

    assert shop.post(NAME).status_code == 200
    assert rule.struck == 0


def test_what_struck_is_in_the_journal(shop: Shopper, world: World, put: Any) -> None:
    put("shopify", "timeout_before_commit")
    with pytest.raises(httpx.ReadTimeout):
        shop.post(NAME)
    shop.post(NAME)

    lost, good = world.ground.journal.entries(system="shopify")
    assert (lost.status, lost.response, lost.faults) == (None, "", ("shopify-timeout_before_commit",))
    assert (good.status, good.operation, good.faults) == (200, "shop", ())
    assert good.headers["x-shopify-access-token"] == "***"
    assert shop.token not in json.dumps([one.as_json() for one in (lost, good)])


def test_nobody_can_ask_for_half_a_page_from_outside(shop: Shopper) -> None:
    for _ in range(2):
        shop.order()
    body = {"query": ORDERS, "variables": {"first": 2}}
    head = {"X-Shopify-Access-Token": shop.token, "X-Sandbox-Partial": "1"}

    assert len(shop.client.post(shop.url, json=body, headers=head).json()["data"]["orders"]["nodes"]) == 2


def test_the_same_seed_makes_the_same_world() -> None:
    def story(seed: int) -> list[str]:
        world = World.preset("summit_orders", seed=seed)
        world.advance(timedelta(minutes=1))
        who = world.merchants[0].credentials
        return [who.shopify_access_token, who.netsuite_private_key_pem, who.dcl_password]

    assert story(7) == story(7)
    assert story(7) != story(8)
