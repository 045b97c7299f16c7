"""How a return may move, and how it ends."""

from __future__ import annotations

from typing import Final

from engine.kit import clock
from engine.kit.state_machine import StateMachine
from engine.returns.models import Return
from engine.returns.models import ReturnStatus as R

_GIVEN_UP: Final = frozenset({R.CANCELED, R.EXPIRED})
_ARRIVES: Final = frozenset({R.IN_TRANSIT, R.RECEIVED, R.CLOSED})
RETURN: Final = StateMachine(
    "return",
    {
        R.REQUESTED: _GIVEN_UP | {R.APPROVED, R.DECLINED},
        R.APPROVED: _GIVEN_UP | _ARRIVES | {R.LABEL_READY},
        R.LABEL_READY: _GIVEN_UP | _ARRIVES,
        R.IN_TRANSIT: frozenset({R.RECEIVED, R.CLOSED}),
        R.RECEIVED: frozenset({R.RECEIVED, R.INSPECTED, R.CLOSED}),
        R.INSPECTED: frozenset({R.RECEIVED, R.INSPECTED, R.CLOSED}),
        R.CLOSED: frozenset(),
        R.DECLINED: frozenset(),
        R.CANCELED: frozenset(),
        R.EXPIRED: frozenset(),
    },
)
ENDED: Final = frozenset({R.CLOSED, R.DECLINED, R.CANCELED, R.EXPIRED})
GIVEN_UP: Final = frozenset({R.DECLINED, R.CANCELED, R.EXPIRED})
"""Ended without a unit that came back."""
NOT_SENT: Final = frozenset({R.REQUESTED, R.APPROVED, R.LABEL_READY})


def finish(row: Return, status: R, words: str) -> None:
    """End it, with words fit for its shopper. Raises ``IllegalTransition``."""
    row.status = RETURN.check(row.status, status)
    row.message = words
    row.closed_at = clock.now()
    row.version += 1
