"""Other variants for goods that come back: even, up and down in price, given up, and with stock that waits."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from engine.checkout.models import Consent
from engine.kit import clock
from engine.kit.envelope import seal
from engine.kit.errors import DomainError
from engine.orders.models import OrderStatus
from engine.returns import deciding
from engine.returns.models import Disposition, ReturnStatus
from tests.engine.orders.desk import Desk, broken, buy, held, sibling, stock
from tests.engine.returns.coming import ask, deliver, inspect, pay, receive, returned, rule, send_back, the_return
from tests.shop import Shop


def exchanged(shop: Shop, price: int, quantity: int = 1) -> Desk:
    """A delivered order of two, and an exchange of some of them for one that costs ``price``."""
    shop.add("A")
    sibling(shop, "A", "A2", price=price)
    desk = buy(shop, "A", 2)
    deliver(desk)
    send_back(desk, {"sku": "A", "quantity": quantity, "exchange": "A2"})
    return desk


@pytest.mark.parametrize(
    ("price", "charge", "refund"), [(5000, 0, 0), (7000, 2200, 0), (3000, 0, 2200)], ids=["even", "up", "down"]
)
def test_an_exchange_sends_the_new_goods_when_the_old_are_here(
    shop: Shop, price: int, charge: int, refund: int
) -> None:
    desk = exchanged(shop, price)
    paid = desk.look().total.amount
    row = the_return(desk)
    assert (row.charge, row.refund, row.status) == (charge, refund, ReturnStatus.LABEL_READY)
    assert (held(shop), stock(shop, "A2"), desk.look().status) == (paid + charge, (10, 1), "closed")
    assert broken(shop) == []
    receive(desk, row)
    assert returned(desk) == {"A": 1, "A2": 0}
    assert (desk.look().status, held(shop)) == (OrderStatus.OPEN, paid + charge - refund)
    assert (desk.line("A2").replaces_line_id, desk.line("A2").allocated) == (desk.line("A").id, 1)
    assert broken(shop) == []
    inspect(desk, row)
    assert the_return(desk).status == ReturnStatus.CLOSED
    assert broken(shop) == []
    deliver(desk)
    assert (desk.look().status, desk.look().fulfillment_status) == ("closed", "exchanged")
    assert desk.balances().get("customer_deposits", 0) == 0
    assert broken(shop) == []


def test_an_exchange_that_is_given_up_gives_its_charge_and_its_stock_back(shop: Shop) -> None:
    desk = exchanged(shop, 7000)
    paid = desk.look().total.amount
    with shop.uow() as session:
        made = deciding.cancel(session, shop.tenant.id, the_return(desk).id, actor=desk.buyer.id)
    pay(desk, made)
    assert (held(shop), stock(shop, "A2"), the_return(desk).status) == (paid, (10, 0), ReturnStatus.CANCELED)
    assert broken(shop) == []


def test_an_exchange_that_nobody_sends_expires(shop: Shop) -> None:
    desk = exchanged(shop, 7000)
    paid = desk.look().total.amount
    with clock.shifted(timedelta(days=15)):
        deciding.expire_returns(shop.runtime, shop.tenant.id)
    assert (held(shop), stock(shop, "A2"), the_return(desk).status) == (paid, (10, 0), ReturnStatus.EXPIRED)
    assert broken(shop) == []


def test_when_only_some_of_it_comes_the_exchange_becomes_a_return(shop: Shop) -> None:
    desk = exchanged(shop, 7000, 2)
    paid = desk.look().total.amount
    row = the_return(desk)
    receive(desk, row, 1)
    assert (returned(desk), the_return(desk).given) == ({"A": 0}, 0)
    inspect(desk, row, {Disposition.RESTOCK: 1})
    with shop.uow() as session:
        made = deciding.close(session, shop.tenant.id, row.id, actor="key_staff")
    pay(desk, made)
    assert (returned(desk), held(shop), stock(shop, "A2")) == ({"A": 1}, paid - 5500, (10, 0))
    assert broken(shop) == []


def test_what_is_not_there_cannot_be_had_in_exchange(shop: Shop) -> None:
    shop.add("A")
    shop.add("B")
    sibling(shop, "A", "A2", price=5000, units=0)
    desk = buy(shop, "A", 2)
    deliver(desk)
    before = desk.rows()
    for other in ("A2", "B"):
        with pytest.raises(DomainError):
            ask(desk, {"sku": "A", "exchange": other})
    assert desk.rows() == before


def test_a_declined_card_leaves_everything_as_it_was(shop: Shop) -> None:
    shop.add("A")
    sibling(shop, "A", "A2", price=7000)
    desk = buy(shop, "A")
    deliver(desk)
    change = ask(desk, {"sku": "A", "exchange": "A2"})
    with shop.uow() as session:
        card = session.scalars(select(Consent).where(Consent.id == change.consent_id)).one()
        card.token_sealed = seal(shop.runtime.secret_key, shop.tenant.id, f"consent|{card.id}", "vt_of_nobody")
    assert desk.agree(change).status == "failed"
    assert (stock(shop, "A2"), returned(desk)) == ((10, 0), {"A": 0})
    assert broken(shop) == []


def test_a_reviewed_exchange_is_charged_when_the_shop_says_yes(shop: Shop) -> None:
    rule(shop, review_above=100)
    desk = exchanged(shop, 7000)
    paid = desk.look().total.amount
    assert (held(shop), the_return(desk).status) == (paid, ReturnStatus.REQUESTED)
    assert broken(shop) == []
    deciding.approve(shop.runtime, desk.staff, the_return(desk).id)
    assert (held(shop), the_return(desk).status) == (paid + 2200, ReturnStatus.LABEL_READY)
    assert broken(shop) == []
    receive(desk, the_return(desk))
    assert broken(shop) == []


def test_an_exchange_takes_no_part_of_the_shipping_from_or_to_what_comes_back_later(shop: Shop) -> None:
    """Two for 5.95 + 0.60 of shipping: each unit bears half of it, whatever it was exchanged for in between."""
    rule(shop, refund_shipping="share")
    desk = exchanged(shop, 5000)
    receive(desk, the_return(desk))
    inspect(desk, the_return(desk))
    deliver(desk)
    given = []
    for sku in ("A", "A2"):
        send_back(desk, (sku, 1))
        row = the_return(desk)
        receive(desk, row)
        inspect(desk, row)
        given.append(row.refund)
    assert given == [5000 + 500 + 297 + 30, 5000 + 500 + 298 + 30]
    assert held(shop) == 0
    assert broken(shop) == []
