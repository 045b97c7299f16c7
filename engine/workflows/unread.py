"""What a poll's lists had that cannot be read: a person's, once, while the others go on."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.sync import exceptions
from engine.sync.port import Unread
from engine.sync.work_models import ExceptionRow, ExceptionStatus
from engine.workflows.starting import LONGEST_ID

_TOLD = frozenset({ExceptionStatus.OPEN, ExceptionStatus.DISMISSED})


def tell(
    session: Session, tenant_id: str, workflow: str, poll_id: str, found: Sequence[Unread], *, whole: bool
) -> bool:
    """Put each into the exception queue as ``{poll}#{its name}``; whether any holds the poll's cursor, as one does that
    nobody has dismissed. Of ``whole`` lists, which begin where the last ones did, what is not among them any more can
    be read by now, and is closed.
    """
    known = _known(session, tenant_id, f"{poll_id}#")
    lacking = {f"{poll_id}#{one.source_id}"[:LONGEST_ID]: one for one in found}
    for name, one in lacking.items():
        if known.get(name) not in _TOLD:
            exceptions.put(
                session,
                tenant_id,
                workflow=workflow,
                workflow_id=name,
                subject=one.source_id,
                error=one.error,
                payload={"source_id": one.source_id, "changed_at": one.changed_at},
                step="poll",
            )
    for name in sorted(known.keys() - lacking.keys()) if whole else ():
        exceptions.resolved(session, tenant_id, name)
    return any(known.get(name) != ExceptionStatus.DISMISSED for name in lacking)


def _known(session: Session, tenant_id: str, prefix: str) -> dict[str, str]:
    """How the ones stand that were told and are not settled, the latest word of each."""
    rows = select(ExceptionRow.workflow_id, ExceptionRow.status).where(
        ExceptionRow.tenant_id == tenant_id,
        ExceptionRow.workflow_id.startswith(prefix, autoescape=True),
        ExceptionRow.status != ExceptionStatus.RESOLVED,
    )
    return {name: status for name, status in session.execute(rows.order_by(ExceptionRow.first_at))}  # noqa: C416 (untyped rows)
