"""Time as people at work count it: business hours of a time zone, without holidays."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from engine.support.policy import SupportPolicy

_WEEK: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY: Final = timedelta(days=1)


def in_words(policy: SupportPolicy) -> str:
    """A week as people write it: ``Mon-Fri 09:00-17:00 (UTC)``."""
    parts: list[tuple[list[str], tuple[str, str]]] = []
    week = {str(day): hours for day, hours in policy.hours.items()}
    for place, day in enumerate(_WEEK):
        hours = week.get(day)
        if hours is None:
            continue
        if parts and parts[-1][1] == hours and _WEEK[place - 1] == parts[-1][0][-1]:
            parts[-1][0].append(day)
        else:
            parts.append(([day], hours))
    named = [f"{'-'.join(d.title() for d in {days[0]: 0, days[-1]: 0})} {hours[0]}-{hours[1]}" for days, hours in parts]
    return f"{', '.join(named)} ({policy.time_zone})"


@dataclass(frozen=True, slots=True)
class BusinessHours:
    """A shop's week. Every method takes and gives aware times, in UTC."""

    policy: SupportPolicy

    def after(self, start: datetime, worked: timedelta) -> datetime:
        """The moment at which ``worked`` of business time has passed since ``start``; negative goes back."""
        return self._forward(start, worked) if worked >= timedelta() else self._back(start, -worked)

    def between(self, start: datetime, end: datetime) -> timedelta:
        """How much business time lies between two moments; negative when the end comes first."""
        if end < start:
            return -self.between(end, start)
        total, day = timedelta(), self._day_of(start)
        while self._starts(day) < end:
            if window := self._window(day):
                total += max(timedelta(), min(end, window[1]) - max(start, window[0]))
            day += _DAY
        return total

    def _forward(self, start: datetime, left: timedelta) -> datetime:
        day = self._day_of(start)
        while True:
            if window := self._window(day):
                begin = max(start, window[0])
                if begin < window[1] and window[1] - begin >= left:
                    return begin + left
                left -= max(timedelta(), window[1] - begin)
            day += _DAY

    def _back(self, end: datetime, left: timedelta) -> datetime:
        day = self._day_of(end)
        while True:
            if window := self._window(day):
                finish = min(end, window[1])
                if finish > window[0] and finish - window[0] >= left:
                    return finish - left
                left -= max(timedelta(), finish - window[0])
            day -= _DAY

    def _window(self, day: date) -> tuple[datetime, datetime] | None:
        """When people are there on a day; None on a day off."""
        hours = self.policy.hours.get(_WEEK[day.weekday()])
        if hours is None or day in self.policy.holidays:
            return None
        return self._at(day, hours[0]), self._at(day, hours[1])

    def _at(self, day: date, clock: str) -> datetime:
        if clock == "24:00":
            return self._starts(day + _DAY)
        return datetime.combine(day, time.fromisoformat(clock), ZoneInfo(self.policy.time_zone)).astimezone(UTC)

    def _starts(self, day: date) -> datetime:
        return datetime.combine(day, time(), ZoneInfo(self.policy.time_zone)).astimezone(UTC)

    def _day_of(self, moment: datetime) -> date:
        return moment.astimezone(ZoneInfo(self.policy.time_zone)).date()
