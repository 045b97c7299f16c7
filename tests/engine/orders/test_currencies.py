"""An order in a foreign currency changes in it: swaps and addresses at its prices, money back in its money."""

from __future__ import annotations

import pytest

from engine.carts import service as carts
from engine.checkout.complete import complete
from engine.orders.errors import ItemUnavailable
from tests.currencies import price, sell_in
from tests.engine.orders.desk import Desk, broken, held, sibling
from tests.shop import ADDRESS, Shop

ELSEWHERE = ADDRESS | {"state": "OR", "city": "Salem"}


@pytest.fixture
def desk(shop: Shop) -> Desk:
    """A paid order of three A at 46.00 euros; A2 costs 57.00 euros, A3 has no price in euros."""
    sell_in(shop, "EUR")
    shop.add("A", price=5000)
    price(shop, "A", 4600, "EUR")
    sibling(shop, "A", "A2", price=6000)
    sibling(shop, "A", "A3", price=4000)
    price(shop, "A2", 5700, "EUR")
    buyer = shop.shopper()
    with shop.uow() as session:
        carts.set_currency(session, buyer, "EUR")
    done = complete(shop.runtime, buyer, shop.approved(buyer, "A", 3))
    assert done.order is not None
    return Desk(shop, buyer, done.order.id)


def test_a_swap_charges_the_difference_in_its_currency(desk: Desk) -> None:
    before = held(desk.shop)
    swap = {"line_id": desk.line("A").id, "to_variant_id": desk.shop.variants["A2"], "quantity": 1}
    change = desk.ask("items", swaps=[swap], payment_method_ref="test_visa")
    assert (str(change.charge), change.refund.amount) == ("€12.10", 0)
    assert desk.agree(change).status == "applied"
    assert held(desk.shop) == before + 1210
    assert str(desk.line("A2").unit_price) == "€57.00"
    assert broken(desk.shop) == []


def test_what_has_no_price_in_it_is_no_swap(desk: Desk) -> None:
    rows = desk.rows()
    swap = {"line_id": desk.line("A").id, "to_variant_id": desk.shop.variants["A3"], "quantity": 1}
    with pytest.raises(ItemUnavailable, match="is not sold in EUR"):
        desk.ask("items", swaps=[swap])
    assert desk.rows() == rows


def test_another_address_is_shipped_to_at_its_prices(desk: Desk) -> None:
    done = desk.do("address", ship_to=ELSEWHERE)
    assert (str(done.refund), done.charge.amount) == ("€14.50", 0)
    assert str(desk.look().due) == "€145.00"
    assert broken(desk.shop) == []


def test_a_cancel_gives_euros_back(desk: Desk) -> None:
    done = desk.do("cancel", reason="no_longer_needed")
    assert str(done.refund) == "€159.50"
    assert (held(desk.shop), desk.balances()) == (0, {})
    assert broken(desk.shop) == []
