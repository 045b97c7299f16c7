"""How goods under way, counts, backorders and reservations may move."""

from __future__ import annotations

from typing import Final

from engine.inventory.models import BackorderStatus as B
from engine.inventory.models import CountStatus as C
from engine.inventory.models import InboundStatus as I
from engine.inventory.models import ReservationStatus as R
from engine.kit.state_machine import StateMachine

RESERVATION: Final = StateMachine(
    "reservation",
    {
        R.HELD: frozenset({R.COMMITTED, R.RELEASED}),
        R.COMMITTED: frozenset({R.RELEASED, R.SHIPPED}),
        R.RELEASED: frozenset(),
        R.SHIPPED: frozenset(),
    },
)
BACKORDER: Final = StateMachine(
    "backorder",
    {
        B.HELD: frozenset({B.WAITING, B.CANCELED}),
        B.WAITING: frozenset({B.ALLOCATED, B.CANCELED}),
        B.ALLOCATED: frozenset(),
        B.CANCELED: frozenset(),
    },
)
INBOUND: Final = StateMachine(
    "delivery",
    {
        I.EXPECTED: frozenset({I.PARTLY_RECEIVED, I.RECEIVED, I.CANCELED}),
        I.PARTLY_RECEIVED: frozenset({I.PARTLY_RECEIVED, I.RECEIVED, I.CANCELED}),
        I.RECEIVED: frozenset({I.CANCELED}),
        I.CANCELED: frozenset(),
    },
)
COUNT: Final = StateMachine(
    "count",
    {
        C.OPEN: frozenset({C.SUBMITTED, C.APPROVED, C.REJECTED}),
        C.SUBMITTED: frozenset({C.APPROVED, C.REJECTED}),
        C.APPROVED: frozenset(),
        C.REJECTED: frozenset(),
    },
)
