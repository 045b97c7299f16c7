"""Limits: whatever the network does and however many take at once, a system never sees more than it allows."""

from __future__ import annotations

import contextvars
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.kit import clock
from engine.kit.ids import new_id
from engine.sync import limits
from engine.sync.limits import CostsTooMuch, Feedback, LimitPolicy, Out, Taken, Wait
from engine.sync.models import Limit, LimitKind
from tests.engine.sync import takers
from tests.engine.sync.scene import LEASE, Scene, connect, points, requests

ROOT = Path(__file__).parents[3]
START = datetime(2036, 11, 1, tzinfo=UTC)
MS = timedelta(milliseconds=1)
FORTY = [points(40, 40), requests(40, 40), LimitPolicy(LimitKind.CONCURRENCY, max_in_flight=40)]


def take(scene: Scene, cost: int = 1, lease: timedelta = LEASE) -> Taken | Wait:
    with scene.uow() as session:
        return limits.take(
            session, scene.tenant.id, scene.connection.id, permit_id=new_id("permit"), cost=cost, lease=lease
        )


def end(scene: Scene, permit: Taken | Wait, feedback: Feedback | None = None) -> None:
    assert isinstance(permit, Taken)
    with scene.uow() as session:
        limits.end(session, permit, feedback)


def waits(found: Taken | Wait) -> float:
    assert isinstance(found, Wait)
    return found.seconds


def test_a_bucket_empties_and_comes_back_steadily(runtime, tenant) -> None:
    scene = connect(runtime, tenant, limit=points(100, 10))
    with clock.own(START) as hands:
        end(scene, take(scene, 80))
        assert waits(take(scene, 30)) == pytest.approx(1.0, abs=0.001)
        hands.move(timedelta(milliseconds=999))
        assert waits(take(scene, 30)) > 0
        hands.move(MS)
        end(scene, take(scene, 30))
        hands.move(timedelta(hours=1))
        end(scene, take(scene, 100))
        assert waits(take(scene, 1)) == pytest.approx(0.1, abs=0.001)


def test_what_is_out_is_spent_already(runtime, tenant) -> None:
    scene = connect(runtime, tenant, limit=points(100, 10))
    with clock.own(START) as hands:
        out = take(scene, 100)
        hands.move(timedelta(seconds=30))
        assert waits(take(scene, 1)) > 0
        end(scene, out)
        assert waits(take(scene, 1)) == pytest.approx(0.1, abs=0.001)


def test_what_a_full_bucket_would_not_do_for_is_asked_for_now_and_then(runtime, tenant) -> None:
    """A killed process holds its points for as long as its lease: who waits for them asks ten times a second."""
    scene = connect(runtime, tenant, limit=points(100, 1))
    with clock.own(START) as hands:
        take(scene, 95)
        assert waits(take(scene, 6)) == pytest.approx(0.1)
        assert isinstance(take(scene, 5), Taken)
        hands.move(timedelta(seconds=5))
        assert waits(take(scene, 1)) == pytest.approx(0.1)


def test_in_any_period_there_are_no_more_requests_than_allowed(runtime, tenant) -> None:
    scene = connect(runtime, tenant, limit=requests(3, 2))
    with clock.own(START) as hands:
        for _ in range(3):
            end(scene, take(scene))
            hands.move(timedelta(milliseconds=500))
        assert waits(take(scene)) == pytest.approx(0.5, abs=0.001)
        hands.move(timedelta(milliseconds=501))
        end(scene, take(scene))
        assert waits(take(scene)) == pytest.approx(0.5, abs=0.01)


def test_a_slow_request_counts_from_its_end(runtime, tenant) -> None:
    """It may have arrived at the very last moment."""
    scene = connect(runtime, tenant, limit=requests(1, 2))
    with clock.own(START) as hands:
        slow = take(scene)
        hands.move(timedelta(seconds=20))
        assert waits(take(scene)) == pytest.approx(0.1)
        end(scene, slow)
        assert waits(take(scene)) == pytest.approx(2.0, abs=0.001)
        hands.move(timedelta(seconds=2, milliseconds=1))
        assert isinstance(take(scene), Taken)


def test_so_many_at_once_and_no_more(runtime, tenant) -> None:
    scene = connect(runtime, tenant, limit=LimitPolicy(LimitKind.CONCURRENCY, max_in_flight=2))
    first, second = take(scene), take(scene)

    assert waits(take(scene)) == pytest.approx(0.1)
    end(scene, first)
    third = take(scene)
    assert isinstance(third, Taken)
    assert waits(take(scene)) == pytest.approx(0.1)
    for one in (second, third):
        end(scene, one)
    assert scene.permits() == []


def test_the_other_kinds_may_have_a_number_at_once_too(runtime, tenant) -> None:
    scene = connect(runtime, tenant, limit=LimitPolicy(LimitKind.POINTS, 100, 1_000, max_in_flight=1))
    out = take(scene)
    assert waits(take(scene)) == pytest.approx(0.1)
    end(scene, out)
    assert isinstance(take(scene), Taken)


@pytest.mark.parametrize(
    "limit", [points(10, 10), requests(10, 10), LimitPolicy(LimitKind.CONCURRENCY, max_in_flight=1)]
)
def test_a_permit_of_a_killed_process_ends_with_its_lease(runtime, tenant, limit) -> None:
    scene = connect(runtime, tenant, limit=limit)
    cost = 1 if limit.kind == LimitKind.CONCURRENCY else 10
    with clock.own(START) as hands:
        assert isinstance(take(scene, cost), Taken)
        hands.move(LEASE - timedelta(seconds=1))
        assert waits(take(scene, cost)) > 0
        hands.move(timedelta(seconds=2))
        found = take(scene, cost)
        if limit.kind == LimitKind.CONCURRENCY:
            assert isinstance(found, Taken)
        else:  # it may have been sent just before
            assert waits(found) == pytest.approx(10 if limit.kind == LimitKind.POINTS else 9, abs=0.01)
            hands.move(timedelta(seconds=11))
            assert isinstance(take(scene, cost), Taken)


def test_who_comes_back_after_its_lease_is_not_counted_twice(runtime, tenant) -> None:
    scene = connect(runtime, tenant, limit=points(10, 10))
    with clock.own(START) as hands:
        late = take(scene, 10)
        hands.move(LEASE + timedelta(seconds=5))
        assert waits(take(scene, 10)) == pytest.approx(10, abs=0.01)
        end(scene, late)
        hands.move(timedelta(seconds=10, milliseconds=1))
        assert isinstance(take(scene, 10), Taken)


def test_what_can_never_pass_is_refused(runtime, tenant) -> None:
    scene = connect(runtime, tenant, limit=points(10, 10))

    with pytest.raises(CostsTooMuch):
        take(scene, 11)
    assert scene.permits() == []


def test_a_system_that_asks_for_peace_has_it(runtime, tenant) -> None:
    scene = connect(runtime, tenant)
    with clock.own(START) as hands:
        end(scene, take(scene), Feedback(retry_after=7.5))
        assert waits(take(scene)) == pytest.approx(7.5, abs=0.001)
        hands.move(timedelta(seconds=7.5))
        for absurd in (1e9, 1e40, float("inf")):
            end(scene, take(scene), Feedback(retry_after=absurd))
            assert waits(take(scene)) == pytest.approx(900, abs=0.001)
            hands.move(timedelta(minutes=15))


def test_a_request_costs_what_the_system_says(runtime, tenant) -> None:
    scene = connect(runtime, tenant, limit=points(100, 100))
    with clock.own(START):
        end(scene, take(scene, 50), Feedback(cost=10))
        assert scene.limit.level_micro == 90_000_000


@pytest.mark.parametrize(
    "said",
    [
        {"cost": -50},
        {"cost": 10**18},
        {"available": 10**18},
        {"available": -(10**18)},
        {"capacity": -5, "restore_per_second": -1},
        {"capacity": 10**18, "restore_per_second": 1},
        {"capacity": 100, "restore_per_second": 0},
    ],
)
def test_what_no_limit_can_be_is_not_believed_and_the_call_is_posted(runtime, tenant, said) -> None:
    scene = connect(runtime, tenant, limit=points(100, 100))
    with clock.own(START):
        end(scene, take(scene, 40), Feedback(**said))
        assert (scene.limit.capacity, scene.limit.period_ms, scene.limit.level_micro) == (100, 100_000, 60_000_000)
    assert scene.permits() == []


def test_a_lone_call_learns_the_level_and_the_size(runtime, tenant) -> None:
    scene = connect(runtime, tenant, limit=points(1_000, 10))
    with clock.own(START):
        end(scene, take(scene, 50), Feedback(available=1_900, capacity=2_000, restore_per_second=100))
        assert (scene.limit.capacity, scene.limit.period_ms, scene.limit.level_micro) == (2_000, 20_000, 1_900_000_000)


def test_beside_others_a_system_is_believed_downwards_alone(runtime, tenant) -> None:
    """It speaks of a moment in which it may not have heard the others yet."""
    scene = connect(runtime, tenant, limit=points(1_000, 1_000))
    with clock.own(START):
        one, other = take(scene, 100), take(scene, 100)
        end(scene, one, Feedback(available=1_000))
        assert scene.limit.level_micro == pytest.approx(900_000_000, abs=10)
        end(scene, other, Feedback(available=1_000))
        assert scene.limit.level_micro == pytest.approx(800_000_000, abs=20)
        end(scene, take(scene, 100), Feedback(available=50))
        assert scene.limit.level_micro == 50_000_000


def test_a_clock_that_goes_back_gives_nothing(runtime, tenant) -> None:
    scene = connect(runtime, tenant, limit=points(10, 10))
    with clock.own(START):
        end(scene, take(scene, 10))
    with clock.own(START - timedelta(hours=1)):
        assert waits(take(scene, 1)) > 0
    with clock.own(START + timedelta(seconds=1.5)):
        assert isinstance(take(scene, 1), Taken)
        assert waits(take(scene, 1)) > 0


def test_a_new_limit_forgets_nothing_that_was_spent(runtime, tenant) -> None:
    scene = connect(runtime, tenant, limit=points(100, 100))
    with clock.own(START):
        end(scene, take(scene, 100))
        with scene.uow() as session:
            limits.set_policy(session, scene.connection, points(200, 100))
        assert scene.limit.level_micro == pytest.approx(0, abs=100)


@dataclass
class Vendor:
    """How a system counts: a bucket of its own, or the requests of any period."""

    limit: Limit
    level: int = 0
    at: datetime = START
    arrived: list[datetime] = field(default_factory=list)

    def hear(self, cost: int, at: datetime) -> None:
        assert at >= self.at
        capacity, period = self.limit.capacity or 0, timedelta(milliseconds=self.limit.period_ms or 0)
        if self.limit.kind == LimitKind.POINTS:
            gained = (at - self.at) * capacity * 1_000_000 // period
            self.level = min(capacity * 1_000_000, self.level + gained) - cost * 1_000_000
            assert self.level >= 0, "THROTTLED"
        else:
            self.arrived = [one for one in self.arrived if one > at - period] + [at] * cost
            assert len(self.arrived) <= capacity, "429"
        self.at = at


@settings(max_examples=300, deadline=None)
@given(
    kind=st.sampled_from([LimitKind.POINTS, LimitKind.REQUESTS]),
    capacity=st.integers(1, 8),
    period_ms=st.integers(1, 2_000),
    errands=st.lists(
        st.tuples(st.integers(0, 700), st.integers(1, 4), st.integers(0, 1_500), st.integers(0, 1_500)), max_size=40
    ),
)
def test_whatever_the_network_does_the_system_is_never_overrun(kind, capacity, period_ms, errands) -> None:
    """Each errand: how long after the one before it is asked for, its cost, how long it travels there and back."""
    limit = Limit(kind=kind, capacity=capacity, period_ms=period_ms, level_micro=capacity * 1_000_000, level_at=START)
    vendor, now, out, arrivals = Vendor(limit, level=capacity * 1_000_000), START, [], []
    for pause, cost, there, back in errands:
        now += pause * MS
        out = come_back(limit, out, now)
        if cost > capacity or limits.room(limit, [one for one, _ in out], cost, now):
            continue
        ends = now + (there + back) * MS
        out.append((Out(str(len(arrivals)), cost, now + timedelta(days=1), now + timedelta(days=2)), ends))
        arrivals.append((now + there * MS, cost))
    for at, cost in sorted(arrivals):
        vendor.hear(cost, at)


def come_back(limit: Limit, out: list[tuple[Out, datetime]], now: datetime) -> list[tuple[Out, datetime]]:
    """Post what came back up to ``now``, in its order, as ``limits.end`` does."""
    left = []
    for one, ends in sorted(out, key=lambda pair: pair[1]):
        if ends > now:
            left.append((one, ends))
        elif limit.kind == LimitKind.POINTS:
            limits._spend(limit, one.cost, ends)
        elif ends + limits._window(limit) > now:
            left.append((Out(one.id, one.cost, ends, ends + limits._window(limit)), ends))
    return left


@pytest.mark.parametrize("limit", FORTY)
def test_eight_threads_take_exactly_what_there_is(runtime, tenant, store, limit) -> None:
    scene = connect(runtime, tenant, limit=limit)
    with clock.own(START), ThreadPoolExecutor(8) as pool:
        contexts = [contextvars.copy_context() for _ in range(8)]
        work = [pool.submit(one.run, takers.take_all, store, tenant.id, scene.connection.id) for one in contexts]
        assert sum(one.result() for one in work) == 40
    assert len(scene.permits()) == 40


def test_two_processes_take_exactly_what_there_is(runtime, make_tenant, addresses) -> None:
    """Of three kinds of limits at once; then 30 of the 40 calls come back, and two seconds pass."""
    with clock.own(START):
        scenes = [connect(runtime, make_tenant(), limit=limit) for limit in FORTY]
    assert processes(addresses, scenes, START + timedelta(seconds=1)) == [40, 40, 40]
    with clock.own(START + timedelta(seconds=5)):
        for scene in scenes:
            for row in scene.permits()[:30]:
                kind, lasts = LimitKind(scene.limit.kind), row.counts_until - row.lease_until
                ids = (row.tenant_id, row.id, row.connection_id, row.cost)
                end(scene, Taken(*ids, row.taken_at, row.lease_until, lasts, kind))
    assert processes(addresses, scenes, START + timedelta(seconds=7)) == [1, 0, 30]


def processes(addresses, scenes: list[Scene], at: datetime) -> list[int]:
    """Two of them at once, each with four threads; what they got together, connection by connection."""
    which = [f"{scene.tenant.id}/{scene.connection.id}" for scene in scenes]
    words = [sys.executable, takers.__file__, addresses.runtime, at.isoformat(), *which]
    env = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'agents'}"}
    started = [subprocess.Popen(words, env=env, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    got = [[int(one) for one in process.communicate(timeout=90)[0].split()] for process in started]
    return [sum(pair) for pair in zip(*got, strict=True)]
