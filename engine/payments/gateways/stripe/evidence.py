"""Our side of a dispute, in Stripe's fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engine.kit import clock
from engine.kit.errors import NotFound
from engine.payments.errors import EvidenceTooLate
from engine.payments.gateway import DisputeFacts, DisputeStatus
from engine.payments.gateways.stripe import facts
from engine.payments.gateways.stripe.calls import Calls, Json, Refused
from engine.payments.gateways.stripe.facts import PaymentOf

TEXT_FIELDS: Final = frozenset(
    {
        "access_activity_log",
        "billing_address",
        "cancellation_policy_disclosure",
        "cancellation_rebuttal",
        "customer_email_address",
        "customer_name",
        "customer_purchase_ip",
        "duplicate_charge_explanation",
        "duplicate_charge_id",
        "product_description",
        "refund_policy_disclosure",
        "refund_refusal_explanation",
        "service_date",
        "shipping_address",
        "shipping_carrier",
        "shipping_date",
        "shipping_tracking_number",
        "uncategorized_text",
    }
)
"""Stripe's evidence fields that take text; its other fields take files, which the port has no word for."""


def submit(
    calls: Calls, payment_of: PaymentOf, dispute_id: str, evidence: Mapping[str, str], *, key: str
) -> DisputeFacts:
    """Send it, once. Raises ``NotFound``, ``EvidenceTooLate``."""
    row = _dispute(calls, dispute_id)
    payment_id = payment_of(row.get("payment_intent") or "")
    told = facts.dispute(row, payment_id or "")
    if payment_id is None or told is None:
        raise NotFound("There is no such dispute.")
    if (row.get("metadata") or {}).get("evidence_key") == key:
        return told
    if _too_late(row, told):
        raise EvidenceTooLate("The time to answer this dispute has passed.")
    params = {"evidence": _fields(evidence), "submit": True, "metadata": {"evidence_key": key}}
    try:
        sent = calls.update_dispute(dispute_id, params, key=f"{key}:evidence")
    except Refused:
        raise EvidenceTooLate("This dispute takes no more evidence.") from None
    return facts.dispute(sent, payment_id) or told


def _dispute(calls: Calls, dispute_id: str) -> Json:
    try:
        return calls.dispute(dispute_id)
    except Refused:
        raise NotFound("There is no such dispute.") from None


def _too_late(row: Json, told: DisputeFacts) -> bool:
    if told.status != DisputeStatus.NEEDS_RESPONSE:
        return True
    passed = told.evidence_due_at is not None and told.evidence_due_at <= clock.now()
    return passed or bool((row.get("evidence_details") or {}).get("past_due"))


def _fields(evidence: Mapping[str, str]) -> dict[str, str]:
    """Ours under Stripe's names; what has no text field of its own is told in the free one."""
    fields = {name: text for name, text in evidence.items() if name in TEXT_FIELDS}
    rest = [f"{name.replace('_', ' ')}: {text}" for name, text in evidence.items() if name not in TEXT_FIELDS]
    if rest:
        fields["uncategorized_text"] = "\n".join([*filter(None, [fields.get("uncategorized_text")]), *rest])
    return fields
