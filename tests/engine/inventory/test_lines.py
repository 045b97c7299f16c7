"""Stock of order lines: take, give back, send, re-route, put back; items and bundles alike."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from engine.inventory import service as inventory
from engine.inventory.errors import NotReserved, OutOfStock
from engine.inventory.models import Reservation, StockLevel
from engine.kit.ids import new_id
from tests.engine.inventory.stocked import (
    assert_stock_adds_up,
    bundle,
    levels,
    line_of,
    sellable,
    set_level,
    set_variant,
)
from tests.shop import Shop


def reservations(shop: Shop, line_id: str) -> list[tuple[str, str, int]]:
    names = {value: key for key, value in (shop.variants | shop.locations).items()}
    with shop.uow() as session:
        rows = session.scalars(select(Reservation).where(Reservation.order_line_id == line_id))
        return sorted((names[r.variant_id], r.status, r.quantity) for r in rows)


def test_a_line_is_held_sent_and_the_rest_given_back(shop: Shop) -> None:
    shop.add("A", stock={"EAST": 3, "WEST": 5})
    _, line = line_of(shop, "A", 4, region="OH")
    assert levels(shop, "A") == {"EAST": (3, 0), "WEST": (5, 4)}
    where = shop.locations["WEST"]
    with shop.uow() as session:
        inventory.ship_line(
            session, shop.tenant.id, order_line_id=line, location_id=where, quantity=3, shipment_id="shi_1"
        )
    assert levels(shop, "A") == {"EAST": (3, 0), "WEST": (2, 1)}
    with shop.uow() as session:
        freed = inventory.free_line(session, shop.tenant.id, order_line_id=line, quantity=1, subject="chg_1")
    assert freed == 1
    assert levels(shop, "A") == {"EAST": (3, 0), "WEST": (2, 0)}
    assert reservations(shop, line) == [("A", "released", 1), ("A", "shipped", 3)]
    assert_stock_adds_up(shop)


def test_more_than_is_reserved_is_neither_sent_nor_given_back(shop: Shop) -> None:
    shop.add("A", stock={"EAST": 3})
    _, line = line_of(shop, "A", 2)
    where = shop.locations["EAST"]
    with pytest.raises(NotReserved), shop.uow() as session:
        inventory.ship_line(
            session, shop.tenant.id, order_line_id=line, location_id=where, quantity=3, shipment_id="shi_1"
        )
    with pytest.raises(NotReserved), shop.uow() as session:
        inventory.free_line(session, shop.tenant.id, order_line_id=line, quantity=3, subject="chg_1")
    with pytest.raises(NotReserved), shop.uow() as session:
        inventory.free_line(session, shop.tenant.id, order_line_id=line, quantity=1, subject="chg_1", keep={where: 2})
    assert levels(shop, "A") == {"EAST": (3, 2)}
    assert reservations(shop, line) == [("A", "committed", 2)]
    assert_stock_adds_up(shop)


def test_a_line_moves_to_another_place_if_there_is_enough(shop: Shop) -> None:
    shop.add("A", stock={"EAST": 3, "WEST": 2})
    _, line = line_of(shop, "A", 3)
    places = {"from_location_id": shop.locations["EAST"], "to_location_id": shop.locations["WEST"]}
    with pytest.raises(OutOfStock), shop.uow() as session:
        inventory.move_line(session, shop.tenant.id, order_line_id=line, quantity=3, subject="s", **places)
    assert levels(shop, "A") == {"EAST": (3, 3), "WEST": (2, 0)}
    with shop.uow() as session:
        inventory.move_line(session, shop.tenant.id, order_line_id=line, quantity=2, subject="s", **places)
    assert levels(shop, "A") == {"EAST": (3, 1), "WEST": (2, 2)}
    assert_stock_adds_up(shop)


def test_safety_stock_is_there_but_not_sold(shop: Shop) -> None:
    shop.add("A", stock={"EAST": 3, "WEST": 2})
    set_level(shop, "A", "EAST", safety_stock=2)
    set_level(shop, "A", "WEST", safety_stock=5)
    assert sellable(shop, "A") == {"EAST": 1}
    with pytest.raises(OutOfStock) as refused:
        line_of(shop, "A", 2)
    assert refused.value.available == 1
    assert levels(shop, "A") == {"EAST": (3, 0), "WEST": (2, 0)}
    line_of(shop, "A", 1)
    assert sellable(shop, "A") == {}


def test_a_bundle_is_whole_at_one_place(shop: Shop) -> None:
    shop.add("MUG", stock={"EAST": 5, "WEST": 1})
    shop.add("TEA", stock={"EAST": 2, "WEST": 9})
    bundle(shop, "SET", {"MUG": 2, "TEA": 1})
    assert sellable(shop, "SET") == {"EAST": 2}
    _, line = line_of(shop, "SET", 2)
    assert levels(shop, "MUG") == {"EAST": (5, 4), "WEST": (1, 0)}
    assert levels(shop, "TEA") == {"EAST": (2, 2), "WEST": (9, 0)}
    where = shop.locations["EAST"]
    with shop.uow() as session:
        inventory.ship_line(
            session, shop.tenant.id, order_line_id=line, location_id=where, quantity=1, shipment_id="shi_1"
        )
        inventory.free_line(session, shop.tenant.id, order_line_id=line, quantity=1, subject="chg_1")
        inventory.restock(
            session,
            shop.tenant.id,
            variant_id=shop.variants["SET"],
            location_id=where,
            quantity=1,
            subject="ret_1",
            order_line_id=line,
        )
    assert levels(shop, "MUG") == {"EAST": (5, 0), "WEST": (1, 0)}
    assert levels(shop, "TEA") == {"EAST": (2, 0), "WEST": (9, 0)}
    assert_stock_adds_up(shop)


def test_a_bundle_sold_before_it_changed_moves_as_it_was_sold(shop: Shop) -> None:
    shop.add("MUG", stock={"EAST": 5, "WEST": 5})
    shop.add("TEA", stock={"EAST": 5})
    bundle(shop, "SET", {"MUG": 2})
    order, line = line_of(shop, "SET", 1)
    with shop.uow() as session:
        from engine.inventory.models import BundleComponent

        session.execute(update(BundleComponent).values(component_variant_id=shop.variants["TEA"]))
    with shop.uow() as session:
        inventory.hold_line(
            session,
            shop.tenant.id,
            order_line_id=line,
            order_id=order,
            variant_id=shop.variants["SET"],
            quantity=1,
            region="",
        )
    assert levels(shop, "MUG")["EAST"] == (5, 4)
    assert levels(shop, "TEA") == {"EAST": (5, 0)}


def test_a_sale_of_a_bundle_and_its_part_takes_both_or_nothing(shop: Shop) -> None:
    shop.add("MUG", stock={"EAST": 3})
    bundle(shop, "SET", {"MUG": 2})
    mug, kit, place = shop.variants["MUG"], shop.variants["SET"], shop.locations["EAST"]
    lines = {mug: new_id("order_line"), kit: new_id("order_line")}
    wanted = [inventory.Allocation(kit, place, 1), inventory.Allocation(mug, place, 2)]
    with pytest.raises(OutOfStock) as refused, shop.uow() as session:
        inventory.hold(session, shop.tenant.id, "pay_1", wanted, lines)
    assert refused.value.variant_id in lines
    assert levels(shop, "MUG") == {"EAST": (3, 0)}
    with shop.uow() as session:
        inventory.hold(session, shop.tenant.id, "pay_1", [wanted[0], inventory.Allocation(mug, place, 1)], lines)
    assert levels(shop, "MUG") == {"EAST": (3, 3)}
    with shop.uow() as session:
        inventory.release(session, shop.tenant.id, "pay_1")
        inventory.release(session, shop.tenant.id, "pay_1")
    assert levels(shop, "MUG") == {"EAST": (3, 0)}
    assert_stock_adds_up(shop)


def test_an_untracked_item_is_always_there_and_nothing_is_counted(shop: Shop) -> None:
    shop.add("CODE", stock={})
    set_variant(shop, "CODE", stock_policy="untracked")
    assert sellable(shop, "CODE") == {"EAST": inventory.PLENTY, "WEST": inventory.PLENTY}
    _, line = line_of(shop, "CODE", 7, region="WA")
    with shop.uow() as session:
        inventory.ship_line(
            session,
            shop.tenant.id,
            order_line_id=line,
            location_id=shop.locations["WEST"],
            quantity=7,
            shipment_id="shi_1",
        )
    assert levels(shop, "CODE") == {}
    assert reservations(shop, line) == [("CODE", "shipped", 7)]
    assert_stock_adds_up(shop)


def test_the_database_refuses_to_promise_what_is_not_there(shop: Shop) -> None:
    shop.add("A", stock={"EAST": 1})
    with pytest.raises(IntegrityError, match="available_not_negative"), shop.uow() as session:
        session.execute(update(StockLevel).values(reserved=2))
    assert levels(shop, "A") == {"EAST": (1, 0)}
