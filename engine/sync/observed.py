"""What is counted as it happens, for whoever shows figures: the process says who listens, and nobody has to."""

from __future__ import annotations

from typing import Final, Protocol


class Listener(Protocol):
    """Its methods are quick and raise nothing."""

    def called(self, system: str, outcome: str, seconds: float) -> None:
        """A call came back; ``outcome`` is the code of what went wrong, ``ok`` when it went well."""

    def waited(self, system: str, seconds: float) -> None:
        """A call waited for room, or was sent away for want of it (``seconds`` is then how long it is to wait)."""

    def retried(self, workflow: str, code: str) -> None:
        """A step failed and comes again."""


LISTENERS: Final[list[Listener]] = []


def called(system: str, outcome: str, seconds: float) -> None:
    for one in LISTENERS:
        one.called(system, outcome, seconds)


def waited(system: str, seconds: float) -> None:
    for one in LISTENERS:
        one.waited(system, seconds)


def retried(workflow: str, code: str) -> None:
    for one in LISTENERS:
        one.retried(workflow, code)
