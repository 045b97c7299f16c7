"""Claims that wait too long: the shop's are alerts, the shoppers' run out."""

from __future__ import annotations

from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.kit import clock
from engine.payments.alerts import raise_alert
from engine.runtime import Runtime
from engine.warranties import closing
from engine.warranties.closing import LATE
from engine.warranties.locks import hold
from engine.warranties.models import Claim, ClaimStatus
from engine.warranties.states import OVER

_BATCH: Final = 50
_WORDS: Final = {
    ClaimStatus.NEED_INFO: (ClaimStatus.EXPIRED, "The shop's question was not answered in time."),
    ClaimStatus.APPROVED: (ClaimStatus.EXPIRED, "Nothing was chosen, or sent in, in time."),
}


def tell_late(session: Session, tenant_id: str) -> int:
    """An alert for each claim whose next step is overdue; how many are."""
    query = select(Claim).where(
        Claim.tenant_id == tenant_id, Claim.due_at <= clock.now(), Claim.status.not_in(sorted(OVER))
    )
    rows = session.scalars(query.order_by(Claim.due_at).limit(_BATCH)).all()
    for row in rows:
        words = f"Warranty claim {row.number} has been {ClaimStatus(row.status).value} for too long."
        raise_alert(session, tenant_id, LATE, row.id, words, facts={"order": row.order_id})
    return len(rows)


def end_old(runtime: Runtime, tenant_id: str) -> int:
    """What its shopper did not answer, choose or send in time runs out, and a denial stands; how many did."""
    with runtime.unit_of_work(tenant_id) as session:
        query = select(Claim.id).where(
            Claim.tenant_id == tenant_id, Claim.answer_by <= clock.now(), Claim.status.not_in(sorted(OVER))
        )
        ids = session.scalars(query.order_by(Claim.id).limit(_BATCH)).all()
    for claim_id in ids:
        with runtime.unit_of_work(tenant_id) as session:
            _end(session, tenant_id, claim_id)
    return len(ids)


def watch_claims(runtime: Runtime, tenant_id: str) -> None:
    """The job."""
    end_old(runtime, tenant_id)
    with runtime.unit_of_work(tenant_id) as session:
        tell_late(session, tenant_id)


def _end(session: Session, tenant_id: str, claim_id: str) -> None:
    held = hold(session, tenant_id, claim_id)
    claim = held.claim
    if claim.answer_by is None or claim.answer_by > clock.now():
        return
    standing = (ClaimStatus.CLOSED, claim.message or "It was not accepted.")
    status, words = _WORDS.get(ClaimStatus(claim.status), standing)
    closing.finish(session, held.order, claim, status, words, actor="system")
