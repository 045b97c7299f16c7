"""What a workflow's body sees of its run, and what follows when a step fails: by the error's class alone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol

from psycopg import Error as PsycopgError
from sqlalchemy.exc import DBAPIError

from engine.kit.errors import DomainError
from engine.runtime import Runtime
from engine.sync.errors import (
    AuthExpired,
    Conflict,
    FieldFault,
    NotNow,
    Rejected,
    SyncError,
    Transient,
    UnknownOutcome,
)
from engine.sync.models import Connection, System
from engine.sync.port import Erp, Storefront, Warehouse
from engine.workflows.models import RunMode
from engine.workflows.settings import PipelineSettings, SettingsBroken

Work = Callable[[], Any]
"""Gives something that JSON has. It may be done twice: it has a key at the system, or its step a probe."""
Probe = Callable[[], Any]
"""Looks whether it was done: what the work would have given, or ``None``."""


class Run(Protocol):
    """One run, for its body."""

    id: str
    tenant_id: str
    mode: RunMode
    trace_id: str
    runtime: Runtime
    """For the engine's own tables. In a shadow nothing that is written by it stays."""
    settings: PipelineSettings

    def step(self, name: str, work: Work, *, probe: Probe | None = None) -> Any:
        """Do it, at least once, and keep what it gives: a run that is replayed is given that again. What cannot be
        done is raised as its ``SyncError``, after all waits and attempts; a body that does not catch it has failed.
        """

    def undo(self, name: str, work: Work) -> None:
        """What takes the last step back. Done in reverse order, each a step of its own, when the run fails."""

    def wait(self, seconds: float) -> None:
        """Durable: nobody's thread waits for long, and a restart does not begin it anew."""

    def report(self, error: SyncError, *, step: str, payload: Mapping[str, Any] | None = None) -> None:
        """Something for a person, though the run goes on and may end well: in the exception queue as
        ``{run.id}#{step}``, which the run's good end does not close. ``payload`` is the run's own where none is said.
        """

    def storefront(self, connection_id: str | None = None) -> Storefront: ...

    def erp(self, connection_id: str | None = None) -> Erp: ...

    def warehouse(self, connection_id: str | None = None) -> Warehouse: ...

    def connection(self, *systems: System) -> Connection: ...

    def connections(self, *systems: System) -> list[Connection]: ...


class Next(StrEnum):
    """What follows a failure."""

    LATER = "later"  # it was not begun: the same attempt, later; counts for nothing
    AGAIN = "again"  # another attempt
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Verdict:
    next: Next
    seconds: float = 0.0


MOST_ATTEMPTS: Final = 8
FIRST_WAIT: Final = 2.0
LONGEST_WAIT: Final = 600.0
ASLEEP: Final = 300.0
"""How often a run looks by itself whether its connection has woken; it is woken earlier than that."""


class Broke(SyncError):
    """The workflow itself is wrong: a fault of ours. The exception queue shows where."""

    code = "workflow_broke"


class Misset(SyncError):
    """What the shop says of its pipeline cannot be. It is set anew, and the run begun again."""

    code = "settings_broken"


class Gone(SyncError):
    """There is nothing here that could go on with the run."""

    code = "workflow_gone"


def verdict(error: SyncError, *, failures: int, conflicts: int, looks: bool, salt: str) -> Verdict:
    """What follows, after ``failures`` of this step with this one, ``conflicts`` of which were ``Conflict``. ``looks``:
    the step has a probe. ``salt`` decides the jitter, the same however often it is asked.
    """
    if isinstance(error, NotNow):
        return Verdict(Next.LATER, max(0.0, error.retry_after))
    if isinstance(error, AuthExpired):
        return Verdict(Next.LATER, ASLEEP)
    if isinstance(error, Conflict):
        return Verdict(Next.AGAIN) if conflicts <= 1 else Verdict(Next.STOP)
    if failures >= MOST_ATTEMPTS or not isinstance(error, Transient | UnknownOutcome):
        return Verdict(Next.STOP)
    if isinstance(error, UnknownOutcome) and not looks:
        return Verdict(Next.STOP)
    return Verdict(Next.AGAIN, backoff(failures, salt))


def backoff(failures: int, salt: str) -> float:
    """Seconds after that many failures: 2, 4, 8 … less up to a quarter, at most ten minutes."""
    whole = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (failures - 1))
    share = int.from_bytes(hashlib.sha256(f"{salt}|{failures}".encode()).digest()[:4]) / 2**32
    return whole * (1 - share / 4)


def meant(error: Exception) -> SyncError:
    """Any exception of a step's work as one of the classes that decide."""
    if isinstance(error, SyncError):
        return error
    if isinstance(error, SettingsBroken):
        return Misset(error.message)
    if isinstance(error, DomainError):
        if error.retryable:
            seconds = error.retry_after_seconds
            return Later(error.message, retry_after=seconds) if seconds else Transient(error.message)
        return Rejected(error.message, fields=_faults(error))
    if isinstance(error, DBAPIError | PsycopgError):
        return Transient("Our database was not there for it.")
    return Broke(f"{type(error).__name__} in the workflow.")


class Later(NotNow):
    """A part of our own engine asks for patience."""

    code = "not_now"


KINDS: Final = {
    kind.__name__: kind for kind in (Transient, UnknownOutcome, AuthExpired, Conflict, Broke, Misset, Gone, SyncError)
}


def told(error: SyncError) -> dict[str, Any]:
    """An error as it is kept with a step; ``raised`` makes it again."""
    fields = [{"path": one.path, "message": one.message} for one in getattr(error, "fields", ())]
    kind = "Rejected" if isinstance(error, Rejected) else type(error).__name__
    said = {"code": error.code, "message": error.message, "answer": error.answer}
    return {"kind": kind, **said, "fields": fields, "connection_id": error.connection_id}


def raised(kept: dict[str, Any]) -> SyncError:
    error: SyncError
    if kept["kind"] == "Rejected":
        fields = tuple(FieldFault(one["path"], one["message"]) for one in kept["fields"])
        error = Rejected(kept["message"], fields=fields, answer=kept["answer"])
    else:
        error = KINDS.get(kept["kind"], SyncError)(kept["message"], answer=kept["answer"])
    error.connection_id = kept.get("connection_id")
    return error


def _faults(error: DomainError) -> tuple[FieldFault, ...]:
    param = getattr(error, "param", None)
    return (FieldFault(str(param), error.message),) if param else ()
