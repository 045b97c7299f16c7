"""What a run can become."""

from __future__ import annotations

from typing import Final

from engine.kit.state_machine import StateMachine
from engine.workflows.models import RunStatus

RUN: Final = StateMachine(
    "run",
    {
        RunStatus.QUEUED: frozenset({RunStatus.RUNNING, RunStatus.CANCELED}),
        RunStatus.RUNNING: frozenset({RunStatus.WAITING, RunStatus.DONE, RunStatus.FAILED, RunStatus.CANCELED}),
        RunStatus.WAITING: frozenset({RunStatus.RUNNING, RunStatus.CANCELED}),
        RunStatus.DONE: frozenset({RunStatus.QUEUED}),
        RunStatus.FAILED: frozenset({RunStatus.QUEUED}),
        RunStatus.CANCELED: frozenset({RunStatus.QUEUED}),
    },
)
