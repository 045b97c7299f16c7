"""What a connection can become, and what waits for a person."""

from __future__ import annotations

from typing import Final

from engine.kit.state_machine import StateMachine
from engine.sync.models import BreakerState, ConnectionStatus
from engine.sync.work_models import DeliveryStatus, ExceptionStatus

CONNECTION: Final = StateMachine(
    "connection",
    {
        ConnectionStatus.ACTIVE: frozenset(
            {ConnectionStatus.PAUSED, ConnectionStatus.AUTH_EXPIRED, ConnectionStatus.CLOSED}
        ),
        ConnectionStatus.PAUSED: frozenset({ConnectionStatus.ACTIVE, ConnectionStatus.CLOSED}),
        ConnectionStatus.AUTH_EXPIRED: frozenset(
            {ConnectionStatus.ACTIVE, ConnectionStatus.PAUSED, ConnectionStatus.CLOSED}
        ),
        ConnectionStatus.CLOSED: frozenset(),
    },
)
BREAKER: Final = StateMachine(
    "breaker",
    {
        BreakerState.CLOSED: frozenset({BreakerState.OPEN}),
        BreakerState.OPEN: frozenset({BreakerState.HALF_OPEN}),
        BreakerState.HALF_OPEN: frozenset({BreakerState.CLOSED, BreakerState.OPEN}),
    },
)
DELIVERY: Final = StateMachine(
    "delivery",
    {
        DeliveryStatus.WAITING: frozenset({DeliveryStatus.DONE, DeliveryStatus.DEAD}),
        DeliveryStatus.DONE: frozenset(),
        DeliveryStatus.DEAD: frozenset({DeliveryStatus.WAITING}),
    },
)
EXCEPTION: Final = StateMachine(
    "exception",
    {
        ExceptionStatus.OPEN: frozenset(
            {ExceptionStatus.RETRYING, ExceptionStatus.RESOLVED, ExceptionStatus.DISMISSED}
        ),
        ExceptionStatus.RETRYING: frozenset({ExceptionStatus.OPEN, ExceptionStatus.RESOLVED}),
        ExceptionStatus.RESOLVED: frozenset(),
        ExceptionStatus.DISMISSED: frozenset({ExceptionStatus.OPEN}),
    },
)
