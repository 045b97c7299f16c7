"""What staff may have done with runs from a conversation: begun anew, put right, stopped, one or all of a cause."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from engine.kit.errors import Conflict, InvalidInput
from engine.kit.identity import Identity
from engine.operations.acting import Doing, Done, Ref, StaffAct, Words
from engine.operations.pipeline import queue, runs
from engine.operations.pipeline.explain import cause, find
from engine.operations.pipeline.payloads import checked
from engine.sync import exceptions
from engine.sync.work_models import ExceptionRow, ExceptionStatus
from engine.workflows import starting
from engine.workflows.models import OPEN_RUNS, RunRow, RunStatus

RunName = Annotated[str, Field(min_length=1, max_length=200)]
_NAMED: Final = 5


class RetryRun(StaffAct):
    """``about``: an order, purchase or return as people call it, or a run's id."""

    title = "Retry a run"
    kind: Literal["retry_run"] = "retry_run"
    about: RunName

    def words(self, session: Session, identity: Identity) -> list[str]:
        row = find(session, identity.tenant_id, self.about)
        if row.status == RunStatus.WAITING:
            return [f"{_said(row)} tries its step “{row.step}” again now instead of later."]
        if row.status not in {RunStatus.FAILED, RunStatus.CANCELED}:
            raise Conflict(f"{_said(row)} is {row.status}: there is nothing to retry.")
        why = row.error.rstrip(".") or cause(row.error_code)
        return [f"{_said(row)} stopped: {why}.", "It begins anew; what it did is found by its keys and not done twice."]

    def run(self, session: Session, doing: Doing) -> Done:
        row = find(session, doing.tenant_id, self.about)
        if row.status == RunStatus.WAITING:
            starting.hasten(session, doing.tenant_id, row.id, actor=doing.identity.id)
        else:
            runs.retry(session, doing.tenant_id, row.id, actor=doing.identity.id)
        return Done(f"{_said(row)} is done again.", {"run_id": row.id})


class CancelRun(StaffAct):
    title = "Cancel a run"
    kind: Literal["cancel_run"] = "cancel_run"
    about: RunName
    reason: Words

    def words(self, session: Session, identity: Identity) -> list[str]:
        row = find(session, identity.tenant_id, self.about)
        if row.status not in OPEN_RUNS:
            raise Conflict(f"{_said(row)} is {row.status}: there is nothing to cancel.")
        at = f" after its step “{row.step}”" if row.step else ""
        return [f"{_said(row)} stops{at}; what it did stays done.", self.reason]

    def run(self, session: Session, doing: Doing) -> Done:
        row = find(session, doing.tenant_id, self.about)
        starting.cancel(session, doing.tenant_id, row.id, actor=doing.identity.id, reason=self.reason)
        return Done(f"{_said(row)} is canceled.", {"run_id": row.id})


class Change(BaseModel):
    """``field``: its name in the payload, with dots where it lies deeper. ``value``: as text, or as JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    field: Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.\w+){0,5}$", max_length=100)]
    value: Annotated[str, Field(max_length=2_000)]


class FixRun(StaffAct):
    title = "Put a payload right and retry its run"
    kind: Literal["fix_run"] = "fix_run"
    exception_id: Ref
    changes: Annotated[tuple[Change, ...], Field(min_length=1, max_length=20)]

    def words(self, session: Session, identity: Identity) -> list[str]:
        row = exceptions.get(session, identity.tenant_id, self.exception_id)
        _require_open(row)
        self._fixed(row)
        said = [f"{one.field}: {_shown(_at(_payload(row), one.field))} becomes {one.value}." for one in self.changes]
        return [*said, f"Then {row.workflow} of {row.subject} begins anew with that."]

    def run(self, session: Session, doing: Doing) -> Done:
        row = exceptions.get(session, doing.tenant_id, self.exception_id)
        queue.fix(session, doing.tenant_id, row.id, actor=doing.identity.id, payload=self._fixed(row))
        return Done("It is put right and done again.", {"exception_id": row.id})

    def _fixed(self, row: ExceptionRow) -> dict[str, Any]:
        payload = json.loads(json.dumps(_payload(row)))
        for one in self.changes:
            _put(payload, one.field.split("."), one.value)
        return checked(row.tenant_id, row.workflow, row.workflow_id, payload)


class RetryCause(StaffAct):
    title = "Retry everything that stopped for one reason"
    kind: Literal["retry_cause"] = "retry_cause"
    fingerprint: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]

    def words(self, session: Session, identity: Identity) -> list[str]:
        told = queue.retry_cause(session, identity.tenant_id, self.fingerprint, actor=identity.id)
        named = ", ".join(one.subject for one in told.named[:_NAMED])
        more = f" and {told.count - _NAMED} more" if told.count > _NAMED else ""
        return [f"{told.count} runs that stopped are done again: {named}{more}.", f"Why: {told.named[0].reason}"]

    def run(self, session: Session, doing: Doing) -> Done:
        done = queue.retry_cause(session, doing.tenant_id, self.fingerprint, actor=doing.identity.id, dry_run=False)
        return Done(f"{done.count} runs are done again.", {"count": done.count})


def _said(row: RunRow) -> str:
    return f"{row.workflow} of {row.subject_kind} {row.subject_ref}"


def _require_open(row: ExceptionRow) -> None:
    if row.status != ExceptionStatus.OPEN:
        raise Conflict(f"This exception is {row.status} already.")


def _payload(row: ExceptionRow) -> dict[str, Any]:
    return row.fixed or row.payload


def _at(payload: Any, name: str) -> Any:
    """What stands there now; nothing where nothing does."""
    for part in name.split("."):
        inner = payload.get(part) if isinstance(payload, dict) else None
        if isinstance(payload, list) and part.isdigit() and int(part) < len(payload):
            inner = payload[int(part)]
        payload = inner
    return payload


def _put(payload: Any, path: list[str], value: str) -> None:
    place = _at(payload, ".".join(path[:-1])) if len(path) > 1 else payload
    if isinstance(place, dict):
        place[path[-1]] = _read(value, place.get(path[-1]))
    elif isinstance(place, list) and path[-1].isdigit() and int(path[-1]) < len(place):
        place[int(path[-1])] = _read(value, place[int(path[-1])])
    else:
        raise InvalidInput("There is no such field in the payload.", param="changes")


def _read(value: str, before: Any) -> Any:
    """Text stays text where text stood; else it is JSON, if it is."""
    if isinstance(before, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)[:200]
