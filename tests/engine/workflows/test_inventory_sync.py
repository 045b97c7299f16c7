"""inventorySync and inventoryBundlesSync: what the shop is told of the ERP's stock, to the unit."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from engine.kit import clock
from engine.kit.outbox import OutboxRow
from engine.sync.canonical import OURS
from engine.sync.models import System
from engine.sync.sandbox import emitting
from engine.sync.sandbox.presets import read_goods
from engine.workflows import inventory_bundles_sync, inventory_sync, lineage, ours, starting
from engine.workflows import shopify_to_netsuite as w1
from engine.workflows.inventory_bundles_sync import buildable, recipe
from engine.workflows.inventory_sync import StockSlot
from engine.workflows.rehearsal import Death, When
from engine.workflows.settings import PipelineSettings
from engine.workflows.shopify_to_netsuite import TakeOrder
from tests.contracts.connectors.calls_shopify import BUNDLE, KIT, STOVE, TENT, basket, variant
from tests.engine.orders.desk import buy
from tests.engine.workflows.pipeline_scene import Pipeline
from tests.shop import Shop

W1 = w1.WORKFLOW
STOCK, BUNDLES = inventory_sync.WORKFLOW, inventory_bundles_sync.WORKFLOW
CODES = tuple(row["code"] for row in read_goods().locations)
SLOT = StockSlot(slot="2026-11-26T08:00:00+00:00")


def erp(pipeline: Pipeline, sku: str, code: str) -> int:
    item = next(one for one in pipeline.records("inventoryItem") if one.fields["itemId"] == sku)
    return int(pipeline.merchant.account.balances[item.id, int(pipeline.erp_place(code))].available)


def told(pipeline: Pipeline, sku: str, code: str) -> int:
    return variant(pipeline.merchant, sku).levels[int(pipeline.shop_place(code))].available


def members(pipeline: Pipeline) -> list[dict[str, Any]]:
    return next(one for one in pipeline.records("kitItem") if one.fields["itemId"] == KIT).sublists["member"]


def sets(pipeline: Pipeline) -> int:
    return sum(one.operation == "inventorySetQuantities" for one in pipeline.requests("shopify"))


def test_what_the_erp_has_is_told_to_the_unit(pipeline: Pipeline) -> None:
    emitting.count_stock(pipeline.world, pipeline.merchant, sku=TENT, location="RNO", by=7)
    emitting.sell_over_counter(pipeline.world, pipeline.merchant, sku=STOVE, quantity=1)

    run = pipeline.play(STOCK, SLOT)

    assert run.row().status == "done"
    assert (run.result["changes"], run.result["pushed"], run.result["deferred"]) == (2, 2, [])
    codes = ["RNO", "CMH"]
    assert [told(pipeline, sku, code) for sku in (TENT, STOVE) for code in codes] == [
        erp(pipeline, sku, code) for sku in (TENT, STOVE) for code in codes
    ]
    assert sets(pipeline) == 1


def test_where_all_is_equal_nothing_is_told(pipeline: Pipeline) -> None:
    run = pipeline.play(STOCK, SLOT)
    assert (run.result["changes"], run.result["pushed"], sets(pipeline)) == (0, 0, 0)
    assert run.result["compared"] > 100


def test_safety_stock_is_kept_back_where_most_is(pipeline: Pipeline) -> None:
    before = {code: erp(pipeline, TENT, code) for code in CODES}
    settings = pipeline.settings.model_copy(update={"safety_stock_of": {TENT: 2}})
    pipeline.play(STOCK, SLOT, settings=settings)
    most = max(before, key=lambda code: before[code])
    assert {code: told(pipeline, TENT, code) for code in before} == before | {most: before[most] - 2}


def test_a_fall_of_everything_tells_nobody_and_asks_a_person(pipeline: Pipeline) -> None:
    for balance in pipeline.merchant.account.balances.values():
        balance.on_hand = balance.on_hand // 3
    before = told(pipeline, TENT, "RNO")

    run = pipeline.play(STOCK, SLOT)

    assert (run.row().status, sets(pipeline), told(pipeline, TENT, "RNO")) == ("failed", 0, before)
    [row] = pipeline.exceptions()
    assert (row.workflow, row.fields[0]["path"]) == ("inventorySync", "confirmed")
    again = pipeline.play(STOCK, StockSlot(slot=SLOT.slot, confirmed=True))
    assert (again.row().status, told(pipeline, TENT, "RNO")) == ("done", erp(pipeline, TENT, "RNO"))


@pytest.mark.parametrize("workflow", [STOCK, BUNDLES])
def test_an_empty_erp_is_wrong(pipeline: Pipeline, workflow: object) -> None:
    pipeline.merchant.account.balances.clear()
    run = pipeline.play(workflow, SLOT)  # type: ignore[arg-type]
    assert (run.row().status, sets(pipeline)) == ("failed", 0)
    assert pipeline.exceptions()[0].fields[0]["message"] == "empty"


def test_several_places_want_settings(pipeline: Pipeline) -> None:
    run = pipeline.play(STOCK, SLOT, settings=pipeline.settings.model_copy(update={"locations": ()}))
    assert (run.row().status, pipeline.exceptions()[0].fields[0]["path"]) == ("failed", "settings.locations")


def test_a_place_of_the_shop_may_be_named_by_its_global_id(pipeline: Pipeline) -> None:
    emitting.count_stock(pipeline.world, pipeline.merchant, sku=TENT, location="RNO", by=7)
    named = [
        one.model_copy(update={"storefront": f"gid://shopify/Location/{one.storefront}"}) for one in pipeline.places()
    ]
    assert pipeline.play(STOCK, SLOT, settings=PipelineSettings(locations=tuple(named))).result["pushed"] == 1
    assert told(pipeline, TENT, "RNO") == erp(pipeline, TENT, "RNO")


def test_places_that_the_shop_does_not_know_want_settings(pipeline: Pipeline) -> None:
    named = [one.model_copy(update={"storefront": f"9{one.storefront}"}) for one in pipeline.places()]
    emitting.count_stock(pipeline.world, pipeline.merchant, sku=TENT, location="RNO", by=7)
    before = told(pipeline, TENT, "RNO")
    for workflow in (STOCK, BUNDLES):
        row = pipeline.play(workflow, SLOT, settings=PipelineSettings(locations=tuple(named))).row()
        assert (row.status, row.error_code) == ("failed", "vendor_rejected")
    assert [row.fields[0]["path"] for row in pipeline.exceptions()] == ["settings.locations"] * 2
    assert (told(pipeline, TENT, "RNO"), sets(pipeline)) == (before, 0)


@pytest.mark.parametrize("times", [1, 2])
def test_a_number_that_moved_meanwhile_is_read_again_once_and_then_left(pipeline: Pipeline, times: int) -> None:
    emitting.count_stock(pipeline.world, pipeline.merchant, sku=TENT, location="RNO", by=7)
    place, before = int(pipeline.shop_place("RNO")), told(pipeline, TENT, "RNO")
    left = [times]
    line = pipeline.wiring().transport
    assert line is not None
    inner = line.handle_request

    def meddle(request):  # type: ignore[no-untyped-def]
        if b"SetStock" in request.content and left[0]:
            left[0] -= 1
            variant(pipeline.merchant, TENT).levels[place].available -= 1
        return inner(request)

    line.handle_request = meddle  # type: ignore[method-assign]
    run = pipeline.play(STOCK, SLOT, transport=line)

    assert run.row().status == "done"
    if times == 1:
        # what the shop sold as it was told is off: the ERP's figure was of before
        assert (run.result["deferred"], told(pipeline, TENT, "RNO")) == ([], erp(pipeline, TENT, "RNO") - 1)
    else:
        assert (run.result["deferred"], told(pipeline, TENT, "RNO")) == ([TENT], before - 2)


@pytest.mark.parametrize("when", list(When))
@pytest.mark.parametrize("step", ["compare", "push"])
def test_whenever_it_dies_it_ends_equal(pipeline: Pipeline, when: When, step: str) -> None:
    emitting.count_stock(pipeline.world, pipeline.merchant, sku=TENT, location="RNO", by=7)
    run = pipeline.play(STOCK, SLOT, deaths=[Death(when, step)])
    assert (run.row().status, told(pipeline, TENT, "RNO")) == ("done", erp(pipeline, TENT, "RNO"))


@pytest.mark.parametrize("kind", ["timeout_after_commit", "timeout_before_commit", "http_500", "throttled_points"])
def test_accidents_of_the_line_end_equal(pipeline: Pipeline, kind: str) -> None:
    emitting.count_stock(pipeline.world, pipeline.merchant, sku=TENT, location="RNO", by=7)
    pipeline.put("shopify", kind, match={"operation": "inventorySetQuantities"})
    run = pipeline.play(STOCK, SLOT)
    assert (run.row().status, told(pipeline, TENT, "RNO")) == ("done", erp(pipeline, TENT, "RNO"))


def test_a_bundle_is_what_can_be_put_together(pipeline: Pipeline) -> None:
    run = pipeline.play(BUNDLES, SLOT)

    by_id = {one.id: one.fields["itemId"] for one in pipeline.records("inventoryItem")}
    parts = {by_id[int(row["item"]["id"])]: int(row["quantity"]) for row in members(pipeline)}
    for code in CODES:
        wanted = min(erp(pipeline, sku, code) // needed for sku, needed in parts.items())
        assert told(pipeline, KIT, code) == wanted
    assert (run.result["bundles"] > 0, run.result["lacking"], pipeline.exceptions()) == (True, [], [])
    assert BUNDLE not in {level.sku for level in pipeline.access().storefront().stock([KIT])}
    assert pipeline.play(STOCK, SLOT).result["changes"] == 0  # the other one lets it be


def test_a_part_that_nobody_counts_makes_none_and_is_told(pipeline: Pipeline) -> None:
    pipeline.play(BUNDLES, SLOT)
    lost = int(members(pipeline)[0]["item"]["id"])
    balances = pipeline.merchant.account.balances
    for key in [key for key in balances if key[0] == lost]:
        del balances[key]

    run = pipeline.play(BUNDLES, StockSlot(slot="2026-11-26T08:15:00+00:00"))

    assert (run.row().status, told(pipeline, KIT, "RNO")) == ("done", 0)
    [row] = pipeline.exceptions()
    assert row.fields[0]["path"].startswith(f"{KIT}.")


def test_how_many_can_be_put_together() -> None:
    assert buildable({"A": 1, "B": 3}, {"A": 10, "B": 8}) == 2
    assert buildable({"A": 1, "B": 3}, {"A": 10}) == 0
    kits = {"SET": [("PAIR", 2), ("C", 1)], "PAIR": [("A", 1), ("B", 3)], "LOOP": [("LOOP", 1)]}
    assert recipe("SET", kits) == {"A": 2, "B": 6, "C": 1}
    with pytest.raises(Exception, match="without end"):
        recipe("LOOP", kits)


def test_each_slot_has_one_run(pipeline: Pipeline) -> None:
    from datetime import UTC, datetime

    at = datetime(2026, 11, 26, 8, 15, tzinfo=UTC)
    assert STOCK.poll is not None
    assert [one.slot for one in STOCK.poll(pipeline.poll(slot=at))] == ["2026-11-26T08:15:00+00:00"]
    assert (STOCK.every_seconds, STOCK.offset_seconds, BUNDLES.every_seconds, BUNDLES.offset_seconds) == (
        900,
        0,
        900,
        10,
    )


def in_all(pipeline: Pipeline, count: Any) -> int:
    return sum(count(pipeline, TENT, code) for code in CODES)


def ours_sold(pipeline: Pipeline, shop: Shop) -> Any:
    """Two tents of our own shop, paid."""
    shop.add(TENT, price=24_900, stock={"EAST": 10})
    desk = buy(shop, TENT, 2)
    return ours.storefront(pipeline.runtime, pipeline.tenant.id).order(desk.order_id)


def acknowledge(pipeline: Pipeline, order: Any) -> None:
    with pipeline.uow() as session:
        account = pipeline.merchant.credentials.netsuite_account
        lineage.keep_sales_order(session, pipeline.tenant.id, order, account, "9001", version="1")


def test_what_we_sold_is_kept_back_until_the_erp_has_it(pipeline: Pipeline, shop: Shop) -> None:
    order = ours_sold(pipeline, shop)
    pipeline.play(STOCK, SLOT)
    assert in_all(pipeline, told) == in_all(pipeline, erp) - 2

    acknowledge(pipeline, order)
    pipeline.hands.move(timedelta(minutes=15))
    pipeline.play(STOCK, StockSlot(slot="2026-11-26T08:15:00+00:00"))
    assert in_all(pipeline, told) == in_all(pipeline, erp)


def test_what_the_erp_takes_while_its_stock_is_read_is_kept_back_once_more(pipeline: Pipeline, shop: Shop) -> None:
    order = ours_sold(pipeline, shop)
    line = pipeline.wiring().transport
    assert line is not None
    inner = line.handle_request

    def meanwhile(request):  # type: ignore[no-untyped-def]
        answer = inner(request)
        if b"inventorybalance" in request.content:
            acknowledge(pipeline, order)  # its figures are of before
        return answer

    line.handle_request = meanwhile  # type: ignore[method-assign]
    pipeline.play(STOCK, SLOT, transport=line)
    assert in_all(pipeline, told) == in_all(pipeline, erp) - 2


def change_of(order: Any) -> TakeOrder:
    ref = order.source_ref
    return TakeOrder(connection_id=OURS, account=order.account, source_id=order.source_id, source_ref=ref, change="v2")


def test_what_is_being_changed_in_the_erp_is_kept_back(pipeline: Pipeline, shop: Shop) -> None:
    order = ours_sold(pipeline, shop)
    acknowledge(pipeline, order)
    pipeline.hands.move(timedelta(minutes=15))
    with pipeline.uow() as session:
        session.execute(update(OutboxRow).where(OutboxRow.consumer == "pipeline").values(delivered_at=clock.now()))
        run_id, _ = starting.begin(session, pipeline.tenant.id, W1.name, change_of(order), trigger="test")
    pipeline.play(STOCK, SLOT)
    assert in_all(pipeline, told) == in_all(pipeline, erp) - 2

    with pipeline.uow() as session:
        starting.cancel(session, pipeline.tenant.id, run_id, actor="test", reason="over")
    pipeline.hands.move(timedelta(minutes=15))
    pipeline.play(STOCK, StockSlot(slot="2026-11-26T08:15:00+00:00"))
    assert in_all(pipeline, told) == in_all(pipeline, erp)


def test_what_the_platform_sold_is_not_told_back_before_the_erp_has_it(pipeline: Pipeline) -> None:
    tent = variant(pipeline.merchant, TENT)
    lines = [{"variantId": tent.gid, "quantity": 2, "requiresShipping": True}]
    order = emitting.place_order(pipeline.world, pipeline.merchant, basket(pipeline.merchant, lineItems=lines))
    sold, had = in_all(pipeline, told), in_all(pipeline, erp)
    assert sold == had - 2
    access, connection_id = pipeline.access(), pipeline.connections[System.SHOPIFY]
    payload = w1.payload_of(access, connection_id, access.storefront(connection_id).order(str(order.id)))
    with pipeline.uow() as session:
        starting.begin(session, pipeline.tenant.id, W1.name, payload, trigger="test")

    pipeline.play(STOCK, SLOT)
    assert in_all(pipeline, told) == sold

    pipeline.play(W1, payload)
    pipeline.hands.move(timedelta(minutes=15))
    pipeline.play(STOCK, StockSlot(slot="2026-11-26T08:15:00+00:00"))
    assert (in_all(pipeline, told), in_all(pipeline, erp)) == (sold, had - 2)
