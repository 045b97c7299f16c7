"""What a conversation refuses."""

from __future__ import annotations

from engine.kit.errors import Conflict, RateLimited


class TooManyWaiting(RateLimited):
    code = "too_many_waiting"

    def __init__(self) -> None:
        super().__init__("There is much waiting in this conversation already.", retry_after_seconds=2)


class LeaseLost(Conflict):
    """Another worker goes on with this run."""

    code = "lease_lost"
