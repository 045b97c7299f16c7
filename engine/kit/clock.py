"""The time, in UTC, from one place that a test can hold still."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

_offset = timedelta()
_held: datetime | None = None


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return (_held or datetime.now(UTC)) + _offset


@contextmanager
def stopped() -> Iterator[None]:
    """Hold the clock of this whole process still for a while: then only ``shifted`` moves it (tests of what comes
    later, which no slow machine may bring about).
    """
    global _held  # noqa: PLW0603 (one clock per process is the point)
    before = _held
    _held = before or datetime.now(UTC)
    try:
        yield
    finally:
        _held = before


@contextmanager
def shifted(by: timedelta) -> Iterator[None]:
    """Move the clock of this whole process for a while (tests of expiry)."""
    global _offset  # noqa: PLW0603 (one clock per process is the point)
    before = _offset
    _offset = before + by
    try:
        yield
    finally:
        _offset = before
