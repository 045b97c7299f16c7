"""How a payment may move."""

from __future__ import annotations

from typing import Final

from engine.kit.state_machine import StateMachine
from engine.payments.models import PaymentStatus as P

_ENDS = frozenset({P.CAPTURED, P.FAILED, P.CANCELED})

PAYMENT: Final = StateMachine(
    "payment",
    {
        P.PROCESSING: _ENDS | {P.UNKNOWN},
        P.UNKNOWN: _ENDS | {P.UNKNOWN},
        P.CAPTURED: frozenset(),
        P.FAILED: frozenset(),
        P.CANCELED: frozenset(),
    },
)
