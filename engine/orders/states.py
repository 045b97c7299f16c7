"""How an order and a change of it may move. Everything finer is computed from quantities and payments."""

from __future__ import annotations

from typing import Final

from engine.kit.state_machine import StateMachine
from engine.orders.models import ChangeStatus as C
from engine.orders.models import OrderStatus as O

ORDER: Final = StateMachine(
    "order",
    {
        O.PENDING_PAYMENT: frozenset({O.OPEN, O.ON_HOLD, O.CANCELED}),
        O.ON_HOLD: frozenset({O.OPEN, O.CANCELED, O.CLOSED}),
        O.OPEN: frozenset({O.ON_HOLD, O.CANCELED, O.CLOSED}),
        O.CANCELED: frozenset(),
        O.CLOSED: frozenset({O.OPEN}),
    },
)

_LOST: Final = frozenset({C.EXPIRED, C.SUPERSEDED, C.REFUSED})
CHANGE: Final = StateMachine(
    "change",
    {
        C.QUOTED: _LOST | {C.CONFIRMED},
        C.CONFIRMED: _LOST | {C.CHARGING, C.REQUESTED, C.APPLIED},
        C.CHARGING: frozenset({C.APPLIED, C.REQUESTED, C.FAILED}),
        C.REQUESTED: frozenset({C.APPLIED, C.REFUSED, C.CHARGING}),
        C.APPLIED: frozenset(),
        C.REFUSED: frozenset(),
        C.FAILED: frozenset(),
        C.EXPIRED: frozenset(),
        C.SUPERSEDED: frozenset(),
    },
)
