"""Business hours, worked out by hand: nine to five on weekdays in New York, Thanksgiving off."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.support.hours import BusinessHours
from engine.support.policy import SupportPolicy

NEW_YORK = BusinessHours(
    SupportPolicy(time_zone="America/New_York", holidays=(date(2026, 11, 26),))
)  # closes at 22:00 UTC, in summer at 21:00


def at(day: str, clock: str) -> datetime:
    return datetime.fromisoformat(f"{day}T{clock}:00+00:00")


@pytest.mark.parametrize(
    ("start", "minutes", "end"),
    [
        (at("2026-11-25", "15:00"), 60, at("2026-11-25", "16:00")),
        (at("2026-11-25", "21:30"), 60, at("2026-11-27", "14:30")),  # Wednesday evening, over Thanksgiving
        (at("2026-11-26", "15:00"), 1, at("2026-11-27", "14:01")),
        (at("2026-11-27", "21:59"), 2, at("2026-11-30", "14:01")),  # Friday, over the weekend
        (at("2026-11-28", "03:00"), 0, at("2026-11-30", "14:00")),
        (at("2026-10-30", "20:30"), 60, at("2026-11-02", "14:30")),  # summer time ends on Sunday
        (at("2026-11-23", "14:00"), 5 * 480, at("2026-12-01", "14:00") - timedelta(hours=16)),
    ],
)
def test_time_goes_on_only_while_people_are_there(start: datetime, minutes: int, end: datetime) -> None:
    assert NEW_YORK.after(start, timedelta(minutes=minutes)) == end


def test_time_between_is_worked_time() -> None:
    assert NEW_YORK.between(at("2026-11-25", "21:00"), at("2026-11-27", "15:00")) == timedelta(hours=2)
    assert NEW_YORK.between(at("2026-11-27", "15:00"), at("2026-11-25", "21:00")) == timedelta(hours=-2)
    assert NEW_YORK.between(at("2026-11-28", "00:00"), at("2026-11-29", "00:00")) == timedelta()


@given(
    start=st.integers(0, 730 * 1440).map(lambda minutes: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)),
    worked=st.timedeltas(timedelta(), timedelta(hours=200)),
)
def test_there_and_back_is_where_it_began(start: datetime, worked: timedelta) -> None:
    opened = NEW_YORK.after(start, timedelta())
    end = NEW_YORK.after(opened, worked)

    assert NEW_YORK.between(opened, end) == worked
    assert NEW_YORK.between(start, end) == worked
    assert NEW_YORK.between(NEW_YORK.after(end, -worked), end) == worked


@pytest.mark.parametrize(
    "values",
    [
        {"time_zone": "Mars/Olympus"},
        {"time_zone": "../etc"},
        {"hours": {}},
        {"hours": {"mon": ["17:00", "09:00"]}},
        {"hours": {"mon": ["25:00", "26:00"]}},
        {"targets": {"low": {"first_response_minutes": 10, "resolution_minutes": 5}}},
    ],
)
def test_hours_that_cannot_be_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        SupportPolicy.model_validate(values)


def test_midnight_ends_a_day() -> None:
    hours = BusinessHours(SupportPolicy(hours={"mon": ("20:00", "24:00"), "tue": ("00:00", "01:00")}))

    assert hours.after(at("2026-11-23", "23:30"), timedelta(hours=1)) == at("2026-11-24", "00:30")
