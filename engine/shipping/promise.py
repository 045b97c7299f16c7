"""When a parcel arrives: cut-off, handling, the carrier's days. Pure: the moment is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from engine.shipping.policy import Calendar

_DAY: Final = timedelta(days=1)
_FAR: Final = 400
"""Days in which somebody must have worked."""


@dataclass(frozen=True, slots=True)
class Desk:
    """The warehouse as its clock has it."""

    time_zone: str = "UTC"
    cut_off: time = time(14, 0)
    handling_days: int = 0
    calendar: Calendar = field(default_factory=Calendar)


@dataclass(frozen=True, slots=True)
class Arrival:
    """The day it leaves, and the first and last day on which it may arrive."""

    leaves: date
    earliest: date
    latest: date


def arrival(ordered_at: datetime, desk: Desk, carrier: Calendar, *, min_days: int, max_days: int) -> Arrival:
    """An order until the cut-off (to the minute it says, inclusive) is handled the same day, if anybody works then; one
    after it on the next working day. ``handling_days`` are the warehouse's working days, the others the carrier's. The
    carrier collects on a day on which both work.
    """
    local = ordered_at.astimezone(ZoneInfo(desk.time_zone))
    day = local.date()
    if local.time().replace(second=0, microsecond=0) > desk.cut_off:
        day += _DAY
    day = _next(day, desk.calendar.works_on)
    day = _after(day, desk.handling_days, desk.calendar.works_on)
    leaves = _next(day, lambda one: desk.calendar.works_on(one) and carrier.works_on(one))
    earliest = _after(leaves, min_days, carrier.works_on)
    return Arrival(leaves, earliest, _after(leaves, max_days, carrier.works_on))


def days_after(day: date, days: int, carrier: Calendar) -> date:
    """The day so many of the carrier's working days later."""
    return _after(day, days, carrier.works_on)


def _next(day: date, works: Callable[[date], bool]) -> date:
    """The day itself, or the first one after it on which somebody works; the day when nobody ever does."""
    return day if works(day) else next((one for one in (day + _DAY * n for n in range(_FAR)) if works(one)), day)


def _after(day: date, days: int, works: Callable[[date], bool]) -> date:
    for _ in range(days):
        day = _next(day + _DAY, works)
    return day
