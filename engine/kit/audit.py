"""Who did what to which thing, append-only, chained by hashes within seconds, free of personal data.

Writers only insert. A sealer gives each row its place in the tenant's chain; a trigger and the runtime role's
rights keep everything else as it was written. What a row says about a person or a card is a keyed digest.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Identity, Index, String, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from engine.kit import clock
from engine.kit.gathering import put
from engine.kit.idempotency import canonical_json
from engine.kit.tenancy import AppendOnly, TenantRow

GENESIS: Final = "0" * 64
_SEAL: Final = text(
    "UPDATE app.audit a SET seq = l.seq, hash = l.hash"
    " FROM jsonb_to_recordset(CAST(:links AS jsonb)) AS l(id bigint, seq bigint, hash text)"
    " WHERE a.tenant_id = :tenant AND a.id = l.id"
)


class AuditRow(TenantRow, AppendOnly):
    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(default=clock.now)
    request_id: Mapped[str] = mapped_column(default="")
    actor: Mapped[str] = mapped_column(String(80))
    """An identity id, or ``system``."""
    action: Mapped[str] = mapped_column(String(80))
    subject: Mapped[str] = mapped_column(String(80))
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    seq: Mapped[int | None] = mapped_column(BigInteger)
    hash: Mapped[str | None] = mapped_column(String(64))

    __table_args__ = (
        Index("ix_audit_unsealed", "tenant_id", "id", postgresql_where=text("hash IS NULL")),
        Index("uq_audit_seq", "tenant_id", "seq", unique=True),
        Index("ix_audit_subject", "tenant_id", "subject", "id"),
    )


class AuditHead(TenantRow):
    """The end of a tenant's chain: a cut-off tail shows."""

    __tablename__ = "audit_heads"

    seq: Mapped[int] = mapped_column(BigInteger, default=0)
    hash: Mapped[str] = mapped_column(String(64), default=GENESIS)


@dataclass(frozen=True, slots=True)
class Verdict:
    """``ok``, how many sealed rows were walked, and what broke (empty when nothing did)."""

    ok: bool
    rows: int
    problem: str = ""


Act = tuple[str, str, dict[str, Any]]


def record(
    session: Session,
    tenant_id: str,
    *,
    actor: str,
    action: str,
    subject: str,
    facts: dict[str, Any] | None = None,
    request_id: str = "",
) -> None:
    """Write one audit row in the transaction of the act itself."""
    row = {"tenant_id": tenant_id, "actor": actor, "action": action, "subject": subject, "facts": facts or {}}
    put(session, AuditRow, [row | {"request_id": request_id}], alone=True)


def record_all(session: Session, tenant_id: str, *, actor: str, acts: Sequence[Act]) -> None:
    """The same for many acts in one statement; each is (action, subject, facts)."""
    if acts:
        rows = [
            {"tenant_id": tenant_id, "actor": actor, "action": action, "subject": subject, "facts": facts}
            for action, subject, facts in acts
        ]
        put(session, AuditRow, rows, alone=True)


def keyed_digest(secret: bytes, value: str) -> str:
    """A digest that tells two values apart and tells nobody without ``secret`` what they were."""
    return hmac.new(secret, value.encode(), hashlib.sha256).hexdigest()[:32]


def seal(session: Session, tenant_id: str, *, limit: int = 500) -> int:
    """Chain up to ``limit`` unsealed rows to the tenant's head; returns how many. One sealer per tenant at a time."""
    head = session.get(AuditHead, tenant_id, with_for_update=True)
    if head is None:
        first = insert(AuditHead).values(tenant_id=tenant_id, seq=0, hash=GENESIS)
        session.execute(first.on_conflict_do_nothing())
        head = session.get_one(AuditHead, tenant_id, with_for_update=True)
    columns = (AuditRow.id, AuditRow.at, AuditRow.request_id, AuditRow.actor, AuditRow.action, AuditRow.subject)
    rows = session.execute(
        select(*columns, AuditRow.facts)
        .where(AuditRow.tenant_id == tenant_id, AuditRow.hash.is_(None))
        .order_by(AuditRow.id)
        .limit(limit)
    ).all()
    links = []
    for row in rows:
        head.seq += 1
        head.hash = _link(head.hash, row, head.seq)
        links.append({"id": row.id, "seq": head.seq, "hash": head.hash})
    if links:
        session.execute(_SEAL, {"tenant": tenant_id, "links": json.dumps(links)})
    return len(rows)


def verify(session: Session, tenant_id: str) -> Verdict:
    """Walk the chain from its start to its head and recompute every link."""
    previous, expected = GENESIS, 0
    rows = session.scalars(
        select(AuditRow)
        .where(AuditRow.tenant_id == tenant_id, AuditRow.hash.is_not(None))
        .order_by(AuditRow.seq)
        .execution_options(yield_per=1000)
    )
    for row in rows:
        expected += 1
        if row.seq != expected:
            return Verdict(ok=False, rows=expected - 1, problem=f"row {expected} is missing")
        if row.hash != _link(previous, row, expected):
            return Verdict(ok=False, rows=expected - 1, problem=f"row {expected} was changed")
        previous = row.hash
    head = session.get(AuditHead, tenant_id)
    if head and (head.seq, head.hash) != (expected, previous):
        return Verdict(ok=False, rows=expected, problem=f"the chain ends at {expected}, its head says {head.seq}")
    return Verdict(ok=True, rows=expected)


def _link(previous: str, row: Any, seq: int) -> str:
    body = {
        "id": row.id,
        "at": row.at.isoformat(),
        "request_id": row.request_id,
        "actor": row.actor,
        "action": row.action,
        "subject": row.subject,
        "facts": row.facts,
        "seq": seq,
    }
    return hashlib.sha256(previous.encode() + canonical_json(body)).hexdigest()
