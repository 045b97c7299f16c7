"""Goods that were sold with their tax in the price come back, and go against others."""

from __future__ import annotations

from engine.finance.models import Account
from tests.engine.orders.desk import broken, buy, sibling
from tests.engine.returns.coming import deliver, inspect, receive, rule, send_back, the_return
from tests.engine.tax.test_sales import included
from tests.shop import Shop


def test_units_come_back_one_by_one_with_the_tax_in_them(shop: Shop) -> None:
    """29.97 with 2.72 tax in it, by what is paid: 0.90, 0.91, 0.91."""
    included(shop)
    shop.add("A", price=999)
    desk = buy(shop, "A", 3)
    deliver(desk)
    owed = [desk.balances()[Account.TAX_PAYABLE]]
    for _ in range(3):
        agreed = send_back(desk, ("A", 1))
        assert agreed.terms is not None
        assert agreed.terms.refund.amount == 999
        row = the_return(desk)
        receive(desk, row)
        inspect(desk, row)
        owed.append(desk.balances().get(Account.TAX_PAYABLE, 0))
        assert broken(shop) == []
    assert owed == [-326, -236, -145, -54]  # shipping's 0.54 stays


def test_an_exchange_for_something_dearer(shop: Shop) -> None:
    included(shop)
    rule(shop, exchanges=True)
    shop.add("A", price=5000)
    sibling(shop, "A", "B", price=6100)
    desk = buy(shop, "A", 1)
    deliver(desk)
    agreed = send_back(desk, {"sku": "A", "quantity": 1, "exchange": "B"})
    assert agreed.charge.amount == 1100
    row = the_return(desk)
    receive(desk, row)
    inspect(desk, row)
    assert (desk.line("B").tax, broken(shop)) == (555, [])  # 61.00 x 10/110
