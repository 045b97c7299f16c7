"""Who is at a move of money: its request while the lease runs, then whoever takes it up."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from engine.kit import clock
from engine.kit.errors import DomainError, Unavailable
from engine.payments.gateway import Gateway, Move, MoveStatus

LEASE: Final = timedelta(seconds=20)
"""Longer than a gateway's time-out."""
BATCH: Final = 50
LONGEST: Final = timedelta(minutes=10)
log = structlog.get_logger(__name__)


class Leased(Protocol):
    lease_until: datetime | None
    attempts: int


class Ask(Protocol):
    def __call__(self) -> Move: ...


def take(row: Leased) -> bool:
    """Make this caller the one who is at it, with more patience each time; ``False`` while somebody else is."""
    now = clock.now()
    if row.attempts and row.lease_until is not None and row.lease_until > now:
        return False
    row.attempts += 1
    row.lease_until = now + min(LEASE * row.attempts, LONGEST)
    return True


def outcome(gateway: Gateway, ask: Ask, *, key: str, payment_id: str, merchant: str, first: bool) -> Move | None:
    """What became of a move: found by its key unless this is the first try, else asked for with the same key.

    A refusal is a failed move; ``None`` when nobody knows.
    """
    try:
        found = None if first else gateway.find_move(key, payment_id=payment_id, merchant=merchant)
        return found or _asked(gateway, ask, key=key, payment_id=payment_id, merchant=merchant)
    except DomainError as error:
        log.warning("gateway does not tell", key=key, code=error.code)
        return None


def _asked(gateway: Gateway, ask: Ask, *, key: str, payment_id: str, merchant: str) -> Move | None:
    try:
        return ask()
    except Unavailable:  # the answer was lost: ask once what happened
        return gateway.find_move(key, payment_id=payment_id, merchant=merchant)
    except DomainError as refused:
        return Move(key, MoveStatus.FAILED, failure_code=refused.code)
