"""How long what came from and went to other systems is kept, and how its troubles are told."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field
from sqlalchemy.orm import Session

from engine.kit.policies import Policy, PolicyBroken, policy_of
from engine.mail.policy import Address

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


class AlertsPolicy(Policy):
    """When trouble with the shop's other systems is told, and to whom."""

    section: ClassVar[str] = "alerts"
    failures: Annotated[int, Field(ge=1, le=1_000)] = 3
    """How many runs stop for one cause before it is told."""
    quiet_minutes: Annotated[int, Field(ge=1, le=1_440)] = 60
    """How long one cause is told once; a digest says what came meanwhile."""
    slack: bool = True
    """Whether it is said in the shop's Slack, where one is connected."""
    slack_connection: Annotated[str, Field(max_length=80)] = ""
    """The name of that connection; empty: the oldest."""
    emails: Annotated[tuple[Address, ...], Field(max_length=20)] = ()
    """Who is written to; empty: the shop's people of the roles `ops` and `admin`."""


def alerts_policy(session: Session, tenant_id: str) -> AlertsPolicy:
    """What the shop rules; the defaults where that cannot be: trouble is told all the same."""
    try:
        return policy_of(session, tenant_id, AlertsPolicy)
    except PolicyBroken:
        return AlertsPolicy()
