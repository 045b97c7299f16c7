"""How quick this machine is just now: a second that is promised is one of a machine that does nothing else."""

from __future__ import annotations

import time
from typing import Final

_WORK_SECONDS: Final = 0.02


def second_ms() -> int:
    """1000, or so many times more as work takes longer for what others do at the same time."""
    began, worked = time.perf_counter(), time.thread_time()
    while time.thread_time() - worked < _WORK_SECONDS:
        pass
    return round(1000 * max(1.0, (time.perf_counter() - began) / _WORK_SECONDS))
