"""Runs that nobody would ever go on with: a person hears of those of a workflow that is no more, and what a replay left
open when its process died is closed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sqlalchemy import exists, func, select

from engine.kit import clock
from engine.runtime import Runtime
from engine.sync import exceptions
from engine.sync.work_models import ExceptionRow
from engine.workflows import registry, starting
from engine.workflows.models import OPEN_RUNS, RunMode, RunRow
from engine.workflows.run import Gone

WAITS: Final = timedelta(minutes=10)
"""A process of another version may know the workflow, and be on its way."""
PLAYS: Final = timedelta(hours=1)
"""Longer no replay of one run takes."""
_AT_ONCE: Final = 100


def tell(runtime: Runtime, tenant_id: str) -> int:
    """Put runs under way whose workflow is not here into the exception queue, each once; how many. The runs stay as
    they are: who knows the workflow goes on with them, and closes that.
    """
    told = exists().where(
        ExceptionRow.tenant_id == RunRow.tenant_id,
        ExceptionRow.workflow_id == RunRow.id,
        ExceptionRow.code == Gone.code,
    )
    query = select(RunRow).where(
        RunRow.tenant_id == tenant_id,
        RunRow.status.in_(OPEN_RUNS),
        RunRow.mode == RunMode.LIVE,
        RunRow.workflow.not_in(registry.names()),
        RunRow.created_at < clock.now() - WAITS,
        ~told,
    )
    with runtime.unit_of_work(tenant_id) as session:
        rows = session.scalars(query.order_by(RunRow.created_at).limit(_AT_ONCE)).all()
        for row in rows:
            exceptions.put(
                session,
                tenant_id,
                workflow=row.workflow,
                workflow_id=row.id,
                subject=f"{row.subject_kind} {row.subject_ref}",
                error=Gone(f"There is no workflow {row.workflow} here any more: nobody goes on with this run."),
                payload=row.payload,
                step=row.step,
            )
    return len(rows)


def close_replays(runtime: Runtime, tenant_id: str) -> int:
    """Cancel shadows whose replay ended before they did; how many."""
    query = select(RunRow.id).where(
        RunRow.tenant_id == tenant_id,
        RunRow.status.in_(OPEN_RUNS),
        RunRow.mode == RunMode.SHADOW,
        func.coalesce(RunRow.started_at, RunRow.created_at) < clock.now() - PLAYS,
    )
    with runtime.unit_of_work(tenant_id) as session:
        ids = session.scalars(query.limit(_AT_ONCE)).all()
        for run_id in ids:
            starting.cancel(session, tenant_id, run_id, actor="system", reason="Its replay ended before it did.")
    return len(ids)
