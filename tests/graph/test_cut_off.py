"""A run that is cut off while the graph writes its steps down: the next try does what is left, all of it."""

from __future__ import annotations

import asyncio
import json
from itertools import count
from typing import Any, Final

import pytest
from langgraph._internal._constants import NULL_TASK_ID
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

from engine.conversations import service
from engine.operations import asking as operations
from graph import confirm
from graph import runner as running_module
from tests.engine.operations.conftest import person
from tests.graph.conftest import Running, Talk
from tests.scripted import Say, Script
from tests.shop import Shop


async def _lost(_saver: Any, config: Any, checkpoint: Any, *_more: Any) -> Any:
    return {"configurable": config["configurable"] | {"checkpoint_id": checkpoint["id"]}}


async def _input_alone(saver: Any, config: Any, writes: Any, task_id: str, task_path: str = "") -> None:
    if task_id == NULL_TASK_ID:
        await _PUT_WRITES(saver, config, writes, task_id, task_path)


_PUT_WRITES: Final = AsyncPostgresSaver.aput_writes
_LOST: Final[dict[str, dict[str, Any]]] = {
    "nothing": {},
    "the step": {"aput": _lost},
    "all but the press": {"aput": _lost, "aput_writes": _input_alone},
}


@pytest.mark.parametrize("lost", _LOST)
def test_a_press_cut_off_before_it_was_carried_out_is_carried_out_by_the_next_try(
    shop: Shop, script: Script, running: Running, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    """``lost``: what of the graph's first step after the press did not reach the store."""
    monkeypatch.setattr(running_module, "STOP_SECONDS", 0.05)
    shop.add("A", stock={"EAST": 10})
    noor = person(shop.tenant, "noor")
    with shop.uow() as session:
        talk = Talk(shop, noor, service.create_thread(session, noor).id)
        given = {"kind": "adjustment", "sku": "A", "location": "EAST", "delta": -1, "reason": "broken"}
        card = operations.propose(session, noor, given, thread_id=talk.thread_id).id
    resume = [{"interruptId": card, "status": "resolved", "payload": {"approved": True}}]

    async def first() -> str:
        async with running(talk) as runner:
            script.add(Say("Press on the card."))
            assert (await talk.say("write one off")).status == "interrupted"
            reached = asyncio.Event()

            async def cut(*_args: Any) -> Any:
                reached.set()
                await asyncio.Event().wait()

            with monkeypatch.context() as patch:
                patch.setattr(confirm, "in_thread", cut)
                for name, done in _LOST[lost].items():
                    patch.setattr(AsyncPostgresSaver, name, done)
                run = await asyncio.to_thread(talk.submit, resume=resume)
                runner.wake(shop.tenant.id, talk.thread_id)
                await reached.wait()
                await runner.stop()
            return run.id

    async def second() -> Any:
        async with running(talk):
            return await talk.wait(run_id)

    run_id = asyncio.run(first())
    assert talk.run(run_id).status == "running"
    assert asyncio.run(second()).status == "completed"
    [shown] = talk.cards("staff_act")
    assert (shown["status"], shown["outcome"]) == ("claimed", "The stock of A at EAST is corrected.")


def test_words_whose_first_step_was_lost_are_answered_by_the_next_try(
    talk: Talk, script: Script, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step's results are in the store, the step itself is not."""
    monkeypatch.setattr(running_module, "STOP_SECONDS", 0.05)
    put, puts = AsyncPostgresSaver.aput, count()

    async def first_alone(saver: Any, *args: Any) -> Any:
        return await (put(saver, *args) if next(puts) == 0 else _lost(saver, *args))

    async def first() -> str:
        async with running(talk) as runner:
            script.add(Say("one two three " * 2_000, pause=0.05))
            with monkeypatch.context() as patch:
                patch.setattr(AsyncPostgresSaver, "aput", first_alone)
                run = await asyncio.to_thread(talk.submit, message="hello")
                runner.wake(talk.shop.tenant.id, talk.thread_id)
                for _ in range(3_000):
                    if talk.texts():
                        break
                    await asyncio.sleep(0.02)
                await runner.stop()
            return run.id

    async def second() -> Any:
        script.add(Say("Hello again."))
        async with running(talk):
            return await talk.wait(run_id)

    run_id = asyncio.run(first())
    assert asyncio.run(second()).status == "completed"
    assert talk.texts()[-1] == "Hello again."


def test_a_part_that_was_answered_is_not_answered_again(
    talk: Talk, script: Script, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the second part: nothing that the graph would write down at its end is written."""
    monkeypatch.setattr(running_module, "STOP_SECONDS", 0.05)
    put, puts = AsyncPostgresSaver.aput, count()
    parts = [{"agent": "customer_service", "about": "my jacket"}, {"agent": "commerce", "about": "and boots"}]
    script.routes = [json.dumps({"tasks": parts, "reason": "two"})]

    async def first_alone(saver: Any, *args: Any) -> Any:
        return await (put(saver, *args) if next(puts) == 0 else _lost(saver, *args))

    async def first() -> str:
        async with running(talk) as runner:
            script.add(Say("Which jacket?"), Say("one two three " * 2_000, pause=0.05))
            with monkeypatch.context() as patch:
                patch.setattr(AsyncPostgresSaver, "aput", first_alone)
                run = await asyncio.to_thread(talk.submit, message="my jacket, and boots")
                runner.wake(talk.shop.tenant.id, talk.thread_id)
                for _ in range(3_000):
                    if len(talk.texts()) == 2:
                        break
                    await asyncio.sleep(0.02)
                await runner.stop()
            return run.id

    async def second() -> Any:
        script.add(Say("Here are boots."))
        async with running(talk):
            return await talk.wait(run_id)

    run_id = asyncio.run(first())
    assert asyncio.run(second()).agent_path == ["commerce"]
    assert [text for text in talk.texts() if not text.startswith("one")] == ["Which jacket?", "Here are boots."]
    assert not script.routes
