"""The driver's way to stock says the same as the services'."""

from __future__ import annotations

import pytest

from engine.inventory import direct
from engine.inventory import service as inventory
from engine.inventory.items import Allocation, Part
from engine.kit import clock
from tests.engine.inventory.stocked import bundle, set_level, set_variant
from tests.shop import Shop


def test_both_ways_find_the_same_places(shop: Shop) -> None:
    shop.add("A", stock={"EAST": 5, "WEST": 3, "STORE": 9})
    shop.add("B", stock={"EAST": 1})
    shop.add("CODE", stock={})
    shop.add("SOON", stock={"EAST": 4})
    set_level(shop, "A", "WEST", safety_stock=2)
    set_variant(shop, "CODE", stock_policy="untracked")
    set_variant(shop, "SOON", stock_policy="preorder", available_on=clock.now().date().replace(year=2099))
    bundle(shop, "SET", {"A": 2, "B": 1, "CODE": 1})
    bundle(shop, "LATER", {"A": 1, "SOON": 1})
    ids = list(shop.variants.values())
    with shop.uow() as session:
        asked = {"tenant": shop.tenant.id, "variants": ids, "today": clock.now().date()}
        rows = session.connection().exec_driver_sql(direct.PLACES, asked).mappings().all()
        found: dict[str, list[inventory.Place]] = {variant_id: [] for variant_id in ids}
        for row in rows:
            if row["available"]:
                found[row["variant_id"]].append(direct.place(row))
        assert found == inventory.shippable(session, shop.tenant.id, ids)
    assert [place.available for place in found[shop.variants["A"]]] == [5, 1]
    assert [place.available for place in found[shop.variants["SET"]]] == [1]
    assert found[shop.variants["LATER"]] == []


def test_what_is_taken_is_counted_once_for_each_level() -> None:
    kit = (Part("var_a", 2), Part("var_b", 1, tracked=False))
    allocations = [Allocation("var_kit", "loc_1", 3, kit), Allocation("var_a", "loc_1", 1, (Part("var_a"),))]
    plan = direct.plan(allocations, {"var_kit": "oli_1", "var_a": "oli_2"})
    assert plan.takes == [{"variant_id": "var_a", "location_id": "loc_1", "quantity": 7}]
    assert [(row["order_line_id"], row["variant_id"], row["quantity"]) for row in plan.reservations] == [
        ("oli_1", "var_a", 6),
        ("oli_1", "var_b", 3),
        ("oli_2", "var_a", 1),
    ]
    with pytest.raises(ValueError, match="not routed"):
        direct.plan([Allocation("var_a", "loc_1", 1)], {"var_a": "oli_1"})
