"""Stock of a shop: set, compared, set once for one key, and derived where it is a bundle's."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from engine.sync.sandbox import World, app
from engine.sync.sandbox.merchants import Merchant
from tests.sync.sandbox.shopping import COMPONENTS, INVENTORY, RELATE, SET_QUANTITIES, Shopper


@pytest.fixture
def shop(client: httpx.Client, merchant: Merchant) -> Shopper:
    return Shopper(client, merchant)


def place(shop: Shopper) -> int:
    return next(iter(shop.merchant.shop.state.locations))


def row(shop: Shopper, quantity: int, expected: int | None, *, variant: Any = None) -> dict[str, Any]:
    variant = variant or shop.variant()
    return {
        "inventoryItemId": f"gid://shopify/InventoryItem/{variant.item_id}",
        "locationId": f"gid://shopify/Location/{place(shop)}",
        "quantity": quantity,
        "changeFromQuantity": expected,
    }


def given(*rows: dict[str, Any], name: str = "available", **fields: Any) -> dict[str, Any]:
    return {"name": name, "reason": "correction", "quantities": list(rows)} | fields


def put(shop: Shopper, wanted: dict[str, Any], key: str = "k-1") -> dict[str, Any]:
    made: dict[str, Any] = shop(SET_QUANTITIES, input=wanted, key=key)["inventorySetQuantities"]
    return made


def codes(made: dict[str, Any]) -> list[str]:
    return [one["code"] for one in made["userErrors"]]


def available(shop: Shopper, variant: Any = None) -> int:
    return int((variant or shop.variant()).levels[place(shop)].available)


def test_a_quantity_is_set_where_it_is_what_the_caller_thinks(shop: Shopper) -> None:
    before = available(shop)

    made = put(shop, given(row(shop, 99, before), referenceDocumentUri="icommerce://sync/run-1"))

    assert made["userErrors"] == []
    assert made["inventoryAdjustmentGroup"] == {
        "reason": "correction",
        "referenceDocumentUri": "icommerce://sync/run-1",
        "changes": [
            {"name": "available", "delta": 99 - before, "quantityAfterChange": 99},
            {"name": "on_hand", "delta": 99 - before, "quantityAfterChange": 99},
        ],
    }
    assert available(shop) == 99


def test_a_stale_expectation_changes_nothing_of_the_whole_request(shop: Shopper) -> None:
    one, two = shop.variant(0), shop.variant(1)
    before = (available(shop, one), available(shop, two))

    made = put(shop, given(row(shop, 5, before[0], variant=one), row(shop, 5, before[1] + 1, variant=two)))

    assert codes(made) == ["CHANGE_FROM_QUANTITY_STALE"]
    assert made["userErrors"][0]["field"] == ["input", "quantities", "1", "changeFromQuantity"]
    assert made["inventoryAdjustmentGroup"] is None
    assert (available(shop, one), available(shop, two)) == before


def test_null_sets_whatever_is_there_and_leaving_it_out_is_refused(shop: Shopper) -> None:
    assert codes(put(shop, given(row(shop, 7, None)))) == []
    assert available(shop) == 7

    without = {name: value for name, value in row(shop, 8, None).items() if name != "changeFromQuantity"}
    assert codes(put(shop, given(without), key="k-2")) == ["COMPARE_QUANTITY_REQUIRED"]
    assert available(shop) == 7


def test_on_hand_counts_what_orders_wait_for(shop: Shopper) -> None:
    variant = shop.variant()
    shop.order([{"variantId": variant.gid, "quantity": 4}])

    put(shop, given(row(shop, 30, None, variant=variant), name="on_hand"))

    level = variant.levels[place(shop)]
    assert (level.on_hand, level.committed, level.available) == (30, 4, 26)
    found = shop(INVENTORY, query=f"sku:{variant.sku}")["inventoryItems"]["nodes"][0]
    assert found["sku"] == variant.sku
    assert found["inventoryLevels"]["nodes"][0]["quantities"] == [
        {"name": "available", "quantity": 26},
        {"name": "on_hand", "quantity": 30},
        {"name": "committed", "quantity": 4},
    ]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"name": "reserved"}, "INVALID_NAME"),
        ({"reason": "because"}, "INVALID_REASON"),
        ({"referenceDocumentUri": "run-1"}, "INVALID_REFERENCE_DOCUMENT"),
    ],
)
def test_a_form_that_is_wrong_is_refused(shop: Shopper, change: dict[str, str], code: str) -> None:
    before = available(shop)

    assert codes(put(shop, given(row(shop, 5, None)) | change)) == [code]
    assert available(shop) == before


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"inventoryItemId": "gid://shopify/InventoryItem/1"}, "INVALID_INVENTORY_ITEM"),
        ({"locationId": "gid://shopify/Location/1"}, "INVALID_LOCATION"),
        ({"quantity": -1}, "INVALID_QUANTITY_NEGATIVE"),
        ({"quantity": 1_000_000_001}, "INVALID_QUANTITY_TOO_HIGH"),
    ],
)
def test_a_row_that_is_wrong_is_refused(shop: Shopper, change: dict[str, Any], code: str) -> None:
    assert codes(put(shop, given(row(shop, 5, None) | change))) == [code]


def test_one_item_at_one_place_is_set_once_in_a_request(shop: Shopper) -> None:
    made = put(shop, given(row(shop, 5, None), row(shop, 6, None)))

    assert codes(made) == ["NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR"]


def test_at_most_250_rows_fit_into_a_request(shop: Shopper) -> None:
    answer = shop.post(SET_QUANTITIES, input=given(*[row(shop, 5, None)] * 251), key="k").json()

    assert answer["errors"][0]["extensions"]["code"] == "MAX_INPUT_SIZE_EXCEEDED"


def test_without_a_key_it_fails_when_it_runs(shop: Shopper) -> None:
    before = available(shop)
    keyless = """mutation S($input: InventorySetQuantitiesInput!) {
      inventorySetQuantities(input: $input) { userErrors { code } }
    }"""

    answer = shop.post(keyless, input=given(row(shop, 5, None))).json()

    assert "@idempotent directive is required" in answer["errors"][0]["message"]
    assert available(shop) == before


def test_the_same_key_is_answered_again_and_works_once(shop: Shopper) -> None:
    before = available(shop)
    first = put(shop, given(row(shop, 40, before)))
    shop.merchant.shop.state.items[shop.variant().item_id].levels[place(shop)].available = 41

    again = put(shop, given(row(shop, 40, before)))

    assert again == first
    assert available(shop) == 41


def test_the_same_key_for_something_else_is_refused_and_free_again_after_a_day(shop: Shopper, world: World) -> None:
    put(shop, given(row(shop, 40, None)))

    assert codes(put(shop, given(row(shop, 50, None)))) == ["IDEMPOTENCY_KEY_PARAMETER_MISMATCH"]
    assert available(shop) == 40

    world.advance(timedelta(hours=24))
    assert codes(put(shop, given(row(shop, 50, None)))) == []
    assert available(shop) == 50


def test_a_key_that_another_request_is_using_is_refused_until_that_is_done(
    shop: Shopper,
    world: World,
    put: Any,
) -> None:
    put("shopify", "slow", params={"ms": 20})
    wanted = given(row(shop, 40, None))

    async def rush() -> list[list[str]]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app(world)), base_url="http://sandbox") as client:
            body = {"query": SET_QUANTITIES, "variables": {"input": wanted, "key": "k-1"}}
            asked = [client.post(shop.url, json=body, headers={"X-Shopify-Access-Token": shop.token}) for _ in range(2)]
            answers = [one.json() for one in await asyncio.gather(*asked)]
            return [codes(one["data"]["inventorySetQuantities"]) for one in answers]

    assert asyncio.run(rush()) == [[], ["IDEMPOTENCY_CONCURRENT_REQUEST"]]
    assert asyncio.run(rush()) == [[], []]
    assert available(shop) == 40


def test_an_answer_that_is_lost_after_the_work_is_had_by_the_same_key(shop: Shopper, put: Any) -> None:
    before = available(shop)
    put("shopify", "timeout_after_commit", match={"operation": "inventorySetQuantities"})

    with pytest.raises(httpx.ReadTimeout):
        shop.post(SET_QUANTITIES, input=given(row(shop, before - 1, before)), key="k-9")
    assert available(shop) == before - 1

    again = shop(SET_QUANTITIES, input=given(row(shop, before - 1, before)), key="k-9")["inventorySetQuantities"]
    assert again["userErrors"] == []
    assert available(shop) == before - 1


def test_a_bundles_stock_follows_from_its_components_and_cannot_be_set(shop: Shopper) -> None:
    kit = shop.merchant.shop.state.variant_of_sku("KIT-CAMP-DUO")
    assert kit is not None
    two, one = (part.variant.available() for part in kit.components)

    found = shop(COMPONENTS, id=kit.gid)["productVariant"]

    assert found["requiresComponents"] is True
    assert found["inventoryQuantity"] == min(two // 2, one)
    assert [part["quantity"] for part in found["productVariantComponents"]["nodes"]] == [2, 1]
    assert codes(put(shop, given(row(shop, 5, None, variant=kit)))) == ["NON_MUTABLE_INVENTORY_ITEM"]


def test_a_variant_becomes_a_bundle_and_no_bundle_is_a_component(shop: Shopper) -> None:
    kit = shop.merchant.shop.state.variant_of_sku("KIT-TRAIL-SET")
    native = shop.merchant.shop.state.variant_of_sku("KIT-CAMP-DUO")
    assert kit is not None
    assert native is not None

    def relate(parent: Any, child: Any, quantity: int) -> dict[str, Any]:
        rows = [{"id": child.gid, "quantity": quantity}]
        wanted = [{"parentProductVariantId": parent.gid, "productVariantRelationshipsToCreate": rows}]
        made: dict[str, Any] = shop(RELATE, input=wanted)["productVariantRelationshipBulkUpdate"]
        return made

    assert relate(kit, shop.variant(), 3)["parentProductVariants"] == [{"id": kit.gid, "requiresComponents": True}]
    assert kit.available() == shop.variant().available() // 3
    assert codes(relate(kit, shop.variant(), 3)) == ["DUPLICATE_PRODUCT_VARIANT_RELATIONSHIP"]
    assert codes(relate(kit, native, 1)) == ["NESTED_PARENT_PRODUCT_VARIANT"]
    assert codes(relate(kit, shop.variant(1), 0)) == ["INVALID_QUANTITY"]
    assert codes(relate(shop.variant(), shop.variant(1), 1)) == ["NESTED_PARENT_PRODUCT_VARIANT"]
    assert codes(relate(native, native, 1))[0] == "CIRCULAR_REFERENCE"


def test_only_the_quantities_that_are_kept_can_be_asked_for(shop: Shopper) -> None:
    asked = """{ inventoryItems(first: 1) {
      nodes { inventoryLevels(first: 1) { nodes { quantities(names: ["incoming"]) { quantity } } } }
    } }"""

    assert shop.post(asked).json()["errors"][0]["extensions"]["code"] == "SANDBOX_UNSUPPORTED"
