"""A turn's beginning and end in one round trip each: what they do, and when they go the longer way."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import select, text

from engine.checkout import confirmation
from engine.conversations import asking, budget, events, log, runs, service, turns
from engine.conversations.deciding import Press
from engine.conversations.models import Event, Message, Mode, Run, RunStatus, Thread
from engine.conversations.runs import Claim, Report
from engine.conversations.schemas import OpenCard, RunInput
from engine.kit import clock
from engine.kit.direct import Refused
from engine.kit.identity import Identity
from tests.shop import Shop

DONE = Report(RunStatus.COMPLETED, usage={"requests": 1}, agent_path=["commerce"], active_agent="commerce")


@pytest.fixture
def shopper(shop: Shop) -> Identity:
    return shop.shopper()


@pytest.fixture
def thread(shop: Shop, shopper: Identity) -> Thread:
    with shop.uow() as session:
        return service.create_thread(session, shopper)


def _submit(shop: Shop, shopper: Identity, thread: Thread, **given: Any) -> Run:
    with shop.uow() as session:
        return service.submit(session, shopper, thread.id, RunInput.model_validate(given))


def _take(shop: Shop, thread: Thread) -> Claim | None:
    return turns.take(shop.runtime, shop.tenant.id, thread.id)


def _end(shop: Shop, claim: Claim, *last: events.Emitted, cards: list[OpenCard] | None = None, cost: int = 0) -> bool:
    return turns.end(shop.runtime, claim, DONE, last, cards=cards or [], cost_micros=cost)


def _run(shop: Shop, run_id: str) -> Run:
    with shop.uow() as session:
        return session.get_one(Run, (shop.tenant.id, run_id))


def _log(shop: Shop, thread: Thread) -> list[tuple[int, str, str, str | None]]:
    query = select(Event).where(Event.thread_id == thread.id).order_by(Event.seq)
    with shop.uow() as session:
        return [(one.seq, one.payload["type"], one.audience, one.run_id) for one in session.scalars(query)]


def test_a_run_is_taken_as_the_longer_way_takes_it(shop: Shop, shopper: Identity, thread: Thread) -> None:
    first = _submit(shop, shopper, thread, message="hi")
    claim = _take(shop, thread)
    assert claim is not None
    assert _log(shop, thread)[-1] == (4, "RUN_STARTED", "shopper", first.id)
    run = _run(shop, first.id)
    assert (run.status, run.attempts, run.lease_until is not None) == (RunStatus.RUNNING, 1, True)
    with shop.uow() as session:
        runs.release(session, shop.tenant.id, claim)
    with clock.shifted(timedelta(seconds=1)):
        again = _take(shop, thread)
    assert again is not None
    assert again.attempt == 2
    assert [getattr(again, name) for name in _SAME] == [getattr(claim, name) for name in _SAME]


_SAME = ("run_id", "thread_id", "number", "identity", "input", "mode", "active_agent", "returned", "over_budget")


def test_nothing_is_taken_where_nothing_waits_or_somebody_is_at_it(
    shop: Shop, shopper: Identity, thread: Thread
) -> None:
    assert _take(shop, thread) is None
    _submit(shop, shopper, thread, message="hi")
    _submit(shop, shopper, thread, message="and?")
    assert _take(shop, thread) is not None
    before = _log(shop, thread)
    assert _take(shop, thread) is None
    assert _log(shop, thread) == before


def test_of_many_workers_one_takes_the_run(shop: Shop, shopper: Identity, thread: Thread) -> None:
    for words in ("one", "two", "three"):
        _submit(shop, shopper, thread, message=words)
    together = Barrier(6)

    def take(_: int) -> Claim | None:
        together.wait()
        return _take(shop, thread)

    with ThreadPoolExecutor(6) as pool:
        taken = [claim for claim in pool.map(take, range(6)) if claim is not None]
    assert [(claim.number, claim.attempt) for claim in taken] == [(1, 1)]


def test_what_nobody_here_said_and_what_was_spent_come_with_the_run(
    shop: Shop, shopper: Identity, thread: Thread
) -> None:
    with shop.uow() as session:
        said = events.text("m", "assistant", "A person here.")
        log.append(session, shop.tenant.id, thread.id, None, said)
        budget.spend(session, shop.tenant.id, budget.DEFAULT_MICROS_PER_DAY)
    _submit(shop, shopper, thread, message="hi")
    claim = _take(shop, thread)
    assert claim is not None
    assert (claim.newest_outside, claim.over_budget, claim.mode) == (1, True, Mode.AGENT)


def test_a_run_ends_with_its_last_events_and_its_costs(shop: Shop, shopper: Identity, thread: Thread) -> None:
    first = _submit(shop, shopper, thread, message="hi")
    claim = _take(shop, thread)
    assert claim is not None
    _submit(shop, shopper, thread, message="and?")
    assert _end(shop, claim, *events.text("m", "assistant", "Hello."), cost=budget.DEFAULT_MICROS_PER_DAY)
    run = _run(shop, first.id)
    assert (run.status, run.lease_until, run.usage) == (RunStatus.COMPLETED, None, {"requests": 1})
    assert (run.agent_path, run.input, run.error) == (["commerce"], {"message": "hi"}, None)
    assert [kind for _, kind, _, of in _log(shop, thread) if of == first.id][-4:] == [
        "TEXT_MESSAGE_START",
        "TEXT_MESSAGE_CONTENT",
        "TEXT_MESSAGE_END",
        "RUN_FINISHED",
    ]
    with shop.uow() as session:
        assert session.get_one(Thread, (shop.tenant.id, thread.id)).active_agent == "commerce"
        assert session.get_one(Message, (shop.tenant.id, "m")).content == "Hello."
        assert budget.is_spent(session, shop.tenant.id)
    second = _take(shop, thread)
    assert second is not None
    assert (second.number, second.active_agent) == (2, "commerce")
    assert not _end(shop, second)


def test_who_lost_the_lease_changes_nothing(shop: Shop, shopper: Identity, thread: Thread) -> None:
    first = _submit(shop, shopper, thread, message="hi")
    old = _take(shop, thread)
    assert old is not None
    with clock.shifted(timedelta(seconds=60)):
        assert _take(shop, thread) is not None
    before = _log(shop, thread)
    with pytest.raises(Refused):
        _end(shop, old, *events.text("m", "assistant", "Hello."), cost=5)
    assert _log(shop, thread) == before
    assert _run(shop, first.id).status == RunStatus.RUNNING
    with shop.uow() as session:
        assert session.get(Message, (shop.tenant.id, "m")) is None


def test_a_conversation_that_a_person_has_taken_is_ended_the_longer_way(
    shop: Shop, shopper: Identity, thread: Thread
) -> None:
    first = _submit(shop, shopper, thread, message="hi")
    claim = _take(shop, thread)
    assert claim is not None
    with shop.uow() as session:
        session.get_one(Thread, (shop.tenant.id, thread.id)).mode = Mode.HUMAN
    said = events.text("m", "assistant", "Hello.")
    before = _log(shop, thread)
    with pytest.raises(Refused):
        _end(shop, claim, *said)
    [nothing] = shop.runtime.store.ask(shop.tenant.id, log.appending(shop.tenant.id, thread.id, first.id, said))
    assert (nothing, _log(shop, thread)) == ([], before)
    with shop.uow() as session:
        runs.finish(session, shop.tenant.id, claim, DONE, [*said, events.run_finished(thread.id, first.id)])
    assert [kind for _, kind, _, _ in _log(shop, thread)[len(before) :]] == ["RUN_FINISHED"]


def test_a_card_pressed_in_this_moment_is_not_told_as_open(shop: Shop, shopper: Identity, thread: Thread) -> None:
    shop.add("LAMP")
    _submit(shop, shopper, thread, message="hi")
    claim = _take(shop, thread)
    assert claim is not None
    shop.ready(shopper, "LAMP")
    card = confirmation.request(shop.runtime, shopper, thread_id=thread.id)
    open_cards, news = asking.standing(shop.runtime, shopper, thread.id)
    assert ([one.id for one in open_cards], news) == ([card.id], [])
    with pytest.raises(Refused):
        _end(shop, claim)
    with shop.uow() as session:
        asking.decide(session, shopper, card.id, Press(shopper, approved=False, channel="web", thread_id=thread.id))
    before = _log(shop, thread)
    with pytest.raises(Refused):
        _end(shop, claim, cards=open_cards)
    assert _log(shop, thread) == before
    assert not _end(shop, claim)


def test_a_press_that_the_end_waits_for_is_seen_by_it(shop: Shop, shopper: Identity, thread: Thread) -> None:
    """The press holds the conversation while the run ends: how things stood before the wait counts for nothing."""
    shop.add("LAMP")
    _submit(shop, shopper, thread, message="hi")
    claim = _take(shop, thread)
    assert claim is not None
    shop.ready(shopper, "LAMP")
    card = confirmation.request(shop.runtime, shopper, thread_id=thread.id)
    open_cards, _ = asking.standing(shop.runtime, shopper, thread.id)
    approve = {"interruptId": card.id, "status": "resolved", "payload": {"approved": True}}
    with ThreadPoolExecutor(1) as pool:
        with shop.uow() as session:
            service.submit(session, shopper, thread.id, RunInput.model_validate({"resume": [approve]}))
            me = session.scalar(text("SELECT pg_backend_pid()"))
            ending = pool.submit(_end, shop, claim, cards=open_cards)
            _wait_for_who_waits(shop, me)
        with pytest.raises(Refused):
            ending.result()
    assert _run(shop, claim.run_id).status == RunStatus.RUNNING
    assert "RUN_FINISHED" not in [kind for _, kind, _, _ in _log(shop, thread)]


def _wait_for_who_waits(shop: Shop, holder: int) -> None:
    waits = text("SELECT count(*) FROM pg_stat_activity WHERE :holder = ANY(pg_blocking_pids(pid))")
    for _ in range(10_000):
        with shop.uow() as session:
            if session.scalar(waits, {"holder": holder}):
                return
    raise AssertionError("nobody waits")
