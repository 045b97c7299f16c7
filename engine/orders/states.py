"""How an order may move. Everything finer is computed from quantities and payments."""

from __future__ import annotations

from typing import Final

from engine.kit.state_machine import StateMachine
from engine.orders.models import OrderStatus as O

ORDER: Final = StateMachine(
    "order",
    {
        O.PENDING_PAYMENT: frozenset({O.OPEN, O.ON_HOLD, O.CANCELED}),
        O.ON_HOLD: frozenset({O.OPEN, O.CANCELED}),
        O.OPEN: frozenset({O.ON_HOLD, O.CANCELED, O.CLOSED}),
        O.CANCELED: frozenset(),
        O.CLOSED: frozenset({O.OPEN}),
    },
)
