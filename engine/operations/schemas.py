"""What a card of the shop's own people looks like."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from engine.kit.views import View


class StaffActView(View):
    """Something that one of the shop's people is asked to agree to, and what became of it."""

    id: str
    """The ``cnf_`` id of the card."""
    kind: str
    title: str
    words: list[str]
    """What exactly would happen, a sentence each."""
    status: str
    """open, approved, declined, expired, superseded or claimed (done)."""
    expires_at: datetime
    outcome: str = ""
    facts: dict[str, Any] = Field(default_factory=dict)
