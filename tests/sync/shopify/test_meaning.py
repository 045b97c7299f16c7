"""What a shop's answers mean."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from engine.kit import clock
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.sync.connectors.shopify.connector import ShopifyStorefront
from engine.sync.connectors.shopify.dialect import ShopifyDialect
from engine.sync.errors import AuthExpired, Conflict, RateLimited, Rejected, SyncError, Transient, UnknownOutcome
from engine.sync.models import Call, Connection, Limit, System
from engine.sync.port import StockChange
from engine.sync.sandbox import emitting
from engine.sync.sandbox.merchants import Merchant
from engine.sync.trying import try_out
from engine.sync.wire import Outgoing, Reply
from tests.contracts.connectors.bench import line_to
from tests.contracts.connectors.calls_shopify import TENT, basket, variant


def meaning(data: Any, *, reads: bool = False, key: str = "") -> SyncError | None:
    request = Outgoing("POST", "/", {}, None, b"", {}, reads=reads, repeatable=reads or bool(key), idempotency_key=key)
    return ShopifyDialect(Connection(system=System.SHOPIFY)).refused(request, Reply.of(data))


def mistake(code: str | None, message: str = "No.") -> dict[str, Any]:
    return {"code": code, "field": ["input", "quantities", "0"], "message": message}


def of(*errors: dict[str, Any], root: str = "inventorySetQuantities") -> dict[str, Any]:
    return {"data": {root: {"userErrors": list(errors)}}}


def top(code: str) -> dict[str, Any]:
    return {"errors": [{"message": "Words.", "extensions": {"code": code}, "path": ["order"]}], "data": None}


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (of(mistake("CHANGE_FROM_QUANTITY_STALE")), Conflict),
        (of(mistake("IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED")), Conflict),
        (of(mistake("IDEMPOTENCY_CONCURRENT_REQUEST")), RateLimited),
        (of(mistake("IDEMPOTENCY_KEY_PARAMETER_MISMATCH")), Rejected),
        (of(mistake("CHANGE_FROM_QUANTITY_STALE"), mistake("INVALID_LOCATION")), Rejected),
        (of(mistake(None), root="tagsAdd"), Rejected),
        ({"data": {"orderCancel": {"userErrors": [], "orderCancelUserErrors": [mistake("INVALID")]}}}, Rejected),
        (top("undefinedField"), Rejected),
        (top("MAX_COST_EXCEEDED"), Rejected),
        (top("ACCESS_DENIED"), Rejected),
        (top("INTERNAL_SERVER_ERROR"), UnknownOutcome),
        (top("SHOP_INACTIVE"), AuthExpired),
        ({"errors": "Not Found"}, Rejected),
    ],
)
def test_a_no_in_a_good_answer_is_a_no(data: Any, kind: type[SyncError]) -> None:
    assert type(meaning(data)) is kind


def test_yes_is_yes() -> None:
    assert meaning(of()) is None
    assert meaning({"data": {"order": None}}) is None
    assert meaning({}) is None


def test_trouble_with_what_may_be_repeated_is_no_riddle() -> None:
    assert type(meaning(top("INTERNAL_SERVER_ERROR"), reads=True)) is Transient
    assert type(meaning(top("INTERNAL_SERVER_ERROR"), key="k")) is Transient


def test_the_fields_of_a_refusal_are_named() -> None:
    error = meaning(of(mistake("INVALID_LOCATION", "Nowhere.")))
    assert isinstance(error, Rejected)
    assert [(one.path, one.message) for one in error.fields] == [("input.quantities.0", "Nowhere.")]


def test_too_few_points_are_waited_for_as_the_bucket_fills() -> None:
    status = {"maximumAvailable": 2000.0, "currentlyAvailable": 100, "restoreRate": 100.0}
    cost = {"requestedQueryCost": 920, "actualQueryCost": None, "throttleStatus": status}
    error = meaning(top("THROTTLED") | {"extensions": {"cost": cost}}, reads=True)
    assert isinstance(error, RateLimited)
    assert error.retry_after == 8.2


def test_the_bucket_is_corrected_by_what_the_shop_says(
    shop: ShopifyStorefront, runtime: Runtime, tenant: Tenant, merchant: Merchant, connection_id: str
) -> None:
    merchant.shop.bucket.take(1_500, merchant.shop.ground.pace())

    assert shop.currency() == "USD"

    with runtime.unit_of_work(tenant.id) as session:
        limit = session.get_one(Limit, (tenant.id, connection_id))
        assert limit.level_micro // 1_000_000 == int(merchant.shop.bucket.available(merchant.shop.ground.pace()))
        [call] = session.query(Call).filter(Call.connection_id == connection_id)
        assert (call.reads, call.outcome) == (True, "")


def test_a_throttled_shop_is_left_alone(shop: ShopifyStorefront, put: Callable[..., Any]) -> None:
    put("throttled_points", params={"cost": 500})
    with pytest.raises(RateLimited):
        shop.currency()


def test_a_list_waits_for_a_throttled_shop_and_not_for_ever(shop: ShopifyStorefront, put: Callable[..., Any]) -> None:
    before = clock.now()
    once = put("throttled_points", params={"cost": 500})
    shop.native_bundles()
    assert once.struck == 1
    assert clock.now() - before >= timedelta(seconds=1)
    always = put("throttled_points", times=99, params={"cost": 500})
    with pytest.raises(RateLimited):
        shop.native_bundles()
    assert always.struck == 61


def test_a_stale_expectation_is_a_conflict_and_sets_nothing(shop: ShopifyStorefront, merchant: Merchant) -> None:
    item = variant(merchant, TENT)
    [(place, level)] = [*item.levels.items()][:1]
    before = level.available
    with pytest.raises(Conflict):
        shop.set_stock([StockChange(str(item.item_id), str(place), 3, before + 1)], key="k-1")
    assert level.available == before
    shop.set_stock([StockChange(str(item.item_id), str(place), 3, None)], key="k-2")
    assert level.available == 3


def test_an_answer_that_breaks_the_schema_is_refused_by_field(
    shop: ShopifyStorefront, merchant: Merchant, world: Any, put: Callable[..., Any]
) -> None:
    order = emitting.place_order(world, merchant, basket(merchant))
    put("schema_drift", params={"op": "null", "path": "data.order.processedAt"})
    with pytest.raises(Rejected) as drift:
        shop.order(str(order.id))
    assert [one.path for one in drift.value.fields] == ["processedAt"]
    put("schema_drift", params={"op": "null", "path": "data.order.currentTotalPriceSet.shopMoney"})
    with pytest.raises(Rejected):
        shop.order(str(order.id))


def test_a_connection_is_tested_by_asking_for_the_shop(
    runtime: Runtime, tenant: Tenant, world: Any, connection_id: str, put: Callable[..., Any]
) -> None:
    assert try_out(runtime, tenant.id, connection_id, actor="key_test", transport=line_to(world)).ok
    put("auth_expired")
    assert try_out(runtime, tenant.id, connection_id, actor="key_test", transport=line_to(world)).code == "auth_expired"
