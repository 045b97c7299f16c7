"""The time in a world: held still and moved by its owner, or running beside the process's own."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

from engine.kit import clock

Action = Callable[[], None]


class WorldClock:
    """The business time of a world. ``at`` holds it still there; without, it runs. ``advance`` moves either on."""

    def __init__(self, at: datetime | None = None) -> None:
        self._at = at.astimezone(UTC) if at else None
        self._ahead = timedelta()

    def now(self) -> datetime:
        return (self._at or clock.now()) + self._ahead

    def pace(self) -> datetime:
        """The time by which limits recover: the process's own, and as much more as this clock was moved on."""
        return clock.now() + self._ahead

    def move_to(self, at: datetime) -> None:
        """Move on to ``at``; never back."""
        self._ahead += max(at - self.now(), timedelta())

    @property
    def running(self) -> bool:
        return self._at is None


class Agenda:
    """What will happen, in the order of its time; at one time in the order in which it was written down."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, int, Action]] = []
        self._numbers = count()

    def put(self, at: datetime, action: Action) -> None:
        heapq.heappush(self._heap, (at, next(self._numbers), action))

    def take(self, until: datetime) -> tuple[datetime, Action] | None:
        """The next that is due by ``until``, taken off."""
        if not self._heap or self._heap[0][0] > until:
            return None
        at, _, action = heapq.heappop(self._heap)
        return at, action

    def __len__(self) -> int:
        return len(self._heap)
