"""News of cases, for whoever has the queue open: a ring that says no more than that something changed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.kit import bells
from engine.support.models import Case

TOPIC: Final = "desk"
"""What the ring of a tenant is heard under, beside its conversations' ids."""
OVERLAP: Final = timedelta(seconds=10)
"""A transaction that began earlier may be seen later: readers look that far back again."""
_LIMIT: Final = 100


def ring(session: Session, tenant_id: str) -> None:
    """Wake who listens, when this transaction is committed."""
    bells.ring(session, tenant_id, TOPIC)


def changed(session: Session, tenant_id: str, since: datetime) -> list[tuple[str, datetime]]:
    """The newest cases that changed after ``since``: id and when. One range of an index."""
    rows = session.execute(
        select(Case.id, Case.updated_at)
        .where(Case.tenant_id == tenant_id, Case.updated_at > since)
        .order_by(Case.updated_at.desc())
        .limit(_LIMIT)
    )
    return [(case_id, updated_at) for case_id, updated_at in rows]
