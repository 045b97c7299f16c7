"""The ids a conversation has seen: the only ones a write tool may name (trust rule 5)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sqlalchemy.orm import Session

from engine.kit.direct import Ask, Statement
from engine.kit.identity import Identity
from engine.runtime import Runtime

_RECORD: Final = Statement("""
INSERT INTO app.thread_references (tenant_id, thread_id, ref)
SELECT %(tenant)s, %(thread)s, ref FROM unnest(CAST(%(refs)s AS text[])) AS ref
ON CONFLICT DO NOTHING
""")
_SEEN: Final = Statement("""
SELECT ref FROM app.thread_references
WHERE tenant_id = %(tenant)s AND thread_id = %(thread)s AND ref = ANY(CAST(%(refs)s AS text[]))
""")


def record(session: Session, tenant_id: str, thread_id: str, refs: Iterable[str]) -> None:
    """Remember that a tool returned ``refs`` in this thread."""
    statement, values = recording(tenant_id, thread_id, refs)
    if values["refs"]:
        session.connection().exec_driver_sql(statement.text, dict(values))


def recording(tenant_id: str, thread_id: str, refs: Iterable[str]) -> Ask:
    """The same for a transaction of one round trip."""
    return _RECORD, {"tenant": tenant_id, "thread": thread_id, "refs": sorted(set(refs))}


def missing(runtime: Runtime, identity: Identity, thread_id: str, refs: Iterable[str]) -> set[str]:
    """Those of ``refs`` that no tool has returned in this thread."""
    wanted = set(refs)
    if not wanted:
        return set()
    values = {"tenant": identity.tenant_id, "thread": thread_id, "refs": sorted(wanted)}
    [rows] = runtime.store.ask(identity.tenant_id, (_SEEN, values))
    return wanted - {row["ref"] for row in rows}
