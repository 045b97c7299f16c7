"""The end of a run, and a worker that lost it: locks in one order, nothing said any more, and what it cost is paid."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from threading import Barrier, BrokenBarrierError, Event
from typing import Any

import psycopg
import pytest
from psycopg.errors import DeadlockDetected, LockNotAvailable, SerializationFailure
from psycopg_pool import PoolTimeout
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as QueuePoolTimeout

from engine.checkout import confirmation
from engine.conversations import asking, budget, events, log, runs
from engine.conversations.errors import LeaseLost
from engine.conversations.models import Event as LogRow
from engine.conversations.models import RunStatus
from engine.conversations.runs import Claim, Report
from engine.kit import clock, limits
from graph import execution
from graph import runner as running_module
from graph.emitter import Emitter
from graph.failures import failure_of
from graph.state import RunContext
from icommerce_agents import adapter, context
from tests.graph.conftest import Running, Talk
from tests.scripted import Call, Say, Script
from tools import spec
from tools.spec import Access, Outcome

DONE = Report(RunStatus.COMPLETED)
COST = 70
"""Of each answer of a model."""


@pytest.fixture
def claim(talk: Talk) -> Claim:
    talk.submit(message="hi")
    return _claimed(talk)


@pytest.fixture
def emitter(talk: Talk, claim: Claim) -> Emitter:
    return _emitter(talk, claim)


def _claimed(talk: Talk) -> Claim:
    with talk.shop.uow() as session:
        taken = runs.claim_next(session, talk.shop.tenant.id, talk.thread_id)
    assert taken is not None
    return taken


def _emitter(talk: Talk, claim: Claim) -> Emitter:
    runtime = talk.shop.runtime
    return Emitter(runtime, talk.shop.tenant.id, talk.thread_id, claim.run_id, attempt=claim.attempt)


def _types(talk: Talk) -> list[str]:
    with talk.shop.uow() as session:
        rows = session.scalars(select(LogRow.payload).where(LogRow.thread_id == talk.thread_id).order_by(LogRow.seq))
        return [payload.get("name") or payload["type"] for payload in rows]


def _spent(talk: Talk) -> int:
    with talk.shop.uow() as session:
        bucket = budget.spent_values(talk.shop.tenant.id)["bucket"]
        return limits.used(session, bucket, window=timedelta(days=1))


def test_an_end_and_a_takeover_do_not_lock_each_other_out(
    talk: Talk, claim: Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever ends a run and whoever takes it over both lock the thread first."""
    tenant_id, write, first = talk.shop.tenant.id, log.append, runs._first
    together, ending = Barrier(2, timeout=1), Event()

    def meet() -> None:
        with suppress(BrokenBarrierError):
            together.wait()

    def slow_append(*args: Any, **more: Any) -> int:
        ending.set()
        meet()
        return write(*args, **more)

    def slow_first(*args: Any) -> Any:
        meet()
        return first(*args)

    def end() -> None:
        with talk.shop.uow() as session:
            runs.finish(session, tenant_id, claim, DONE, [events.run_finished(talk.thread_id, claim.run_id, [])])

    def take() -> Claim | None:
        assert ending.wait(60)
        with talk.shop.uow() as session:
            return runs.claim_next(session, tenant_id, talk.thread_id)

    with talk.shop.uow() as session:
        runs.release(session, tenant_id, claim)
    monkeypatch.setattr(log, "append", slow_append)
    monkeypatch.setattr(runs, "_first", slow_first)
    with ThreadPoolExecutor(2) as pool:
        ended, taken = pool.submit(end), pool.submit(take)
        ended.result(timeout=60)
        assert taken.result(timeout=60) is None
    assert _types(talk)[-1] == "RUN_FINISHED"


def test_a_card_pressed_while_a_run_ends_is_decided_after_it(
    talk: Talk, emitter: Emitter, claim: Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk.shop.add("LAMP")
    talk.shop.ready(talk.identity, "LAMP")
    card = confirmation.request(talk.shop.runtime, talk.identity, thread_id=talk.thread_id)
    read, pressed = asking.open_cards, list[Future[Any]]()

    def press() -> None:
        entry = {"interruptId": card.id, "status": "resolved", "payload": {"approved": False}}
        talk.submit(resume=[entry])

    with ThreadPoolExecutor(1) as pool:

        def read_and_pressed(*args: Any) -> Any:
            found = read(*args)
            pressed.append(pool.submit(press))
            wait(pressed, timeout=1)
            return found

        with monkeypatch.context() as patch:
            patch.setattr(asking, "open_cards", read_and_pressed)
            execution._finish_as_it_is(RunContext(talk.shop.runtime, claim, emitter), emitter, [])
        pressed[0].result(timeout=60)
    told = _types(talk)
    assert told.index("RUN_FINISHED") < told.index("confirm.resolved")


def test_who_lost_the_run_says_nothing_any_more(talk: Talk, emitter: Emitter, claim: Claim) -> None:
    with clock.shifted(timedelta(seconds=60)):
        assert _claimed(talk).attempt == claim.attempt + 1
    before = _types(talk)

    async def go() -> None:
        emitter.emit(*events.text("m", "assistant", "Old words."))
        with pytest.raises(LeaseLost):
            await emitter.flush()

    asyncio.run(go())
    assert _types(talk) == before


def test_a_word_that_waits_for_the_takeover_is_not_said(
    talk: Talk, emitter: Emitter, claim: Claim, graph_dsn: str
) -> None:
    """Its statement began before the takeover was committed."""
    before = len(_types(talk))
    with ThreadPoolExecutor(1) as pool, psycopg.connect(graph_dsn, autocommit=True) as watching:
        with clock.shifted(timedelta(seconds=60)), talk.shop.uow() as session:
            assert runs.claim_next(session, talk.shop.tenant.id, talk.thread_id) is not None
            late = pool.submit(emitter._append, events.text("m", "assistant", "Old words."))
            while not _somebody_waits(watching):
                assert not late.done()
        with pytest.raises(LeaseLost):
            late.result(timeout=60)
    assert len(_types(talk)) == before


def _somebody_waits(watching: psycopg.Connection[Any]) -> bool:
    found = watching.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        " AND query LIKE '%app.events%'"
    ).fetchone()
    return bool(found and found[0])


def test_the_worker_that_has_it_goes_on_where_a_person_listens(talk: Talk, emitter: Emitter) -> None:
    async def go() -> None:
        emitter.emit(*events.text("m", "assistant", "Words."))
        await emitter.flush()

    asyncio.run(go())
    assert _types(talk)[-3:] == ["TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END"]


def test_what_was_said_is_paid_before_the_end(talk: Talk, emitter: Emitter) -> None:
    cost = [COST]
    emitter.cost_micros = lambda: cost[0]

    async def go() -> None:
        emitter.emit(*events.text("m", "assistant", "Words."))
        await emitter.flush()

    asyncio.run(go())
    assert (_spent(talk), emitter.due_micros) == (COST, 0)
    cost[0] += 5
    emitter.charge()
    emitter.charge()
    assert (_spent(talk), emitter.due_micros) == (COST + 5, 0)


@pytest.fixture
def priced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context.models, "cost_micros", lambda *_: COST)


@pytest.mark.usefixtures("priced")
def test_a_turn_is_paid_once(talk: Talk, script: Script, running: Running) -> None:
    script.add(Call("list_categories"), Say("Done."))

    async def go() -> int:
        async with running(talk):
            view = await talk.say("what is there?")
        return int(view.usage["cost_micros"])

    assert asyncio.run(go()) == 3 * COST
    assert _spent(talk) == 3 * COST


@pytest.mark.usefixtures("priced")
def test_a_try_that_was_cut_off_is_paid_too(
    talk: Talk, script: Script, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running_module, "STOP_SECONDS", 0.05)
    script.add(Call("list_categories"), Say("on and on", pause=3600))

    async def cut_off() -> str:
        async with running(talk) as runner:
            run = await asyncio.to_thread(talk.submit, message="what is there?")
            runner.wake(talk.shop.tenant.id, talk.thread_id)
            while len(script.asked) < 2:  # noqa: ASYNC110 (the script knows no event loop)
                await asyncio.sleep(0.01)
            await runner.stop()
        return run.id

    run_id = asyncio.run(cut_off())
    assert talk.run(run_id).status == "running"
    assert _spent(talk) == 2 * COST
    script.add(Say("Done."))

    async def go_on() -> None:
        async with running(talk):
            assert (await talk.wait(run_id)).status == "completed"

    asyncio.run(go_on())
    assert _spent(talk) == 3 * COST


def _call(talk: Talk, claim: Claim, emitter: Emitter, function: Any, access: Access = Access.READ) -> dict[str, Any]:
    """A tool that does ``function`` is called by a model."""
    turn = RunContext(talk.shop.runtime, claim, emitter).turn
    tool = replace(spec.load()["list_categories"], function=function, access=access)
    return asyncio.run(adapter.call_tool(tool, turn, "call_1", "{}"))


@pytest.mark.parametrize("trouble", [DeadlockDetected("x"), OperationalError("select", {}, SerializationFailure("x"))])
@pytest.mark.parametrize("access", [Access.READ, Access.WRITE])
def test_a_tool_whose_store_is_busy_reads_again_and_does_not_write_again(
    talk: Talk, emitter: Emitter, claim: Claim, access: Access, trouble: Exception
) -> None:
    called = list[int]()

    def troubled(_tools: Any) -> Outcome:
        called.append(1)
        if len(called) == 1:
            raise trouble
        return Outcome({"n": len(called)})

    answer = _call(talk, claim, emitter, troubled, access)
    if access is Access.READ:
        assert (len(called), answer) == (2, {"ok": True, "result": {"n": 2}})
    else:
        assert (len(called), answer["ok"], answer["error"]["code"]) == (1, False, "service_unavailable")
        assert "this may or may not have been done" in answer["error"]["message"]


@pytest.mark.parametrize("trouble", [PoolTimeout("x"), QueuePoolTimeout("x"), LockNotAvailable("x")])
def test_a_store_that_does_not_answer_is_said_to_be_that(
    talk: Talk, emitter: Emitter, claim: Claim, trouble: Exception
) -> None:
    def troubled(_tools: Any) -> Outcome:
        raise trouble

    assert _call(talk, claim, emitter, troubled)["error"]["code"] == "service_unavailable"
    assert failure_of(trouble).code == "service_unavailable"


def test_what_was_done_stays_done_where_its_ids_could_not_be_noted(
    talk: Talk, emitter: Emitter, claim: Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: Any) -> Any:
        raise psycopg.OperationalError("the connection was lost")

    variant = talk.shop.add("LAMP")
    monkeypatch.setattr(adapter.references, "recording", broken)
    answer = _call(talk, claim, emitter, lambda _tools: Outcome({"id": variant}), Access.WRITE)
    assert answer == {"ok": True, "result": {"id": variant}}
