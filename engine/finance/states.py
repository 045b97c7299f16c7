"""What may become of a payout's line."""

from __future__ import annotations

from typing import Final

from engine.finance.models import LineMatch
from engine.kit.state_machine import StateMachine

PAYOUT_LINE: Final = StateMachine[LineMatch](
    "payout line",
    {
        LineMatch.UNMATCHED: frozenset({LineMatch.MATCHED, LineMatch.DIFFERS, LineMatch.WRITTEN_OFF}),
        LineMatch.DIFFERS: frozenset({LineMatch.MATCHED, LineMatch.UNMATCHED, LineMatch.WRITTEN_OFF}),
        LineMatch.MATCHED: frozenset(),
        LineMatch.WRITTEN_OFF: frozenset(),
    },
)
