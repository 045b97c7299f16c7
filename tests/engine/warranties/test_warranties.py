"""Every unit that arrives has a warranty, every unit that goes loses it."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from engine.kit import clock
from engine.orders.models import Order
from engine.warranties.registering import add_months, register
from tests.engine.orders.desk import Desk, broken, buy, sibling
from tests.engine.returns.coming import deliver, inspect, receive, returned, send_back, the_return
from tests.engine.warranties.fault import REPLACEMENT, delivered, grant, hear, look, product, rule, states, warranties
from tests.shop import Shop


@pytest.mark.parametrize(
    ("day", "months", "end"),
    [
        (date(2026, 1, 10), 12, date(2027, 1, 10)),
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2027, 11, 30), 3, date(2028, 2, 29)),
        (date(2026, 12, 15), 0, date(2026, 12, 15)),
        (date(2026, 12, 15), 24, date(2028, 12, 15)),
    ],
)
def test_a_term_ends_on_the_same_day_of_a_later_month(day: date, months: int, end: date) -> None:
    assert add_months(day, months) == end


def test_each_unit_has_its_own_from_the_day_it_arrived(shop: Shop) -> None:
    desk = delivered(shop, 2, days_ago=3)
    today = clock.now().date()
    start = today - timedelta(days=3)
    assert [(one.unit, one.starts_on, one.ends_on, one.status) for one in warranties(desk)] == [
        (1, start, add_months(start, 12), "active"),
        (2, start, add_months(start, 12), "active"),
    ]
    with shop.uow() as session:
        assert register(session, shop.tenant.id, desk.order_id) == []
    assert states(desk) == ["active", "active"]
    assert broken(shop) == []


def test_without_a_term_there_is_no_warranty_and_a_category_may_have_more(shop: Shop) -> None:
    shop.add("A")
    product(shop, warranty_months=0, category="lamps")
    desk = buy(shop, "A")
    deliver(desk)
    hear(desk)
    assert warranties(desk) == []
    rule(shop, extra_months_by_category={"lamps": 6})
    again = buy(shop, "A")
    deliver(again)
    hear(again)
    (one,) = warranties(again)
    assert (one.order_id, one.ends_on) == (again.order_id, add_months(one.starts_on, 6))
    rule(shop, excluded_skus=("A",))
    third = buy(shop, "A")
    deliver(third)
    hear(third)
    assert len(warranties(third)) == 1


def test_the_warranty_of_a_unit_that_came_back_ends(shop: Shop) -> None:
    desk = delivered(shop, 2)
    send_back(desk, ("A", 1))
    receive(desk, the_return(desk))
    inspect(desk, the_return(desk))
    hear(desk)
    assert sorted(states(desk)) == ["active", "returned"]
    assert broken(shop) == []


@pytest.mark.parametrize(("term", "same"), [("anew", False), ("rest", True)])
def test_what_comes_in_exchange_has_one_anew_or_the_rest(shop: Shop, term: str, same: bool) -> None:
    desk = delivered(shop, days_ago=10)
    rule(shop, exchange_term=term)
    sibling(shop, "A", "B", price=5000)
    send_back(desk, {"sku": "A", "quantity": 1, "exchange": "B"})
    receive(desk, the_return(desk))
    inspect(desk, the_return(desk))
    deliver(desk)
    hear(desk)
    old, new = sorted(warranties(desk), key=lambda one: one.starts_on)
    assert (str(old.status), str(new.status), new.sku, new.follows_id) == ("returned", "active", "B", old.id)
    assert (new.ends_on == old.ends_on) is same
    assert broken(shop) == []


def test_of_several_that_come_in_exchange_each_has_the_rest_of_one(shop: Shop) -> None:
    desk = delivered(shop, 3, days_ago=10)
    rule(shop, exchange_term="rest")
    sibling(shop, "A", "B", price=5000)
    send_back(desk, {"sku": "A", "quantity": 3, "exchange": "B"})
    receive(desk, the_return(desk))
    inspect(desk, the_return(desk))
    deliver(desk)
    hear(desk)
    rows = warranties(desk)
    old, new = [one for one in rows if one.sku == "A"], [one for one in rows if one.sku == "B"]
    assert ({one.follows_id for one in new}, len(new)) == ({one.id for one in old}, 3)
    assert {one.ends_on for one in new} == {one.ends_on for one in old}
    assert broken(shop) == []


def test_a_replacement_goes_on_with_the_rest_of_the_term(shop: Shop) -> None:
    desk = delivered(shop, days_ago=200)
    done = grant(desk, REPLACEMENT)
    assert done.replacement_order_id is not None
    again = Desk(shop, desk.buyer, done.replacement_order_id)
    deliver(again)
    hear(again)
    old, new = warranties(desk)
    assert (str(old.status), str(new.status)) == ("replaced", "active")
    assert (new.follows_id, new.root_id, new.ends_on) == (old.id, old.id, old.ends_on)
    assert str(look(desk, done.id).status) == "closed"
    with shop.uow() as session:
        assert session.get_one(Order, (shop.tenant.id, again.order_id)).origin == {
            "kind": "warranty", "order_id": desk.order_id, "claim_id": done.id,
        }  # fmt: skip
    assert returned(desk) == {"A": 0}
    assert broken(shop) == []


def test_the_rest_is_never_shorter_than_the_shop_says(shop: Shop) -> None:
    desk = delivered(shop, days_ago=350)
    done = grant(desk, REPLACEMENT)
    assert done.replacement_order_id is not None
    deliver(Desk(shop, desk.buyer, done.replacement_order_id))
    hear(desk)
    new = warranties(desk)[1]
    assert new.ends_on == new.starts_on + timedelta(days=90)
