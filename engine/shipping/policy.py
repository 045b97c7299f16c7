"""What a merchant may decide about when parcels leave and arrive."""

from __future__ import annotations

from datetime import date, time
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from engine.kit.policies import Policy

Weekday = Annotated[int, Field(ge=1, le=7)]
"""ISO: Monday is 1."""
_MONDAY_TO_FRIDAY = (1, 2, 3, 4, 5)


class Calendar(BaseModel):
    """Days on which somebody works."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    working_days: Annotated[tuple[Weekday, ...], Field(min_length=1)] = _MONDAY_TO_FRIDAY
    holidays: tuple[date, ...] = ()

    def works_on(self, day: date) -> bool:
        return day.isoweekday() in self.working_days and day not in self.holidays


class ShippingPolicy(Policy):
    """When parcels leave the warehouse, and on which days carriers collect and deliver."""

    section: ClassVar[str] = "shipping"

    cut_off: time = time(14, 0)
    """What is ordered by then, on the warehouse's clock, is handled the same day. A location may have its own."""
    warehouse: Calendar = Calendar()
    carriers: dict[str, Calendar] = Field(default_factory=dict)
    """By the carrier's name as the rates say it; others work Monday to Friday."""

    def carrier(self, name: str) -> Calendar:
        return self.carriers.get(name, Calendar())
