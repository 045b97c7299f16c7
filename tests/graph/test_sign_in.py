"""What came of a code is said without a model; the form's press says so only where it is true."""

from __future__ import annotations

import asyncio
import json

from engine.conversations import signing_in
from engine.conversations.models import Run
from engine.customers import codes
from engine.kit.identity import Identity
from tests.engine.customers.people import letter_of
from tests.graph.conftest import Running, Talk
from tests.scripted import Say, Script


def _sent(talk: Talk) -> str:
    with talk.shop.uow() as session:
        row = codes.ask(session, talk.shop.runtime, talk.identity, "ada@example.com")
        return letter_of(talk.shop, session, row.id)


def _take(talk: Talk, code: str) -> tuple[Run, list[Identity]]:
    known: list[Identity] = []
    given = signing_in.typed(talk.shop.runtime, talk.identity, code)
    assert given is not None
    run = signing_in.take(
        talk.shop.runtime, talk.identity, talk.thread_id, given, known=lambda _session, who: known.append(who)
    )
    return run, known


def test_a_typed_code_is_said_and_shown_to_no_model(talk: Talk, script: Script, running: Running) -> None:
    code = _sent(talk)

    async def go() -> None:
        async with running(talk):
            run, [who] = await asyncio.to_thread(_take, talk, code)
            assert who.customer_id is not None
            view = await talk.wait(run.id)
            assert (view.status, view.usage["requests"]) == ("completed", 0)
            talk.identity = who
            script.add(Say("Here they are."))
            await talk.say("my orders please")

    asyncio.run(go())
    assert talk.texts()[0].startswith("Thank you, you are signed in")
    assert talk.texts("user") == ["••••••", "my orders please"]
    assert code not in json.dumps(script.asked)
    assert "typed the code" in json.dumps(script.asked)


def test_a_wrong_code_is_said_so(talk: Talk, script: Script, running: Running) -> None:
    wrong = f"{(int(_sent(talk)) + 1) % 1_000_000:06d}"

    async def go() -> None:
        async with running(talk):
            run, known = await asyncio.to_thread(_take, talk, wrong)
            assert known == []
            assert (await talk.wait(run.id)).status == "completed"

    asyncio.run(go())
    assert talk.texts()[0].startswith("This code does not fit")


def test_the_forms_press_says_what_is_true(talk: Talk, script: Script, running: Running) -> None:
    async def go() -> None:
        async with running(talk):
            await talk.press("signed_in")

    asyncio.run(go())
    assert talk.texts()[-1].startswith("You are not signed in yet")
