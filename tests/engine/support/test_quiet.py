"""When a person takes a conversation, nothing more of an agent's answer comes into it; what presses do is told."""

from __future__ import annotations

import threading

from sqlalchemy import select

from engine.conversations import complaining, events, log, runs, service
from engine.conversations.models import Event, RunStatus
from engine.conversations.runs import Claim, Report
from engine.conversations.schemas import RunInput
from engine.support import desk as acts
from engine.support import queries
from tests.engine.support.conftest import Desk, Waiting


def talking(desk: Desk, **given: object) -> tuple[Waiting, Claim]:
    """A conversation with a complaint, whose agent answers just now."""
    shopper, thread_id = desk.conversation()
    with desk.shop.uow() as session:
        complaining.complain(session, shopper, thread_id, words="The pole broke.")
        service.submit(session, shopper, thread_id, RunInput.model_validate(given or {"message": "Hello?"}))
    with desk.shop.uow() as session:
        claim = runs.claim_next(session, desk.shop.tenant.id, thread_id)
    assert claim is not None
    return Waiting(desk, shopper, thread_id), claim


def say(desk: Desk, claim: Claim, *said: events.Emitted) -> None:
    with desk.shop.uow() as session:
        log.append(session, desk.shop.tenant.id, claim.thread_id, claim.run_id, said)


def take(desk: Desk, waiting: Waiting) -> None:
    with desk.shop.uow() as session:
        acts.assign(session, desk.ann, waiting.case.id, "ann", expected=None)


def kinds(desk: Desk, waiting: Waiting) -> list[str]:
    with desk.shop.uow() as session:
        query = select(Event.payload, Event.seq).where(Event.thread_id == waiting.thread_id).order_by(Event.seq)
        rows = session.execute(query).all()
    assert [seq for _, seq in rows] == list(range(1, len(rows) + 1))
    return [payload.get("name") or payload["type"] for payload, _ in rows]


def test_an_answer_under_way_is_cut_and_nothing_follows_it(desk: Desk) -> None:
    waiting, claim = talking(desk)
    say(desk, claim, events.text_start("m1", "assistant"), events.text_content("m1", "Let me "))
    take(desk, waiting)
    before = kinds(desk, waiting)
    say(desk, claim, events.text_content("m1", "see…"), events.text_end("m1"), *events.text("m2", "assistant", "No."))
    say(desk, claim, events.activity("c1", "products", {"items": []}), events.tool_started("t1", "search_products"))
    say(desk, claim, events.activity("c2", "receipt", {}))
    with desk.shop.uow() as session:
        last = [*events.text("m3", "assistant", "Bye"), events.run_finished(claim.thread_id, claim.run_id)]
        runs.finish(session, desk.shop.tenant.id, claim, Report(RunStatus.COMPLETED), last)

    after = kinds(desk, waiting)[len(before) :]
    assert after == ["TEXT_MESSAGE_END", "TOOL_CALL_START", "ACTIVITY_SNAPSHOT", "RUN_FINISHED"]
    assert waiting.reads() == [("user", "Hello?"), ("assistant", "Let me "), ("activity", "")]


def test_what_the_shopper_says_and_presses_goes_on(desk: Desk) -> None:
    waiting, claim = talking(desk, action={"name": "show_checkout"})
    take(desk, waiting)
    say(desk, claim, *events.text("m1", "assistant", "Added."), events.activity("c1", "product", {}))
    waiting.writes("Are you there?")
    assert waiting.reads() == [("assistant", "Added."), ("activity", ""), ("user", "Are you there?")]


def test_given_back_the_agents_answer_again(desk: Desk) -> None:
    waiting, claim = talking(desk)
    take(desk, waiting)
    with desk.shop.uow() as session:
        acts.resolve(session, desk.ann, waiting.case.id, then="agents", summary="Sent a new {pole}.")
    say(desk, claim, *events.text("m1", "assistant", "Here I am"))
    assert waiting.reads()[-1] == ("assistant", "Here I am")
    assert waiting.thread.handoff is not None
    assert waiting.thread.handoff["returned"]["done"][0] == "Support says: Sent a new {pole}."
    with desk.shop.uow() as session:
        assert [one.text for one in queries.case(session, desk.bob, waiting.case.id).notes or ()] == [
            "Sent a new {pole}."
        ]


def test_ten_answers_at_once_and_a_takeover_leave_nothing_behind_it(desk: Desk) -> None:
    waiting, claim = talking(desk)
    begin = threading.Barrier(6)

    def speak(number: int) -> None:
        begin.wait()
        for part in range(5):
            say(desk, claim, *events.text(f"m{number}-{part}", "assistant", "words"))

    def take_over() -> None:
        begin.wait()
        take(desk, waiting)

    workers = [threading.Thread(target=speak, args=(number,)) for number in range(5)]
    workers.append(threading.Thread(target=take_over))
    for one in workers:
        one.start()
    for one in workers:
        one.join()

    told = kinds(desk, waiting)
    assert "TEXT_MESSAGE_START" not in told[told.index("conversation.mode") :]
    assert told.count("conversation.mode") == 1
