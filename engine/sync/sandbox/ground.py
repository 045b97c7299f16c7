"""What every emulator stands on: time, chance, numbers, the agenda, the journal and the faults of one world."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from threading import RLock

from engine.kit import clock
from engine.sync.sandbox.clock import Action, Agenda, WorldClock
from engine.sync.sandbox.faults import Faults
from engine.sync.sandbox.journal import Journal


class Ground:
    """One world's ground. Whoever changes the state of an emulator holds ``lock``."""

    def __init__(self, seed: int, at: datetime | None) -> None:
        self.seed = seed
        self.clock = WorldClock(at)
        self.rng = random.Random(seed)  # noqa: S311 (reproducible, not secret)
        self.agenda = Agenda()
        self.journal = Journal()
        self.faults = Faults(seed)
        self.lock = RLock()
        self.skews: dict[str, timedelta] = {}
        self._numbers = count(1)

    def now(self) -> datetime:
        """The business time."""
        return self.clock.now()

    def pace(self) -> datetime:
        """The time by which limits recover: they do so while a held world waits, and when it is moved on."""
        return self.clock.pace()

    def wall(self, system: str) -> datetime:
        """A vendor's own clock, by which signatures are judged and dates are stamped: the process's time, however far
        the business time was moved, and a skew if a fault gave it one.
        """
        return clock.now() + self.skews.get(system, timedelta())

    def number(self) -> int:
        """A number that nobody else in this world has."""
        return next(self._numbers)

    def numbered_from(self, number: int) -> None:
        """The next number is this one."""
        self._numbers = count(number)

    def later(self, delay: timedelta, action: Action) -> None:
        self.agenda.put(self.now() + delay, action)

    def run_due(self) -> int:
        """Do what is due by now; returns how much that was."""
        return self._run(self.now())

    def advance(self, by: timedelta) -> int:
        """Move the time on, doing on the way what falls due, each at its own time."""
        target = self.now() + by
        done = self._run(target, move=self.clock.move_to)
        self.clock.move_to(target)
        return done

    def _run(self, until: datetime, move: Callable[[datetime], None] | None = None) -> int:
        done = 0
        while True:
            with self.lock:
                due = self.agenda.take(until)
                if due is not None and move is not None:
                    move(due[0])
            if due is None:
                return done
            due[1]()
            done += 1
