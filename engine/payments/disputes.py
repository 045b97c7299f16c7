"""Chargebacks: opened by the card's bank, answered once with evidence, won or lost. Each step posts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.finance import postings
from engine.finance import service as finance
from engine.kit import audit, clock, outbox
from engine.kit.errors import DomainError, InvalidInput, NotFound, Unavailable
from engine.kit.faults import fault_point
from engine.kit.ids import new_id
from engine.kit.money import Money
from engine.payments.alerts import raise_alert, resolve_alert
from engine.payments.errors import EvidenceTooLate
from engine.payments.gateway import DisputeFacts, DisputeStatus
from engine.payments.models import Dispute, Payment
from engine.payments.states import DISPUTE
from engine.payments.tally import standing_of
from engine.runtime import Runtime

_OVER: Final = frozenset({DisputeStatus.WON, DisputeStatus.LOST})
_EVIDENCE_LIMIT: Final = 20_000
"""Characters of all evidence together."""


def settle(runtime: Runtime, tenant_id: str, facts: DisputeFacts) -> Dispute:
    """Write what the gateway says of a dispute; news may come in any order, and each step counts once.

    Raises ``NoResultFound`` for a payment that is not ours.
    """
    with runtime.unit_of_work(tenant_id) as session:
        dispute = apply(session, tenant_id, facts)
        fault_point("dispute_before_commit")
    fault_point("dispute_after_commit")
    return dispute


def apply(session: Session, tenant_id: str, facts: DisputeFacts) -> Dispute:
    """``settle`` in the caller's transaction, under the payment's lock."""
    payment = session.get_one(Payment, (tenant_id, facts.payment_id), with_for_update=True)
    dispute = session.scalar(
        select(Dispute).where(
            Dispute.tenant_id == tenant_id,
            Dispute.gateway == payment.gateway,
            Dispute.gateway_dispute_id == facts.gateway_id,
        )
    )
    if dispute is None:
        dispute = _opened(session, payment, facts)
    if DISPUTE.allows(dispute.status, facts.status):
        _moved_on(session, dispute, facts.status)
    session.flush()
    return dispute


def write_evidence(
    session: Session, tenant_id: str, *, dispute_id: str, evidence: Mapping[str, str], actor: str
) -> Dispute:
    """Keep what is to be sent; ``send_evidence`` after the commit. It can be rewritten until it was sent.

    Raises ``NotFound``, ``EvidenceTooLate``, ``InvalidInput``.
    """
    dispute = _locked(session, tenant_id, dispute_id)
    _require_answerable(dispute)
    if not evidence or sum(map(len, evidence.values())) > _EVIDENCE_LIMIT:
        raise InvalidInput(f"Evidence has between 1 and {_EVIDENCE_LIMIT} characters.", param="evidence")
    dispute.evidence = dict(evidence)
    dispute.updated_at = clock.now()
    audit.record(session, tenant_id, actor=actor, action="dispute.evidence_written", subject=dispute_id)
    session.flush()
    return dispute


def send_evidence(runtime: Runtime, tenant_id: str, dispute_id: str) -> Dispute:
    """Send what was written, once. When the gateway does not take it, it waits in the inbox."""
    with runtime.unit_of_work(tenant_id) as session:
        dispute = session.get_one(Dispute, (tenant_id, dispute_id))
    if dispute.status != DisputeStatus.NEEDS_RESPONSE or not dispute.evidence:
        return dispute
    fault_point("evidence_before_gateway")
    facts, problem = _ask(runtime, dispute)
    fault_point("evidence_after_gateway")
    with runtime.unit_of_work(tenant_id) as session:
        if facts is None:
            words = f"The evidence for a dispute of {Money(dispute.amount, dispute.currency)} was not taken: {problem}."
            raise_alert(session, tenant_id, "evidence_unsent", dispute_id, words)
            return session.get_one(Dispute, (tenant_id, dispute_id))
        dispute = apply(session, tenant_id, facts)
        dispute.evidence_sent_at = dispute.evidence_sent_at or clock.now()
        resolve_alert(session, tenant_id, "evidence_unsent", dispute_id)
        fault_point("evidence_before_commit")
    fault_point("evidence_after_commit")
    return dispute


def _ask(runtime: Runtime, dispute: Dispute) -> tuple[DisputeFacts | None, str]:
    gateway = runtime.gateways[dispute.gateway]
    try:
        facts = gateway.submit_evidence(
            dispute.gateway_dispute_id,
            merchant=dispute.tenant_id,
            evidence=dispute.evidence,
            key=f"evidence:{dispute.id}",
        )
    except Unavailable:
        return None, "no answer"
    except DomainError as refused:
        return None, refused.code
    return facts, ""


def _require_answerable(dispute: Dispute) -> None:
    late = dispute.evidence_due_at is not None and dispute.evidence_due_at <= clock.now()
    if dispute.status != DisputeStatus.NEEDS_RESPONSE or dispute.evidence_sent_at is not None or late:
        raise EvidenceTooLate("This dispute takes no more evidence.")


def _locked(session: Session, tenant_id: str, dispute_id: str) -> Dispute:
    found = session.get(Dispute, (tenant_id, dispute_id))
    if found is None:
        raise NotFound("There is no such dispute.")
    session.get_one(Payment, (tenant_id, found.payment_id), with_for_update=True)
    return session.get_one(Dispute, (tenant_id, dispute_id), with_for_update=True, populate_existing=True)


def _opened(session: Session, payment: Payment, facts: DisputeFacts) -> Dispute:
    dispute = Dispute(
        tenant_id=payment.tenant_id,
        id=new_id("dispute"),
        payment_id=payment.id,
        order_id=payment.order_id,
        gateway=payment.gateway,
        gateway_dispute_id=facts.gateway_id,
        amount=facts.amount.amount,
        fee=facts.fee,
        currency=facts.amount.currency,
        reason=facts.reason,
        status=DisputeStatus.NEEDS_RESPONSE,
        evidence_due_at=facts.evidence_due_at,
        evidence={},
        opened_at=clock.now(),
    )
    session.add(dispute)
    session.flush()
    _post(session, dispute, postings.Kind.CHARGEBACK_OPENED, postings.chargeback_opened(dispute.amount, dispute.fee))
    due = f" Evidence is due by {facts.evidence_due_at:%Y-%m-%d %H:%M} UTC." if facts.evidence_due_at else ""
    words = f"{facts.amount} of a payment is disputed ({facts.reason}).{due}{_given_already(session, payment)}"
    raise_alert(session, dispute.tenant_id, "dispute_opened", dispute.id, words, facts={"order_id": payment.order_id})
    _tell(session, dispute, "dispute.opened")
    return dispute


def _given_already(session: Session, payment: Payment) -> str:
    """What of the payment was given back as store credit: the bank knows nothing of it, and takes it once more."""
    given = standing_of(session, payment.tenant_id, [payment.id])[payment.id].refunded_elsewhere
    if not given:
        return ""
    return f" Store credit of {Money(given, payment.currency)} was given for it already: block it, and say so."


def _moved_on(session: Session, dispute: Dispute, status: DisputeStatus) -> None:
    dispute.status = DISPUTE.check(dispute.status, status)
    dispute.updated_at = clock.now()
    resolve_alert(session, dispute.tenant_id, "dispute_opened", dispute.id)
    if status not in _OVER:
        dispute.evidence_sent_at = dispute.evidence_sent_at or clock.now()
        return
    dispute.closed_at = clock.now()
    resolve_alert(session, dispute.tenant_id, "evidence_unsent", dispute.id)
    if status == DisputeStatus.WON:
        _post(session, dispute, postings.Kind.CHARGEBACK_WON, postings.chargeback_won(dispute.amount))
    else:
        _post(session, dispute, postings.Kind.CHARGEBACK_LOST, postings.chargeback_lost(dispute.amount))
    _tell(session, dispute, f"dispute.{status}")


def _post(session: Session, dispute: Dispute, kind: str, amounts: postings.Amounts) -> None:
    finance.post(
        session,
        dispute.tenant_id,
        kind=kind,
        subject=dispute.id,
        currency=dispute.currency,
        amounts=amounts,
        order_id=dispute.order_id,
    )


def _tell(session: Session, dispute: Dispute, topic: str) -> None:
    facts = {"amount": dispute.amount, "currency": dispute.currency}
    payload = {"dispute_id": dispute.id, "payment_id": dispute.payment_id} | facts
    outbox.emit(session, dispute.tenant_id, topic, dispute.order_id, payload)
    audit.record(session, dispute.tenant_id, actor="system", action=topic, subject=dispute.id, facts=facts)
