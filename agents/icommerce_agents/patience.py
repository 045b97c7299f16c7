"""How long a turn goes on that leads nowhere: the same call over and over, arguments nobody can read, tools that do not
exist.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

SAME_CALLS: Final = 2
"""So often a call with the same arguments is run while nothing has changed in between."""
STUBBORN_CALLS: Final = 4
"""At so many the turn is over."""
MISTAKES: Final = 2
"""Unreadable arguments for one tool, or tools that do not exist: the first is told to the model, the second ends it."""
TURN_TOKENS: Final = 300_000
"""What all models of a run may read and write."""


@dataclass(slots=True)
class Patience:
    """Counts of one agent's turn. ``ended`` names the phrase that is said instead of going on."""

    ended: str | None = None
    _same: Counter[str] = field(default_factory=Counter)
    _mistakes: Counter[str] = field(default_factory=Counter)

    def may_call(self, call: str) -> bool:
        """Count a call; false when it was made often enough."""
        self._same[call] += 1
        if self._same[call] >= STUBBORN_CALLS:
            self.ended = self.ended or "stuck"
        return self._same[call] <= SAME_CALLS

    def changed(self, call: str) -> None:
        """``call`` changed something: other calls may answer otherwise now."""
        self._same = Counter({call: self._same[call]})

    def mistake(self, tool: str) -> None:
        self._mistakes[tool] += 1
        if self._mistakes[tool] >= MISTAKES:
            self.ended = self.ended or "stuck"
