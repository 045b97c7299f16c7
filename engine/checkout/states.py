"""How a checkout session and a consent may move."""

from __future__ import annotations

from typing import Final

from engine.checkout.models import ConsentStatus as C
from engine.checkout.models import SessionStatus as S
from engine.kit.state_machine import StateMachine

_OPEN = frozenset({S.NOT_READY, S.READY, S.PENDING_APPROVAL, S.AUTHENTICATION_REQUIRED, S.REQUIRES_ESCALATION})
_ENDS = frozenset({S.CANCELED, S.EXPIRED})

SESSION: Final = StateMachine(
    "checkout",
    {
        S.NOT_READY: _OPEN | _ENDS,
        S.READY: _OPEN | _ENDS | {S.IN_PROGRESS},
        S.PENDING_APPROVAL: _OPEN | _ENDS | {S.IN_PROGRESS},
        S.AUTHENTICATION_REQUIRED: _OPEN | _ENDS | {S.IN_PROGRESS},
        S.REQUIRES_ESCALATION: _OPEN | _ENDS | {S.IN_PROGRESS},
        S.IN_PROGRESS: frozenset({S.COMPLETED, S.READY, S.CANCELED}),
        S.COMPLETED: frozenset(),
        S.CANCELED: frozenset(),
        S.EXPIRED: frozenset(),
    },
)
CONSENT: Final = StateMachine(
    "confirmation",
    {
        C.OPEN: frozenset({C.APPROVED, C.DECLINED, C.EXPIRED, C.SUPERSEDED}),
        C.APPROVED: frozenset({C.CLAIMED, C.SUPERSEDED, C.EXPIRED}),
        C.DECLINED: frozenset(),
        C.EXPIRED: frozenset(),
        C.SUPERSEDED: frozenset(),
        C.CLAIMED: frozenset(),
    },
)
OPEN_SESSIONS: Final = _OPEN
IS_RUNNING: Final = """
SELECT FROM app.checkout_sessions checkout
WHERE checkout.tenant_id = %(tenant)s AND checkout.owner_id = %(whose)s AND checkout.cart_id IS NOT NULL
  AND checkout.status NOT IN ('completed', 'canceled', 'expired') AND checkout.expires_at > %(now)s
"""
"""Whether a shopper's checkout may be running, for a statement that asks other things too."""
