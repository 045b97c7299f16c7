"""A run within this process, for tests and chaos: the same steps, rules and rows, without the durable engine.

What a step gave is kept in memory. It can die before, inside and after any step, and is replayed then as after a crash.
Waiting moves a clock of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from pydantic import BaseModel
from sqlalchemy import delete
from sqlalchemy.orm import Session

from engine.kit import clock
from engine.kit.clock import OwnClock
from engine.runtime import Runtime
from engine.sync.models import Call, CallMode
from engine.sync.recording import Recorder
from engine.sync.wire import Outgoing
from engine.workflows import starting
from engine.workflows.access import Line, Wiring
from engine.workflows.definition import Workflow
from engine.workflows.lived import Lived
from engine.workflows.models import OPEN_RUNS, RunMode, RunRow, RunStatus, StepRow
from engine.workflows.run import Probe, Work
from engine.workflows.settings import PipelineSettings
from engine.workflows.states import RUN
from engine.workflows.stepping import Stepping, perform, plain
from engine.workflows.ticket import Canceled, Left, Parked, Ticket

_SHADOWS: Final = Call.mode == CallMode.SHADOW
_PATIENCE: Final = 60.0
"""Seconds that a shadow waits for the room of one request."""
MOST_LIVES: Final = 500
"""A rehearsal that is replayed more often than this never ends."""


class When(StrEnum):
    BEFORE = "before"  # the step is not begun
    INSIDE = "inside"  # its work is done, and nobody knows
    AFTER = "after"  # its result is kept


class Died(Left):
    """As kill -9 would have it."""


class NeverEnds(AssertionError):
    """It was replayed without end."""


@dataclass(frozen=True, slots=True)
class Death:
    """Where it dies, once: at a step by its name, or by its number from one."""

    when: When
    step: str | int

    def strikes(self, when: When, place: int, name: str) -> bool:
        return when == self.when and self.step in {place, name}


@dataclass
class Rehearsal:
    """``play()`` brings it to its end through all deaths and waits. ``hands`` is a clock that the caller has taken
    (``engine.kit.clock.own``); without one it takes one for as long as it plays.
    """

    runtime: Runtime
    tenant_id: str
    workflow: Workflow[Any]
    payload: BaseModel | Mapping[str, Any]
    settings: PipelineSettings = field(default_factory=PipelineSettings)
    transport: Line | None = None
    mode: RunMode = RunMode.LIVE
    shadow: Recorder | None = None
    deaths: list[Death] = field(default_factory=list)
    hands: OwnClock | None = None
    waits: Callable[[float], None] | None = None
    """Called besides whenever time passes: to move a sandbox's world along."""
    trace_id: str = ""
    trigger: str = "rehearsal"
    replay_of: str | None = None
    lived: Lived | None = None
    """What the run did that it is a replay of."""
    most_lives: int = MOST_LIVES
    lives: int = 0
    """How often it was executed."""
    waited: list[float] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    """Names of the steps whose work was begun, in order, probes as ``? name``."""
    began_at: datetime = field(default_factory=clock.now)
    _memory: dict[tuple[int, int], dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        said = self.payload.model_dump(mode="json") if isinstance(self.payload, BaseModel) else dict(self.payload)
        read = starting.read_payload(self.workflow, said)
        self.ticket = Ticket(self.tenant_id, self._id(read))
        self._said: dict[str, Any] = plain(read)
        self._subject = self.workflow.subject(read)

    def play(self) -> RunRow:
        """The run's row once it is over. One that failed is begun anew (another turn)."""
        self.began_at = clock.now()
        with self._time():
            self._begin()
            while self._live():
                if self.lives > self.most_lives:
                    raise NeverEnds(f"{self.ticket.run_id} was replayed {self.lives} times.")
        return self.row()

    def abandon(self, reason: str) -> None:
        """End one that does not end by itself: its row says so."""
        with self.runtime.unit_of_work(self.tenant_id) as session:
            row = starting.get(session, self.tenant_id, self.ticket.run_id, lock=True)
            if row.status in OPEN_RUNS:
                starting.cancel(session, self.tenant_id, row.id, actor="shadow", reason=reason)

    @property
    def recorded(self) -> list[Outgoing]:
        """What its shadow was asked."""
        return list(getattr(self.shadow, "requests", ()))

    def row(self) -> RunRow:
        with self.runtime.unit_of_work(self.tenant_id) as session:
            return starting.get(session, self.tenant_id, self.ticket.run_id)

    def steps(self) -> list[StepRow]:
        with self.runtime.unit_of_work(self.tenant_id) as session:
            return starting.steps(session, self.tenant_id, self.ticket.run_id)

    @property
    def result(self) -> dict[str, Any]:
        return self.row().result or {}

    def _live(self) -> bool:
        """One life of it; whether it needs another."""
        self.lives += 1
        run = _Rehearsed(self, self._wiring())
        try:
            perform(run, self.workflow, self._said)
        except Parked as parked:
            self._pass((parked.until - clock.now()).total_seconds())
            return True
        except Died:
            return True
        except Canceled:
            return False
        return False

    def _wiring(self) -> Wiring:
        """Without a stand-in for the network a shadow asks systems that others ask as well: there it really waits."""
        if self.mode == RunMode.SHADOW and self.transport is None:
            return Wiring(shadow=self.shadow, patience=_PATIENCE, sleep=time.sleep)
        return Wiring(transport=self.transport, shadow=self.shadow, sleep=self._pass)

    def _begin(self) -> None:
        with self.runtime.unit_of_work(self.tenant_id) as session:
            row = session.get(RunRow, (self.tenant_id, self.ticket.run_id), with_for_update=True)
            if row is None:
                session.add(self._row())
            elif self.mode == RunMode.SHADOW:
                self._take_place(session, row)
            elif row.status in {RunStatus.FAILED, RunStatus.CANCELED, RunStatus.DONE}:
                starting.anew(row, self.workflow)
            if row is not None:
                row.payload = self._said
                self.ticket = replace(self.ticket, turn=row.turn)

    def _take_place(self, session: Session, row: RunRow) -> None:
        """Of an earlier shadow, and of one that its process left open: what that would have sent is forgotten."""
        session.execute(delete(Call).where(Call.tenant_id == row.tenant_id, _SHADOWS, Call.workflow_id == row.id))
        if row.status in OPEN_RUNS:
            row.status = RUN.check(row.status, RunStatus.CANCELED)
        starting.anew(row, self.workflow)
        row.trigger, row.replay_of, row.created_at = self.trigger, self.replay_of, clock.now()

    def _row(self) -> RunRow:
        return RunRow(
            tenant_id=self.tenant_id,
            id=self.ticket.run_id,
            workflow=self.workflow.name,
            version=self.workflow.version,
            mode=self.mode,
            subject_kind=self._subject[0],
            subject_ref=self._subject[1],
            payload=self._said,
            trigger=self.trigger,
            trace_id=self.trace_id,
            replay_of=self.replay_of,
        )

    def _id(self, read: BaseModel) -> str:
        name, key = self.workflow.name, self.workflow.key(read)
        if self.mode == RunMode.SHADOW:
            name = f"shadow:{self.workflow.version}:{name}"
        return starting.run_id_of(self.tenant_id, name, key)

    @contextmanager
    def _time(self) -> Iterator[None]:
        if self.hands is not None:
            yield
            return
        with clock.own(clock.now()) as hands:
            self.hands = hands
            yield
        self.hands = None

    def _pass(self, seconds: float) -> None:
        assert self.hands is not None
        if seconds <= 0:
            return
        self.waited.append(seconds)
        self.hands.move(timedelta(seconds=seconds))
        if self.waits is not None:
            self.waits(seconds)

    def _strike(self, when: When, place: int, name: str) -> None:
        for death in self.deaths:
            if death.strikes(when, place, name):
                self.deaths.remove(death)
                raise Died(f"{when} {name}")


class _Rehearsed(Stepping):
    """One life of a rehearsal."""

    def __init__(self, rehearsal: Rehearsal, wiring: Wiring) -> None:
        super().__init__(
            rehearsal.runtime,
            rehearsal.ticket,
            mode=rehearsal.mode,
            settings=rehearsal.settings,
            wiring=wiring,
            trace_id=rehearsal.trace_id,
            executor_id="rehearsal",
            lived=rehearsal.lived,
        )
        self._rehearsal = rehearsal
        self._number = 0

    def _kept(self, name: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        self._number += 1
        key, memory, place = (self.ticket.turn, self._number), self._rehearsal._memory, self._places  # noqa: SLF001 (its own module)
        if key not in memory:
            self._rehearsal._strike(When.BEFORE, place, name)  # noqa: SLF001 (its own module)
            memory[key] = plain({"name": name} | work())
            self._rehearsal._strike(When.AFTER, place, name)  # noqa: SLF001 (its own module)
        assert memory[key]["name"] == name, f"replayed, step {self._number} was {memory[key]['name']} and is {name}"
        return memory[key]

    def _work(self, work: Work, probe: Probe | None, *, look: bool) -> Any:
        name = self._now
        if look and probe is not None:
            self._rehearsal.seen.append(f"? {name}")
        value = super()._work(self._seen(name, work), probe, look=look)
        self._rehearsal._strike(When.INSIDE, self._places, name)  # noqa: SLF001 (its own module)
        return value

    def _seen(self, name: str, work: Work) -> Work:
        def doing() -> Any:
            self._rehearsal.seen.append(name)
            return work()

        return doing

    def _nap(self, seconds: float) -> None:
        self._rehearsal._pass(seconds)  # noqa: SLF001 (its own module)

    def _park(self, until: datetime) -> None:
        raise Parked(until)


def rehearse(
    runtime: Runtime, tenant_id: str, workflow: Workflow[Any], payload: BaseModel | Mapping[str, Any], **how: Any
) -> Rehearsal:
    """Play a run to its end: ``how`` is what ``Rehearsal`` takes (transport, settings, deaths …)."""
    rehearsal = Rehearsal(runtime, tenant_id, workflow, payload, **how)
    rehearsal.play()
    return rehearsal
