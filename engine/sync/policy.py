"""How long what came from and went to other systems is kept."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from engine.kit.policies import Policy

Days = Annotated[int, Field(ge=1, le=3_650)]


class SyncPolicy(Policy):
    """What is kept of the traffic with the shop's other systems. Links between ids are kept for good."""

    section: ClassVar[str] = "sync"
    calls_days: Days = 30
    """Requests and answers."""
    deliveries_days: Days = 30
    """What systems told us, once it was worked. Told again later than that, it counts as new."""
    exceptions_days: Days = 180
    """What a person looked at, once it is closed."""
