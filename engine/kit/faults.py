"""Named places on the money path where a test may pull the plug. In production no hook is set and nothing happens."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

Hook = Callable[[str], None]
_hook: Hook | None = None

POINTS = (
    "before_t1_commit",
    "after_t1_commit",
    "before_capture",
    "after_capture",
    "before_t2_commit",
    "after_t2_commit",
)
FULFILLMENT_POINTS = ("before_release_commit", "after_release_commit", "before_ship_commit", "after_ship_commit")


def set_hook(hook: Hook | None) -> None:
    """Call ``hook(point)`` at every fault point (``None``: at none)."""
    global _hook  # noqa: PLW0603 (one hook per process is the point)
    _hook = hook


def fault_point(name: str) -> None:
    """A place where a crash must do no harm."""
    if _hook is not None:
        _hook(name)


def kill_at(point: str) -> Hook:
    """A hook that ends this process as ``kill -9`` would."""

    def hook(name: str) -> None:
        if name == point:
            os.kill(os.getpid(), signal.SIGKILL)

    return hook
