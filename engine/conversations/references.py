"""The ids a conversation has seen: the only ones a write tool may name (trust rule 5)."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from engine.conversations.models import ThreadReference


def record(session: Session, tenant_id: str, thread_id: str, refs: Iterable[str]) -> None:
    """Remember that a tool returned ``refs`` in this thread."""
    rows = [{"tenant_id": tenant_id, "thread_id": thread_id, "ref": ref} for ref in sorted(set(refs))]
    if rows:
        session.execute(insert(ThreadReference).values(rows).on_conflict_do_nothing())


def missing(session: Session, tenant_id: str, thread_id: str, refs: Iterable[str]) -> set[str]:
    """Those of ``refs`` that no tool has returned in this thread."""
    wanted = set(refs)
    if not wanted:
        return set()
    seen = session.scalars(
        select(ThreadReference.ref).where(
            ThreadReference.tenant_id == tenant_id,
            ThreadReference.thread_id == thread_id,
            ThreadReference.ref.in_(wanted),
        )
    )
    return wanted - set(seen)
