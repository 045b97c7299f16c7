"""Which days a report is about, as the shop's own clock has them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import ARRAY, Date, DateTime, Integer, cast, func, literal, select
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement

from engine.inventory.models import Location
from engine.kit import clock
from engine.kit.errors import InvalidInput
from engine.kit.policies import policy_of
from engine.reports.policy import ReportsPolicy

LONGEST_DAYS: Final = 366
DEFAULT_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days, first and last included, in one time zone."""

    start: date
    end: date
    time_zone: str

    @property
    def since(self) -> datetime:
        return self._midnight(self.start)

    @property
    def until(self) -> datetime:
        """The moment after the last day."""
        return self._midnight(self.end + timedelta(days=1))

    @property
    def days(self) -> list[date]:
        return [self.start + timedelta(days=number) for number in range((self.end - self.start).days + 1)]

    def day_of(self, column: Any) -> ColumnElement[date]:
        """The shop's day of a moment within the period. Its midnights are counted, as ``holds`` has them: the database
        has other offsets for some names of zones (CET is winter all year there).
        """
        midnights = [self._midnight(day) for day in self.days]
        passed = func.width_bucket(column, cast(midnights, ARRAY(DateTime(timezone=True))), type_=Integer)
        return literal(self.start, Date) + (passed - 1)

    def holds(self, column: Any) -> list[ColumnElement[bool]]:
        return [column >= self.since, column < self.until]

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), ZoneInfo(self.time_zone)).astimezone(UTC)


def period(session: Session, tenant_id: str, start: date | None = None, end: date | None = None) -> Period:
    """From one day to another; until today without an end, of thirty days without a start.

    Raises ``InvalidInput`` for days in the wrong order and for more than a year.
    """
    zone = time_zone(session, tenant_id)
    end = end or max(today(zone), start or date.min)
    start = start or end - timedelta(days=DEFAULT_DAYS - 1)
    if start > end:
        raise InvalidInput("The first day comes after the last.", param="from")
    if (end - start).days >= LONGEST_DAYS:
        raise InvalidInput(f"A report is about {LONGEST_DAYS} days at most.", param="from")
    return Period(start, end, zone)


def today(time_zone: str) -> date:
    return clock.now().astimezone(ZoneInfo(time_zone)).date()


def time_zone(session: Session, tenant_id: str) -> str:
    """The shop's: what its policy says, else its first location's, else UTC."""
    if ruled := policy_of(session, tenant_id, ReportsPolicy).time_zone:
        return ruled
    first = select(Location.time_zone).where(Location.tenant_id == tenant_id)
    return session.scalar(first.order_by(Location.position, Location.code).limit(1)) or "UTC"
