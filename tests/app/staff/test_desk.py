"""The desk over HTTP: tabs, search, a takeover by one alone, presence, the stream, and nobody else's."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest

from app import desk_events
from app.site import Site
from engine.conversations import handoff, service
from engine.conversations.models import Thread
from engine.customers import service as customers
from engine.kit.identity import Role
from engine.staff import members, sessions
from engine.support import desk as acts
from engine.support.models import CaseGlance
from tests.app.conftest import Browser, counted
from tests.app.staff.conftest import Console
from tests.engine.support.conftest import staff
from tests.shop import Shop


@pytest.fixture
def waits(open_browser, shop: Shop) -> Any:
    """A shopper who asked for a person: their browser, the conversation and the case."""

    def make(words: str = "The pole broke.") -> tuple[Browser, str, str]:
        browser = open_browser()
        thread_id = browser.start(shop.tenant)
        assert browser.say(thread_id, words).status_code == 202
        with shop.uow() as session:
            owner = session.get_one(Thread, (shop.tenant.id, thread_id)).owner_id
            shopper = customers.shopper(session, shop.tenant.id, owner)
            assert shopper is not None
            view = handoff.request(session, shopper, thread_id, reason="complaint", summary=words)
        return browser, thread_id, view.reference

    return make


@pytest.fixture
def sam(console, hire, runtime, shop: Shop) -> Console:
    return console(runtime, hire(shop.tenant, Role.SUPPORT, "Sam"))


@pytest.fixture
def noor(console, hire, runtime, shop: Shop) -> Console:
    return console(runtime, hire(shop.tenant, Role.SUPERVISOR, "Noor"))


def case_of(desk: Console, number: str) -> dict[str, Any]:
    found: dict[str, Any] = desk.get(f"/v1/cases/{number}").json()
    return found


def test_a_row_says_all_that_the_queue_shows(waits, sam: Console) -> None:
    shopper, thread_id, number = waits("This is unacceptable, thieves!!")
    assert shopper.say(thread_id, "HELLO, ANYBODY THERE? Useless!!").status_code == 202
    (row,) = sam.get("/v1/cases?view=waiting").json()["items"]
    assert (row["number"], row["sentiment"], row["last_words"], row["last_speaker"]) == (
        number, "angry", "HELLO, ANYBODY THERE? Useless!!", "shopper",
    )  # fmt: skip
    assert row["waits_since"] is not None
    assert sam.get("/v1/cases/counts").json() == {"waiting": 1, "mine": 0, "all": 1, "unowned": 1, "late": 0}
    assert [one["number"] for one in sam.get("/v1/cases?q=unaccep").json()["items"]] == [number]
    assert sam.get("/v1/cases?q=%20").status_code == 200
    assert sam.get("/v1/cases?q=%3F").json()["code"] == "invalid_request"
    assert case_of(sam, number)["package"]["sentiment"] == "angry"


def test_of_ten_who_take_over_at_once_one_has_it_and_the_others_hear_whose_it_is(
    waits, console, hire, runtime, shop: Shop
) -> None:
    _, thread_id, number = waits()
    desks = [console(runtime, hire(shop.tenant, Role.SUPPORT, f"Person {n}")) for n in range(10)]
    case_id = case_of(desks[0], number)["id"]
    answers: list[Any] = []
    begin = threading.Barrier(len(desks))

    def take(desk: Console) -> None:
        begin.wait()
        answers.append(desk.post(f"/v1/staff/cases/{case_id}/assign", {"assignee": "me", "expected": None}))

    workers = [threading.Thread(target=take, args=(desk,)) for desk in desks]
    for one in workers:
        one.start()
    for one in workers:
        one.join()

    owner = case_of(desks[0], number)["assignee"]
    won = [one.json()["assignee"] for one in answers if one.status_code == 200]
    lost = [one.json() for one in answers if one.status_code == 409]
    assert won == [owner]
    assert [(one["code"], one["detail"]) for one in lost] == [("case_taken", f"The case is with {owner} now.")] * 9
    with shop.uow() as session:
        thread = session.get_one(Thread, (shop.tenant.id, thread_id))
        assert (thread.mode, thread.human) == ("human", owner)


def test_given_to_a_colleague_and_back_with_a_summary(waits, sam: Console, noor: Console) -> None:
    shopper, thread_id, number = waits()
    case_id = case_of(sam, number)["id"]
    url = f"/v1/staff/cases/{case_id}"
    assert sam.get("/v1/staff/colleagues").json()["items"] == [
        {"who": "noor", "name": "Noor"},
        {"who": "sam", "name": "Sam"},
    ]
    sam.post(f"{url}/assign", {"assignee": "me", "expected": None})
    assert sam.post(f"{url}/assign", {"assignee": "noor", "expected": "me"}).json()["assignee"] == "noor"
    assert sam.post(f"{url}/reply", {"text": "Me again"}).json()["code"] == "case_taken"
    assert noor.post(f"{url}/reply", {"text": "A new pole is on its way."}).status_code == 200
    done = noor.post(f"{url}/resolve", {"then": "agents", "summary": "Sent a pole by post."}).json()
    assert (done["status"], [one["text"] for one in done["notes"]]) == ("resolved", ["Sent a pole by post."])
    seen = shopper.get(f"/v1/threads/{thread_id}").json()
    assert seen["mode"] == "agent"
    assert "by post" not in json.dumps(seen)
    assert sam.post(f"{url}/reopen").json()["assignee"] == "noor"


def test_the_story_of_staff_has_who_spoke_and_when_and_the_shoppers_has_not(
    waits, sam: Console, site: Site, shop: Shop
) -> None:
    _, thread_id, number = waits()
    case_id = case_of(sam, number)["id"]
    sam.post(f"/v1/staff/cases/{case_id}/assign", {"assignee": "me", "expected": None})
    note = sam.post(f"/v1/staff/cases/{case_id}/notes", {"text": "Secret word"}).json()["notes"][0]
    sam.post(f"/v1/staff/cases/{case_id}/reply", {"text": "Hello"})
    with shop.uow() as session:
        owner = session.get_one(Thread, (shop.tenant.id, thread_id)).owner_id
        theirs = service.events_after(session, customers.shopper(session, shop.tenant.id, owner), thread_id, 0)
        ours = service.events_after(session, staff(shop.tenant, "ann"), thread_id, 0)
    told = {event["name"]: event["value"] for _, event in ours if event["type"] == "CUSTOM"}
    assert (told["case.assigned"], told["case.note"]) == (
        {"to": "sam", "by": "sam"}, {"id": note["id"], "by": "sam"},
    )  # fmt: skip
    assert told["case.spoke"]["by"] == "sam"
    assert all(event["timestamp"] > 1_700_000_000_000 for _, event in ours)
    assert not [event for _, event in theirs if "timestamp" in event]
    assert "sam" not in json.dumps(theirs).lower()
    assert "Secret word" not in json.dumps(ours)


async def frame_of(frames: Any) -> dict[str, Any]:
    """The next frame that says something."""
    while True:
        text = (await asyncio.wait_for(anext(frames), 60)).decode()
        for line in text.splitlines():
            if line.startswith("data: "):
                found: dict[str, Any] = json.loads(line.removeprefix("data: "))
                return found


def test_the_stream_tells_what_changed_who_is_there_and_ends_with_the_session(
    waits, sam: Console, noor: Console, site: Site, shop: Shop, hire
) -> None:
    _, _, number = waits()
    case_id = case_of(sam, number)["id"]
    eve = hire(shop.tenant, Role.SUPPORT, "Eve")
    with shop.uow() as session:
        token = members.sign_in(session, members.locked(session, shop.tenant.id, eve.id), by="test")
    with shop.runtime.store.without_tenant() as session:
        identity = sessions.who(session, token)
    assert identity is not None

    async def scenario() -> None:
        await site.live.start()
        frames = desk_events.follow(site, identity)
        first = await frame_of(frames)
        assert (first["changed"], first["counts"]["waiting"], first["present"]) == ([], 1, [])
        await asyncio.to_thread(noor.post, f"/v1/staff/cases/{case_id}/presence", {"doing": "typing"})
        here = await frame_of(frames)
        assert here["present"] == [{"case_id": case_id, "who": "noor", "typing": True}]
        await asyncio.to_thread(sam.post, f"/v1/staff/cases/{case_id}/notes", {"text": "x"})
        assert (await frame_of(frames))["changed"] == [case_id]
        await asyncio.to_thread(fire, shop, eve.id)
        await asyncio.to_thread(sam.post, f"/v1/staff/cases/{case_id}/notes", {"text": "y"})
        with pytest.raises(StopAsyncIteration):
            await frame_of(frames)
        await site.live.stop()

    asyncio.run(scenario())


def fire(shop: Shop, member_id: str) -> None:
    with shop.uow() as session:
        members.disable(session, shop.tenant.id, member_id, actor="test")


def test_nobody_of_another_shop_and_no_shopper_has_a_part_in_it(
    waits, sam: Console, console, hire, runtime, make_tenant, shop: Shop, open_browser
) -> None:
    shopper, _, number = waits("Peculiar words")
    case_id = case_of(sam, number)["id"]
    other = console(runtime, hire(make_tenant(), Role.ADMIN, "Eve"))
    assert other.get("/v1/cases?view=all").json()["items"] == []
    assert other.get("/v1/cases?q=peculiar").json()["items"] == []
    assert other.get("/v1/cases/counts").json()["all"] == 0
    assert other.get("/v1/staff/colleagues").json()["items"] == [{"who": "eve", "name": "Eve"}]
    for path, body in (
        ("presence", {"doing": "here"}),
        ("assign", {"assignee": "me", "expected": None}),
        ("resolve", {"then": "agents", "summary": "x"}),
    ):
        assert other.post(f"/v1/staff/cases/{case_id}/{path}", body).status_code == 404
        assert shopper.post(f"/v1/staff/cases/{case_id}/{path}", body).status_code == 403
    for path in ("/v1/cases/counts", "/v1/staff/colleagues", "/v1/staff/events"):
        assert shopper.get(path).status_code == 403
        assert open_browser().get(path).status_code == 401
    assert (case_of(sam, number)["assignee"], counted(shop, CaseGlance)) == (None, 0)


def test_the_pages_need_somebody_of_the_shop(sam: Console, console, waits) -> None:
    _, _, number = waits()
    page = sam.page("/staff")
    assert (page.status_code, "<ic-queue>" in page.text) == (200, True)
    case = sam.page(f"/staff/cases/{number}")
    assert (case.status_code, f'case-id="{number}"' in case.text) == (200, True)
    assert "style=" not in page.text + case.text
    for path in ("/staff", f"/staff/cases/{number}"):
        away = console().page(path)
        assert (away.status_code, away.headers["location"].startswith("/staff/sign-in")) == (303, True)


def test_a_takeover_lets_go_of_a_case_that_its_owner_gave_up(waits, sam: Console, noor: Console, shop: Shop) -> None:
    _, _, number = waits()
    case_id = case_of(sam, number)["id"]
    sam.post(f"/v1/staff/cases/{case_id}/assign", {"assignee": "me", "expected": None})
    taken = noor.post(f"/v1/staff/cases/{case_id}/assign", {"assignee": "me", "expected": "sam"}).json()
    assert taken["assignee"] == "noor"
    with shop.uow() as session:
        assert acts.locked(session, shop.tenant.id, case_id)[0].assignee == "noor"
