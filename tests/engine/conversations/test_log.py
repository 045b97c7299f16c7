"""The log and what it boils down to."""

from __future__ import annotations

import threading

import psycopg
import pytest
from ag_ui.core import Event as AgUiEvent
from pydantic import TypeAdapter
from sqlalchemy import select

from engine.checkout.schemas import ConsentView
from engine.conversations import asking, events, log, service
from engine.conversations.models import Audience, Event, Message, Thread
from engine.kit.bells import CHANNEL
from engine.kit.errors import NotFound
from tests.shop import Shop

AG_UI: TypeAdapter[object] = TypeAdapter(AgUiEvent)


@pytest.fixture
def thread(shop: Shop) -> Thread:
    with shop.uow() as session:
        return service.create_thread(session, shop.shopper())


def _append(shop: Shop, thread: Thread, *news: events.Emitted, relaxed: bool = False) -> int:
    with shop.uow() as session:
        return log.append(session, shop.tenant.id, thread.id, None, news, relaxed=relaxed)


def _messages(shop: Shop, thread: Thread) -> list[Message]:
    with shop.uow() as session:
        return list(session.scalars(select(Message).where(Message.thread_id == thread.id).order_by(Message.seq)))


def _card(shop: Shop) -> ConsentView:
    shop.add("LAMP")
    identity = shop.shopper()
    shop.ready(identity, "LAMP")
    return shop.card(identity)


def test_every_constructor_makes_a_valid_ag_ui_event(shop: Shop) -> None:
    card = _card(shop)
    made = [
        events.run_started("t", "r"),
        events.run_finished("t", "r"),
        events.run_finished("t", "r", [asking.of_payment(card)]),
        events.asked(asking.of_payment(card), reason="why"),
        events.run_error("r", code="x", message="m", retryable=True),
        events.step_started("n"),
        events.step_finished("n"),
        *events.text("m", "assistant", "hi", name="Ada"),
        events.tool_started("c", "t"),
        events.tool_arguments("c", "{}"),
        events.tool_ended("c"),
        events.tool_result("c", "{}"),
        events.activity("m", "cart", {"a": 1}),
        events.confirmation(card, reason="why"),
        events.confirm_resolved("cnf", "approved"),
        events.cart_changed({"lines": []}),
        events.agent("commerce", "Shopping assistant"),
        events.mode_changed("waiting_human", "H-1"),
    ]
    for event in made:
        parsed = AG_UI.validate_python(event.payload)
        dumped = parsed.model_dump(mode="json", by_alias=True, exclude_none=True)  # type: ignore[attr-defined]
        assert dumped == event.payload


def test_the_default_audience_is_staff() -> None:
    assert events.Emitted({}).audience == Audience.STAFF
    shoppers = {
        e.payload["type"]
        for e in [events.tool_arguments("c", ""), events.tool_result("c", "")]
        if e.audience == "shopper"
    }
    assert shoppers == set()


def test_sequence_numbers_have_no_gap_under_concurrency(shop: Shop, thread: Thread) -> None:
    def write() -> None:
        for _ in range(10):
            _append(shop, thread, events.step_started("a"), events.step_finished("a"))

    workers = [threading.Thread(target=write) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    with shop.uow() as session:
        found = session.scalars(select(Event.seq).where(Event.thread_id == thread.id).order_by(Event.seq)).all()
        assert list(found) == list(range(1, 121))
        assert session.get_one(Thread, (shop.tenant.id, thread.id)).last_event == 120


def test_text_grows_over_batches(shop: Shop, thread: Thread) -> None:
    _append(shop, thread, events.text_start("m1", "assistant", name="Ada"), events.text_content("m1", "Hel"))
    _append(shop, thread, events.text_content("m1", "lo "), events.text_content("m1", "you"), relaxed=True)
    _append(shop, thread, events.text_end("m1"))
    [message] = _messages(shop, thread)
    assert (message.role, message.name, message.content, message.seq) == ("assistant", "Ada", "Hello you", 1)


def test_a_card_is_replaced_where_it_is(shop: Shop, thread: Thread) -> None:
    _append(shop, thread, events.activity("c1", "cart", {"n": 1}), *events.text("m1", "user", "hi"))
    _append(shop, thread, events.activity("c1", "cart", {"n": 2}))
    card, words = _messages(shop, thread)
    assert (card.id, card.data, card.activity_type, card.content) == ("c1", {"n": 2}, "cart", "")
    assert words.content == "hi"


def test_another_threads_message_is_not_touched(shop: Shop, thread: Thread) -> None:
    with shop.uow() as session:
        other = service.create_thread(session, shop.shopper())
    _append(shop, thread, events.activity("c1", "cart", {"n": 1}), *events.text("m1", "user", "mine"))
    _append(shop, other, events.activity("c1", "cart", {"n": 9}), events.text_content("m1", " theirs"))
    card, words = _messages(shop, thread)
    assert (card.data, words.content) == ({"n": 1}, "mine")


def test_nul_is_dropped_and_an_unknown_thread_refused(shop: Shop, thread: Thread) -> None:
    _append(shop, thread, *events.text("m1", "user", "a\x00b"))
    assert _messages(shop, thread)[0].content == "ab"
    with pytest.raises(NotFound), shop.uow() as session:
        log.append(session, shop.tenant.id, "thr_none", None, [events.step_started("a")])


def test_what_no_json_can_hold_is_dropped_wherever_it_is(shop: Shop, thread: Thread) -> None:
    """A model chose these words: the reason of a transfer, the part of a message that an agent is to answer."""
    news = events.custom("route", {"reason": "x\x00y \ud800", "tasks": [{"about\x00": "\udfff"}], "count": 2})
    _append(shop, thread, news)
    with shop.uow() as session:
        payload = session.scalars(select(Event.payload).where(Event.thread_id == thread.id)).one()
    assert payload["value"] == {"reason": "xy ?", "tasks": [{"about": "?"}], "count": 2}


def test_listeners_are_woken_by_the_commit(shop: Shop, thread: Thread) -> None:
    with psycopg.connect(shop.runtime.store.url, autocommit=True) as listener:
        listener.execute(f"LISTEN {CHANNEL}")
        _append(shop, thread, events.step_started("a"))
        [note] = list(listener.notifies(timeout=60, stop_after=1))
    assert note.payload == f"{shop.tenant.id}:{thread.id}"
