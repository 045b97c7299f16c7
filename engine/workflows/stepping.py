"""How a run goes from step to step: written once, for the durable engine and for rehearsals.

They differ in three things alone: how what a step gave is kept (``_kept``), how a short wait passes (``_nap``), and how
a run leaves its thread for a long one (``_park``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import orjson
import structlog
from pydantic import BaseModel, ValidationError

from engine.kit import clock
from engine.kit.errors import DomainError
from engine.runtime import Runtime
from engine.sync.errors import FieldFault, Rejected, SyncError, UnknownOutcome
from engine.sync.recording import Recording
from engine.sync.wire import storable
from engine.workflows import rows
from engine.workflows.access import Access, Wiring
from engine.workflows.definition import Workflow
from engine.workflows.dry import dry
from engine.workflows.lived import Lived
from engine.workflows.models import RunMode
from engine.workflows.run import Next, Probe, Work, meant, raised, told, verdict
from engine.workflows.settings import PipelineSettings
from engine.workflows.ticket import Ticket

log = structlog.get_logger(__name__)
NAP: Final = 5.0
"""Seconds that a thread waits itself. What is longer is parked."""


@dataclass(slots=True)
class _Failures:
    """What went wrong with a step so far."""

    number: int = 0
    conflicts: int = 0


class _Unseen(Exception):
    """A step may have been done, and its probe could not tell."""

    def __init__(self, fault: Exception) -> None:
        super().__init__(str(fault))
        self.fault = fault


def _may_have_been_done(fault: Exception) -> bool:
    """Every error that says of itself what was done is a ``DomainError``; after any other nobody knows."""
    return isinstance(fault, UnknownOutcome) or not isinstance(fault, DomainError)


class Stepping(Access, ABC):
    """A run as its body sees it (``engine.workflows.run.Run``)."""

    def __init__(
        self,
        runtime: Runtime,
        ticket: Ticket,
        *,
        mode: RunMode,
        settings: PipelineSettings,
        wiring: Wiring,
        trace_id: str = "",
        executor_id: str = "",
        lived: Lived | None = None,
    ) -> None:
        if mode == RunMode.SHADOW and wiring.shadow is None:
            wiring = replace(wiring, shadow=Recording())
        self._rows = runtime
        super().__init__(
            runtime=dry(runtime, lived or Lived()) if mode == RunMode.SHADOW else runtime,
            tenant_id=ticket.tenant_id,
            settings=settings,
            wiring=wiring,
            workflow_id=ticket.run_id,
            trace_id=trace_id,
        )
        self.id, self.mode, self.ticket, self.executor_id = ticket.run_id, mode, ticket, executor_id
        self._places = 0
        self._undo: list[tuple[str, Work]] = []
        self._failed_at = self._now = self.woken = ""

    @property
    def outside(self) -> Runtime:
        return self._rows

    @abstractmethod
    def _kept(self, name: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What ``work`` gave the first time that it came to its end, in this place of this turn. What raises ``Left``
        was not done.
        """

    @abstractmethod
    def _nap(self, seconds: float) -> None: ...

    @abstractmethod
    def _park(self, until: datetime) -> None:
        """Leave the thread until then: raises ``Parked``."""

    def step(self, name: str, work: Work, *, probe: Probe | None = None) -> Any:
        self._places += 1
        place, failures = self._places, _Failures()
        while True:
            trying = partial(self._attempt, place, name, work, probe, failures)
            outcome = self._kept(name, trying)
            if "value" in outcome:
                return outcome["value"]
            error = raised(outcome["error"])
            failures.number += 1
            failures.conflicts += outcome["error"]["kind"] == "Conflict"
            if outcome["next"] == Next.STOP:
                self._failed_at = name
                raise error
            self._until(
                datetime.fromisoformat(outcome["until"]), name, place, error, unsure=outcome.get("unsure", False)
            )

    def undo(self, name: str, work: Work) -> None:
        self._undo.append((name, work))

    def wait(self, seconds: float) -> None:
        self._places += 1
        place = self._places
        until = self._kept("wait", lambda: {"until": (clock.now() + timedelta(seconds=seconds)).isoformat()})
        self._until(datetime.fromisoformat(until["until"]), "wait", place, None)

    def report(self, error: SyncError, *, step: str, payload: Mapping[str, Any] | None = None) -> None:
        self.step(f"report {step}", lambda: self._report(error, step, payload))

    def _report(self, error: SyncError, step: str, payload: Mapping[str, Any] | None) -> None:
        if self.mode == RunMode.LIVE:
            rows.reported(self._rows, self.ticket, error, step=step, payload=payload)

    def take_back(self) -> None:
        """The compensations, the last first. One that cannot be done is reported, and the others are done."""
        while self._undo:
            name, work = self._undo.pop()
            try:
                self.step(f"undo {name}", work)
            except SyncError as error:
                self.report(error, step=f"undo {name}")

    def _attempt(self, place: int, name: str, work: Work, probe: Probe | None, failures: _Failures) -> dict[str, Any]:
        """One attempt, and what follows it. Waits of an attempt that was not begun are within it."""
        while True:
            self._now, self.asked = name, None
            look = rows.begin_step(self._rows, self.ticket, place, name, executor_id=self.executor_id)
            try:
                value = self._work(work, probe, look=look)
            except _Unseen as unseen:
                error, unsure = self._understood(name, unseen.fault), True
            except Exception as fault:  # noqa: BLE001 (whatever it is, its class decides)
                error = self._understood(name, fault)
                unsure = probe is not None and _may_have_been_done(fault)
            else:
                rows.end_step(self._rows, self.ticket, place, value)
                return {"value": value}
            conflicts = failures.conflicts + (told(error)["kind"] == "Conflict")
            follows = verdict(
                error,
                failures=failures.number + 1,
                conflicts=conflicts,
                looks=probe is not None,
                salt=f"{self.id}|{place}",
            )
            until = clock.now() + timedelta(seconds=follows.seconds)
            if follows.next != Next.LATER:
                comes = None if follows.next == Next.STOP else until
                rows.fail_step(self._rows, self.ticket, place, error, until=comes, unsure=unsure)
                return {
                    "error": told(error),
                    "next": str(follows.next),
                    "until": until.isoformat(),
                    "unsure": unsure,
                }
            self._until(until, name, place, error, unsure=unsure)

    def _work(self, work: Work, probe: Probe | None, *, look: bool) -> Any:
        """``look``: it may have been done before, by a process that died over it or an answer that did not come. Raises
        ``_Unseen`` where nobody could look.
        """
        if look and probe is not None:
            try:
                found = probe()
            except Exception as fault:
                raise _Unseen(fault) from fault
            if found is not None:
                return plain(found)
        return plain(work())

    def _understood(self, name: str, fault: Exception) -> SyncError:
        error = meant(fault)
        if error is not fault:
            log.warning("step failed", run=self.id, step=name, why=error.code, exc_info=fault)
        error.connection_id = error.connection_id or self.asked
        return error

    def _until(self, until: datetime, name: str, place: int, error: SyncError | None, *, unsure: bool = False) -> None:
        """Pass the time: here, where it is short. Whoever woke the run has decided that it is over."""
        left = (until - clock.now()).total_seconds()
        woken, self.woken = self.woken, ""
        if left <= 0 or woken == name[:80]:
            return
        if left <= NAP:
            self._nap(left)
            return
        rows.wait(self._rows, self.ticket, place, name, until=until, error=error, unsure=unsure)
        self._park(until)


def perform(run: Stepping, workflow: Workflow[Any], payload: dict[str, Any]) -> dict[str, Any] | None:
    """The body from its top to its end, and what follows. Gives its result, ``None`` where it failed. ``Left`` goes
    through.
    """
    try:
        try:
            result = workflow.body(run, _read(workflow, payload))
            result = plain(result)
        except SyncError:
            raise
        except Exception as fault:
            raise run._understood("body", fault) from fault  # noqa: SLF001 (its own module)
    except SyncError as error:
        at = run._failed_at  # noqa: SLF001 (its own module)
        run.take_back()
        rows.failed(run.outside, run.ticket, error, step=at)
        return None
    rows.done(run.outside, run.ticket, result)
    return dict(result)


def plain(value: Any) -> Any:
    """What JSON has of it: documents of ours become what they are on the wire."""
    return storable(orjson.loads(orjson.dumps(value, default=_dumped)))


def _dumped(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} is nothing that a step can give.")


def _read(workflow: Workflow[Any], payload: dict[str, Any]) -> Any:
    try:
        return workflow.payload.model_validate(payload)
    except ValidationError as error:
        faults = [FieldFault(".".join(map(str, one["loc"])), one["msg"]) for one in error.errors()]
        raise Rejected("The payload is not what this workflow takes.", fields=faults) from None
