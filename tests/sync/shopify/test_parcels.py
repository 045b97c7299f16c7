"""Parcels at a shop: read first, told once, from wherever they left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engine.sync.canonical import Parcel, ParcelItem, Parcels
from engine.sync.connectors.shopify.connector import ShopifyStorefront
from engine.sync.errors import Rejected, UnknownOutcome
from engine.sync.sandbox import World, emitting
from engine.sync.sandbox.merchants import Merchant
from engine.sync.sandbox.shopify import fulfilling
from engine.sync.sandbox.shopify.state import Level, Location, Order
from tests.contracts.connectors.bench import START
from tests.contracts.connectors.calls_shopify import STOVE, TENT, parcels, variant


def order_of(world: World, merchant: Merchant, *wanted: tuple[str, int]) -> Order:
    lines = [{"variantId": variant(merchant, sku).gid, "quantity": n, "requiresShipping": True} for sku, n in wanted]
    return emitting.place_order(world, merchant, {"lineItems": lines})


def box(number: str, *items: tuple[str, int]) -> Parcels:
    kept = tuple(ParcelItem(sku=sku, quantity=quantity) for sku, quantity in items)
    one = Parcel(ref="C1", tracking_number=number, carrier="Pigeon Post", items=kept)
    return Parcels(source="dcl", account="2", source_id="S", order_ref="#1", parcels=(one,), shipped_at=START)


def sent(order: Order) -> list[tuple[str, int]]:
    return [(one.tracking[0]["number"], sum(line.quantity for line in one.lines)) for one in order.fulfillments]


def two_places(merchant: Merchant) -> None:
    """The stove is elsewhere than the tent."""
    state = merchant.shop.state
    home = next(iter(state.locations.values()))
    state.locations[9009] = Location(9009, "Elsewhere", {})
    variant(merchant, STOVE).levels = {home.id: Level(), 9009: Level(available=50)}


def test_two_boxes_are_two_fulfillments_and_the_second_time_none(
    shop: ShopifyStorefront, world: World, merchant: Merchant
) -> None:
    order = order_of(world, merchant, (TENT, 3))
    first = shop.ship(str(order.id), parcels("1Z1", "1Z2"))
    assert shop.ship(str(order.id), parcels("1Z1", "1Z2")) == first
    assert sent(order) == [("1Z1", 1), ("1Z2", 1)]
    assert order.fulfillments[0].tracking[0]["company"] == "UPS"
    shop.ship(str(order.id), box("1Z3", (TENT, 1)))
    assert sent(order)[-1] == ("1Z3", 1)


def test_more_than_is_open_is_refused_by_name(shop: ShopifyStorefront, world: World, merchant: Merchant) -> None:
    order = order_of(world, merchant, (TENT, 1))
    with pytest.raises(Rejected) as refused:
        shop.ship(str(order.id), box("1Z1", (TENT, 2), (STOVE, 1)))
    assert [one.path for one in refused.value.fields] == [f"items.{TENT}", f"items.{STOVE}"]
    assert sent(order) == []


def test_what_is_held_does_not_leave(shop: ShopifyStorefront, world: World, merchant: Merchant) -> None:
    order = order_of(world, merchant, (TENT, 1))
    merchant.shop.begin_act()
    held = {"id": order.fulfillment_orders[0].gid, "fulfillmentHold": {"reason": "OTHER"}}
    fulfilling.hold(merchant.shop, held)
    with pytest.raises(Rejected) as refused:
        shop.ship(str(order.id), box("1Z1", (TENT, 1)))
    assert "held" in refused.value.fields[0].message


def test_a_box_of_two_places_is_told_for_each(
    shop: ShopifyStorefront, world: World, merchant: Merchant, put: Callable[..., Any]
) -> None:
    two_places(merchant)
    order = order_of(world, merchant, (TENT, 1), (STOVE, 2))
    assert len(order.fulfillment_orders) == 2
    put("timeout_after_commit", match={"operation": "fulfillmentCreate"})
    with pytest.raises(UnknownOutcome):
        shop.ship(str(order.id), box("1Z1", (TENT, 1), (STOVE, 2)))
    assert sum(count for _, count in sent(order)) < 3

    for _ in range(2):
        assert len(shop.ship(str(order.id), box("1Z1", (TENT, 1), (STOVE, 2)))) == 2

    assert sorted(sent(order)) == [("1Z1", 1), ("1Z1", 2)]


@pytest.mark.parametrize("late", [True, False])
def test_a_request_that_came_after_all_between_the_look_and_the_next_is_no_refusal(
    shop: ShopifyStorefront, world: World, merchant: Merchant, monkeypatch: pytest.MonkeyPatch, *, late: bool
) -> None:
    order = order_of(world, merchant, (TENT, 1))
    look, parcel = shop._shipments, box("1Z1", (TENT, 1))

    def looked(source_id: str) -> Any:
        state = look(source_id)
        monkeypatch.setattr(shop, "_shipments", look)
        shop.ship(source_id, parcel if late else box("1Z9", (TENT, 1)))
        return state

    monkeypatch.setattr(shop, "_shipments", looked)
    if late:
        assert shop.ship(str(order.id), parcel) == [str(one.id) for one in order.fulfillments]
        assert sent(order) == [("1Z1", 1)]
    else:
        with pytest.raises(Rejected, match="unfulfillable"):
            shop.ship(str(order.id), parcel)
        assert sent(order) == [("1Z9", 1)]


def test_an_order_of_many_lines_is_read_to_its_end(shop: ShopifyStorefront, world: World, merchant: Merchant) -> None:
    home = next(iter(merchant.shop.state.locations))
    stocked = [one for one in merchant.shop.state.variants.values() if home in one.levels and not one.components]
    skus = [one.sku for one in stocked if one.levels[home].available > 0][:70]
    order = order_of(world, merchant, *((sku, 1) for sku in skus))
    assert len(skus) > 50
    shop.ship(str(order.id), box("1Z1", *((sku, 1) for sku in skus)))
    assert sent(order) == [("1Z1", len(skus))]
