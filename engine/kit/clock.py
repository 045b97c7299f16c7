"""The time, in UTC, from one place that a test can hold still."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Final

_offset = timedelta()
_held: datetime | None = None
_TICK: Final = timedelta(microseconds=1)


class OwnClock:
    """A clock that only its owner moves: it stands, but for a microsecond at each look, so that what comes later is
    later.
    """

    def __init__(self, at: datetime) -> None:
        self._at = at

    def read(self) -> datetime:
        self._at += _TICK
        return self._at

    def move(self, by: timedelta) -> None:
        self._at += by

    def set(self, at: datetime) -> None:
        self._at = at


_own: ContextVar[OwnClock | None] = ContextVar("own_clock", default=None)


def now() -> datetime:
    """The present moment, aware, in UTC."""
    own = _own.get()
    return own.read() if own else (_held or datetime.now(UTC)) + _offset


@contextmanager
def own(at: datetime) -> Iterator[OwnClock]:
    """A clock for whatever is done in this context and the tasks that begin in it, beside others in this process with
    clocks of theirs (conversations that are replayed, each in its own time).
    """
    hands = OwnClock(at)
    token = _own.set(hands)
    try:
        yield hands
    finally:
        _own.reset(token)


@contextmanager
def shared() -> Iterator[None]:
    """The process's own time for a while, whatever clock this context has: for what others reckon with as well."""
    token = _own.set(None)
    try:
        yield
    finally:
        _own.reset(token)


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
