"""What each event posts: pure functions, minor units of one currency, debits positive, credits negative.

Every builder's amounts add up to zero. It refuses (``ValueError``) what cannot be: a negative amount, parts that are
more than the whole. ``table()`` is what ``docs/domains/finance.md`` prints.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Literal

from engine.finance.models import Account

Amounts = dict[Account, int]
StoredValue = Literal["gift_card", "store_credit"]
RefundTo = Literal["psp_clearing", "gift_card_liability", "store_credit_liability"]
_LIABILITY: Final[Mapping[str, Account]] = {
    "gift_card": Account.GIFT_CARD_LIABILITY,
    "store_credit": Account.STORE_CREDIT_LIABILITY,
}
_SOURCES: Final = frozenset(
    {
        Account.PSP_CLEARING,
        Account.PROMOTIONS,
        Account.SALES_RETURNS,
        Account.CUSTOMER_DEPOSITS,
        Account.WRITE_OFFS,
        Account.OPENING_BALANCES,
    }
)


class Kind(StrEnum):
    """The kinds of journal entries; with its subject a kind says which event it was."""

    CAPTURE = "capture"  # subject: the payment or the capture
    STORED_VALUE_USED = "stored_value_used"  # the stored-value payment
    SHIPMENT = "shipment"
    SHIPMENT_COST = "shipment_cost"  # its cost, where the sale is in another currency than the shop's own
    REFUND = "refund"
    REFUND_FAILED = "refund_failed"  # reverses the refund's entry
    CHARGEBACK_OPENED = "chargeback_opened"  # the dispute, as for the next two
    CHARGEBACK_WON = "chargeback_won"
    CHARGEBACK_LOST = "chargeback_lost"
    STORED_VALUE_ISSUED = "stored_value_issued"  # the stored-value account or entry, as for the next
    STORED_VALUE_EXPIRED = "stored_value_expired"
    RECEIPT = "receipt"
    ADJUSTMENT = "adjustment"
    RESTOCK = "restock"
    RESTOCK_UNDONE = "restock_undone"  # the step that scraps what lay set apart, or sends it to its vendor
    RETURN_FEE = "return_fee"  # the return's step, as for the next
    EXCHANGE = "exchange"
    EXCHANGE_UNDONE = "exchange_undone"
    RETURN_LABEL = "return_label"  # the return
    WARRANTY_PARCEL_IN = "warranty_parcel_in"  # the claim
    WARRANTY_PARCEL_BACK = "warranty_parcel_back"  # the claim
    PAYOUT = "payout"
    WRITE_OFF = "write_off"
    OPENING_STOCK = "opening_stock"  # the tenant
    REVERSAL = "reversal"  # the entry it reverses


def capture(amount: int, tax: int) -> Amounts:
    """Money came in and nothing was shipped: it is owed to the customer, and the tax to the state.

    Dr psp_clearing amount · Cr customer_deposits amount-tax, tax_payable tax.
    """
    _parts(amount, tax)
    return _moves(_came_in(Account.PSP_CLEARING, amount, tax))


def stored_value_used(kind: StoredValue, amount: int, tax: int) -> Amounts:
    """A gift card or store credit paid: what was owed for it is now owed as goods.

    Dr gift_card_liability or store_credit_liability amount · Cr customer_deposits amount-tax, tax_payable tax.
    """
    _parts(amount, tax)
    return _moves(_came_in(_LIABILITY[kind], amount, tax))


def shipment(goods: int, discount: int, shipping: int, cost: int) -> Amounts:
    """Goods left: price, shipping fee and discount (all without tax) are earned, their cost is spent.

    Dr customer_deposits goods-discount+shipping, discounts discount · Cr revenue goods, shipping_revenue shipping;
    Dr cogs cost · Cr inventory cost. Goods that make up for something cost replacement_expense or warranty_expense.
    """
    _none_negative(goods=goods, discount=discount, shipping=shipping, cost=cost)
    if discount > goods + shipping:
        raise ValueError(f"a discount of {discount} on {goods} and {shipping} shipping")
    return _moves(
        {
            Account.CUSTOMER_DEPOSITS: goods - discount + shipping,
            Account.DISCOUNTS: discount,
            Account.REVENUE: -goods,
            Account.SHIPPING_REVENUE: -shipping,
            Account.COGS: cost,
            Account.INVENTORY: -cost,
        }
    )


def shipment_cost(cost: int) -> Amounts:
    """Goods of a sale in a foreign currency left: they earned in that currency and cost in the home currency, which are
    two entries. Dr cogs · Cr inventory.
    """
    return _pair(Account.COGS, Account.INVENTORY, cost)


def refund(amount: int, tax: int, unearned: int, to: RefundTo = "psp_clearing") -> Amounts:
    """Money goes back. ``unearned`` is the part without tax that was never shipped; the rest was earned before.

    Dr customer_deposits unearned, sales_returns amount-tax-unearned, tax_payable tax · Cr ``to`` amount.
    """
    _parts(amount, tax, unearned)
    return _moves(
        {
            Account.CUSTOMER_DEPOSITS: unearned,
            Account.SALES_RETURNS: amount - tax - unearned,
            Account.TAX_PAYABLE: tax,
            Account(to): -amount,
        }
    )


def chargeback_opened(amount: int, fee: int) -> Amounts:
    """The card's bank took money back, until the dispute is decided; the gateway's fee is spent either way.

    Dr disputes_receivable amount, gateway_fees fee · Cr psp_clearing amount+fee.
    """
    _none_negative(amount=amount, fee=fee)
    return _moves(
        {Account.DISPUTES_RECEIVABLE: amount, Account.GATEWAY_FEES: fee, Account.PSP_CLEARING: -(amount + fee)}
    )


def chargeback_won(amount: int) -> Amounts:
    """The disputed money comes back. Dr psp_clearing · Cr disputes_receivable."""
    return _pair(Account.PSP_CLEARING, Account.DISPUTES_RECEIVABLE, amount)


def chargeback_lost(amount: int) -> Amounts:
    """The disputed money is gone. Dr dispute_losses · Cr disputes_receivable."""
    return _pair(Account.DISPUTE_LOSSES, Account.DISPUTES_RECEIVABLE, amount)


def stored_value_issued(kind: StoredValue, amount: int, source: Account | str = Account.PSP_CLEARING) -> Amounts:
    """Credit was given, and is owed. ``source`` says for what: a purchase (psp_clearing), goodwill (promotions),
    returned goods (sales_returns), goods never sent (customer_deposits), a correction (write_offs), what the shop owed
    before the books began (opening_balances).

    Dr ``source`` · Cr gift_card_liability or store_credit_liability.
    """
    if Account(source) not in _SOURCES:
        raise ValueError(f"stored value does not come from {source}")
    return _pair(Account(source), _LIABILITY[kind], amount)


def stored_value_expired(kind: StoredValue, amount: int) -> Amounts:
    """Credit was never used and is not owed any more (breakage). Dr its liability · Cr revenue."""
    return _pair(_LIABILITY[kind], Account.REVENUE, amount)


def receipt(cost: int) -> Amounts:
    """Goods came in, their invoice is to come. Dr inventory · Cr accounts_payable."""
    return _pair(Account.INVENTORY, Account.ACCOUNTS_PAYABLE, cost)


def adjustment(cost_delta: int) -> Amounts:
    """Stock was found or is missing, at cost. Found: Dr inventory · Cr inventory_adjustments; missing: the reverse."""
    return _moves({Account.INVENTORY: cost_delta, Account.INVENTORY_ADJUSTMENTS: -cost_delta})


def restock(cost: int) -> Amounts:
    """Returned goods are on the shelf again. Dr inventory · Cr cogs."""
    return _pair(Account.INVENTORY, Account.COGS, cost)


def return_fee(fee: int) -> Amounts:
    """Of the price of goods that came back the shop keeps a fee. Dr sales_returns · Cr return_fees."""
    return _pair(Account.SALES_RETURNS, Account.RETURN_FEES, fee)


def exchange(returned: int, deposit: int, tax: int) -> Amounts:
    """Goods that came back pay for others. ``tax`` is what more is owed for those; negative: less.

    Dr sales_returns returned · Cr customer_deposits deposit, tax_payable tax.
    """
    return _moves({Account.SALES_RETURNS: returned, Account.CUSTOMER_DEPOSITS: -deposit, Account.TAX_PAYABLE: -tax})


def exchange_undone(lost: int, given: int) -> Amounts:
    """Goods in exchange never leave, and what was charged for them went back before: the card's bank gave back ``lost``
    of it for good, the shop ``given`` as goodwill.

    Dr customer_deposits lost+given · Cr dispute_losses lost, sales_returns given.
    """
    _parts(lost + given, lost, given)
    return _moves(
        {Account.CUSTOMER_DEPOSITS: lost + given, Account.DISPUTE_LOSSES: -lost, Account.SALES_RETURNS: -given}
    )


def return_label(cost: int) -> Amounts:
    """A carrier brings goods back, its invoice is to come. Dr return_labels · Cr accounts_payable."""
    return _pair(Account.RETURN_LABELS, Account.ACCOUNTS_PAYABLE, cost)


def warranty_parcel(cost: int) -> Amounts:
    """A carrier brings a unit in or takes it back repaired, its invoice is to come.

    Dr warranty_expense · Cr accounts_payable.
    """
    return _pair(Account.WARRANTY_EXPENSE, Account.ACCOUNTS_PAYABLE, cost)


def opening_stock(cost: int) -> Amounts:
    """Stock that was there before the books began. Dr inventory · Cr opening_stock."""
    return _pair(Account.INVENTORY, Account.OPENING_STOCK, cost)


def payout(amount: int, fees: int) -> Amounts:
    """The gateway sent ``amount`` (what reached the bank; negative when it took money) and kept ``fees``.

    Dr bank amount, gateway_fees fees · Cr psp_clearing amount+fees.
    """
    _none_negative(fees=fees)
    return _moves({Account.BANK: amount, Account.GATEWAY_FEES: fees, Account.PSP_CLEARING: -(amount + fees)})


def write_off(amount: int) -> Amounts:
    """A difference with the gateway that nobody will explain; negative for money too much.

    Dr write_offs · Cr psp_clearing.
    """
    return _moves({Account.WRITE_OFFS: amount, Account.PSP_CLEARING: -amount})


def mirror(amounts: Mapping[Account, int]) -> Amounts:
    """What takes an entry back: every debit a credit."""
    return {account: -amount for account, amount in amounts.items()}


def _came_in(source: Account, amount: int, tax: int) -> Amounts:
    return {source: amount, Account.CUSTOMER_DEPOSITS: -(amount - tax), Account.TAX_PAYABLE: -tax}


def _pair(debit: Account, credit: Account, amount: int) -> Amounts:
    _none_negative(amount=amount)
    return _moves({debit: amount, credit: -amount})


def _moves(amounts: Amounts) -> Amounts:
    return {account: amount for account, amount in amounts.items() if amount}


def _none_negative(**amounts: int) -> None:
    for name, amount in amounts.items():
        if amount < 0:
            raise ValueError(f"{name} is negative: {amount}")


def _parts(amount: int, *parts: int) -> None:
    if min(parts) < 0 or sum(parts) > amount:
        raise ValueError(f"parts {parts} of {amount}")


EXAMPLES: Final[tuple[tuple[Kind, str, Amounts], ...]] = (
    (Kind.CAPTURE, "money captured", capture(110, 10)),
    (Kind.STORED_VALUE_USED, "gift card or store credit pays", stored_value_used("gift_card", 110, 10)),
    (Kind.SHIPMENT, "goods leave", shipment(100, 15, 5, 40)),
    (
        Kind.SHIPMENT_COST,
        "what leaves of a foreign-currency sale costs (home currency)",
        shipment_cost(40),
    ),
    (Kind.REFUND, "money goes back to the card", refund(110, 10, 30)),
    (Kind.REFUND, "money goes back as store credit", refund(110, 10, 30, "store_credit_liability")),
    (Kind.REFUND_FAILED, "the gateway says later that it did not go", mirror(refund(110, 10, 30))),
    (Kind.CHARGEBACK_OPENED, "a dispute takes money", chargeback_opened(110, 15)),
    (Kind.CHARGEBACK_WON, "the dispute is won", chargeback_won(110)),
    (Kind.CHARGEBACK_LOST, "the dispute is lost", chargeback_lost(110)),
    (Kind.STORED_VALUE_ISSUED, "a gift card is bought", stored_value_issued("gift_card", 50)),
    (Kind.STORED_VALUE_ISSUED, "credit for goodwill", stored_value_issued("store_credit", 50, "promotions")),
    (Kind.STORED_VALUE_ISSUED, "a gift card from before", stored_value_issued("gift_card", 50, "opening_balances")),
    (Kind.STORED_VALUE_EXPIRED, "credit expires unused", stored_value_expired("gift_card", 50)),
    (Kind.RECEIPT, "goods are received", receipt(40)),
    (Kind.ADJUSTMENT, "stock is found", adjustment(40)),
    (Kind.ADJUSTMENT, "stock is missing", adjustment(-40)),
    (Kind.RESTOCK, "a return goes back on the shelf", restock(40)),
    (Kind.RESTOCK_UNDONE, "what lay set apart is scrapped or goes to its vendor", mirror(restock(40))),
    (Kind.RETURN_FEE, "a fee is kept of a return", return_fee(10)),
    (Kind.EXCHANGE, "goods that came back pay for others", exchange(100, 90, 10)),
    (Kind.EXCHANGE_UNDONE, "goods in exchange never leave, and their charge went back before", exchange_undone(15, 5)),
    (Kind.RETURN_LABEL, "a label for a return is printed", return_label(5)),
    (Kind.WARRANTY_PARCEL_IN, "a label for a warranty claim is printed", warranty_parcel(5)),
    (Kind.WARRANTY_PARCEL_BACK, "a repaired unit goes back", warranty_parcel(5)),
    (Kind.PAYOUT, "the gateway pays out", payout(95, 5)),
    (Kind.WRITE_OFF, "a gateway's difference is given up", write_off(2)),
    (Kind.OPENING_STOCK, "the books begin", opening_stock(40)),
)
"""One entry for every event: what the postings table shows, with amounts that tell the parts apart."""


def table() -> str:
    """The postings of every event as a Markdown table."""
    rows = [f"| `{kind}` | {words} | {_side(amounts, 1)} | {_side(amounts, -1)} |" for kind, words, amounts in EXAMPLES]
    return "\n".join(["| Kind | Event | Debit | Credit |", "|---|---|---|---|", *rows])


def _side(amounts: Amounts, sign: int) -> str:
    return ", ".join(f"{account} {abs(amount)}" for account, amount in amounts.items() if amount * sign > 0)
