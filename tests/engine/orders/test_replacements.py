"""Orders that make up for something: they cost nothing, are sent like any other, and their goods are an expense."""

from __future__ import annotations

import pytest

from engine.inventory.errors import OutOfStock
from engine.kit.errors import DomainError
from engine.orders import replacements
from engine.orders.replacements import ReplacementLine
from tests.engine.orders.desk import Desk, broken, buy, held, stock
from tests.engine.returns.coming import ask, deliver
from tests.shop import Shop


def make(desk: Desk, quantity: int, *, kind: str = "replacement") -> Desk:
    with desk.shop.uow() as session:
        made = replacements.create(
            session,
            desk.shop.tenant.id,
            origin={"kind": kind, "order_id": desk.order_id},
            lines=[ReplacementLine(desk.shop.variants["A"], quantity)],
            actor="key_staff",
        )
    return Desk(desk.shop, desk.buyer, made.id)


@pytest.mark.parametrize(
    ("kind", "account"), [("replacement", "replacement_expense"), ("warranty", "warranty_expense")]
)
def test_a_replacement_costs_nothing_and_is_an_expense_when_it_leaves(shop: Shop, kind: str, account: str) -> None:
    shop.add("A")
    desk = buy(shop, "A")
    deliver(desk)
    paid, cogs = held(shop), desk.balances()["cogs"]
    again = make(desk, 2, kind=kind)
    assert (again.look().total.amount, again.look().payment_status, again.look().status) == (0, "paid", "open")
    assert stock(shop, "A") == (9, 2)
    assert broken(shop) == []
    deliver(again)
    assert (again.look().status, stock(shop, "A")) == ("closed", (7, 0))
    assert (desk.balances()[account], desk.balances()["cogs"], held(shop)) == (5000, cogs, paid)
    assert broken(shop) == []
    with pytest.raises(DomainError) as refused:
        ask(again, ("A", 1))
    assert refused.value.code == "return_refused"


def test_without_stock_there_is_no_replacement(shop: Shop) -> None:
    shop.add("A")
    desk = buy(shop, "A")
    with pytest.raises(OutOfStock):
        make(desk, 10)
    assert stock(shop, "A") == (10, 1)
    assert broken(shop) == []
