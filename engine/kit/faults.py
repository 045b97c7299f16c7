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
"""A sale, in order."""
AGENT_POINTS = ("agent_after_consent", "agent_before_answer")
"""Around a sale by an agent: between its consent and the sale, and between the sale and the answer."""
MOVE_POINTS = (
    "capture_before_gateway",
    "capture_after_gateway",
    "capture_before_commit",
    "capture_after_commit",
    "refund_before_gateway",
    "refund_after_gateway",
    "refund_before_commit",
    "refund_after_commit",
    "void_before_gateway",
    "void_after_gateway",
    "void_before_commit",
    "void_after_commit",
    "evidence_before_gateway",
    "evidence_after_gateway",
    "evidence_before_commit",
    "evidence_after_commit",
    "dispute_before_commit",
    "dispute_after_commit",
)
"""Money moving after the sale."""
CLAIM_POINTS = ("claim_before_commit", "claim_after_commit")
"""A warranty claim that is carried out."""
FULFILLMENT_POINTS = ("before_release_commit", "after_release_commit", "before_ship_commit", "after_ship_commit")
DIGITAL_POINTS = (
    "digital_before_release_commit",
    "digital_after_release_commit",
    "digital_before_delivery_commit",
    "digital_after_delivery_commit",
)
"""What has no parcel is given to its buyer."""
SYNC_POINTS = ("sync_before_call", "sync_after_call")
"""Around a request to another system."""
APPROVAL_POINTS = ("approval_after_claim", "approval_before_commit", "approval_after_commit")


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
