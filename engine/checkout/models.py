"""A checkout session: from a cart to a price somebody can agree to, and the consent that binds it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit import clock
from engine.kit.tenancy import TenantRow, tenant_fk


class SessionStatus(StrEnum):
    """The Agentic Commerce Protocol's states that we use (specs: acp §2.6)."""

    NOT_READY = "not_ready_for_payment"
    READY = "ready_for_payment"
    PENDING_APPROVAL = "pending_approval"
    AUTHENTICATION_REQUIRED = "authentication_required"
    REQUIRES_ESCALATION = "requires_escalation"  # people of the shop have to look at it
    IN_PROGRESS = "complete_in_progress"
    COMPLETED = "completed"
    CANCELED = "canceled"
    EXPIRED = "expired"


class CheckoutSession(TenantRow):
    __tablename__ = "checkout_sessions"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    owner_id: Mapped[str] = mapped_column(String(40))
    thread_id: Mapped[str | None] = mapped_column(String(40))
    cart_id: Mapped[str | None] = mapped_column(String(40))
    status: Mapped[SessionStatus] = mapped_column(String(30), default=SessionStatus.NOT_READY)
    currency: Mapped[str] = mapped_column(String(3))
    lines: Mapped[list[Any]]
    """[{variant_id, quantity}] in cart order; prices come from the catalog at each quote."""
    buyer: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """name, email, phone: what the shopper said, unverified."""
    ship_to: Mapped[dict[str, Any] | None]
    """name, line_one, line_two, city, state, postal_code, country (ACP Address)."""
    fulfillment_option_id: Mapped[str | None]
    """The way of every line that ``ways`` does not name and that has a parcel."""
    ways: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'"))
    """Variant → the option of a line that goes another way; empty where one way carries all there is to carry."""
    discount_codes: Mapped[list[str]] = mapped_column(default=list)
    payment_method: Mapped[dict[str, Any] | None]
    """gateway, ref (the gateway's card reference), brand, last4, label; never a number."""
    tenders: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'"))
    """[{stored_value_id, amount}] in the order they are used up; ``amount`` in minor units or ``"all"``. The payment
    method pays the rest."""
    declines: Mapped[int] = mapped_column(default=0)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now)
    expires_at: Mapped[datetime]

    __table_args__ = (
        Index("ix_checkout_owner", "tenant_id", "owner_id", "created_at"),
        Index("ix_checkout_thread", "tenant_id", "thread_id"),
        Index(
            "ix_checkout_open",
            "tenant_id",
            "expires_at",
            postgresql_where=text("status NOT IN ('completed', 'canceled', 'expired')"),
        ),
    )


class ConsentStatus(StrEnum):
    OPEN = "open"
    APPROVED = "approved"
    DECLINED = "declined"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"  # the total, stock or details changed: a new card replaces it
    CLAIMED = "claimed"  # used by a payment, once


class ConsentKind(StrEnum):
    PAYMENT = "payment"
    ORDER_CHANGE = "order_change"
    WARRANTY = "warranty"
    RETURN_CANCEL = "return_cancel"
    DEFAULT_ADDRESS = "default_address"
    STAFF_ACT = "staff_act"


class Consent(TenantRow):
    """What a human agreed to, to the cent: made by the card's own endpoint, claimed once in T1."""

    __tablename__ = "consents"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[ConsentKind] = mapped_column(
        String(20), default=ConsentKind.PAYMENT, server_default=ConsentKind.PAYMENT
    )
    session_id: Mapped[str | None] = mapped_column(String(40))
    """The checkout it pays; none for anything else."""
    subject_id: Mapped[str | None] = mapped_column(String(40))
    """What else it allows: a change of an order, a claim's choice, a return that is given up, a customer's new default
    address; none for a payment.
    """
    owner_id: Mapped[str] = mapped_column(String(40))
    holder_id: Mapped[str | None] = mapped_column(String(40))
    """The shopper whose browser opened it on the hosted page, where its owner is an agent: they decide."""
    thread_id: Mapped[str | None] = mapped_column(String(40))
    digest: Mapped[str] = mapped_column(String(64))
    summary: Mapped[dict[str, Any]]
    """What the card shows: the interrupt's ``metadata.checkout``."""
    token_sealed: Mapped[bytes | None]
    """The delegated token (``vt_``), encrypted for this tenant; no model, log or event ever sees it."""
    status: Mapped[ConsentStatus] = mapped_column(String(12), default=ConsentStatus.OPEN)
    choice: Mapped[str | None] = mapped_column(String(20))
    """Which of the offered things was chosen, where it offers several."""
    channel: Mapped[str | None] = mapped_column(String(20))
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    expires_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    payment_id: Mapped[str | None] = mapped_column(String(40))

    __table_args__ = (
        tenant_fk("session_id", "checkout_sessions"),
        Index("ix_consents_thread", "tenant_id", "thread_id"),
        Index(
            "uq_consents_open",
            "tenant_id",
            "session_id",
            unique=True,
            postgresql_where=text("status IN ('open', 'approved')"),
        ),
        Index(
            "uq_consents_open_subject",
            "tenant_id",
            "subject_id",
            unique=True,
            postgresql_where=text("subject_id IS NOT NULL AND status IN ('open', 'approved')"),
        ),
        CheckConstraint("(kind = 'payment') = (session_id IS NOT NULL)", name="payment_has_session"),
        CheckConstraint("(kind = 'payment') = (subject_id IS NULL)", name="change_has_subject"),
    )
