"""Orders, their lines, changes and shipments. Few states are stored; the rest is computed from quantities and
payments.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Computed, Index, Sequence, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit import clock
from engine.kit.tenancy import SCHEMA, AppendOnly, Base, TenantRow, tenant_fk

order_numbers = Sequence("order_numbers", start=10_000, schema=SCHEMA, metadata=Base.metadata)


class OrderStatus(StrEnum):
    PENDING_PAYMENT = "pending_payment"  # invisible to shopper, webhooks and sync
    ON_HOLD = "on_hold"
    OPEN = "open"
    CANCELED = "canceled"
    CLOSED = "closed"


class Order(TenantRow):
    __tablename__ = "orders"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    number: Mapped[str] = mapped_column(String(20))
    session_id: Mapped[str | None] = mapped_column(String(40))
    owner_id: Mapped[str] = mapped_column(String(40))
    """The session identity that bought it; it may always see it."""
    customer_id: Mapped[str | None] = mapped_column(String(40))
    """Set when the buyer was a verified customer at the time."""
    thread_id: Mapped[str | None] = mapped_column(String(40))
    status: Mapped[OrderStatus] = mapped_column(String(20))
    currency: Mapped[str] = mapped_column(String(3))
    totals: Mapped[list[Any]]
    """[{type, display_text, amount}] as agreed to, ACP total types; amounts in minor units."""
    total: Mapped[int]
    """What was agreed to at purchase; what is due now is this and the order's adjustments."""
    tax: Mapped[int]
    shipping: Mapped[int] = mapped_column(default=0, server_default="0")
    """What is asked for shipping now, without tax; starts as agreed and moves with changes."""
    shipping_tax: Mapped[int] = mapped_column(default=0, server_default="0")
    tax_included: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """Whether its prices were shown with their tax in them."""
    taxes: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    """[{jurisdiction, level, rate_ppm, amount, of_shipping}] of the whole order when its taxes were last worked out."""
    tax_engine: Mapped[str] = mapped_column(String(20), default="tables", server_default="tables")
    """Who worked its tax out: tables, stripe_tax, or tables_fallback where the shop's engine did not answer."""
    tax_calculation_id: Mapped[str | None] = mapped_column(String(80))
    """That engine's own name for it."""
    buyer: Mapped[dict[str, Any]]
    email_key: Mapped[str | None] = mapped_column(Computed("lower(buyer ->> 'email')", persisted=True), deferred=True)
    """The buyer's e-mail to be looked for: an index on an expression is none where row-level security guards a row."""
    ship_to: Mapped[dict[str, Any] | None]
    fulfillment: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """id, title, carrier, amount, min_days, max_days of the chosen option; type, and the place where it is fetched."""
    routing: Mapped[dict[str, Any] | None]
    """Why its units were reserved where they are, as routing said at the sale."""
    discount_codes: Mapped[list[str]] = mapped_column(default=list)
    origin: Mapped[dict[str, Any] | None]
    """Of an order that makes up for something: {kind: replacement|warranty, order_id, return_id?, claim_id?}."""
    placed_at: Mapped[datetime | None]
    """When its payment came in; an order without it never was, and nobody outside sees it."""
    hold_reason: Mapped[str | None]
    """Why it is on hold, for staff."""
    cancel_reason: Mapped[str | None] = mapped_column(String(60))
    """Code of the shop's closed list."""
    canceled_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    items_changed_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now)
    version: Mapped[int] = mapped_column(default=1)

    __table_args__ = (
        Index("uq_orders_number", "tenant_id", "number", unique=True),
        Index(
            "uq_orders_live_session",
            "tenant_id",
            "session_id",
            unique=True,
            postgresql_where=text("status <> 'canceled'"),
        ),
        Index("ix_orders_owner", "tenant_id", "owner_id", "placed_at", "id"),
        Index("ix_orders_customer", "tenant_id", "customer_id", "placed_at", "id"),
        Index("ix_orders_placed", "tenant_id", "placed_at", "id"),
        Index("ix_orders_status", "tenant_id", "status", "placed_at", "id"),
        Index("ix_orders_email", "tenant_id", "email_key", "placed_at"),
        Index("ix_orders_taxed_elsewhere", "tenant_id", "id", postgresql_where=text("tax_calculation_id IS NOT NULL")),
    )


class OrderWord(TenantRow):
    """A word of a buyer's name, without accents and capitals: orders are found by the beginning of one, a range of this
    key. The database writes them (``order_is_named``) wherever an order or its address is written.
    """

    __tablename__ = "order_words"

    word: Mapped[str] = mapped_column(String(40, collation="C"), primary_key=True)
    order_id: Mapped[str] = mapped_column(String(40), primary_key=True)

    __table_args__ = (
        tenant_fk("order_id", "orders", ondelete="CASCADE"),
        Index("ix_order_words_order", "tenant_id", "order_id"),
    )


class OrderLine(TenantRow):
    """A line and how far each unit got. ``discount`` and ``tax`` belong to all units ``ordered``; what some of the
    units stand for is their share (``orders.shares``).
    """

    __tablename__ = "order_lines"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    order_id: Mapped[str] = mapped_column(String(40))
    position: Mapped[int]
    product_id: Mapped[str] = mapped_column(String(40))
    variant_id: Mapped[str] = mapped_column(String(40))
    sku: Mapped[str] = mapped_column(String(40))
    title: Mapped[str]
    options: Mapped[dict[str, Any]] = mapped_column(default=dict)
    unit_price: Mapped[int]
    unit_cost: Mapped[int]
    ordered: Mapped[int]
    canceled: Mapped[int] = mapped_column(default=0)
    allocated: Mapped[int] = mapped_column(default=0, server_default="0")
    """Units that have stock, shipped ones too; the rest of what is kept waits for it."""
    released: Mapped[int] = mapped_column(default=0, server_default="0")
    """Units handed to a warehouse or partner, shipped ones too."""
    shipped: Mapped[int] = mapped_column(default=0)
    delivered: Mapped[int] = mapped_column(default=0)
    returned: Mapped[int] = mapped_column(default=0)
    discount: Mapped[int] = mapped_column(default=0)
    tax: Mapped[int] = mapped_column(default=0)
    tax_included: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """Whether ``tax`` is within the price less the discount; else it comes on top."""
    taxes: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    """[{jurisdiction, level, rate_ppm, amount}] that make up ``tax``; none where it was not worked out by places."""
    components: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    """Of a bundle: [{variant_id, quantity, price, share}] per unit, as it was at purchase: the list price of a piece,
    and what of the line's unit price all pieces bear. Of lines from before that was kept, the first two.
    """
    digital: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """Whether it has no parcel: its buyer is given an access or codes."""
    way: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """The option by which it goes, as the order's ``fulfillment``; ``None``: by that one (``orders.ways``)."""
    change_id: Mapped[str | None] = mapped_column(String(40))
    """The change that added this line."""
    replaces_line_id: Mapped[str | None] = mapped_column(String(40))
    return_id: Mapped[str | None] = mapped_column(String(40))
    """The exchange that added this line."""

    __table_args__ = (
        tenant_fk("order_id", "orders", ondelete="CASCADE"),
        Index("ix_order_lines_order", "tenant_id", "order_id", "position"),
        Index("ix_order_lines_product", "tenant_id", "product_id", "order_id"),
        Index(
            "ix_order_lines_outstanding",
            "tenant_id",
            "order_id",
            postgresql_where=text("ordered - canceled - delivered > 0"),
        ),
        Index("ix_order_lines_returned", "tenant_id", "order_id", postgresql_where=text("returned > 0")),
        Index("ix_order_lines_canceled", "tenant_id", "order_id", postgresql_where=text("canceled > 0")),
        Index("ix_order_lines_unreleased", "tenant_id", "order_id", postgresql_where=text("allocated > released")),
        Index(
            "ix_order_lines_digital",
            "tenant_id",
            "order_id",
            postgresql_where=text("digital AND allocated > shipped"),
        ),
        CheckConstraint(
            "ordered > 0 AND canceled >= 0 AND canceled + allocated <= ordered AND released <= allocated"
            " AND shipped <= released AND delivered <= shipped AND returned BETWEEN 0 AND delivered",
            name="quantities_add_up",
        ),
    )


class NoteAudience(StrEnum):
    SHOPPER = "shopper"
    STAFF = "staff"


class OrderNote(TenantRow):
    """What somebody wrote on an order. A shopper sees only what is meant for one."""

    __tablename__ = "order_notes"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    order_id: Mapped[str] = mapped_column(String(40))
    author: Mapped[str] = mapped_column(String(80))
    audience: Mapped[NoteAudience] = mapped_column(String(10))
    text: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        tenant_fk("order_id", "orders", ondelete="CASCADE"),
        Index("ix_order_notes_order", "tenant_id", "order_id", "created_at"),
    )


class AdjustmentKind(StrEnum):
    CANCEL = "cancel"
    ITEMS = "items"
    SHIPPING = "shipping"
    PAYMENT_METHOD = "payment_method"
    RETURN = "return"
    GOODWILL = "goodwill"
    FEE = "fee"  # kept of what was had in exchange and canceled
    DISPUTE = "dispute"  # given back by the card's bank, of what was canceled or changed


class OrderAdjustment(TenantRow, AppendOnly):
    """How what is due moved after the purchase: due = order total + the sum of these. Negative is in the shopper's
    favor.
    """

    __tablename__ = "order_adjustments"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    order_id: Mapped[str] = mapped_column(String(40))
    kind: Mapped[AdjustmentKind] = mapped_column(String(20))
    amount: Mapped[int]
    """Tax included, minor units of the order's currency."""
    tax: Mapped[int]
    rates: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    """[{rate_ppm, net, tax}] that make it up, by the rates of the very lines it is about; none where it is about the
    order as a whole."""
    change_id: Mapped[str | None] = mapped_column(String(40))
    refund_id: Mapped[str | None] = mapped_column(String(40))
    return_id: Mapped[str | None] = mapped_column(String(40))
    claim_id: Mapped[str | None] = mapped_column(String(40))
    at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        tenant_fk("order_id", "orders", ondelete="CASCADE"),
        Index("ix_order_adjustments_order", "tenant_id", "order_id", "at"),
        Index("ix_order_adjustments_change", "tenant_id", "change_id"),
    )


class ChangeKind(StrEnum):
    CANCEL = "cancel"
    ADDRESS = "address"
    PAYMENT_METHOD = "payment_method"
    ITEMS = "items"
    RETURN = "return"
    NOTE = "note"


class ChangeStatus(StrEnum):
    QUOTED = "quoted"
    CONFIRMED = "confirmed"  # agreed to, not yet acted on
    CHARGING = "charging"  # its payment is under way
    REQUESTED = "requested"  # a partner holds the goods and must agree first
    APPLIED = "applied"
    REFUSED = "refused"  # the partner, the shopper or a rule said no
    FAILED = "failed"  # its payment came to nothing
    EXPIRED = "expired"
    SUPERSEDED = "superseded"  # the order changed since the quote


class OrderChange(TenantRow):
    """Something to be changed on an order: quoted first, then applied once."""

    __tablename__ = "order_changes"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    order_id: Mapped[str] = mapped_column(String(40))
    kind: Mapped[ChangeKind] = mapped_column(String(20))
    status: Mapped[ChangeStatus] = mapped_column(String(12))
    requested_by: Mapped[str] = mapped_column(String(80))
    reason: Mapped[str | None] = mapped_column(String(60))
    wanted: Mapped[dict[str, Any]]
    """What was asked for, in ids."""
    quote: Mapped[dict[str, Any]]
    """What it does to lines, totals and money: what was agreed to."""
    digest: Mapped[str] = mapped_column(String(64))
    order_version: Mapped[int]
    consent_id: Mapped[str | None] = mapped_column(String(40))
    approved_by: Mapped[str | None] = mapped_column(String(80))
    """The staff member or key that answers for a change without a shopper's consent."""
    approval_id: Mapped[str | None] = mapped_column(String(40))
    """The approval that lets them answer for more than staff may."""
    message: Mapped[str | None]
    """How it ended, in words fit for the shopper."""
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    decided_at: Mapped[datetime | None]
    applied_at: Mapped[datetime | None]

    __table_args__ = (
        tenant_fk("order_id", "orders", ondelete="CASCADE"),
        Index("ix_order_changes_order", "tenant_id", "order_id", "created_at"),
        Index("uq_order_changes_approval", "tenant_id", "approval_id", unique=True),
        Index(
            "uq_order_changes_charging",
            "tenant_id",
            "order_id",
            unique=True,
            postgresql_where=text("status = 'charging'"),
        ),
        Index(
            "ix_order_changes_open",
            "tenant_id",
            "expires_at",
            postgresql_where=text("status IN ('quoted', 'confirmed')"),
        ),
    )


class ShipmentStatus(StrEnum):
    LABEL_CREATED = "label_created"  # packed and labeled: it has left our stock, the carrier has not scanned it yet
    SHIPPED = "shipped"
    IN_TRANSIT = "in_transit"
    OUT_FOR_DELIVERY = "out_for_delivery"
    DELIVERED = "delivered"
    EXCEPTION = "exception"
    LOST = "lost"
    RETURNED = "returned"  # came back to the sender


class Shipment(TenantRow):
    """Parcels of one order that left one location together under one tracking number."""

    __tablename__ = "shipments"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    order_id: Mapped[str] = mapped_column(String(40))
    location_id: Mapped[str] = mapped_column(String(40))
    carrier: Mapped[str]
    tracking_number: Mapped[str]
    fulfillment_id: Mapped[str | None] = mapped_column(String(40))
    """None for parcels of before our time."""
    service: Mapped[str] = mapped_column(default="")
    label_cost: Mapped[int] = mapped_column(default=0)
    status: Mapped[ShipmentStatus] = mapped_column(String(20))
    lines: Mapped[list[Any]]
    """[{order_line_id, quantity}]"""
    packages: Mapped[list[Any]] = mapped_column(default=list)
    """[{weight_g, items: [{order_line_id, quantity}]}]"""
    events: Mapped[list[Any]] = mapped_column(default=list)
    """[{id?, at, status, text}] oldest first; ``id`` is the carrier's own, unique within the shipment."""
    expected_on: Mapped[date | None]
    shipped_at: Mapped[datetime]
    """When it left our stock."""
    delivered_at: Mapped[datetime | None]
    lost_at: Mapped[datetime | None]
    remedy: Mapped[str | None] = mapped_column(String(10))
    """What was decided after it was lost: reship or refund. Its units are no longer counted as sent."""
    returned_at: Mapped[datetime | None]

    __table_args__ = (
        tenant_fk("order_id", "orders", ondelete="CASCADE"),
        tenant_fk("location_id", "locations"),
        tenant_fk("fulfillment_id", "fulfillments"),
        CheckConstraint("label_cost >= 0", name="label_cost_not_negative"),
        Index("ix_shipments_order", "tenant_id", "order_id"),
        Index("ix_shipments_fulfillment", "tenant_id", "fulfillment_id"),
        Index("ix_shipments_shipped", "tenant_id", "shipped_at", "id"),
        Index("uq_shipments_tracking", "tenant_id", "carrier", "tracking_number", unique=True),
        Index(
            "ix_shipments_under_way",
            "tenant_id",
            "carrier",
            "id",
            postgresql_where=text("status NOT IN ('delivered', 'lost', 'returned')"),
        ),
    )
