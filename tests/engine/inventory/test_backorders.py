"""Selling before it is there: said before, first come first served, within limits."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from engine.catalog.models import Variant
from engine.inventory import inbound
from engine.inventory import service as inventory
from engine.inventory.availability import available_units
from engine.inventory.errors import OutOfStock
from engine.inventory.inbound import Coming
from engine.inventory.models import Backorder, BackorderKind
from engine.inventory.service import PromiseKind, Wanted
from engine.kit import clock
from engine.kit.ids import new_id
from tests.engine.inventory.stocked import (
    assert_stock_adds_up,
    bundle,
    levels,
    sellable,
    set_level,
    set_variant,
)
from tests.shop import Shop


def wait_for(shop: Shop, sku: str, quantity: int, *, payment_id: str | None = None) -> tuple[str, str]:
    """A backorder of a new line; returns order and line."""
    order_id, line_id = new_id("order"), new_id("order_line")
    row = Wanted(order_id, line_id, shop.variants[sku], quantity, BackorderKind.BACKORDER, None, payment_id)
    with shop.uow() as session:
        inventory.open_backorders(session, shop.tenant.id, [row])
    return order_id, line_id


def receive(shop: Shop, sku: str, code: str, units: int) -> None:
    with shop.uow() as session:
        opened = inbound.expect_purchase(
            session,
            shop.tenant.id,
            actor="key_1",
            location_id=shop.locations[code],
            lines=[Coming(shop.variants[sku], units)],
        )
        inbound.receive_inbound(
            session, shop.tenant.id, actor="key_1", inbound_id=opened.id, received={shop.variants[sku]: units}
        )


def allocate(shop: Shop, sku: str, **orders: list[str]) -> list[tuple[str, int]]:
    with shop.uow() as session:
        filled = inventory.allocate_backorders(session, shop.tenant.id, [shop.variants[sku]], **orders)
    return [(one.order_line_id, one.units) for one in filled]


def statuses(shop: Shop) -> dict[str, tuple[str, int, int]]:
    with shop.uow() as session:
        rows = session.scalars(select(Backorder).where(Backorder.tenant_id == shop.tenant.id))
        return {row.order_line_id: (row.status, row.allocated, row.canceled) for row in rows}


def promise(shop: Shop, sku: str, quantity: int) -> inventory.Promise:
    with shop.uow() as session:
        return inventory.promise(session, shop.tenant.id, shop.variants[sku], quantity)


def test_who_waits_longest_gets_what_comes_first(shop: Shop) -> None:
    shop.add("A", stock={})
    _, first = wait_for(shop, "A", 3)
    _, second = wait_for(shop, "A", 2)
    receive(shop, "A", "WEST", 4)
    with shop.uow() as session:
        assert inventory.fillable(session, shop.tenant.id) == [shop.variants["A"]]
    assert allocate(shop, "A") == [(first, 3), (second, 1)]
    assert statuses(shop) == {first: ("allocated", 3, 0), second: ("waiting", 1, 0)}
    assert levels(shop, "A") == {"WEST": (4, 4)}
    assert allocate(shop, "A") == []
    with shop.uow() as session:
        assert inventory.fillable(session, shop.tenant.id) == []
    assert_stock_adds_up(shop)


def test_only_the_orders_that_are_locked_are_served(shop: Shop) -> None:
    shop.add("A", stock={})
    older, _ = wait_for(shop, "A", 1)
    newer, line = wait_for(shop, "A", 1)
    receive(shop, "A", "WEST", 2)
    with shop.uow() as session:
        assert inventory.waiting_orders(session, shop.tenant.id, [shop.variants["A"]]) == sorted([older, newer])
    assert allocate(shop, "A", order_ids=[newer]) == [(line, 1)]


def test_safety_stock_and_places_that_do_not_ship_serve_nobody(shop: Shop) -> None:
    shop.add("A", stock={"EAST": 1})
    set_level(shop, "A", "EAST", safety_stock=1)
    _, line = wait_for(shop, "A", 2)
    receive(shop, "A", "STORE", 5)
    assert allocate(shop, "A") == []
    receive(shop, "A", "EAST", 1)
    assert allocate(shop, "A") == [(line, 1)]
    assert levels(shop, "A") == {"EAST": (2, 1), "STORE": (5, 0)}


def test_a_bundle_waits_for_all_of_its_parts(shop: Shop) -> None:
    shop.add("MUG", stock={})
    shop.add("TEA", stock={"EAST": 9})
    bundle(shop, "SET", {"MUG": 2, "TEA": 1}, stock_policy="backorder")
    _, line = wait_for(shop, "SET", 2)
    receive(shop, "MUG", "EAST", 3)
    assert allocate(shop, "MUG") == [(line, 1)]
    assert levels(shop, "MUG") == {"EAST": (3, 2)}
    assert levels(shop, "TEA") == {"EAST": (9, 1)}
    assert_stock_adds_up(shop)


def test_units_that_wait_are_given_back_before_units_that_are_there(shop: Shop) -> None:
    shop.add("A", stock={})
    _, line = wait_for(shop, "A", 3)
    receive(shop, "A", "EAST", 2)
    assert allocate(shop, "A") == [(line, 2)]
    with shop.uow() as session:
        freed = inventory.free_line(session, shop.tenant.id, order_line_id=line, quantity=2, subject="chg_1")
    assert freed == 1
    assert statuses(shop) == {line: ("allocated", 2, 1)}
    assert levels(shop, "A") == {"EAST": (2, 1)}
    assert_stock_adds_up(shop)


def test_a_payment_that_ends_settles_what_waits_for_it(shop: Shop) -> None:
    shop.add("A", stock={})
    _, paid = wait_for(shop, "A", 1, payment_id="pay_1")
    _, failed = wait_for(shop, "A", 1, payment_id="pay_2")
    receive(shop, "A", "EAST", 5)
    assert allocate(shop, "A") == []
    with shop.uow() as session:
        inventory.commit(session, shop.tenant.id, "pay_1")
        inventory.release(session, shop.tenant.id, "pay_2")
        inventory.release(session, shop.tenant.id, "pay_1")
    assert statuses(shop) == {paid: ("waiting", 0, 0), failed: ("canceled", 0, 1)}
    assert allocate(shop, "A") == [(paid, 1)]


def test_no_more_wait_than_the_item_allows(shop: Shop) -> None:
    shop.add("A", stock={"EAST": 1})
    set_variant(shop, "A", stock_policy="backorder", backorder_limit=3)
    assert promise(shop, "A", 4).kind == PromiseKind.BACKORDER
    assert promise(shop, "A", 5).kind == PromiseKind.UNAVAILABLE
    wait_for(shop, "A", 2)
    with pytest.raises(OutOfStock) as refused:
        wait_for(shop, "A", 2)
    assert refused.value.available == 1
    assert len(statuses(shop)) == 1
    assert promise(shop, "A", 2).later == 1
    assert promise(shop, "A", 3).kind == PromiseKind.UNAVAILABLE


def test_what_is_promised_follows_what_is_coming(shop: Shop) -> None:
    shop.add("A", stock={"EAST": 1})
    today = clock.now().date()
    assert promise(shop, "A", 2) == inventory.Promise(
        shop.variants["A"], 2, 1, 0, PromiseKind.UNAVAILABLE, None, promise(shop, "A", 1).places
    )
    set_variant(shop, "A", stock_policy="backorder")
    assert promise(shop, "A", 2).promised_on == today + timedelta(days=14)
    set_variant(shop, "A", lead_days=30)
    assert promise(shop, "A", 2).promised_on == today + timedelta(days=30)
    for days, units, code in ((5, 2, "WEST"), (3, 9, "STORE"), (9, 2, "EAST")):
        with shop.uow() as session:
            inbound.expect_purchase(
                session,
                shop.tenant.id,
                actor="key_1",
                location_id=shop.locations[code],
                lines=[Coming(shop.variants["A"], units)],
                expected_on=today + timedelta(days=days),
            )
    assert promise(shop, "A", 3).promised_on == today + timedelta(days=5)
    assert promise(shop, "A", 4).promised_on == today + timedelta(days=9)
    assert promise(shop, "A", 6).promised_on == today + timedelta(days=30)
    wait_for(shop, "A", 2)
    assert promise(shop, "A", 3).promised_on == today + timedelta(days=9)


def test_a_pre_order_is_not_there_before_its_day(shop: Shop) -> None:
    shop.add("A", stock={"EAST": 5})
    out_on = clock.now().date() + timedelta(days=40)
    set_variant(shop, "A", stock_policy="preorder", available_on=out_on)
    assert sellable(shop, "A") == {}
    told = promise(shop, "A", 2)
    assert (told.kind, told.available_now, told.later, told.promised_on) == ("preorder", 0, 2, out_on)
    _, line = wait_for(shop, "A", 2)
    assert allocate(shop, "A") == []
    set_variant(shop, "A", available_on=clock.now().date())
    assert allocate(shop, "A") == [(line, 2)]
    assert sellable(shop, "A") == {"EAST": 3}


def test_a_pre_order_is_there_when_its_day_has_come_to_a_process_that_asked_before(shop: Shop) -> None:
    shop.add("A", stock={"EAST": 5})
    days = timedelta(days=40)
    set_variant(shop, "A", stock_policy="preorder", available_on=clock.now().date() + days)

    def units() -> int | None:
        with shop.uow() as session:
            asked = select(available_units()).select_from(Variant).where(Variant.id == shop.variants["A"])
            return session.scalar(asked)

    with clock.stopped():
        assert units() == 0
        with clock.shifted(days - timedelta(days=1)):
            assert units() == 0
        with clock.shifted(days):
            assert units() == 5


def test_a_promise_is_said_in_words() -> None:
    def words(kind: PromiseKind, now: int, later: int) -> str:
        return inventory.Promise("var_1", now + later, now, later, kind, date(2027, 3, 4)).words("Lamp")

    assert words(PromiseKind.IN_STOCK, 2, 0) == ""
    assert words(PromiseKind.UNAVAILABLE, 2, 0) == "Only 2 of Lamp left."
    assert words(PromiseKind.UNAVAILABLE, 0, 0) == "Lamp is out of stock."
    assert words(PromiseKind.BACKORDER, 0, 3) == "Lamp is on backorder: 3 of 3 are expected to ship by March 4, 2027."
    assert words(PromiseKind.BACKORDER, 2, 1) == "Lamp is on backorder: 1 of 3 is expected to ship by March 4, 2027."
    assert words(PromiseKind.PREORDER, 0, 1) == "Lamp is a pre-order: it is expected to ship by March 4, 2027."


def test_the_cart_says_what_will_be_waited_for(shop: Shop) -> None:
    shop.add("A", stock={"EAST": 1})
    set_variant(shop, "A", stock_policy="backorder", backorder_limit=3, lead_days=0)
    buyer = shop.shopper()
    shop.fill(buyer, "A", 3)
    from engine.carts import service as carts

    with shop.uow() as session:
        cart = carts.view(session, buyer)
        today = f"{clock.now():%B} {clock.now().day}, {clock.now().year}"
        assert cart.lines[0].quantity == 3
        assert cart.notices == [f"Thing A is on backorder: 2 of 3 are expected to ship by {today}."]
        carts.set_quantity(session, buyer, shop.variants["A"], quantity=9)
        assert carts.view(session, buyer).lines[0].quantity == 1
