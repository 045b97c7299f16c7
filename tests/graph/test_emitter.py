"""Events on their way to the log: order, batches, and a write that fails."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from engine.conversations import events, log, service
from engine.conversations.models import Event, Mode, Thread
from engine.conversations.schemas import RunInput
from engine.kit.direct import Ask
from graph import emitter as emitter_module
from graph.emitter import Emitter, merged
from tests.shop import Shop


@pytest.fixture
def emitter(shop: Shop) -> Emitter:
    with shop.uow() as session:
        thread = service.create_thread(session, shop.shopper())
    return Emitter(shop.runtime, shop.tenant.id, thread.id, "run_1")


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], bool]]:
    """What each write held, and whether it waited for the disk."""
    seen: list[tuple[list[str], bool]] = []
    appending = log.appending

    def noted(*args: Any, relaxed: bool = False, **more: Any) -> Ask:
        seen.append(([event.payload["type"] for event in args[3]], relaxed))
        return appending(*args, relaxed=relaxed, **more)

    monkeypatch.setattr(log, "appending", noted)
    return seen


def test_the_first_words_go_at_once_and_the_rest_in_batches(
    emitter: Emitter, batches: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emitter_module, "PAUSE_SECONDS", 3600)

    async def go() -> None:
        emitter.emit(events.text_start("m", "assistant"), events.text_content("m", "a"))
        for _ in range(50):
            await asyncio.sleep(0)
            emitter.emit(events.text_content("m", "b"))
        emitter.emit(events.text_end("m"))
        await emitter.flush()

    asyncio.run(go())
    assert batches == [
        (["TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT"], False),
        (["TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END"], False),
    ]


def test_words_that_waited_long_enough_go_without_an_end(
    emitter: Emitter, batches: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emitter_module, "PAUSE_SECONDS", 0.001)

    async def go() -> None:
        emitter.emit(events.text_start("m", "assistant"), events.text_content("m", "a"))
        while len(batches) < 1:  # noqa: ASYNC110 (written by a thread)
            await asyncio.sleep(0.001)
        emitter.emit(events.text_content("m", "b"))
        while len(batches) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        await emitter.flush()

    asyncio.run(go())
    assert batches[1] == (["TEXT_MESSAGE_CONTENT"], True)


def test_what_is_no_first_word_waits_a_moment_and_goes_with_what_comes_next(
    emitter: Emitter, batches: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emitter_module, "PAUSE_SECONDS", 3600)

    async def go() -> None:
        emitter.emit(events.agent("commerce", "Shopping assistant"))
        await asyncio.sleep(0.01)
        emitter.emit(*events.text("m", "assistant", "hi"))
        while not batches:  # noqa: ASYNC110 (written by a thread)
            await asyncio.sleep(0.001)
        emitter.emit(events.step_finished("agent"))
        assert await emitter.take() == [events.step_finished("agent")]

    asyncio.run(go())
    first = ["CUSTOM", "TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END"]
    assert batches == [(first, False)]


def test_order_is_kept(shop: Shop, emitter: Emitter) -> None:
    async def go() -> None:
        for number in range(200):
            emitter.emit(events.custom("n", {"n": number}))
            if number % 7 == 0:
                await asyncio.sleep(0)
        await emitter.flush()

    asyncio.run(go())
    with shop.uow() as session:
        found = session.scalars(select(Event.payload).order_by(Event.seq)).all()
    assert [payload["value"]["n"] for payload in found] == list(range(200))


def test_words_are_left_out_where_a_person_has_taken_the_conversation(shop: Shop, emitter: Emitter) -> None:
    tenant_id, thread_id, _ = emitter._key
    with shop.uow() as session:
        identity = shop.shopper()
        thread = session.get_one(Thread, (tenant_id, thread_id))
        thread.owner_id = identity.id
        session.flush()
        run = service.submit(session, identity, thread_id, RunInput(message="hi"))
        thread.mode = Mode.HUMAN
    emitter._key = (tenant_id, thread_id, run.id)

    async def go() -> None:
        emitter.emit(events.step_started("agent"), *events.text("m", "assistant", "hello"), events.step_finished("a"))
        await emitter.flush()

    asyncio.run(go())
    with shop.uow() as session:
        found = session.scalars(select(Event.payload).where(Event.seq > 3).order_by(Event.seq)).all()
    assert [payload["type"] for payload in found] == ["STEP_STARTED", "STEP_FINISHED"]


def test_a_failed_write_is_raised_to_whoever_comes_next(emitter: Emitter, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: Any, **_more: Any) -> Ask:
        raise OSError("gone")

    monkeypatch.setattr(log, "appending", broken)

    async def go() -> None:
        emitter.emit(events.step_started("a"))
        with pytest.raises(OSError, match="gone"):
            await emitter.flush()
        with pytest.raises(OSError, match="gone"):
            emitter.emit(events.step_started("b"))

    asyncio.run(go())


def test_flush_of_nothing_returns(emitter: Emitter) -> None:
    assert asyncio.run(asyncio.wait_for(emitter.flush(), 60)) is None


def test_neighboring_pieces_become_one() -> None:
    pieces = [events.text_content("a", "x"), events.text_content("a", "y"), events.text_content("b", "z")]
    assert [event.payload["delta"] for event in merged(pieces)] == ["xy", "z"]
