"""A short storm: processes that buy, ship, refund and change the same items at once break nothing."""

from __future__ import annotations

from engine.db import Addresses
from tests.storm.storm import rage


def test_everything_at_once_breaks_nothing(addresses: Addresses) -> None:
    report = rage(addresses, processes=2, threads=2, steps=30, seed=7)

    assert report.tally.faults == []
    assert report.broken == []
    assert (report.deadlocks, report.unsettled) == (0, 0)
    assert report.tally.done["buy"] > 10
    assert sum(report.tally.done.values()) + sum(report.tally.refused.values()) >= 2 * 2 * 30
