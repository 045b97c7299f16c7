"""What may become of a letter."""

from __future__ import annotations

from typing import Final

from engine.kit.state_machine import StateMachine
from engine.mail.models import MailStatus

MAIL: Final = StateMachine(
    "mail",
    {
        MailStatus.QUEUED: frozenset({MailStatus.SENT, MailStatus.FAILED}),
        MailStatus.SENT: frozenset(),
        MailStatus.FAILED: frozenset({MailStatus.QUEUED}),  # staff asks for one more try
    },
)
