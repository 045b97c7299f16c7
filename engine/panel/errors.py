"""What the panel refuses by itself; everything else is refused by who does it."""

from __future__ import annotations

from engine.kit.errors import Conflict


class CardOutdated(Conflict):
    """What would be done is no longer what the card said: nothing was done."""

    code = "card_outdated"


class CardUsed(Conflict):
    """Somebody said yes on this card before."""

    code = "card_used"
