"""A merchant's rules for reports."""

from __future__ import annotations

from typing import Annotated, ClassVar
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field

from engine.kit.policies import Policy


def _known(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("it is no IANA time zone, such as America/Chicago")
    return name


class ReportsPolicy(Policy):
    """When the shop's day begins and ends."""

    section: ClassVar[str] = "reports"

    time_zone: Annotated[str, Field(max_length=64), AfterValidator(_known)] | None = None
    """IANA name; none: that of the shop's first location."""
