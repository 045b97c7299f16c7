"""A clock of one's own beside the clock of the process."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from engine.kit import clock

THEN = datetime(2027, 3, 2, 18, tzinfo=UTC)


def test_an_own_clock_stands_and_later_is_later() -> None:
    with clock.own(THEN):
        first, second = clock.now(), clock.now()
    assert timedelta() < second - first < timedelta(milliseconds=1)
    assert timedelta() < first - THEN < timedelta(milliseconds=1)
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(minutes=1)


def test_it_goes_by_the_task_and_by_what_the_task_begins() -> None:
    async def year(at: datetime) -> list[int]:
        with clock.own(at) as hands:
            before = await asyncio.to_thread(lambda: clock.now().year)
            hands.move(timedelta(days=366))
            later = await asyncio.create_task(asyncio.to_thread(lambda: clock.now().year))
            hands.set(at)
            return [before, later, clock.now().year]

    async def go() -> list[list[int]]:
        return list(await asyncio.gather(year(THEN), year(THEN.replace(year=2030))))

    assert asyncio.run(go()) == [[2027, 2028, 2027], [2030, 2031, 2030]]


def test_nobody_else_is_moved_by_it() -> None:
    with clock.stopped(), clock.shifted(timedelta(days=1)):
        outside = clock.now()
        with clock.own(THEN):
            assert clock.now() < outside.replace(year=outside.year + 5)
        assert clock.now() == outside
