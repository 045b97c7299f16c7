"""What may become of an event for a platform."""

from __future__ import annotations

from typing import Final

from engine.agentic.webhook_models import WebhookStatus as S
from engine.kit.state_machine import StateMachine

WEBHOOK: Final = StateMachine(
    "webhook",
    {
        S.QUEUED: frozenset({S.DELIVERED, S.DEAD}),
        S.DELIVERED: frozenset({S.QUEUED}),  # replayed by a person
        S.DEAD: frozenset({S.QUEUED}),
    },
)
