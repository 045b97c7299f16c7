"""Pictures of what is wrong with what comes back."""

from __future__ import annotations

from sqlalchemy.orm import Session

from engine.kit import audit, evidence
from engine.kit.identity import Identity
from engine.kit.policies import policy_of
from engine.returns import news, parcel
from engine.returns.errors import WrongStep
from engine.returns.models import ReturnEvidence
from engine.returns.policy import ReturnsPolicy
from engine.returns.states import ENDED


def add_evidence(session: Session, identity: Identity, return_id: str, *, name: str, content: bytes) -> ReturnEvidence:
    """Keep a picture without anything else that its file holds; the same again is the same piece. ``return_id`` is of
    the identity's own (``queries.find`` says so).

    Raises ``NoReturn``, ``WrongStep`` once it has ended, ``EvidenceRefused``.
    """
    _, row = parcel.lock(session, identity.tenant_id, return_id)
    if row.status in ENDED:
        raise WrongStep(f"A return that is {row.status} takes no more pictures.")
    most = policy_of(session, row.tenant_id, ReturnsPolicy).evidence_files
    owner = {"tenant_id": row.tenant_id, "return_id": row.id}
    piece, new = evidence.keep(
        session, ReturnEvidence, owner, identity, name=name, content=content, kinds=evidence.PICTURES, most=most
    )
    if new:
        row.version += 1
        facts = {"evidence": piece.id, "sha256": piece.sha256}
        audit.record(session, row.tenant_id, actor=identity.id, action="return.evidence", subject=row.id, facts=facts)
        news.changed(session, row)
        session.flush()
    return piece
