"""What the order panel shows (``/v1/staff/panel``, ``/v1/staff/orders``): to the shop's people alone."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from engine.approvals.schemas import ApprovalView
from engine.kit.views import Price, View
from engine.orders.changes.schemas import ChangeView
from engine.orders.schemas import OrderView
from engine.payments.schemas import DisputeView, PaymentView, RefundView
from engine.returns.schemas import ReturnView
from engine.warranties.schemas import ClaimView


class Fact(View):
    """One line of a card."""

    label: str
    value: str


class ActCard(View):
    """An act as it would be done now. Nothing has happened yet: whoever says yes sends back ``id`` and ``seen``."""

    id: str
    """Good for one yes."""
    seen: str
    """Digest of all that is said yes to."""
    action: str
    title: str
    say: str
    """What the button says."""
    amount: Price | None
    method: str
    """Where money goes or comes from; empty where none moves."""
    reason: str
    """As its shopper reads it."""
    facts: list[Fact]
    decides: str
    """you, approver or shopper."""
    decides_words: str
    limit: Price | None
    """What one person may do alone, where that is less."""


class Acted(View):
    """``done``, ``pending_approval``, or ``waits_for_shopper``: the card is in their conversation, or on their order's
    page.
    """

    status: str
    words: str
    approval: ApprovalView | None = None
    change: ChangeView | None = None
    outcome: dict[str, Any] | None = None


class Choice(View):
    code: str
    text: str


class LineChoice(View):
    """Units of a line that can be named."""

    line_id: str
    title: str
    units: int
    worth: Price
    """What one unit stands for."""
    detail: str = ""


class LetterChoice(View):
    mail_id: str
    subject: str
    to: str
    sent_at: datetime | None


class ParcelChoice(View):
    shipment_id: str
    title: str


class ActionView(View):
    """One thing staff may do to an order, and with what; where not, why not."""

    action: str
    title: str
    allowed: bool
    why_not: str = ""
    most: Price | None = None
    """No more than this at all."""
    alone: Price | None = None
    """What one person may still do without somebody else's yes; none where there is no limit."""
    reasons: list[Choice] = Field(default_factory=list)
    lines: list[LineChoice] = Field(default_factory=list)
    destinations: list[Choice] = Field(default_factory=list)
    conditions: list[Choice] = Field(default_factory=list)
    letters: list[LetterChoice] = Field(default_factory=list)
    parcels: list[ParcelChoice] = Field(default_factory=list)


class ActionsView(View):
    order_id: str
    order_number: str
    items: list[ActionView]


class StaffOrderRow(View):
    """An order in a list."""

    id: str
    number: str
    name: str
    email: str
    customer_id: str | None
    shopper_id: str
    status: str
    payment_status: str
    fulfillment_status: str
    total: Price
    refunded: Price
    units: int
    first_title: str
    origin: str
    """replacement, warranty or exchange of an order that makes up for something; else empty."""
    placed_at: datetime


class MoneyView(View):
    """How the order's money stands."""

    total: Price
    due: Price
    paid: Price
    refunded: Price
    refunding: Price
    held: Price
    balance: Price
    """Still to be paid; negative: still to be given back."""


class OpenCardView(View):
    """What the shopper has been asked and not answered yet."""

    id: str
    reason: str
    message: str
    expires_at: datetime


class SumView(View):
    """Of all orders in one currency."""

    orders: int
    paid: Price
    refunded: Price


class ShopperView(View):
    """Who it is, as far as it is proven."""

    shopper_id: str | None
    customer_id: str | None
    level: str
    """``guest``: nothing but this browser's own; ``verified``: a proven e-mail."""
    name: str
    email: str
    """Of a guest: as it was typed, which proves nothing."""
    verified_at: datetime | None
    since: datetime | None
    points: int
    sums: list[SumView]
    returns: int
    claims: int
    cases: int
    """Open ones."""


class StaffOrderView(View):
    """One order with all that staff ask about."""

    row: StaffOrderRow
    order: OrderView
    money: MoneyView
    payments: list[PaymentView]
    refunds: list[RefundView]
    disputes: list[DisputeView]
    returns: list[ReturnView]
    claims: list[ClaimView]
    cards: list[OpenCardView]
    approvals: list[ApprovalView]
    """Waiting."""
    actions: list[ActionView]


class PanelView(View):
    shopper: ShopperView | None
    orders: list[StaffOrderRow]
    """The newest twenty."""
    focus: StaffOrderView | None
    cards: list[OpenCardView]
    """Of the conversation."""
    thread_id: str | None
    case_id: str | None


class StepView(View):
    """One entry of the audit trail."""

    id: str
    at: datetime
    who: str
    what: str
    about: str
    """The id of the thing."""
    details: list[Fact]


class ApprovalFacts(View):
    """An approval as somebody decides about it."""

    approval: ApprovalView
    title: str
    asked_by: str
    order_id: str | None
    order_number: str | None
    buyer: str
    limit: Price | None
    limit_words: str
    facts: list[Fact]
    may_decide: bool
    why_not: str
    decided_by: str
