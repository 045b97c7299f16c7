"""The people: a shopper is whoever holds this browser session; a customer is a known person with a profile."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Computed, Index, String, func, text
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit import clock
from engine.kit.tenancy import AppendOnly, TenantRow, tenant_fk


class Customer(TenantRow):
    __tablename__ = "customers"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    email: Mapped[str]
    email_key: Mapped[str] = mapped_column(Computed("lower(email)", persisted=True), deferred=True)
    """To be looked for: an index on an expression is none where row-level security guards a row."""
    name: Mapped[str]
    given_name: Mapped[str] = mapped_column(default="", server_default="")
    family_name: Mapped[str] = mapped_column(default="", server_default="")
    """Both parts of the name, where the shop's own records tell them apart."""
    external_id: Mapped[str | None] = mapped_column(String(80))
    """What the merchant's own system calls them."""
    phone: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    email_verified_at: Mapped[datetime | None]
    merged_into: Mapped[str | None] = mapped_column(String(40))
    """The customer that this one turned out to be; its e-mail leads there."""
    erased_at: Mapped[datetime | None]
    """Set when nothing personal is left here: the row stays so that orders and books still point at something."""

    __table_args__ = (
        tenant_fk("merged_into", "customers"),
        Index("ix_customers_made", "tenant_id", "created_at", "id"),
        Index("ix_customers_merged", "tenant_id", "merged_into", postgresql_where=text("merged_into IS NOT NULL")),
        Index("uq_customers_email", "tenant_id", "email_key", unique=True),
        Index("uq_customers_external", "tenant_id", "external_id", unique=True),
        CheckConstraint("merged_into <> id", name="merged_into_another"),
    )


class Shopper(TenantRow):
    """A session identity. Its carts, checkouts and orders are its own; a profile needs ``customer_id``, which only
    a verified e-mail sets.
    """

    __tablename__ = "shoppers"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    customer_id: Mapped[str | None] = mapped_column(String(40))
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    last_seen_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        tenant_fk("customer_id", "customers"),
        Index("ix_shoppers_customer", "tenant_id", "customer_id"),
    )


class Address(TenantRow):
    __tablename__ = "addresses"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    customer_id: Mapped[str] = mapped_column(String(40))
    name: Mapped[str]
    line_one: Mapped[str]
    line_two: Mapped[str] = mapped_column(default="")
    city: Mapped[str]
    state: Mapped[str]
    postal_code: Mapped[str]
    country: Mapped[str] = mapped_column(String(2))
    is_default: Mapped[bool] = mapped_column(default=False)

    __table_args__ = (
        tenant_fk("customer_id", "customers", ondelete="CASCADE"),
        Index("ix_addresses_customer", "tenant_id", "customer_id"),
        Index("ix_addresses_place", "tenant_id", "postal_code", postgresql_where=text("is_default")),
    )


class PaymentMethod(TenantRow):
    """A card or wallet saved at a gateway. ``gateway_ref`` is useless without the merchant's own gateway session."""

    __tablename__ = "payment_methods"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    customer_id: Mapped[str] = mapped_column(String(40))
    kind: Mapped[str] = mapped_column(String(12), default="card")  # card | wallet
    wallet: Mapped[str] = mapped_column(String(20), default="", server_default="")
    """Which wallet, for a card in one."""
    external_id: Mapped[str | None] = mapped_column(String(80))
    """What the merchant's own system calls it."""
    gateway: Mapped[str] = mapped_column(String(20))
    gateway_ref: Mapped[str]
    brand: Mapped[str] = mapped_column(String(20))
    last4: Mapped[str] = mapped_column(String(4))
    exp_month: Mapped[int]
    exp_year: Mapped[int]
    is_default: Mapped[bool] = mapped_column(default=False)
    session_id: Mapped[str | None] = mapped_column(String(40))
    """The checkout it was entered for; none for a card that came with the shop's own records."""
    agreed_at: Mapped[datetime | None]
    """When its customer said that it is to be kept."""
    kept_at: Mapped[datetime | None] = mapped_column(default=clock.now, server_default=func.now())
    """When the gateway kept it. Until the purchase it was entered for is paid it is nobody's to choose."""
    removed_at: Mapped[datetime | None]
    """Its customer wants it gone: nobody sees it, and the row goes when the gateway has let the card go."""

    __table_args__ = (
        tenant_fk("customer_id", "customers", ondelete="CASCADE"),
        CheckConstraint("kept_at IS NOT NULL OR agreed_at IS NOT NULL", name="wanted_or_kept"),
        Index("ix_payment_methods_customer", "tenant_id", "customer_id"),
        Index("uq_payment_methods_external", "tenant_id", "external_id", unique=True),
        Index(
            "uq_payment_methods_wanted",
            "tenant_id",
            "session_id",
            "gateway_ref",
            unique=True,
            postgresql_where=text("kept_at IS NULL"),
        ),
        Index("ix_payment_methods_removed", "tenant_id", "id", postgresql_where=text("removed_at IS NOT NULL")),
    )


class EmailCode(TenantRow):
    """A one-time code that was sent to an address for one session identity. The code itself is kept nowhere."""

    __tablename__ = "email_codes"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    shopper_id: Mapped[str] = mapped_column(String(40))
    email: Mapped[str]
    email_key: Mapped[str] = mapped_column(Computed("lower(email)", persisted=True), deferred=True)
    code_hash: Mapped[str] = mapped_column(String(64))
    """Keyed: without the shop's secret nobody can try the million codes on it."""
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]

    __table_args__ = (
        tenant_fk("shopper_id", "shoppers", ondelete="CASCADE"),
        Index("ix_email_codes_shopper", "tenant_id", "shopper_id", "created_at"),
        Index("ix_email_codes_email", "tenant_id", "email_key"),
        Index("ix_email_codes_expiry", "tenant_id", "expires_at"),
    )


class LinkStatus(StrEnum):
    CLAIMED = "claimed"  # somebody typed the e-mail: it opens nothing to anybody
    VERIFIED = "verified"  # the e-mail's owner has proven it since, and the subject became theirs
    REJECTED = "rejected"  # staff found that it is not theirs


class CustomerLink(TenantRow):
    """Something bought with a typed e-mail. The shop sees whose it says it is; nobody is let in by it."""

    __tablename__ = "customer_links"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    customer_id: Mapped[str | None] = mapped_column(String(40))
    """The customer with that e-mail, where there is one."""
    email: Mapped[str]
    email_key: Mapped[str] = mapped_column(Computed("lower(email)", persisted=True), deferred=True)
    source: Mapped[str] = mapped_column(String(20))  # checkout | acp | …
    subject_id: Mapped[str] = mapped_column(String(40))
    """The order."""
    status: Mapped[LinkStatus] = mapped_column(String(10), default=LinkStatus.CLAIMED)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    decided_at: Mapped[datetime | None]

    __table_args__ = (
        tenant_fk("customer_id", "customers"),
        Index("uq_customer_links_subject", "tenant_id", "subject_id", unique=True),
        Index("ix_customer_links_customer", "tenant_id", "customer_id"),
        Index("ix_customer_links_email", "tenant_id", "email_key", "status"),
    )


class ConsentTopic(StrEnum):
    MARKETING = "marketing"
    DATA = "data"


class ContactConsent(TenantRow, AppendOnly):
    """What a customer said about being written to, or about their data. Of each topic and channel the newest counts."""

    __tablename__ = "contact_consents"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    customer_id: Mapped[str] = mapped_column(String(40))
    topic: Mapped[ConsentTopic] = mapped_column(String(10))
    channel: Mapped[str] = mapped_column(String(10))  # email | sms | phone | post | chat
    granted: Mapped[bool]
    text_version: Mapped[str] = mapped_column(String(40))
    """Which wording they saw."""
    source: Mapped[str] = mapped_column(String(10))  # web | staff | merge
    at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        tenant_fk("customer_id", "customers"),
        Index("ix_contact_consents_customer", "tenant_id", "customer_id", "at"),
    )


class PointsKind(StrEnum):
    EARN = "earn"  # an order is worth them
    REVERSE = "reverse"  # it is worth less now
    REDEEM = "redeem"
    EXPIRE = "expire"
    MERGE = "merge"
    ADJUST = "adjust"


class LoyaltyAccount(TenantRow):
    """A customer's points. They may fall below zero: what was redeemed and then returned is owed."""

    __tablename__ = "loyalty_accounts"

    customer_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    balance: Mapped[int] = mapped_column(default=0)
    """The sum of its entries."""

    __table_args__ = (tenant_fk("customer_id", "customers"),)


class LoyaltyEntry(TenantRow, AppendOnly):
    __tablename__ = "loyalty_entries"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    customer_id: Mapped[str] = mapped_column(String(40))
    kind: Mapped[PointsKind] = mapped_column(String(10))
    delta: Mapped[int]
    order_id: Mapped[str | None] = mapped_column(String(40))
    """Of what an order is worth."""
    rate: Mapped[int | None]
    """Points per unit of currency, as it was when the order first earned."""
    subject: Mapped[str] = mapped_column(String(80))
    """What it is about: an order, the store credit it became, a merge."""
    expires_at: Mapped[datetime | None]
    at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        tenant_fk("customer_id", "customers"),
        CheckConstraint("delta <> 0", name="delta_not_zero"),
        Index("ix_loyalty_entries_customer", "tenant_id", "customer_id", "at"),
        Index("ix_loyalty_entries_order", "tenant_id", "order_id"),
        Index("ix_loyalty_entries_expiry", "tenant_id", "expires_at", postgresql_where=text("expires_at IS NOT NULL")),
    )


class CustomerMerge(TenantRow, AppendOnly):
    """Two customers that turned out to be one, who said so, and what moved."""

    __tablename__ = "customer_merges"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    source_id: Mapped[str] = mapped_column(String(40))
    target_id: Mapped[str] = mapped_column(String(40))
    merged_by: Mapped[str] = mapped_column(String(80))
    moved: Mapped[dict[str, Any]]
    """Table → how many rows."""
    at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        tenant_fk("source_id", "customers"),
        tenant_fk("target_id", "customers"),
        Index("uq_customer_merges_source", "tenant_id", "source_id", unique=True),
        Index("ix_customer_merges_target", "tenant_id", "target_id"),
    )


class ErasureStatus(StrEnum):
    DEFERRED = "deferred"  # asked for; something open needs the data a while yet
    DONE = "done"


class Erasure(TenantRow):
    """A wish to be forgotten and what became of it. Holds nothing personal itself."""

    __tablename__ = "erasures"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    customer_id: Mapped[str] = mapped_column(String(40))
    requested_by: Mapped[str] = mapped_column(String(80))
    reason: Mapped[str] = mapped_column(String(30))
    status: Mapped[ErasureStatus] = mapped_column(String(10), default=ErasureStatus.DEFERRED)
    holds: Mapped[list[Any]] = mapped_column(default=list)
    """[{kind, subject}] of what it waits for."""
    erased: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Table → how many rows."""
    requested_at: Mapped[datetime] = mapped_column(default=clock.now)
    done_at: Mapped[datetime | None]

    __table_args__ = (
        tenant_fk("customer_id", "customers"),
        Index(
            "uq_erasures_waiting",
            "tenant_id",
            "customer_id",
            unique=True,
            postgresql_where=text("status = 'deferred'"),
        ),
    )
