"""What returns look like from outside."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from engine.kit.evidence import EvidenceView
from engine.kit.views import Price, View


class ReasonView(View):
    code: str
    text: str
    shop_fault: bool


class ReturnablePartView(View):
    """A part of a bundle that can come back by itself."""

    variant_id: str
    title: str
    units: int


class ReturnableLineView(View):
    """What of a line can come back now."""

    line_id: str
    variant_id: str
    title: str
    options: dict[str, str]
    units: int
    """For a reason that is nobody's fault."""
    units_for_fault: int
    """For one that is the shop's."""
    until: datetime | None
    """Until when; None without end."""
    worth: Price
    """What those units count for, tax included, before fees and without shipping."""
    code: str | None
    """Why nothing can come back."""
    message: str
    parts: list[ReturnablePartView]


class ReturnableView(View):
    """What of an order can come back, and on what terms."""

    order_id: str
    possible: bool
    message: str
    lines: list[ReturnableLineView]
    reasons: list[ReasonView]
    conditions: list[str]
    refund_to: list[str]
    exchanges: bool


class ReturnLineView(View):
    id: str
    order_line_id: str
    component_variant_id: str | None
    title: str
    quantity: int
    reason: str
    condition: str
    credit: Price
    """What they count for, tax and shipping included."""
    fee: Price
    received: int
    inspected: int
    rejected: int
    settled: int
    exchange_variant_id: str | None
    exchange_title: str | None
    outcome: dict[str, int] | None
    """For staff: where inspected units went."""


class ParcelSignView(View):
    at: datetime
    status: str
    text: str


class StrayView(View):
    what: str
    quantity: int
    note: str
    at: datetime


class ReturnStepView(View):
    step: str
    at: datetime
    amount: Price
    actor: str
    note: str


class ReturnView(View):
    """A return; what is for staff alone is empty for anybody else."""

    id: str
    number: str
    order_id: str
    order_number: str
    kind: str
    """return or exchange."""
    status: str
    """requested, approved, label_ready, in_transit, received, inspected, closed, declined, canceled or expired."""
    lines: list[ReturnLineView]
    credit: Price
    fee: Price
    replacement: Price
    charge: Price
    refund: Price
    """What goes back once everything is here."""
    given: Price
    """What went back so far, or is on its way."""
    refund_to: str
    refund_at: str
    keep: bool
    carrier: str | None
    tracking_number: str | None
    label: bool
    """Whether there is a label to print."""
    parcel: list[ParcelSignView]
    message: str
    evidence_wanted: bool = False
    """Whether a picture helps: a fault of the shop is said, and it has not ended."""
    evidence: list[EvidenceView] = Field(default_factory=list)
    send_by: datetime
    created_at: datetime
    approved_at: datetime | None
    received_at: datetime | None
    closed_at: datetime | None
    version: int
    problem: str | None = None
    unexpected: list[StrayView] = Field(default_factory=list)
    steps: list[ReturnStepView] = Field(default_factory=list)
    requested_by: str | None = None
    approved_by: str | None = None
