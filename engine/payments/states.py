"""How a payment, and what happens within it, may move."""

from __future__ import annotations

from typing import Final

from engine.kit.state_machine import StateMachine
from engine.payments.gateway import DisputeStatus as D
from engine.payments.models import CaptureStatus as C
from engine.payments.models import PaymentStatus as P
from engine.payments.models import RefundStatus as R

_ANSWERS: Final = frozenset({P.AUTHORIZED, P.CAPTURED, P.FAILED, P.CANCELED})

PAYMENT: Final = StateMachine(
    "payment",
    {
        P.PROCESSING: _ANSWERS | {P.UNKNOWN},
        P.UNKNOWN: _ANSWERS | {P.UNKNOWN},
        P.AUTHORIZED: frozenset({P.PARTIALLY_CAPTURED, P.CAPTURED, P.VOIDED, P.EXPIRED}),
        P.PARTIALLY_CAPTURED: frozenset({P.PARTIALLY_CAPTURED, P.CAPTURED}),
        P.CAPTURED: frozenset(),
        P.FAILED: frozenset(),
        P.CANCELED: frozenset(),
        P.VOIDED: frozenset(),
        P.EXPIRED: frozenset(),
    },
)

CAPTURE: Final = StateMachine(
    "capture",
    {C.PENDING: frozenset({C.SUCCEEDED, C.FAILED}), C.SUCCEEDED: frozenset(), C.FAILED: frozenset()},
)

REFUND: Final = StateMachine(
    "refund",
    {
        R.PENDING: frozenset({R.SUCCEEDED, R.FAILED}),
        R.SUCCEEDED: frozenset({R.FAILED}),  # a bank may send a refund back days later
        R.FAILED: frozenset(),
    },
)

DISPUTE: Final = StateMachine(
    "dispute",
    {
        D.NEEDS_RESPONSE: frozenset({D.UNDER_REVIEW, D.WON, D.LOST}),
        D.UNDER_REVIEW: frozenset({D.WON, D.LOST}),
        D.WON: frozenset(),
        D.LOST: frozenset(),
    },
)
