"""What can be measured: anything that plays the benchmark's shop."""

from __future__ import annotations

from typing import Protocol

from evals.tau2.shapes import Json, Outcome


class Target(Protocol):
    """A shop that is set to a state, called, and asked for its state."""

    def reset(self, db: Json) -> None:
        """Start from ``db``: ``products``, ``users`` and ``orders``."""

    def call(self, name: str, arguments: Json) -> Outcome:
        """What a tool gives, and why it was refused. Never raises."""

    def export(self) -> Json:
        """The state in the benchmark's shape."""

    def close(self) -> None:
        """Let go of what is held."""


def faults_in(target: Target) -> list[str]:
    """The standing invariants that do not hold in the target's books; none for a target that keeps none."""
    check = getattr(target, "check", None)
    return [str(fault) for fault in check()] if check else []
