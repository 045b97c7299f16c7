"""A merchant's rules for support: when people are there, how soon they answer, and when a case comes back."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from engine.kit.policies import Policy
from engine.kit.refusals import worded
from engine.support.models import Priority

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Hour = Annotated[
    str, Field(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"), worded("a time such as 09:30, or 24:00")
]
Minutes = Annotated[int, Field(ge=1, le=525_600)]


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise ValueError("there is no such time zone") from None
    return name


def _in_order(hours: tuple[str, str]) -> tuple[str, str]:
    if hours[0] >= hours[1]:
        raise ValueError("a day ends after it begins")
    return hours


Day = Annotated[tuple[Hour, Hour], AfterValidator(_in_order)]


def _office_week() -> dict[Weekday, Day]:
    week: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri")
    return dict.fromkeys(week, ("09:00", "17:00"))


def _more_urgent() -> dict[str, Priority]:
    return {"complaint": Priority.HIGH, "payment_problem": Priority.HIGH}


class Target(BaseModel):
    """In minutes of business hours."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    first_response_minutes: Minutes
    resolution_minutes: Minutes

    @model_validator(mode="after")
    def _answered_before_resolved(self) -> Target:
        if self.first_response_minutes > self.resolution_minutes:
            raise ValueError("a case is answered before it is resolved")
        return self


class Targets(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    urgent: Target = Target(first_response_minutes=30, resolution_minutes=240)
    high: Target = Target(first_response_minutes=60, resolution_minutes=480)
    normal: Target = Target(first_response_minutes=240, resolution_minutes=1440)
    low: Target = Target(first_response_minutes=480, resolution_minutes=2880)

    def of(self, priority: Priority) -> Target:
        found: Target = getattr(self, priority)
        return found


class SupportPolicy(Policy):
    """Times count in business hours alone, and not while the shop waits for the shopper."""

    section: ClassVar[str] = "support"

    time_zone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    hours: Annotated[dict[Weekday, Day], Field(min_length=1, default_factory=_office_week)]
    """From and until; a day that is not named is off."""
    holidays: Annotated[tuple[date, ...], Field(max_length=400)] = ()
    targets: Targets = Targets()
    priorities: Annotated[dict[str, Priority], Field(max_length=50, default_factory=_more_urgent)]
    """Reason of a hand-off → how urgent it is; any other is normal."""
    reopen_days: Annotated[int, Field(ge=0, le=365)] = 7
    """How long a resolved case comes back; after that it is closed and the next one is a new case."""
    reopen_on: Literal["message", "request"] = "request"
    """What brings it back: only asking for a person again, since the agents answer everything else, or any word."""
