"""Where a turn's events go."""

from __future__ import annotations

from typing import Protocol

from engine.conversations.events import Emitted


class Sink(Protocol):
    """Takes events in order and writes them to the thread's log soon."""

    def emit(self, *events: Emitted) -> None:
        """Hand over events; never blocks."""

    async def flush(self) -> None:
        """Wait until everything handed over is in the log."""
