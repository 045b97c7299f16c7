"""Trouble with the store that passes: the database ended a transaction for another's sake, and nothing was done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from psycopg.errors import DeadlockDetected, SerializationFailure
from sqlalchemy.exc import DBAPIError

TRIES: Final = 3
T = TypeVar("T")


def is_passing(error: BaseException) -> bool:
    """Whether the same transaction, done again, may well be done."""
    found = error.orig if isinstance(error, DBAPIError) else error
    return isinstance(found, DeadlockDetected | SerializationFailure)


def patiently(work: Callable[[], T]) -> T:
    """What ``work`` returns. It is done again where the trouble passes: it is one transaction, or changes nothing."""
    for _ in range(TRIES - 1):
        try:
            return work()
        except Exception as error:
            if not is_passing(error):
                raise
    return work()
