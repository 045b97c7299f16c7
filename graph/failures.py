"""What a shopper is told when a run fails: our words, never an exception's."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from engine.kit.errors import DomainError


@dataclass(frozen=True, slots=True)
class Failure:
    code: str
    message: str
    retryable: bool


def failure_of(error: BaseException) -> Failure:
    """How ``error`` looks from outside."""
    match error:
        case DomainError():
            return Failure(error.code, error.message, error.retryable)
        case TimeoutError():
            return Failure("timeout", "That took too long. Please try again.", retryable=True)
        case SQLAlchemyError() | psycopg.Error():
            return Failure("service_unavailable", "The shop's store did not answer. Please try again.", retryable=True)
        case _:
            return Failure("internal", "Something went wrong on our side. Please try again.", retryable=True)
