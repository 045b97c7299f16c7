"""What a customer looks like: to themselves, and to the shop."""

from __future__ import annotations

from datetime import datetime

from engine.customers.models import (
    Address,
    ContactConsent,
    Customer,
    CustomerLink,
    CustomerMerge,
    LoyaltyEntry,
    PaymentMethod,
)
from engine.kit.views import Price, View
from engine.payments.naming import method_label


class ProfileView(View):
    id: str
    email: str
    email_verified_at: datetime | None
    name: str
    phone: str
    created_at: datetime

    @classmethod
    def of(cls, row: Customer) -> ProfileView:
        return cls(
            id=row.id,
            email=row.email,
            email_verified_at=row.email_verified_at,
            name=row.name,
            phone=row.phone,
            created_at=row.created_at,
        )


class SavedAddressView(View):
    id: str
    name: str
    line_one: str
    line_two: str
    city: str
    state: str
    postal_code: str
    country: str
    is_default: bool

    @classmethod
    def of(cls, row: Address) -> SavedAddressView:
        return cls(**{field: getattr(row, field) for field in cls.model_fields})


class SavedMethodView(View):
    """Nothing here pays: the gateway keeps what does."""

    id: str
    kind: str
    brand: str
    last4: str
    exp_month: int
    exp_year: int
    is_default: bool
    label: str
    """``Visa •••• 4242`` or ``Demo Wallet · Visa ending 4242``."""

    @classmethod
    def of(cls, row: PaymentMethod) -> SavedMethodView:
        known = {field: getattr(row, field) for field in cls.model_fields if field != "label"}
        return cls(**known, label=method_label(row.brand, row.last4, wallet=row.wallet))


class ContactConsentView(View):
    topic: str
    channel: str
    granted: bool
    text_version: str
    source: str
    at: datetime

    @classmethod
    def of(cls, row: ContactConsent) -> ContactConsentView:
        return cls(**{field: getattr(row, field) for field in cls.model_fields})


class PointsEntryView(View):
    kind: str
    delta: int
    order_id: str | None
    expires_at: datetime | None
    at: datetime

    @classmethod
    def of(cls, row: LoyaltyEntry) -> PointsEntryView:
        return cls(**{field: getattr(row, field) for field in cls.model_fields})


class PointsView(View):
    """``balance`` may be below zero: redeemed points whose goods came back are owed."""

    enabled: bool
    balance: int
    redeem_minimum: int
    points_per_credit_unit: int
    entries: list[PointsEntryView]
    """The newest hundred."""


class RedeemedView(View):
    points: int
    credit: Price
    balance: int
    """What is left."""


class LinkView(View):
    """An order that says it is this customer's. ``claimed``: by a typed e-mail that opens nothing."""

    id: str
    email: str
    source: str
    subject_id: str
    status: str
    created_at: datetime
    decided_at: datetime | None

    @classmethod
    def of(cls, row: CustomerLink) -> LinkView:
        return cls(**{field: getattr(row, field) for field in cls.model_fields})


class CustomerRow(View):
    """A customer in a list. ``status``: active, merged or erased."""

    id: str
    status: str
    email: str
    email_verified_at: datetime | None
    name: str
    phone: str
    orders: int
    created_at: datetime


class MergeView(View):
    id: str
    source_id: str
    target_id: str
    merged_by: str
    moved: dict[str, int]
    at: datetime

    @classmethod
    def of(cls, row: CustomerMerge) -> MergeView:
        return cls(**{field: getattr(row, field) for field in cls.model_fields})


class CustomerView(CustomerRow):
    """One customer, for staff."""

    merged_into: str | None
    erased_at: datetime | None
    points: int
    addresses: list[SavedAddressView]
    payment_methods: list[SavedMethodView]
    consents: list[ContactConsentView]
    links: list[LinkView]
    merges: list[MergeView]
