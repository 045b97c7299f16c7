"""The time, in UTC, from one place that a test can hold still."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

_offset = timedelta()


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC) + _offset


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
