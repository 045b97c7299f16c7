"""Users of the file as customers of ours, with their address and every way to pay that they have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from engine.customers.addresses import country_code
from engine.customers.models import Address, Customer, PaymentMethod, Shopper
from engine.finance import postings
from engine.finance.models import Account
from engine.kit.ids import new_id
from engine.payments.gateway import MethodKind
from engine.payments.naming import method_label
from engine.payments.stored_value_models import EntryKind, StoredValueAccount, StoredValueEntry, StoredValueKind
from evals.tau2.rows import CURRENCY, Rows
from evals.tau2.shop import AddressRow, MethodRow, OrderRow, UserRow

GATEWAY: Final = "manual"
"""The shop's own payment system: what is booked here is done there."""
WALLET: Final = "paypal"


@dataclass(frozen=True, slots=True)
class Method:
    """A way to pay as an order has to name it: at the gateway, or an account of ours."""

    method_id: str | None = None
    account_id: str | None = None
    told: dict[str, Any] = field(default_factory=dict)
    """gateway, ref, brand, last4, label."""

    @property
    def ref(self) -> str:
        """What our tools call it."""
        return self.account_id or self.method_id or ""


@dataclass(frozen=True, slots=True)
class Person:
    customer_id: str
    shopper_id: str
    """The session that they bought in, and are known in."""
    name: str
    email: str
    methods: Mapping[str, Method]
    """By the name the file gives them."""


def bring_person(rows: Rows, user: UserRow, orders: list[OrderRow], at: datetime) -> Person:
    """Rows for a user. ``orders`` are theirs: what a gift card paid for before is not on it any more."""
    customer_id, shopper_id = new_id("customer"), new_id("shopper")
    name = f"{user.name.first_name} {user.name.last_name}"
    rows.add(
        Customer,
        id=customer_id,
        external_id=user.user_id,
        email=user.email,
        name=name,
        given_name=user.name.first_name,
        family_name=user.name.last_name,
        created_at=at,
        email_verified_at=at,
    )
    rows.add(Shopper, id=shopper_id, customer_id=customer_id, created_at=at, last_seen_at=at)
    rows.add(Address, id=new_id("address"), customer_id=customer_id, is_default=True, **place(user.address, name))
    methods = {}
    for first, row in zip([True, *[False] * len(user.payment_methods)], user.payment_methods.values(), strict=False):
        if row.source == "gift_card":
            methods[row.id] = _gift_card(rows, customer_id, row, _spent(row.id, orders), at)
        else:
            methods[row.id] = _kept(rows, customer_id, row, is_default=first)
    return Person(customer_id, shopper_id, name, user.email, methods)


def place(address: AddressRow, name: str) -> dict[str, str]:
    """An address as ours, word for word but for the country's code."""
    return {
        "name": name,
        "line_one": address.address1,
        "line_two": address.address2,
        "city": address.city,
        "state": address.state,
        "postal_code": address.zip,
        "country": country_code(address.country),
    }


def _kept(rows: Rows, customer_id: str, row: MethodRow, *, is_default: bool) -> Method:
    """A card, or a wallet that is an account of its own."""
    kind, wallet = (MethodKind.CARD, "") if row.source == "credit_card" else (MethodKind.WALLET, WALLET)
    method_id = new_id("payment_method")
    facts = {"gateway": GATEWAY, "brand": row.brand, "last4": row.last_four}
    rows.add(
        PaymentMethod,
        id=method_id,
        customer_id=customer_id,
        external_id=row.id,
        kind=kind.value,
        wallet=wallet,
        gateway_ref=row.id,
        exp_month=0,
        exp_year=0,
        is_default=is_default,
        **facts,
    )
    return Method(
        method_id, told=facts | {"ref": row.id, "label": method_label(row.brand, row.last_four, wallet=wallet)}
    )


def _gift_card(rows: Rows, customer_id: str, row: MethodRow, spent: int, at: datetime) -> Method:
    """What is on it now was put there, and what was spent of it, before our books began."""
    account_id, last4 = new_id("stored_value"), row.id[-4:]
    rows.add(
        StoredValueAccount,
        id=account_id,
        external_id=row.id,
        kind=StoredValueKind.GIFT_CARD,
        customer_id=customer_id,
        last4=last4,
        currency=CURRENCY,
        balance=row.balance,
        created_at=at,
    )
    if began := row.balance + spent:
        move(rows, account_id, EntryKind.ISSUE, began, account_id, at)
        amounts = postings.stored_value_issued("gift_card", began, Account.OPENING_BALANCES)
        rows.post(postings.Kind.STORED_VALUE_ISSUED, account_id, None, at, amounts)
    told = {"gateway": "stored_value", "ref": account_id, "brand": "gift_card", "last4": last4}
    return Method(account_id=account_id, told=told | {"label": f"Gift card •••• {last4}"})


def move(rows: Rows, account_id: str, kind: EntryKind, delta: int, subject: str, at: datetime) -> None:
    """One movement of a gift card."""
    rows.add(StoredValueEntry, account_id=account_id, kind=kind, delta=delta, subject=subject, at=at)


def _spent(method_id: str, orders: list[OrderRow]) -> int:
    signs = {"payment": 1, "refund": -1}
    return sum(
        signs[entry.transaction_type] * entry.amount
        for order in orders
        for entry in order.payment_history
        if entry.payment_method_id == method_id
    )
