"""What payments look like from outside (public contract: ``GET /v1/payments`` and its neighbours), for staff."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from engine.kit.money import Money
from engine.kit.views import Price, View
from engine.payments.models import Alert, Capture, Dispute, Payment, Refund
from engine.payments.stored_value_models import StoredValueAccount
from engine.payments.tally import Tally


def _price(amount: int, currency: str) -> Price:
    return Price.of(Money(amount, currency))


class CaptureView(View):
    id: str
    status: str
    amount: Price
    tax: Price
    final: bool
    failure_code: str | None
    created_at: datetime
    settled_at: datetime | None

    @classmethod
    def of(cls, row: Capture) -> CaptureView:
        return cls(
            id=row.id,
            status=row.status,
            amount=_price(row.amount, row.currency),
            tax=_price(row.tax, row.currency),
            final=row.final,
            failure_code=row.failure_code,
            created_at=row.created_at,
            settled_at=row.settled_at,
        )


class PaymentView(View):
    id: str
    order_id: str
    change_id: str | None
    status: str
    gateway: str
    tender: str
    method: dict[str, Any]
    """brand, last4, label."""
    amount: Price
    captured: Price
    refunded: Price
    refunds_pending: Price
    disputed: Price
    refundable: Price
    captures: list[CaptureView]
    decline_code: str | None
    authorization_expires_at: datetime | None
    created_at: datetime
    settled_at: datetime | None

    @classmethod
    def of(cls, row: Payment, tally: Tally, captures: list[CaptureView]) -> PaymentView:
        def price(amount: int) -> Price:
            return _price(amount, row.currency)

        return cls(
            id=row.id,
            order_id=row.order_id,
            change_id=row.change_id,
            status=row.status,
            gateway=row.gateway,
            tender=row.tender.partition(":")[0],
            method=row.method,
            amount=price(row.amount),
            captured=price(tally.captured),
            refunded=price(tally.refunded),
            refunds_pending=price(tally.refunds_pending),
            disputed=price(tally.disputed),
            refundable=price(0 if tally.blocked else max(0, tally.refundable)),
            captures=captures,
            decline_code=row.decline_code,
            authorization_expires_at=row.authorization_expires_at,
            created_at=row.created_at,
            settled_at=row.settled_at,
        )


class RefundView(View):
    id: str
    payment_id: str
    order_id: str | None
    change_id: str | None
    status: str
    amount: Price
    tax: Price
    destination: str
    tender: str
    reason: str
    """Told to the shopper."""
    note: str
    """For the shop's people only."""
    requested_by: str
    approved: str | None
    """The approval or consent on whose word it was asked for."""
    failure_code: str | None
    created_at: datetime
    settled_at: datetime | None

    @classmethod
    def of(cls, row: Refund) -> RefundView:
        return cls(
            id=row.id,
            payment_id=row.payment_id,
            order_id=row.order_id,
            change_id=row.change_id,
            status=row.status,
            amount=_price(row.amount, row.currency),
            tax=_price(row.tax, row.currency),
            destination=row.destination,
            tender=row.tender.partition(":")[0],
            reason=row.reason,
            note=row.note,
            requested_by=row.requested_by,
            approved=row.approved,
            failure_code=row.failure_code,
            created_at=row.created_at,
            settled_at=row.settled_at,
        )


class DisputeView(View):
    id: str
    payment_id: str
    order_id: str
    status: str
    amount: Price
    fee: Price
    reason: str
    evidence: dict[str, Any]
    evidence_due_at: datetime | None
    evidence_sent_at: datetime | None
    opened_at: datetime
    closed_at: datetime | None

    @classmethod
    def of(cls, row: Dispute) -> DisputeView:
        return cls(
            id=row.id,
            payment_id=row.payment_id,
            order_id=row.order_id,
            status=row.status,
            amount=_price(row.amount, row.currency),
            fee=_price(row.fee, row.currency),
            reason=row.reason,
            evidence=row.evidence,
            evidence_due_at=row.evidence_due_at,
            evidence_sent_at=row.evidence_sent_at,
            opened_at=row.opened_at,
            closed_at=row.closed_at,
        )


class AlertView(View):
    """``action`` is the one thing that ``POST /v1/staff/alerts/{id}/act`` does; ``none`` only closes it."""

    id: str
    kind: str
    subject: str
    detail: str
    action: str
    created_at: datetime
    resolved_at: datetime | None

    @classmethod
    def of(cls, row: Alert) -> AlertView:
        return cls(
            id=row.id,
            kind=row.kind,
            subject=row.subject,
            detail=row.detail,
            action=row.action or "none",
            created_at=row.created_at,
            resolved_at=row.resolved_at,
        )


class StoredValueView(View):
    id: str
    kind: str
    last4: str
    balance: Price
    status: str
    expires_at: datetime | None

    @classmethod
    def of(cls, row: StoredValueAccount) -> StoredValueView:
        return cls(
            id=row.id,
            kind=row.kind,
            last4=row.last4,
            balance=_price(row.balance, row.currency),
            status=row.status,
            expires_at=row.expires_at,
        )
