"""The chart of accounts: a default for every code, and what one shop calls or numbers differently."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.finance.errors import NumberTaken
from engine.finance.models import Account, AccountType, LedgerAccount
from engine.finance.schemas import AccountView
from engine.kit import audit, clock
from engine.kit.errors import InvalidInput, NotFound
from engine.kit.ids import echo

_A, _L, _Q = AccountType.ASSET, AccountType.LIABILITY, AccountType.EQUITY
_R, _C, _X = AccountType.REVENUE, AccountType.CONTRA_REVENUE, AccountType.EXPENSE
DEFAULT: Final[Mapping[Account, tuple[str, str, AccountType]]] = {
    Account.BANK: ("1000", "Bank", _A),
    Account.PSP_CLEARING: ("1100", "Payment gateway clearing", _A),
    Account.DISPUTES_RECEIVABLE: ("1150", "Open disputes", _A),
    Account.INVENTORY: ("1200", "Inventory", _A),
    Account.ACCOUNTS_PAYABLE: ("2000", "Goods received, not invoiced", _L),
    Account.CUSTOMER_DEPOSITS: ("2100", "Customer deposits", _L),
    Account.TAX_PAYABLE: ("2200", "Sales tax payable", _L),
    Account.GIFT_CARD_LIABILITY: ("2300", "Gift cards outstanding", _L),
    Account.STORE_CREDIT_LIABILITY: ("2310", "Store credit outstanding", _L),
    Account.OPENING_STOCK: ("3000", "Opening stock", _Q),
    Account.OPENING_BALANCES: ("3100", "Opening balances", _Q),
    Account.REVENUE: ("4000", "Sales", _R),
    Account.SHIPPING_REVENUE: ("4100", "Shipping charged", _R),
    Account.RETURN_FEES: ("4200", "Fees kept of returns", _R),
    Account.DISCOUNTS: ("4800", "Discounts given", _C),
    Account.SALES_RETURNS: ("4900", "Returns and refunds", _C),
    Account.COGS: ("5000", "Cost of goods sold", _X),
    Account.INVENTORY_ADJUSTMENTS: ("5100", "Inventory adjustments", _X),
    Account.GATEWAY_FEES: ("6000", "Payment gateway fees", _X),
    Account.DISPUTE_LOSSES: ("6100", "Lost disputes", _X),
    Account.PROMOTIONS: ("6200", "Goodwill and promotions", _X),
    Account.WRITE_OFFS: ("6300", "Write-offs", _X),
    Account.RETURN_LABELS: ("6400", "Labels of returns", _X),
    Account.REPLACEMENT_EXPENSE: ("6410", "Goods sent again", _X),
    Account.WARRANTY_EXPENSE: ("6420", "Goods and parcels under warranty", _X),
    Account.ROUNDING: ("6900", "Rounding", _X),
}
"""Code → number, name, type. What a shop never changed is this."""


def chart(session: Session, tenant_id: str) -> dict[str, AccountView]:
    """Code → account, in the order of the numbers."""
    own = {row.code: row for row in session.scalars(select(LedgerAccount).where(LedgerAccount.tenant_id == tenant_id))}
    views = [_view(code, own.get(code)) for code in Account]
    return {view.code: view for view in sorted(views, key=lambda view: (view.number, view.code))}


def change_account(
    session: Session,
    tenant_id: str,
    code: str,
    *,
    actor: str,
    number: str | None = None,
    name: str | None = None,
    kind: AccountType | None = None,
) -> AccountView:
    """Give an account another number, name or type in this shop. Raises ``NotFound``, ``InvalidInput``, ``NumberTaken``
    and changes nothing then.
    """
    accounts = chart(session, tenant_id)
    if code not in accounts:
        raise NotFound(f"There is no account {echo(code, 'of that code')}.")
    present = accounts[code]
    number, name = _clean(number, present.number, "number", 20), _clean(name, present.name, "name", 80)
    if any(other.number == number and other.code != code for other in accounts.values()):
        raise NumberTaken(f"Another account has the number {number}.")
    kind = kind or present.type
    row = LedgerAccount(
        tenant_id=tenant_id, code=Account(code), number=number, name=name, type=kind, updated_at=clock.now()
    )
    session.merge(row)
    facts = {"number": number, "name": name, "type": str(kind)}
    audit.record(session, tenant_id, actor=actor, action="account.changed", subject=code, facts=facts)
    return AccountView(code=code, number=number, name=name, type=kind)


def table() -> str:
    """The default chart as a Markdown table."""
    rows = [f"| {number} | `{code}` | {name} | {kind} |" for code, (number, name, kind) in DEFAULT.items()]
    return "\n".join(["| Number | Code | Name | Type |", "|---|---|---|---|", *rows])


def _view(code: Account, own: LedgerAccount | None) -> AccountView:
    number, name, kind = (own.number, own.name, own.type) if own else DEFAULT[code]
    return AccountView(code=code, number=number, name=name, type=AccountType(kind))


def _clean(wanted: str | None, present: str, param: str, longest: int) -> str:
    if wanted is None:
        return present
    text = wanted.strip()
    if not text or len(text) > longest or not text.isprintable():
        raise InvalidInput(f"A {param} has 1 to {longest} printable characters.", param=param)
    return text
