"""When something counts as stuck."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from engine.kit.policies import Policy

Hours = Annotated[int, Field(ge=1, le=8_760)]


class OperationsPolicy(Policy):
    """After how long a shop's people want to look at an order."""

    section: ClassVar[str] = "operations"

    release_within_hours: Hours = 24
    """From the sale until everything that has stock is handed to the places that ship it."""
    ship_within_hours: Hours = 48
    """From the release until it is on its way."""
    hold_within_hours: Hours = 24
    """How long an order may be on hold."""
    parcel_grace_days: Annotated[int, Field(ge=0, le=60)] = 2
    """After the day on which a parcel was expected."""
