"""Why a run is where it is, in plain words: what it did, what stopped it, what comes next, and what a person can do."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.kit import clock
from engine.kit.errors import NotFound
from engine.kit.views import View
from engine.operations.pipeline import runs
from engine.operations.pipeline.lanes import TITLES
from engine.operations.pipeline.runs import RunInFull
from engine.sync import connections, exceptions
from engine.sync.models import Breaker, BreakerState, ConnectionStatus, System
from engine.workflows import starting
from engine.workflows.models import RunRow, RunStatus

KINDS: Final = ("order", "purchase", "transfer", "receipt", "return", "payment", "stock", "product")
"""What runs are about."""
_CAUSES: Final = {
    "vendor_rate_limited": "we are over the limit of requests there",
    "circuit_open": "it failed too often and is left alone for a while",
    "connection_paused": "the connection is paused",
    "vendor_unavailable": "the system did not answer properly",
    "unknown_outcome": "nobody knows whether the last request was done; it looks before it sends again",
    "vendor_rejected": "the system understood the request and refused it",
    "auth_expired": "the system does not take our secrets",
    "vendor_conflict": "the thing changed there meanwhile",
}
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


class Explained(View):
    """One run in words, most important first. ``acts``: what can be done about it, by the names of the tools' acts."""

    run_id: str
    workflow: str
    subject: str
    status: str
    retrying: bool
    words: list[str]
    exception_id: str | None
    acts: list[str]


def find(session: Session, tenant_id: str, name: str, *, kind: str | None = None) -> RunRow:
    """The run that matters most of what somebody calls ``1071``, ``#1071`` or ``SP-1071``: one that failed or waits,
    else the newest. A run's own id is taken too. Raises ``NotFound``.
    """
    said = name.strip()
    if row := session.get(RunRow, (tenant_id, said)):
        return row
    bare = said.lstrip("#")
    query = select(RunRow).where(
        RunRow.tenant_id == tenant_id,
        RunRow.subject_kind.in_((kind,) if kind else KINDS),
        RunRow.subject_ref.in_((said, bare, f"#{bare}")),
    )
    rows = session.scalars(query.order_by(RunRow.created_at.desc(), RunRow.id.desc()).limit(runs.MOST_OF_ONE)).all()
    if not rows:
        raise NotFound("No run ever touched such a thing.")
    return next((row for status in _FIRST for row in rows if row.status == status), rows[0])


_FIRST: Final = (RunStatus.FAILED, RunStatus.WAITING, RunStatus.RUNNING, RunStatus.QUEUED)


def explain(session: Session, tenant_id: str, row: RunRow) -> Explained:
    """One run in plain words."""
    run = runs.in_full(session, tenant_id, row)
    words = [_where(run), *_done(run), *_asked(run), *_systems(session, tenant_id, run), *_queue(session, run, row)]
    return Explained(
        run_id=run.id,
        workflow=run.workflow,
        subject=f"{run.subject_kind} {run.subject_ref}",
        status=run.status,
        retrying=run.retrying,
        words=words,
        exception_id=run.exception_id,
        acts=_acts(run),
    )


def explained(session: Session, tenant_id: str, name: str, *, kind: str | None = None) -> Explained:
    """What somebody calls it, in plain words. Raises ``NotFound``."""
    return explain(session, tenant_id, starting.get(session, tenant_id, find(session, tenant_id, name, kind=kind).id))


def cause(code: str) -> str:
    """What a code means, in words; the code where nobody wrote any."""
    return _CAUSES.get(code, code.replace("_", " "))


def lasting(seconds: float) -> str:
    """``40 s``, ``12 min``, ``3 h``, ``2 d``."""
    whole = max(0, round(seconds))
    for size, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if whole >= size:
            return f"{whole // size} {unit}"
    return f"{whole} s"


def _where(run: RunInFull) -> str:
    at = f" at its step “{run.step}”" if run.step else ""
    if run.retrying:
        tried = f"attempt {run.attempt} of {run.attempts_allowed}" if run.attempt else "the last attempt"
        why = f": {_why(run)}" if run.error_code else ""
        assert run.next_try_at
        return f"{run.workflow} waits{at} after {tried}{why}. It tries again {_when(run.next_try_at)}, by itself."
    if run.status == RunStatus.FAILED:
        return f"{run.workflow} stopped{at}: {_why(run)}. It does not go on by itself."
    said = {
        RunStatus.QUEUED: f"{run.workflow} waits for its turn since {lasting(_since(run.created_at))}.",
        RunStatus.RUNNING: f"{run.workflow} is under way{at}.",
        RunStatus.DONE: f"{run.workflow} went well {lasting(_since(run.ended_at or run.created_at))} ago.",
        RunStatus.CANCELED: f"{run.workflow} was canceled{at}: {run.error}.",
    }
    return said[RunStatus(run.status)]


def _why(run: RunInFull) -> str:
    said = run.error.rstrip(".")
    return f"{cause(run.error_code)} ({said})" if said and run.error_code in _CAUSES else said or cause(run.error_code)


def _done(run: RunInFull) -> list[str]:
    done = [step.name for step in run.steps if step.turn == run.turn and step.status == "done"]
    return [f"Done before that: {', '.join(done)}."] if done else []


def _asked(run: RunInFull) -> list[str]:
    bad = [call for call in run.calls if call.outcome]
    if not bad:
        return []
    last = bad[-1]
    answer = f"answered {last.answer}" if last.answer else "gave no answer"
    return [f"{_system(last.system)} {answer} to {last.method} {last.path} ({cause(last.outcome)})."]


def _systems(session: Session, tenant_id: str, run: RunInFull) -> list[str]:
    """What of its connections is not as it should be."""
    said = []
    for connection_id in dict.fromkeys(call.connection_id for call in run.calls):
        row = connections.get(session, tenant_id, connection_id)
        breaker = session.get_one(Breaker, (tenant_id, connection_id))
        if row.status != ConnectionStatus.ACTIVE:
            said.append(f"The connection {row.name} to {_system(str(row.system))} is {row.status}: {row.reason}")
        if breaker.state != BreakerState.CLOSED:
            until = f" until {breaker.open_until:%H:%M} UTC" if breaker.open_until else ""
            said.append(f"{_system(str(row.system))} failed too often and is left alone{until}.")
    return said


def _queue(session: Session, run: RunInFull, row: RunRow) -> list[str]:
    if not run.exception_id:
        return []
    found = exceptions.get(session, row.tenant_id, run.exception_id)
    faults = [f"{one['path']}: {one['message']}" for one in found.fields]
    refused = f" What was refused: {'; '.join(faults)}." if faults else ""
    return [f"It is in the exception queue as {found.id} ({found.status}).{refused}"]


def _acts(run: RunInFull) -> list[str]:
    if run.exception_id and run.status == RunStatus.FAILED:
        return ["retry_exception", "fix_exception", "dismiss_exception"]
    if run.status in {RunStatus.FAILED, RunStatus.CANCELED}:
        return ["retry_run"]
    return ["cancel_run"] if run.status in {RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.WAITING} else []


def _system(name: str) -> str:
    return TITLES[System(name)]


def _since(at: datetime) -> float:
    return (clock.now() - at).total_seconds()


def _when(at: datetime) -> str:
    left = -_since(at)
    return f"in {lasting(left)}, at {at:%H:%M} UTC" if left > 0 else "as soon as somebody is free"
