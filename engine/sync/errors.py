"""What can go wrong with another system, by what is to be done about it. Workflows decide by these classes alone.

Words of a system's own are part of a message only after they were masked (``engine.sync.masking``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from engine.kit.errors import DomainError, Kind


@dataclass(frozen=True, slots=True)
class FieldFault:
    """A field that was refused: where it is in the document, and why."""

    path: str
    message: str


class SyncError(DomainError):
    """``counts_for_breaker``: it says that the system has trouble, not that one request does. ``retryable``: the same
    request may go well later, as it is.
    """

    code = "sync_failed"
    kind = Kind.UNAVAILABLE
    counts_for_breaker: ClassVar[bool] = False

    connection_id: str | None = None
    """Whose it is, where that is known."""

    def __init__(self, message: str, *, answer: int | None = None) -> None:
        super().__init__(message)
        self.answer = answer


class NotNow(SyncError):
    """Nothing was done; ``retry_after`` seconds later it may be asked again."""

    code = "not_now"
    retryable = True

    def __init__(self, message: str, *, retry_after: float, answer: int | None = None) -> None:
        super().__init__(message, answer=answer)
        self.retry_after = retry_after
        self.retry_after_seconds = max(1, math.ceil(retry_after))


class RateLimited(NotNow):
    """Over a limit: ours, before anything was sent, or the system's own."""

    code = "vendor_rate_limited"


class CircuitOpen(NotNow):
    """The system failed too often; it is left alone for a while. Nothing was sent."""

    code = "circuit_open"


class ConnectionPaused(NotNow):
    """Somebody paused the connection, or the shop is held after a restore. Nothing was sent."""

    code = "connection_paused"


class Transient(SyncError):
    """It failed and did nothing, or may be sent again without harm."""

    code = "vendor_unavailable"
    retryable = True
    counts_for_breaker = True


class UnknownOutcome(SyncError):
    """It may have been done. Look before it is sent again."""

    code = "unknown_outcome"
    counts_for_breaker = True


class Rejected(SyncError):
    """The system understood and refused: sending the same again is refused again. For the exception queue."""

    code = "vendor_rejected"
    kind = Kind.UNPROCESSABLE

    def __init__(self, message: str, *, fields: Sequence[FieldFault] = (), answer: int | None = None) -> None:
        super().__init__(message, answer=answer)
        self.fields = tuple(fields)


class AuthExpired(SyncError):
    """It does not take our secrets: the connection rests until somebody gives it new ones."""

    code = "auth_expired"
    kind = Kind.CONFLICT


class Conflict(SyncError):
    """The thing has changed since it was read: read once more, decide once more."""

    code = "vendor_conflict"
    kind = Kind.CONFLICT
