"""Many at once on one order: one wins, everybody else is told so, and the books agree."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from engine.kit.errors import DomainError
from engine.orders.changes.schemas import ChangeView
from tests.engine.orders.desk import Desk, broken, buy, changes, held, sibling, stock
from tests.shop import Shop

THREADS = 20
CLEAR = {"change_outdated", "change_ended", "order_busy", "wrong_status", "count_mismatch"}


def test_twenty_cancels_and_swaps_of_one_order(shop: Shop) -> None:
    shop.add("A", price=5000)
    sibling(shop, "A", "A2", price=6000, units=50)
    sibling(shop, "A", "A3", price=4000, units=50)
    desk = buy(shop, "A", 2)
    paid = desk.look().total.amount
    asked = [_ask(desk, number) for number in range(THREADS)]
    with ThreadPoolExecutor(THREADS) as pool:
        ends = list(pool.map(lambda change: _agree(desk, change), asked))
    counted = Counter(ends)
    assert counted["applied"] == 1
    assert set(counted) <= {"applied", *CLEAR}
    won = asked[ends.index("applied")]
    assert changes(shop).count("applied") == 1
    assert held(shop) == paid + won.difference.amount
    assert desk.look().due is not None
    assert sum(stock(shop, sku)[1] for sku in ("A", "A2", "A3")) == (0 if won.kind == "cancel" else 2)
    assert broken(shop) == []


def test_the_same_yes_twenty_times_is_one(shop: Shop) -> None:
    shop.add("A", price=5000)
    sibling(shop, "A", "A2", price=6000)
    desk = buy(shop, "A", 2)
    paid = desk.look().total.amount
    change = _ask(desk, 1)
    with ThreadPoolExecutor(THREADS) as pool:
        ends = set(pool.map(lambda _: _agree(desk, change), range(THREADS)))
    assert ends <= {"applied", "charging"}
    assert held(shop) == paid + change.charge.amount == paid + 2200
    assert broken(shop) == []


def _ask(desk: Desk, number: int) -> ChangeView:
    if number % 3 == 0:
        return desk.ask("cancel", reason="other")
    to = "A2" if number % 3 == 1 else "A3"
    variants = desk.shop.variants
    return desk.ask("items", swaps=[{"variant_id": variants["A"], "to_variant_id": variants[to], "quantity": 2}])


def _agree(desk: Desk, change: ChangeView) -> str:
    try:
        return desk.agree(change).status
    except DomainError as refused:
        return refused.code
