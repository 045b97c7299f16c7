"""What each event posts. Debits are positive, credits negative, and every entry adds up to zero."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from engine.finance.models import Account, JournalEntry, Posting
from engine.kit import clock
from engine.kit.ids import new_id


def post(
    session: Session,
    tenant_id: str,
    *,
    kind: str,
    subject: str,
    currency: str,
    amounts: Mapping[Account, int],
    order_id: str | None = None,
    at: datetime | None = None,
) -> str | None:
    """Post one event once. Returns the entry's id, ``None`` when nothing moves.

    Raises ``ValueError`` when the amounts do not add up to zero (the database would refuse them too), and an
    ``IntegrityError`` when the event was posted before.
    """
    lines = {account: amount for account, amount in amounts.items() if amount}
    if sum(lines.values()):
        raise ValueError(f"{kind} of {subject} does not balance: {lines}")
    if not lines:
        return None
    entry_id = new_id("entry")
    entry = {"tenant_id": tenant_id, "id": entry_id, "kind": kind, "subject": subject, "order_id": order_id}
    session.execute(insert(JournalEntry), [entry | {"occurred_at": at or clock.now()}])
    rows = [
        {
            "tenant_id": tenant_id,
            "entry_id": entry_id,
            "account": account,
            "amount": amount,
            "currency": currency,
        }
        for account, amount in lines.items()
    ]
    session.execute(insert(Posting), rows)
    return entry_id


def capture(amount: int, tax: int) -> dict[Account, int]:
    """Money came in, nothing was shipped: it is owed to the customer, and the tax to the state."""
    return {
        Account.PSP_CLEARING: amount,
        Account.CUSTOMER_DEPOSITS: -(amount - tax),
        Account.TAX_PAYABLE: -tax,
    }


def shipment(revenue: int, cost: int) -> dict[Account, int]:
    """Goods left: their price (without tax) is earned, their cost is spent."""
    return {
        Account.CUSTOMER_DEPOSITS: revenue,
        Account.REVENUE: -revenue,
        Account.COGS: cost,
        Account.INVENTORY: -cost,
    }


def refund_before_shipment(amount: int, tax: int) -> dict[Account, int]:
    """Money goes back for something that was never sent."""
    return {
        Account.CUSTOMER_DEPOSITS: amount - tax,
        Account.TAX_PAYABLE: tax,
        Account.PSP_CLEARING: -amount,
    }


def refund_after_shipment(amount: int, tax: int) -> dict[Account, int]:
    """Money goes back for something that was sent."""
    return {Account.SALES_RETURNS: amount - tax, Account.TAX_PAYABLE: tax, Account.PSP_CLEARING: -amount}


def restock(cost: int) -> dict[Account, int]:
    """Returned goods are on the shelf again."""
    return {Account.INVENTORY: cost, Account.COGS: -cost}


def opening_stock(cost: int) -> dict[Account, int]:
    """Stock that was there before the books began."""
    return {Account.INVENTORY: cost, Account.OPENING_STOCK: -cost}


def balances(session: Session, tenant_id: str) -> dict[str, int]:
    """Account → balance (debit positive), the trial balance."""
    rows = session.execute(
        select(Posting.account, func.sum(Posting.amount))
        .where(Posting.tenant_id == tenant_id)
        .group_by(Posting.account)
    )
    return {str(account): int(amount) for account, amount in rows}
