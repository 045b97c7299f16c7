"""Every builder balances, whatever it is given, and its docstring's sides are what it posts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.finance import postings
from engine.finance.models import Account
from engine.finance.postings import Kind

MINOR = st.integers(0, 10**12)
STORED = st.sampled_from(["gift_card", "store_credit"])
REFUND_TO = st.sampled_from(["psp_clearing", "gift_card_liability", "store_credit_liability"])


def balanced(amounts: postings.Amounts) -> postings.Amounts:
    assert sum(amounts.values()) == 0
    assert all(amounts.values())
    return amounts


@given(MINOR, MINOR)
def test_money_that_comes_in_is_owed(net: int, tax: int) -> None:
    amounts = balanced(postings.capture(net + tax, tax))
    assert amounts.get(Account.PSP_CLEARING, 0) == net + tax
    assert amounts.get(Account.TAX_PAYABLE, 0) == -tax


@given(STORED, MINOR, MINOR)
def test_stored_value_that_pays_is_owed_as_goods(kind: postings.StoredValue, net: int, tax: int) -> None:
    amounts = balanced(postings.stored_value_used(kind, net + tax, tax))
    assert amounts.get(Account(f"{kind}_liability"), 0) == net + tax


@given(MINOR, MINOR, MINOR, st.integers(0, 100))
def test_a_shipment_earns_what_was_deposited(goods: int, shipping: int, cost: int, percent: int) -> None:
    discount = (goods + shipping) * percent // 100
    amounts = balanced(postings.shipment(goods, discount, shipping, cost))
    assert amounts.get(Account.CUSTOMER_DEPOSITS, 0) == goods - discount + shipping
    assert amounts.get(Account.REVENUE, 0) == -goods
    assert amounts.get(Account.INVENTORY, 0) == -cost == -amounts.get(Account.COGS, 0)


@given(MINOR, MINOR, MINOR, REFUND_TO)
def test_a_refund_takes_back_what_was_earned_and_what_was_not(
    earned: int, unearned: int, tax: int, to: postings.RefundTo
) -> None:
    amounts = balanced(postings.refund(earned + unearned + tax, tax, unearned, to))
    assert amounts.get(Account.SALES_RETURNS, 0) == earned
    assert amounts.get(Account.CUSTOMER_DEPOSITS, 0) == unearned
    assert amounts.get(Account(to), 0) == -(earned + unearned + tax)


@given(MINOR, MINOR)
def test_a_dispute_ends_with_nothing_receivable(amount: int, fee: int) -> None:
    opened = balanced(postings.chargeback_opened(amount, fee))
    for ended in (postings.chargeback_won(amount), postings.chargeback_lost(amount)):
        both = opened.get(Account.DISPUTES_RECEIVABLE, 0) + balanced(ended).get(Account.DISPUTES_RECEIVABLE, 0)
        assert both == 0


@given(MINOR, st.integers(-(10**12), 10**12), MINOR)
def test_stock_payouts_and_differences(cost: int, delta: int, fees: int) -> None:
    for amounts in (
        postings.receipt(cost),
        postings.restock(cost),
        postings.opening_stock(cost),
        postings.adjustment(delta),
        postings.write_off(delta),
        postings.payout(delta, fees),
    ):
        balanced(amounts)
    assert postings.payout(delta, fees).get(Account.PSP_CLEARING, 0) == -(delta + fees)


@given(STORED, MINOR)
def test_stored_value_is_issued_and_expires(kind: postings.StoredValue, amount: int) -> None:
    for source in ("psp_clearing", "promotions", "sales_returns", "customer_deposits", "write_offs"):
        balanced(postings.stored_value_issued(kind, amount, source))
    balanced(postings.stored_value_expired(kind, amount))


@given(MINOR, MINOR)
def test_a_mirror_takes_everything_back(net: int, tax: int) -> None:
    amounts = postings.capture(net + tax, tax)
    mirrored = balanced(postings.mirror(amounts))
    assert {account: amount + mirrored[account] for account, amount in amounts.items()} == dict.fromkeys(amounts, 0)


def test_a_sale_from_capture_to_payout_leaves_what_it_should() -> None:
    books: dict[Account, int] = {}
    for amounts in (
        postings.capture(11_655, 1_060),
        postings.shipment(10_000, 0, 595, 5_000),
        postings.refund(5_500, 500, 0),
        postings.payout(11_655 - 5_500 - 368, 368),
    ):
        for account, amount in amounts.items():
            books[account] = books.get(account, 0) + amount
    assert {account: amount for account, amount in books.items() if amount} == {
        Account.BANK: 5_787,
        Account.GATEWAY_FEES: 368,
        Account.TAX_PAYABLE: -560,
        Account.REVENUE: -10_000,
        Account.SHIPPING_REVENUE: -595,
        Account.SALES_RETURNS: 5_000,
        Account.COGS: 5_000,
        Account.INVENTORY: -5_000,
    }


@pytest.mark.parametrize(
    "impossible",
    [
        lambda: postings.capture(100, 101),
        lambda: postings.capture(100, -1),
        lambda: postings.stored_value_used("gift_card", -1, 0),
        lambda: postings.shipment(-1, 0, 0, 0),
        lambda: postings.shipment(100, 111, 10, 0),
        lambda: postings.refund(100, 60, 41),
        lambda: postings.chargeback_opened(100, -1),
        lambda: postings.chargeback_lost(-1),
        lambda: postings.stored_value_issued("gift_card", 100, "revenue"),
        lambda: postings.stored_value_issued("gift_card", 100, "nowhere"),
        lambda: postings.receipt(-1),
        lambda: postings.payout(100, -1),
    ],
)
def test_what_cannot_be_is_refused(impossible) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (the message is the amounts)
        impossible()


def test_every_kind_has_an_example_but_the_general_reversal() -> None:
    assert {kind for kind, _, _ in postings.EXAMPLES} == set(Kind) - {Kind.REVERSAL}
    for _, _, amounts in postings.EXAMPLES:
        balanced(amounts)
