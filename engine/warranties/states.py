"""How a claim may move, and how it ends."""

from __future__ import annotations

from typing import Final

from engine.kit.state_machine import StateMachine
from engine.warranties.models import ClaimStatus as C

CLAIM: Final = StateMachine(
    "claim",
    {
        C.SUBMITTED: frozenset({C.IN_REVIEW, C.CANCELED}),
        C.IN_REVIEW: frozenset({C.NEED_INFO, C.APPROVED, C.DENIED, C.CANCELED}),
        C.NEED_INFO: frozenset({C.IN_REVIEW, C.DENIED, C.CANCELED, C.EXPIRED}),
        C.APPROVED: frozenset({C.APPROVED, C.REPAIRING, C.REPLACED, C.REFUNDED, C.CANCELED, C.EXPIRED}),
        C.DENIED: frozenset({C.IN_REVIEW, C.CLOSED}),
        C.REPAIRING: frozenset({C.APPROVED, C.CLOSED}),
        C.REPLACED: frozenset({C.CLOSED}),
        C.REFUNDED: frozenset({C.CLOSED}),
        C.CLOSED: frozenset(),
        C.CANCELED: frozenset(),
        C.EXPIRED: frozenset(),
    },
)
OVER: Final = frozenset({C.CLOSED, C.CANCELED, C.EXPIRED})
UNDECIDED: Final = frozenset({C.SUBMITTED, C.IN_REVIEW, C.NEED_INFO})
