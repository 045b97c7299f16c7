"""Real workers, really killed: ``icommerce worker`` against the sandbox over sockets, and ``kill -9`` in the middle.

A request of a doomed workflow kills the worker that sent it: before it is worked, when it is worked and nobody was
answered, or a moment after the answer. Another worker takes over, and dies in its turn.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import select, update

from engine.db import Addresses
from engine.kit import clock
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.sync.models import UNDER_WAY, Call
from engine.sync.sandbox import World
from engine.sync.sandbox.door import Door, Passage
from engine.sync.sandbox.serving import serving
from engine.sync.sandbox.wire import Answer, NoAnswer
from engine.workflows import durable, registry, starting
from engine.workflows.models import OPEN_RUNS, CursorRow, Executor, RunStatus
from engine.workflows.rehearsal import When
from tests.chaos.oracle import what_is_wrong
from tests.chaos.stage import Stage, fill

log = structlog.get_logger(__name__)
HOUR: Final = timedelta(seconds=4)
"""What the warehouse takes for an order."""
THREADS: Final = 4
LOOK_SECONDS: Final = 0.3
RETRIED_EVERY: Final = 20
"""Looks."""
MOST_SECONDS: Final = 3_600.0
FARTHEST: Final = 3
"""The request of a workflow at which it dies is one of so many."""
STOCK: Final = ("inventorySync", "inventoryBundlesSync")


@dataclass
class Killer:
    """Who dies next. ``worker`` is the process whose requests these are."""

    runtime: Runtime
    tenant_id: str
    seed: int
    dooms: dict[str, list[When]]
    """Workflow → deaths to come, the next first."""
    worker: subprocess.Popen[str] | None = None
    killed: Counter[str] = field(default_factory=Counter)
    _asked: Counter[str] = field(default_factory=Counter)
    _waits: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)  # noqa: S311 (reproducible, not secret)
        self._waits = {name: self._dice.randint(1, FARTHEST) for name in self.dooms}

    def doom(self, passage: Passage) -> When | None:
        """How the worker dies over this request, if it does. One that is dead already does not."""
        name = self._workflow(passage)
        if not self.dooms.get(name) or self.worker is None or self.worker.poll() is not None:
            return None
        self._waits[name] -= 1
        if self._waits[name] > 0:
            return None
        self._waits[name] = self._dice.randint(1, FARTHEST)
        self.killed[name] += 1
        return self.dooms[name].pop(0)

    def kill(self) -> None:
        worker, self.worker = self.worker, None
        if worker is not None:
            os.kill(worker.pid, signal.SIGKILL)
            worker.wait()

    def later(self) -> None:
        """Within a hundredth of a second after the answer."""
        threading.Timer(self._dice.random() / 100, self.kill).start()

    def _workflow(self, passage: Passage) -> str:
        """Of whose run a request is, or of whose poll: our journal has it under way, under the trace that it bears."""
        call = passage.call
        trace = call.header("traceparent")[3:35]
        query = select(Call.path, Call.workflow_id).where(
            Call.tenant_id == self.tenant_id,
            Call.outcome == UNDER_WAY,
            Call.method == call.method,
            Call.trace_id == trace,
        )
        with self.runtime.unit_of_work(self.tenant_id) as session:
            for path, run in session.execute(query.order_by(Call.id.desc()).limit(20)):
                if call.path.endswith(path):
                    return str(run).split(":")[1] if ":" in str(run) else ""
        return ""


class DeadlyDoor(Door):
    """A door at which whoever knocks may die."""

    def __init__(self, door: Door, killer: Killer) -> None:
        super().__init__(door.ground, door.vendor)
        self._killer = killer

    def _work(self, passage: Passage) -> Answer:
        """Within what the door closes after it: nobody keeps the place of the one that died."""
        doom = self._killer.doom(passage)
        if doom == When.BEFORE:
            self._killer.kill()
            raise NoAnswer(reset=True)
        answer = super()._work(passage)
        if doom == When.INSIDE:
            self._killer.kill()
            raise NoAnswer(reset=True)
        if doom == When.AFTER:
            self._killer.later()
        return answer


@dataclass
class Carnage:
    """A stage whose workers die. ``play`` until everything is over."""

    stage: Stage
    addresses: Addresses
    killer: Killer
    say: Callable[[str], None]
    hired: int = 0

    def play(self) -> list[str]:
        """What is wrong in the end."""
        ends, number, quiet = time.monotonic() + MOST_SECONDS, 0, clock.now()
        try:
            while not self._all_asked(quiet):
                if time.monotonic() > ends:
                    return [f"it is not over: {self.stage.left()}"]
                self._have_a_worker()
                if self._round(number):
                    quiet = clock.now()
                number += 1
                time.sleep(LOOK_SECONDS)
            return self._told_stock(ends)
        finally:
            self.killer.kill()

    def _round(self, number: int) -> bool:
        stage = self.stage
        stage.people.happen(number)
        stage.ours.goes_on()
        if not number % RETRIED_EVERY:
            stage.people.retry_what_stopped()
        self._hasten()
        return any(row.status in OPEN_RUNS for row in stage.runs()) or len(stage.world.ground.agenda) > 0

    def _all_asked(self, since: datetime) -> bool:
        """Whether every poll has come since then, and nothing was to do: it is over."""
        query = select(CursorRow.polled_at).where(
            CursorRow.tenant_id == self.stage.tenant.id, CursorRow.workflow.not_in(STOCK)
        )
        with self.stage.runtime.unit_of_work(self.stage.tenant.id) as session:
            asked = list(session.scalars(query))
        polls = sum(registry.live(name).poll is not None for name in registry.names() if name not in STOCK)
        return len(asked) == polls and all(at is not None and at > since for at in asked)

    def _told_stock(self, ends: float) -> list[str]:
        """Stock once more, after the last of everything; the workers of that die too."""
        for name in STOCK:
            starting.start(self.stage.runtime, self.stage.tenant.id, name, {"slot": "the last"}, trigger="test")
            while any(row.status in OPEN_RUNS for row in self.stage.runs()) and time.monotonic() < ends:
                self._have_a_worker()
                time.sleep(LOOK_SECONDS)
        self._count()
        return what_is_wrong(self.stage)

    def _count(self) -> None:
        stage = self.stage
        stage.hits.update(self.killer.killed)
        stage.deaths.update(self.killer.killed)
        stage.played.update(row.workflow for row in stage.runs() if row.status == RunStatus.DONE)

    def _have_a_worker(self) -> None:
        if self.killer.worker is None or self.killer.worker.poll() is not None:
            self._bury()
            self.hired += 1
            self.say(f"    worker {self.hired}; killed so far: {self.killer.killed.total()}")
            self.killer.worker = hire(self.addresses)

    def _bury(self) -> None:
        """A minute passes for the one that died, so that the next takes over at once."""
        silent = clock.now() - timedelta(minutes=2)
        with self.stage.runtime.store.without_tenant() as session:
            session.execute(update(Executor).where(Executor.ended_at.is_(None)).values(heartbeat_at=silent))

    def _hasten(self) -> None:
        """Every poll is due."""
        tenant_id = self.stage.tenant.id
        due = update(CursorRow).where(CursorRow.tenant_id == tenant_id, CursorRow.workflow.not_in(STOCK))
        with self.stage.runtime.unit_of_work(tenant_id) as session:
            session.execute(due.values(due_at=clock.now()).execution_options(synchronize_session=False))


def hire(addresses: Addresses) -> subprocess.Popen[str]:
    """``icommerce worker``, once it executes."""
    assert addresses.embedded is not None
    environment = os.environ | {"ICOMMERCE_HOME": str(addresses.embedded.home)}
    words = [sys.executable, "-m", "app.cli", "worker", "--threads", str(THREADS)]
    process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    if not process.stdout.readline().startswith("ready"):
        raise AssertionError("a worker does not start")
    return process


@contextmanager
def set_carnage(
    runtime: Runtime,
    addresses: Addresses,
    tenant: Tenant,
    seed: int,
    *,
    dooms: dict[str, list[When]] | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Iterator[Carnage]:
    """Of each workflow a worker dies in each way, unless ``dooms`` says else."""
    durable.migrate(addresses)
    world = World(seed, None, lambda one: fill(one, hour=HOUR))
    stage = Stage(runtime, tenant, world)
    killer = Killer(runtime, tenant.id, seed, dooms or {name: list(When) for name in registry.names()})
    world.doors = {name: DeadlyDoor(door, killer) for name, door in world.doors.items()}
    with serving(world) as served:
        stage.set(served.url)
        yield Carnage(stage, addresses, killer, say)
