"""What can go wrong, said once. Errors know no HTTP: the edge maps ``kind`` to a status."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class Kind(StrEnum):
    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    UNPROCESSABLE = "unprocessable"
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"


class DomainError(Exception):
    """A refusal with a stable ``code``, a sentence fit for the person asking, and whether trying again helps.

    The message must hold nothing secret and nothing of another identity: it is shown as it is.
    """

    code: ClassVar[str] = "error"
    kind: ClassVar[Kind] = Kind.INVALID
    retryable: ClassVar[bool] = False
    retry_after_seconds: int | None = None
    allowed: tuple[str, ...] = ()
    """The values that would have been taken, where they are few."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NotFound(DomainError):
    code = "not_found"
    kind = Kind.NOT_FOUND


class InvalidInput(DomainError):
    code = "invalid_request"
    kind = Kind.INVALID

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class Forbidden(DomainError):
    code = "forbidden"
    kind = Kind.FORBIDDEN


class OverLimit(DomainError):
    """More than the shop lets one person do alone: somebody else's approval lifts it. ``rule`` names the limit,
    ``amount`` is what it would come to with all that it counts; both minor units of ``currency``, units without one.
    """

    code = "over_limit"
    kind = Kind.FORBIDDEN

    def __init__(self, message: str, *, limit: int, amount: int, currency: str | None, rule: str) -> None:
        super().__init__(message)
        self.limit = limit
        self.amount = amount
        self.currency = currency
        self.rule = rule


class Unauthenticated(DomainError):
    code = "unauthorized"
    kind = Kind.UNAUTHENTICATED


class Conflict(DomainError):
    code = "conflict"
    kind = Kind.CONFLICT


class RateLimited(DomainError):
    code = "rate_limited"
    kind = Kind.RATE_LIMITED
    retryable = True

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(DomainError):
    code = "service_unavailable"
    kind = Kind.UNAVAILABLE
    retryable = True
