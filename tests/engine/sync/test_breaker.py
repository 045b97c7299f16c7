"""The breaker: it opens by number and share, lets one find out, and rests ever longer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from engine.kit import clock
from engine.sync import breaker
from engine.sync.errors import CircuitOpen, RateLimited, Rejected, SyncError, Transient
from engine.sync.models import BreakerState
from engine.sync.states import BREAKER
from tests.engine.sync.scene import LEASE, Scene, connect

START = datetime(2036, 11, 1, tzinfo=UTC)


@pytest.fixture
def scene(runtime, tenant) -> Scene:
    return connect(runtime, tenant)


def ask(scene: Scene, status: int, **headers: str) -> str:
    """One call; what it came to."""
    scene.answer = lambda _request: httpx.Response(status, json={}, headers=headers)
    try:
        scene.client().request("GET", "/orders")
    except SyncError as error:
        return error.code
    return "ok"


def break_it(scene: Scene) -> None:
    assert [ask(scene, 503) for _ in range(5)] == [Transient.code] * 5
    assert scene.breaker.state == BreakerState.OPEN


def test_five_failures_of_ten_open_it_and_nothing_is_sent_any_more(scene: Scene) -> None:
    with clock.own(START):
        assert [ask(scene, 200) for _ in range(5)] == ["ok"] * 5
        assert [ask(scene, 503) for _ in range(4)] == [Transient.code] * 4
        assert scene.breaker.state == BreakerState.CLOSED
        assert ask(scene, 503) == Transient.code
        assert scene.breaker.state == BreakerState.OPEN
        heard = len(scene.heard)

        with pytest.raises(CircuitOpen) as refused:
            scene.client().request("GET", "/orders")

        assert refused.value.retry_after == pytest.approx(30, abs=0.01)
        assert (len(scene.heard), len(scene.calls()), scene.permits()) == (heard, heard, [])


def test_few_of_many_leave_it_closed(scene: Scene) -> None:
    with clock.own(START):
        assert [ask(scene, status) for status in (200,) * 6 + (503,) * 5].count("ok") == 6
        assert scene.breaker.state == BreakerState.CLOSED


def test_what_failed_over_a_minute_ago_counts_no_more(scene: Scene) -> None:
    with clock.own(START) as hands:
        assert [ask(scene, 503) for _ in range(4)] == [Transient.code] * 4
        hands.move(timedelta(seconds=61))
        ask(scene, 503)
        assert scene.breaker.state == BreakerState.CLOSED


@pytest.mark.parametrize(("status", "code"), [(429, RateLimited.code), (422, Rejected.code), (409, "vendor_conflict")])
def test_a_system_that_answers_is_not_broken(scene: Scene, status, code) -> None:
    """It asks us to wait, or it refuses one request: both say that it works."""
    with clock.own(START) as hands:
        for _ in range(8):
            assert ask(scene, status, **{"retry-after": "1"}) == code
            hands.move(timedelta(seconds=2))
        assert scene.breaker.state == BreakerState.CLOSED


def test_waits_count_neither_way(scene: Scene) -> None:
    with clock.own(START) as hands:
        for _ in range(20):
            ask(scene, 429, **{"retry-after": "0"})
            hands.move(timedelta(seconds=1))
        break_it(scene)


def test_a_probe_that_goes_well_closes_it_and_old_failures_are_forgotten(scene: Scene) -> None:
    with clock.own(START) as hands:
        break_it(scene)
        hands.move(timedelta(seconds=30))
        assert ask(scene, 200) == "ok"
        assert (scene.breaker.state, scene.breaker.cooldown_seconds) == (BreakerState.CLOSED, 30)
        assert [ask(scene, 503) for _ in range(4)] == [Transient.code] * 4
        assert scene.breaker.state == BreakerState.CLOSED


def test_it_rests_twice_as_long_each_time_up_to_ten_minutes(scene: Scene) -> None:
    rests = []
    with clock.own(START) as hands:
        break_it(scene)
        for _ in range(7):
            with pytest.raises(CircuitOpen) as refused:
                scene.client().request("GET", "/orders")
            rests.append(round(refused.value.retry_after))
            hands.move(timedelta(seconds=refused.value.retry_after))
            assert ask(scene, 503) == Transient.code
    assert rests == [30, 60, 120, 240, 480, 600, 600]


def test_a_probe_that_is_asked_to_wait_leaves_it_to_the_next(scene: Scene) -> None:
    with clock.own(START) as hands:
        break_it(scene)
        hands.move(timedelta(seconds=30))
        assert ask(scene, 429, **{"retry-after": "0"}) == RateLimited.code
        assert (scene.breaker.state, scene.breaker.probe_id) == (BreakerState.HALF_OPEN, None)
        assert ask(scene, 200) == "ok"
        assert scene.breaker.state == BreakerState.CLOSED


def test_a_refusal_says_that_it_works_again(scene: Scene) -> None:
    with clock.own(START) as hands:
        break_it(scene)
        hands.move(timedelta(seconds=30))
        assert ask(scene, 422) == Rejected.code
        assert scene.breaker.state == BreakerState.CLOSED


def allow(scene: Scene, permit_id: str) -> bool | float:
    try:
        with scene.uow() as session:
            ids = (scene.tenant.id, scene.connection.id)
            return breaker.allow(session, *ids, permit_id=permit_id, lease=LEASE)
    except CircuitOpen as error:
        return error.retry_after


def test_one_finds_out_and_seven_wait(scene: Scene) -> None:
    with clock.own(START) as hands:
        break_it(scene)
        hands.move(timedelta(seconds=30))
        contexts = [copy_context() for _ in range(8)]
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda turn: contexts[turn].run(allow, scene, f"prm_{turn}"), range(8)))
    assert found.count(True) == 1
    assert [wait for wait in found if wait is not True] == [pytest.approx(60, abs=0.1)] * 7


def test_a_probe_of_a_killed_process_ends_with_its_lease(scene: Scene) -> None:
    with clock.own(START) as hands:
        break_it(scene)
        hands.move(timedelta(seconds=30))
        assert allow(scene, "prm_one") is True
        assert allow(scene, "prm_two") == pytest.approx(60, abs=0.01)
        hands.move(LEASE)
        assert allow(scene, "prm_two") is True
        with scene.uow() as session:  # the first one was not dead
            breaker.succeeded(session, scene.tenant.id, scene.connection.id, permit_id="prm_one")
        assert scene.breaker.state == BreakerState.HALF_OPEN
        with scene.uow() as session:
            breaker.succeeded(session, scene.tenant.id, scene.connection.id, permit_id="prm_two")
        assert scene.breaker.state == BreakerState.CLOSED


def test_who_was_out_before_it_opened_decides_nothing(scene: Scene) -> None:
    with clock.own(START) as hands:
        break_it(scene)
        hands.move(timedelta(seconds=30))
        assert allow(scene, "prm_one") is True
        with scene.uow() as session:
            assert not breaker.failed(session, scene.tenant.id, scene.connection.id, permit_id="prm_late")
        assert (scene.breaker.state, scene.breaker.probe_id) == (BreakerState.HALF_OPEN, "prm_one")


def test_somebody_may_close_it_by_hand(scene: Scene) -> None:
    with clock.own(START):
        break_it(scene)
        with scene.uow() as session:
            breaker.reset(session, scene.tenant.id, scene.connection.id, actor="stf_1")
        assert ask(scene, 200) == "ok"


def test_one_shops_breaker_is_no_others(scene: Scene, runtime, make_tenant) -> None:
    other = connect(runtime, make_tenant())
    with clock.own(START):
        break_it(scene)
        assert ask(other, 200) == "ok"


def test_the_table_of_states_says_everything() -> None:
    allowed = {(old, new) for old in BreakerState for new in BreakerState if BREAKER.allows(old, new)}

    assert allowed == {("closed", "open"), ("open", "half_open"), ("half_open", "closed"), ("half_open", "open")}
