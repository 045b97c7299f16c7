"""What a signed-in shopper may know of themselves in one look: who they are, where they live, how they can pay."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from engine.customers.book import own_profile
from engine.customers.models import Address, Customer, PaymentMethod
from engine.customers.service import default_address, payment_methods
from engine.kit.identity import Identity
from engine.payments import stored_value
from engine.payments.naming import account_label, method_label
from engine.payments.stored_value_models import StoredValueAccount


@dataclass(frozen=True, slots=True)
class Way:
    """A way to pay that is theirs: ``kind`` is card, wallet, gift_card or store_credit; what has a balance has a
    currency.
    """

    ref: str
    kind: str
    label: str
    brand: str = ""
    last4: str = ""
    wallet: str = ""
    balance: int | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    customer: Customer
    address: Address | None
    """The default one."""
    ways: list[Way]


def profile(session: Session, identity: Identity) -> Profile:
    """Of the identity's own customer. Raises ``EmailNeeded``, ``NotFound``."""
    customer = own_profile(session, identity)
    return Profile(customer, default_address(session, identity), ways(session, identity))


def ways(session: Session, identity: Identity) -> list[Way]:
    """Saved ways to pay, the default first, then gift cards and credit that can be spent or filled, in order."""
    saved = [_saved(row) for row in payment_methods(session, identity)]
    return [*saved, *(_account(row) for row in accounts(session, identity))]


def accounts(session: Session, identity: Identity) -> list[StoredValueAccount]:
    """The identity's own gift cards and store credit that can be spent or filled, empty ones too, oldest first."""
    return stored_value.accounts_of(session, identity)


def _saved(row: PaymentMethod) -> Way:
    label = method_label(row.brand, row.last4, wallet=row.wallet)
    return Way(row.id, row.kind, label, row.brand, row.last4, row.wallet)


def _account(row: StoredValueAccount) -> Way:
    label = account_label(row.kind, row.last4)
    return Way(row.id, str(row.kind), label, last4=row.last4, balance=row.balance, currency=row.currency)
