"""What of warranties and claims is shown outside."""

from __future__ import annotations

from datetime import date, datetime

from engine.kit.evidence import EvidenceView
from engine.kit.views import Price, View
from engine.orders.schemas import ShipmentEventView
from engine.warranties.models import ClaimStatus, Resolution, WarrantyStatus


class WarrantyView(View):
    """One unit's warranty. ``claimable``: a fault can be told now; where it cannot, ``message`` says why."""

    id: str
    order_id: str
    order_number: str
    line_id: str
    unit: int
    sku: str
    title: str
    serial: str | None
    starts_on: date
    ends_on: date
    status: WarrantyStatus
    follows_id: str | None
    claimable: bool
    code: str | None
    message: str


class SymptomView(View):
    code: str
    text: str
    covered: bool


class WarrantyPage(View):
    items: list[WarrantyView]
    symptoms: list[SymptomView]
    next_cursor: str | None


class ClaimStepView(View):
    step: str
    text: str
    at: datetime
    actor: str | None
    """For staff alone, as are steps that are not for shoppers."""


class ClaimParcelView(View):
    carrier: str
    tracking_number: str
    sent_at: datetime | None
    events: list[ShipmentEventView]
    """What the carrier told, oldest first."""


class ClaimView(View):
    """A claim as its reader may see it: what staff say among themselves is for staff."""

    id: str
    number: str
    warranty_id: str
    order_id: str
    title: str
    status: ClaimStatus
    symptom: str
    description: str
    offers: list[Resolution]
    resolution: Resolution | None
    choose_by: datetime | None
    """Where its shopper is to choose."""
    comes_back: bool
    send_in: ClaimParcelView | None
    sent_back: ClaimParcelView | None
    refund: Price
    replacement_order_id: str | None
    message: str
    answer_by: datetime | None
    evidence: list[EvidenceView]
    steps: list[ClaimStepView]
    created_at: datetime
    decided_at: datetime | None
    resolved_at: datetime | None
    closed_at: datetime | None
    staff_note: str | None
    problem: str | None
    due_at: datetime | None
    approval_id: str | None


class ClaimPage(View):
    items: list[ClaimView]
    next_cursor: str | None


class DecisionView(View):
    """What became of a decision: the claim, and the approval that it waits for, if it waits."""

    claim: ClaimView
    waits_for: str | None
