"""The queue's worker: order, concurrency, leases, and what a crash leaves behind."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from engine.conversations import log, runs, service
from engine.conversations.models import Event, Run, RunStatus
from engine.kit import clock
from engine.kit.direct import Ask
from graph import execution
from graph import runner as running_module
from tests.graph.conftest import Running, Talk
from tests.scripted import Call, Say, Script


def _other(talk: Talk) -> Talk:
    identity = talk.shop.shopper()
    with talk.shop.uow() as session:
        return Talk(talk.shop, identity, service.create_thread(session, identity).id, talk.runner)


def _rows(talk: Talk) -> list[Run]:
    with talk.shop.uow() as session:
        return sorted(session.query(Run).filter(Run.thread_id == talk.thread_id), key=lambda run: run.number)


def test_runs_of_a_thread_go_one_at_a_time_in_order(talk: Talk, script: Script, running: Running) -> None:
    async def go() -> None:
        async with running(talk):
            script.add(*[Say(f"a{number} and more", pause=0.02) for number in range(4)])  # the first begins at once
            waiting = [await asyncio.to_thread(talk.submit, message=f"m{number}") for number in range(4)]
            views = await asyncio.gather(*(talk.wait(run.id) for run in waiting))
            assert [view.status for view in views] == ["completed"] * 4

    asyncio.run(go())
    assert talk.texts() == [f"a{number} and more" for number in range(4)]
    marks = [event["type"] for event in talk.events() if event["type"].startswith("RUN_")]
    assert marks == ["RUN_STARTED", "RUN_FINISHED"] * 4


def test_different_threads_do_not_wait_for_each_other(talk: Talk, script: Script, running: Running) -> None:
    async def go() -> list[Talk]:
        async with running(talk):
            talks = [talk, *(_other(talk) for _ in range(5))]
            script.add(*[Say("one two three", asked=6)] * 6)
            await asyncio.gather(*(one.say("go") for one in talks))
            return talks

    talks = asyncio.run(go())
    with talk.shop.uow() as session:
        began = session.scalars(select(Event.created_at).where(Event.payload["type"].astext == "RUN_STARTED")).all()
    assert len(began) == 6
    assert max(began) < min(run.finished_at for one in talks for run in _rows(one) if run.finished_at)


def test_the_sweep_finds_what_nobody_woke_it_for(talk: Talk, script: Script, running: Running) -> None:
    script.add(Say("Found."))
    run = talk.submit(message="anybody?")

    async def go() -> None:
        async with running(talk, sweep_seconds=0.05):
            for _ in range(3_000):
                if talk.run(run.id).status == "completed":
                    return
                await asyncio.sleep(0.02)
            raise AssertionError("not found")

    asyncio.run(go())


def test_a_stop_in_the_middle_is_gone_on_with_and_no_write_happens_twice(
    talk: Talk, script: Script, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server stops while the model speaks after it put something in the cart."""
    monkeypatch.setattr(running_module, "STOP_SECONDS", 0.05)
    variant = talk.shop.add("LAMP")
    script.add(Call("search_products"), Call("add_to_cart", {"item_id": variant}), Say("It is in " * 2_000, pause=0.05))

    async def first() -> str:
        async with running(talk) as runner:
            run = await asyncio.to_thread(talk.submit, message="a lamp")
            runner.wake(talk.shop.tenant.id, talk.thread_id)
            for _ in range(3_000):
                if "It is" in " ".join(talk.texts()):
                    break
                await asyncio.sleep(0.02)
            return run.id

    async def second() -> Any:
        script.add(Say("It is in your cart."))
        async with running(talk):
            return await talk.wait(run_id)

    run_id = asyncio.run(first())
    assert talk.run(run_id).status == "running"
    assert asyncio.run(second()).status == "completed"
    assert [line.quantity for line in talk.snapshot().cart.lines] == [1]
    assert talk.texts()[-1] == "It is in your cart."
    starts = [e["messageId"] for e in talk.events() if e["type"] == "TEXT_MESSAGE_START"]
    ends = [e["messageId"] for e in talk.events() if e["type"] == "TEXT_MESSAGE_END"]
    assert starts == ends
    read = [m["tool_calls"][0]["function"]["name"] for m in script.asked[-1] if m.get("tool_calls")]
    assert read == ["search_products", "add_to_cart"]
    assert [run.attempts for run in _rows(talk)] == [2]
    assert [e["type"] for e in talk.events() if e["type"].startswith("RUN_")] == ["RUN_STARTED", "RUN_FINISHED"]


def test_a_run_that_dies_twice_fails_in_view_and_the_next_goes_on(talk: Talk, script: Script, running: Running) -> None:
    dead = talk.submit(message="poison")
    for _ in range(runs.MAX_ATTEMPTS):
        with talk.shop.uow() as session:
            claim = runs.claim_next(session, talk.shop.tenant.id, talk.thread_id)
            assert claim is not None
            assert claim.run_id == dead.id
            assert runs.claim_next(session, talk.shop.tenant.id, talk.thread_id) is None
            runs.release(session, talk.shop.tenant.id, claim)
    script.add(Say("Hello."))

    async def go() -> None:
        async with running(talk):
            assert (await talk.say("hi")).status == "completed"

    asyncio.run(go())
    assert [run.status for run in _rows(talk)] == [RunStatus.FAILED, RunStatus.COMPLETED]
    [error] = [event for event in talk.events() if event["type"] == "RUN_ERROR"]
    assert (error["runId"], error["code"], error["retryable"]) == (dead.id, "interrupted", True)


def test_only_the_holder_of_the_lease_may_finish(talk: Talk) -> None:
    talk.submit(message="hi")
    tenant = talk.shop.tenant.id
    with talk.shop.uow() as session:
        old = runs.claim_next(session, tenant, talk.thread_id)
    assert old is not None
    with clock.shifted(timedelta(seconds=60)), talk.shop.uow() as session:
        new = runs.claim_next(session, tenant, talk.thread_id)
    assert new is not None
    assert (new.run_id, new.attempt) == (old.run_id, 2)
    with talk.shop.uow() as session:
        assert not runs.renew(session, tenant, old)
        assert runs.renew(session, tenant, new)
    with pytest.raises(runs.LeaseLost), talk.shop.uow() as session:
        runs.finish(session, tenant, old, runs.Report(RunStatus.COMPLETED), [])


def test_a_store_that_fails_fails_the_run_and_not_the_conversation(
    talk: Talk, script: Script, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    appending, broken = log.appending, [True]

    def outage(tenant_id: str, thread_id: str, run_id: Any, events: Any, **more: Any) -> Ask:
        kinds = {event.payload["type"] for event in events}
        if broken and "TEXT_MESSAGE_CONTENT" in kinds and run_id and "user" not in str(events[0].payload):
            broken.clear()
            raise OperationalError("insert", {}, Exception("server closed the connection"))
        return appending(tenant_id, thread_id, run_id, events, **more)

    monkeypatch.setattr(log, "appending", outage)
    script.add(Say("Lost words."), Say("Hello again."))

    async def go() -> None:
        async with running(talk):
            assert (await talk.say("hi")).status == "failed"
            assert (await talk.say("hello?")).status == "completed"

    asyncio.run(go())
    [error] = [event for event in talk.events() if event["type"] == "RUN_ERROR"]
    assert (error["code"], error["retryable"]) == ("service_unavailable", True)
    assert talk.texts()[-1] == "Hello again."


def test_a_turn_that_takes_too_long_ends(
    talk: Talk, script: Script, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock of the turn jumps once the model was asked: how fast the machine is does not matter."""
    script.add(Say("on and on", pause=10 * execution.RUN_SECONDS))

    async def jump() -> None:
        while not script.asked:  # noqa: ASYNC110 (the script knows no event loop)
            await asyncio.sleep(0.01)
        loop = asyncio.get_running_loop()
        now = loop.time
        monkeypatch.setattr(loop, "time", lambda: now() + execution.RUN_SECONDS)

    async def go() -> None:
        async with running(talk):
            jumping = asyncio.create_task(jump())
            assert (await talk.say("hi")).status == "failed"
            await jumping

    asyncio.run(go())
    [error] = [event for event in talk.events() if event["type"] == "RUN_ERROR"]
    assert error["code"] == "timeout"
