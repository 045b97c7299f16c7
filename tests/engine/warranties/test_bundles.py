"""Each component of a bundle has a warranty of its own, is made good alone, and is never paid back twice."""

from __future__ import annotations

from collections import Counter

import pytest
from sqlalchemy import select, update

from engine.catalog.models import Product
from engine.kit.errors import DomainError
from engine.orders.models import OrderLine
from engine.warranties.errors import UnitGone
from engine.warranties.models import Warranty
from tests.engine.inventory.stocked import bundle
from tests.engine.orders.desk import Desk, broken, buy, sibling
from tests.engine.returns.coming import deliver, inspect, returned, send_back, the_return
from tests.engine.returns.coming import receive as take_in
from tests.engine.warranties.fault import REFUND, REPLACEMENT, claim, grant, hear, look, refunds, replacements, rule
from tests.engine.warranties.fault import warranties as all_warranties
from tests.shop import Shop


def months(shop: Shop, sku: str, count: int) -> None:
    with shop.uow() as session:
        line = select(Product.id).where(Product.slug == sku.lower()).scalar_subquery()
        session.execute(update(Product).where(Product.id == line).values(warranty_months=count))


def bought(shop: Shop, quantity: int = 1) -> Desk:
    """A bundle of one X and two Y for 40.00, of which X is worth three fifths."""
    shop.add("X", price=3000)
    shop.add("Y", price=1000)
    bundle(shop, "SET", {"X": 1, "Y": 2}, price=4000)
    months(shop, "Y", 24)
    desk = buy(shop, "SET", quantity)
    deliver(desk)
    hear(desk)
    return desk


def place(desk: Desk, sku: str, unit: int = 1) -> int:
    rows = all_warranties(desk)
    return next(i for i, one in enumerate(rows) if (one.sku, one.unit) == (sku, unit))


def states(desk: Desk) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in sorted(all_warranties(desk), key=lambda row: (row.sku, row.unit)):
        found.setdefault(one.sku, []).append(str(one.status))
    return found


def test_every_component_has_a_warranty_of_its_own_term(shop: Shop) -> None:
    desk = bought(shop, 2)
    rows = all_warranties(desk)
    assert Counter(one.sku for one in rows) == {"X": 2, "Y": 4}
    assert {one.sku: one.terms["months"] for one in rows} == {"X": 12, "Y": 24}
    hear(desk)
    assert len(all_warranties(desk)) == 6
    assert broken(shop) == []


def test_a_component_in_exchange_has_the_rest_of_its_own_kind(shop: Shop) -> None:
    rule(shop, exchange_term="rest")
    desk = bought(shop)
    sibling(shop, "X", "X2", price=3000)
    exchanged = {"sku": "SET", "part": "X", "quantity": 1, "exchange": "X2"}
    send_back(desk, exchanged, {"sku": "SET", "part": "Y", "quantity": 2})
    take_in(desk, the_return(desk))
    inspect(desk, the_return(desk))
    hear(desk)
    deliver(desk)
    hear(desk)
    rows = {one.sku: one for one in all_warranties(desk)}
    assert (rows["X2"].follows_id, rows["X2"].ends_on) == (rows["X"].id, rows["X"].ends_on)
    assert rows["X"].ends_on < rows["Y"].ends_on
    assert broken(shop) == []


def test_a_component_is_paid_back_by_its_share_and_the_rest_comes_back_as_before(shop: Shop) -> None:
    desk = bought(shop)
    first = grant(desk, REFUND, place=place(desk, "Y"))
    assert str(first.status) == "refunded"
    assert refunds(desk) == [(880, 80, "succeeded")]  # a fifth of 40.00, and its tax
    hear(desk)
    assert (states(desk), returned(desk)) == ({"X": ["active"], "Y": ["refunded", "active"]}, {"SET": 0})
    assert broken(shop) == []
    with pytest.raises(DomainError):
        send_back(desk, ("SET", 1))
    send_back(desk, {"sku": "SET", "part": "X", "quantity": 1}, {"sku": "SET", "part": "Y", "quantity": 1})
    take_in(desk, the_return(desk))
    inspect(desk, the_return(desk))
    hear(desk)
    assert (states(desk), returned(desk)) == ({"X": ["returned"], "Y": ["refunded", "returned"]}, {"SET": 1})
    assert sum(amount for amount, _, _ in refunds(desk)) == 4400
    assert broken(shop) == []


def test_all_components_paid_back_one_by_one_are_the_whole_bundle(shop: Shop) -> None:
    desk = bought(shop)
    for sku, unit in (("X", 1), ("Y", 1), ("Y", 2)):
        assert str(grant(desk, REFUND, place=place(desk, sku, unit)).status) == "refunded"
    hear(desk)
    assert (sum(amount for amount, _, _ in refunds(desk)), returned(desk)) == (4400, {"SET": 1})
    assert broken(shop) == []


def test_a_component_is_replaced_by_itself_and_its_promise_goes_on(shop: Shop) -> None:
    desk = bought(shop)
    made = grant(desk, REPLACEMENT, place=place(desk, "Y", 2))
    assert str(made.status) == "replaced"
    [order_id] = replacements(desk)
    with shop.uow() as session:
        line = session.scalars(select(OrderLine).where(OrderLine.order_id == order_id)).one()
        assert (line.sku, line.ordered, line.components) == ("Y", 1, [])
    deliver(Desk(shop, desk.buyer, order_id))
    hear(desk)
    new = [one for one in all_warranties(desk) if one.order_id == order_id]
    assert [(one.sku, one.follows_id == made.warranty_id) for one in new] == [("Y", True)]
    assert str(look(desk, made.id).status) == "closed"
    with pytest.raises(DomainError):
        send_back(desk, {"sku": "SET", "part": "Y", "quantity": 2})
    assert broken(shop) == []


def test_a_bundle_that_came_back_whole_takes_its_components_promises_along(shop: Shop) -> None:
    desk = bought(shop, 2)
    send_back(desk, ("SET", 1))
    take_in(desk, the_return(desk))
    inspect(desk, the_return(desk))
    hear(desk)
    assert states(desk) == {
        "X": ["returned", "active"],
        "Y": ["returned", "returned", "active", "active"],
    }
    with pytest.raises(UnitGone):
        claim(desk, place(desk, "X"))
    assert broken(shop) == []


def test_a_bundle_that_had_one_warranty_keeps_it(shop: Shop) -> None:
    """Of before components had theirs."""
    desk = bought(shop)
    with shop.uow() as session:
        line = session.scalars(select(OrderLine)).one()
        rows = session.scalars(select(Warranty).order_by(Warranty.id)).all()
        for one in rows[1:]:
            session.delete(one)
        rows[0].variant_id, rows[0].sku, rows[0].title, rows[0].unit = line.variant_id, "SET", line.title, 1
    hear(desk)
    assert states(desk) == {"SET": ["active"]}
    assert str(grant(desk, REFUND).status) == "refunded"
    assert (refunds(desk), returned(desk)) == ([(4400, 400, "succeeded")], {"SET": 1})
    assert broken(shop) == []
