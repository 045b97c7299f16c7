"""A storm, all workflows in rehearsal: faults and deaths come as a seed says.

The same storm gives the same run, to the request.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx

from engine.kit import clock
from engine.kit.clock import OwnClock
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.sync.sandbox import World, WorldTransport
from engine.workflows import pipeline, registry, triggers
from engine.workflows.access import Wiring
from engine.workflows.models import RunRow, RunStatus
from engine.workflows.rehearsal import Death, Rehearsal
from tests.chaos.stage import Stage, fill
from tests.chaos.storms import Storm

URL: Final = "http://127.0.0.1:9999"
NOON: Final = datetime(2026, 11, 26, 12, tzinfo=UTC)
STEP: Final = timedelta(minutes=30)
STORM: Final = 6
"""Rounds with faults; then the systems are well again, and a person retries what stopped."""
RARELY: Final = {"inventorySync": 4, "inventoryBundlesSync": 4}
"""Rounds from one to the next of what goes through all stock."""
BY_THE_CLOCK: Final = frozenset({"productsPull", *RARELY})
"""A run of these begins whatever there is to do: it does not say that something is left to do."""
MOST: Final = 60
"""Rounds until everything must be over."""
QUIET: Final = 3
"""Rounds without anything to do, after which it is over: every poll has come."""
PLACES: Final = (1, 1, 2, 2, 3, 4)
"""Of steps at which a run may die: some workflows have one or two."""


@dataclass(kw_only=True)
class Scene(Stage):
    storm: Storm
    hands: OwnClock
    _doomed: Counter[str] = field(default_factory=Counter)

    def play_to_the_end(self) -> None:
        """The storm, then fair weather, until nothing is left to do; then stock is told once more."""
        quiet = 0
        for number in range(MOST):
            if number == STORM:
                self.calm()
            self.people.happen(number)
            if number >= STORM:
                self.people.retry_what_stopped()
            busy = self._round(number)
            quiet = 0 if busy or number < STORM else quiet + 1
            if quiet == QUIET:
                return self._tell_stock()
            self.passes(STEP.total_seconds())
        raise AssertionError(f"it is not over: {self.left()}")

    def calm(self) -> None:
        self.world.ground.faults.clear()
        self.world.ground.skews.clear()

    def passes(self, seconds: float) -> None:
        """Time for everybody."""
        self.hands.move(timedelta(seconds=seconds))
        self.elapses(seconds)

    def elapses(self, seconds: float) -> None:
        self.world.advance(timedelta(seconds=seconds))
        self.people.let_in(seconds)

    def line(self) -> httpx.BaseTransport:
        return WorldTransport(self.world, wait=self.passes)

    def _round(self, number: int) -> bool:
        """Whether anything was done but what is done in every round."""
        before = self._begun()
        self.ours.goes_on()
        with self.runtime.unit_of_work(self.tenant.id) as session:
            on = pipeline.switched_on(session, self.tenant.id)
        for name in on:
            if name not in RARELY or self.storm.stock or not number % RARELY[name]:
                self._poll(name)
        triggers.hear(self.runtime, self.tenant.id)
        played = self._play_all()
        return played > 0 or self._begun() > before

    def _poll(self, name: str) -> None:
        with self.working(name):
            triggers.poll_due(self.runtime, self.tenant.id, wiring=self._wiring(), only=[name])

    def _tell_stock(self) -> None:
        """In a slot of its own, after the last of everything."""
        self.passes(STEP.total_seconds())
        for name in RARELY:
            self._poll(name)
            self._play_all()

    def _play_all(self) -> int:
        played = 0
        while queued := [row for row in self.runs() if row.status == RunStatus.QUEUED]:
            for row in queued:
                with self.working(row.workflow):
                    self._play(row)
                played += row.workflow not in BY_THE_CLOCK
        return played

    def _begun(self) -> int:
        return sum(row.workflow not in BY_THE_CLOCK for row in self.runs())

    def _play(self, row: RunRow) -> None:
        with self.runtime.unit_of_work(self.tenant.id) as session:
            settings = pipeline.settings_of(session, self.tenant.id, row.workflow)
        rehearsal = Rehearsal(
            self.runtime,
            self.tenant.id,
            registry.at(row.workflow, row.version),
            row.payload,
            settings=settings,
            transport=self.line(),
            deaths=self._deaths(row),
            hands=self.hands,
            waits=self.elapses,
        )
        planned = len(rehearsal.deaths)
        rehearsal.play()
        self.deaths[row.workflow] += planned - len(rehearsal.deaths)
        self.played[row.workflow] += 1

    def _deaths(self, row: RunRow) -> list[Death]:
        """Once in each way, at its first step and at others as the dice of this run say."""
        if self.storm.dies is not None and row.workflow not in self.storm.dies:
            return []
        self._doomed[row.workflow] += 1
        dice = random.Random(f"{self.storm.seed}:{row.workflow}:{self._doomed[row.workflow]}")  # noqa: S311 (reproducible, not secret)
        whens = dice.sample(self.storm.whens, len(self.storm.whens))
        return [Death(when, dice.choice(PLACES) if number else 1) for number, when in enumerate(whens)]

    def _wiring(self) -> Wiring:
        return Wiring(transport=self.line(), patience=0.0, sleep=self.passes)


@contextmanager
def set_scene(runtime: Runtime, tenant: Tenant, storm: Storm) -> Iterator[Scene]:
    """Everything is on; then the storm begins."""
    with clock.own(NOON) as hands:
        world = World(storm.seed, NOON, fill)
        scene = Scene(runtime, tenant, world, storm=storm, hands=hands)
        scene.set(URL, scene.line())
        if (rule := storm.rule()) is not None:
            world.ground.faults.put(rule)
        yield scene
        world.close()
