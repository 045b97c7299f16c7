"""Which run it is, and how one leaves its thread without being over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Ticket:
    """Which run, and which turn of it."""

    tenant_id: str
    run_id: str
    turn: int = 1


class Left(BaseException):
    """The run leaves its thread and is not over. No error: nothing is to catch it on the way, or to keep it."""


class Parked(Left):
    """It waits until then, and nobody's thread with it."""

    def __init__(self, until: datetime) -> None:
        super().__init__(until.isoformat())
        self.until = until


class Canceled(Left):
    """Somebody canceled it, or began it anew: it stops where it is."""


class Lost(Left):
    """Its rows cannot be written just now, or it is somebody else's meanwhile."""
