"""A turn through the real graph, log and database, with a scripted model."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from engine.conversations import budget
from engine.kit import clock
from engine.kit.identity import Actor, Identity, Scope
from engine.kit.tenancy import Tenant
from engine.policies import set_policy
from icommerce_agents.models import Spent, cost_micros
from tests.graph.conftest import Running, Talk
from tests.scripted import Call, Fail, Say, Script


def _go(talk: Talk, running: Running, *messages: str) -> list[Any]:
    """Say each message in turn; the runs' views."""

    async def go() -> list[Any]:
        async with running(talk):
            return [await talk.say(message) for message in messages]

    return asyncio.run(go())


def _staff(talk: Talk) -> Identity:
    return Identity(talk.shop.tenant.id, Actor.API_KEY, "key_staff", scopes=frozenset({Scope.OPS}))


def _results(script: Script) -> list[dict[str, Any]]:
    """What the tools answered, as the model read it last."""
    return [json.loads(message["content"]) for message in script.asked[-1] if message["role"] == "tool"]


def test_a_message_is_answered_in_the_order_of_the_contract(talk: Talk, script: Script, running: Running) -> None:
    script.add(Say("Hello there."))
    [view] = _go(talk, running, "hi")
    assert (view.status, view.agent_path, view.tool_calls) == ("completed", ["commerce"], [])
    assert view.usage == {"input_tokens": 110, "output_tokens": 12, "requests": 2}
    assert [kind for kind, again in zip(talk.types(), ["", *talk.types()], strict=False) if kind != again] == [
        "TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END",
        "RUN_STARTED", "CUSTOM",
        "TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END",
        "RUN_FINISHED",
    ]  # fmt: skip
    assert talk.texts() == ["Hello there."]
    assert talk.snapshot().active_agent == "commerce"


def test_streamed_words_are_written_while_the_model_speaks(talk: Talk, script: Script, running: Running) -> None:
    script.add(Say("one two three four five six", pause=0.1))
    _go(talk, running, "count")
    deltas = [event["delta"] for event in talk.events() if event["type"] == "TEXT_MESSAGE_CONTENT"][1:]
    assert len(deltas) >= 2  # how many at once is the machine's affair; not all at the end
    assert "".join(deltas) == "one two three four five six "


def test_a_tool_shows_its_card_and_keeps_its_arguments_from_the_shopper(
    talk: Talk, script: Script, running: Running
) -> None:
    talk.shop.add("LAMP")
    script.add(Call("search_products"), Say("Here is one."))
    [view] = _go(talk, running, "a lamp please")
    assert [(call["name"], call["access"], call["ok"]) for call in view.tool_calls] == [
        ("search_products", "read", True)
    ]
    assert [item["title"] for item in talk.cards("products")[0]["items"]] == ["Thing LAMP"]
    mine, theirs = talk.types(), [event["type"] for event in talk.events(_staff(talk))]
    assert {"TOOL_CALL_START", "TOOL_CALL_END"} <= set(mine)
    hidden = {"TOOL_CALL_ARGS", "TOOL_CALL_RESULT", "STEP_STARTED", "STEP_FINISHED"}
    assert not hidden & set(mine)
    assert hidden <= set(theirs)


def test_a_write_may_name_only_what_was_seen(talk: Talk, script: Script, running: Running) -> None:
    variant = talk.shop.add("LAMP")
    script.add(
        Call("add_to_cart", {"item_id": variant}),
        Call("search_products"),
        Call("add_to_cart", {"item_id": variant, "quantity": 2}),
        Say("Done."),
    )
    [view] = _go(talk, running, "two lamps")
    assert [call["ok"] for call in view.tool_calls] == [False, True, True]
    refused, _found, added = _results(script)
    assert refused["error"]["code"] == "unknown_reference"
    assert added["result"]["added"]["quantity"] == 2
    assert [line.quantity for line in talk.snapshot().cart.lines] == [2]
    snapshots = [
        event["snapshot"]["cart"]["item_count"] for event in talk.events() if event["type"] == "STATE_SNAPSHOT"
    ]
    assert snapshots == [2]


def test_a_fresh_conversation_may_change_the_cart_its_briefing_names(
    talk: Talk, script: Script, running: Running
) -> None:
    variant = talk.shop.add("LAMP")
    talk.shop.fill(talk.identity, "LAMP", 3)
    script.add(Call("update_cart_line", {"variant_id": variant, "quantity": 1}), Say("Done."))
    _go(talk, running, "only one")
    assert [line.quantity for line in talk.snapshot().cart.lines] == [1]
    briefing = next(m["content"] for m in script.asked[0] if m["content"].startswith("shop:"))
    assert briefing.splitlines() == [
        "shop: Test Shop, USD",
        "active_agent: commerce",
        "staff: false",
        f"cart: 3 x Thing LAMP ({variant}); total $150.00",
        "checkout: none",
        "card_open: none",
        "signed_in: no",
        "mode: agent",
        "identity: guest",
    ]


def test_the_language_of_the_page_and_the_shops_voice_are_told_to_the_model(
    talk: Talk, script: Script, running: Running
) -> None:
    with talk.shop.uow() as session:
        voice = {"assistant_name": "Piney", "tone": ["warm", "brief"]}
        set_policy(session, talk.shop.tenant.id, "theme", voice, actor="key_test")
    script.add(Say("Hola."))

    async def go() -> None:
        async with running(talk):
            await talk.turn(message="hola", language="es")

    asyncio.run(go())
    told = "\n".join(str(m["content"]) for m in script.asked[0] if m["role"] == "system")
    assert "answer_in: es" in told.splitlines()
    assert '- The shop calls you "Piney".' in told.splitlines()
    assert "- The shop likes to sound warm, brief." in told


def test_bad_arguments_and_unknown_tools_are_told_to_the_model(talk: Talk, script: Script, running: Running) -> None:
    script.add(Call("search_products", '{"limit": 900}'), Call("pay_now", {}), Say("Sorry."))
    [view] = _go(talk, running, "hm")
    assert view.status == "completed"
    tools = [message["content"] for message in script.asked[-1] if message["role"] == "tool"]
    assert json.loads(tools[0])["error"]["code"] == "invalid_arguments"
    assert "pay_now" in tools[1]


def test_too_many_calls_end_in_words(talk: Talk, script: Script, running: Running) -> None:
    script.add([Call("search_products", {"query": f"thing {number}"}) for number in range(14)], Say("That is all."))
    [view] = _go(talk, running, "loop")
    assert [call["ok"] for call in view.tool_calls] == [True] * 12 + [False] * 2
    assert talk.texts() == ["That is all."]


def test_a_model_that_never_stops_is_stopped(talk: Talk, script: Script, running: Running) -> None:
    script.add(*[Call("search_products", {"query": f"thing {number}"}) for number in range(14)])
    [view] = _go(talk, running, "loop")
    assert view.status == "completed"
    assert talk.texts() == [
        "That took more steps than I may take at once. Shall I go on, or would you rather talk to a person?"
    ]


def test_an_agent_hands_over(talk: Talk, script: Script, running: Running) -> None:
    script.add(Call("transfer_to_customer_service", {"reason": "an order"}), Say("Which order?"), Say("Fine."))
    script.routes = ["commerce", "customer_service"]
    first, second = _go(talk, running, "where is my parcel", "SP-1")
    assert first.agent_path == ["commerce", "customer_service"]
    assert second.agent_path == ["customer_service"]
    titles = [event["value"]["title"] for event in talk.events() if event.get("name") == "agent"]
    assert titles == ["Shopping assistant", "Customer service", "Customer service"]
    assert talk.snapshot().active_agent == "customer_service"


def test_the_history_is_one_for_all_agents(talk: Talk, script: Script, running: Running) -> None:
    script.add(Say("First answer."), Say("Second answer."))
    script.routes = ["commerce", "customer_service"]
    _go(talk, running, "one", "two")
    said = [(m["role"], m["content"].strip()) for m in script.asked[-1] if m["role"] != "system"]
    assert said == [("user", "one"), ("assistant", "First answer."), ("user", "two")]


def test_nobody_but_staff_reaches_operations(talk: Talk, script: Script, running: Running) -> None:
    script.routes = ["operations"]
    script.add(Call("transfer_to_operations", {"reason": "stock"}), Say("I cannot."))
    [view] = _go(talk, running, "stock by location please")
    assert view.agent_path == ["commerce"]
    assert "transfer_to_operations" not in script.tools[0]
    assert "stock_by_location" not in script.tools[0]


def test_staff_reach_operations(talk: Talk, script: Script, running: Running) -> None:
    from engine.conversations import service

    talk.shop.add("LAMP")
    talk.identity = _staff(talk)
    with talk.shop.uow() as session:
        talk.thread_id = service.create_thread(session, talk.identity).id
    script.routes = ["operations"]
    script.add(Call("stock_by_location", {"query": "LAMP"}), Say("Ten."))
    [view] = _go(talk, running, "stock of LAMP")
    assert view.agent_path == ["operations"]
    assert len(talk.cards("stock")) == 1


def test_secrets_are_never_said(talk: Talk, script: Script, running: Running) -> None:
    script.add(Say("It is vt_01jq8abcdefgh okay"), Say("Bye"))
    _go(talk, running, "my card is 4242 4242 4242 4242", "bye")
    everything = json.dumps(talk.events(_staff(talk))) + json.dumps(script.asked)
    assert "vt_01jq8abcdefgh" not in everything
    assert "4242 4242" not in everything
    assert talk.texts() == ["It is [withheld] okay", "Bye"]
    assert talk.texts("user")[0] == "my card is •••• 4242"


@pytest.mark.parametrize("where", ["supervisor", "agent"])
def test_a_failing_model_fails_the_run_and_not_the_conversation(
    talk: Talk, script: Script, running: Running, where: str
) -> None:
    if where == "supervisor":
        script.routes = [RuntimeError("secret detail")]
    else:
        script.add(Fail(RuntimeError("secret detail")))
    script.add(Say("Here again."))
    failed, fine = _go(talk, running, "hi", "hello?")
    assert (failed.status, fine.status) == ("failed", "completed")
    [error] = [event for event in talk.events() if event["type"] == "RUN_ERROR"]
    assert (error["code"], error["retryable"]) == ("model_error", True)
    assert "secret" not in json.dumps(talk.events(_staff(talk)))
    said = [m["content"] for m in script.asked[-1] if m["role"] == "user"]
    assert said == ["hi", "hello?"]


def test_an_empty_answer_gets_words_of_ours(talk: Talk, script: Script, running: Running) -> None:
    script.add(Say(""))
    _go(talk, running, "hm")
    assert talk.texts() == ["Sorry, I did not get that. Could you put it another way?"]


def test_a_route_nobody_understands_keeps_the_agent(talk: Talk, script: Script, running: Running) -> None:
    script.routes = ["customer_service", "not json at all!", "gardening", '{"tasks": []}']
    script.add(Say("a"), Say("b"), Say("c"), Say("d"))
    views = _go(talk, running, "1", "2", "3", "4")
    assert [view.agent_path for view in views] == [["customer_service"]] * 4


def test_a_model_that_uses_an_id_again_is_not_taken_at_its_word(talk: Talk, script: Script, running: Running) -> None:
    for _ in range(2):
        script.add(Call("list_categories", id="call_1"), Call("list_categories", id="call_1"), Say("Done."))
    views = _go(talk, running, "one", "two")
    assert [len(view.tool_calls) for view in views] == [2, 2]
    shown = [event["toolCallId"] for event in talk.events() if event["type"] == "TOOL_CALL_START"]
    assert len(set(shown)) == 4


def test_a_priced_model_is_accounted_for() -> None:
    assert cost_micros("openai/gpt-4o-mini", Spent(input_tokens=1_000_000)) == 150_000
    assert cost_micros("icommerce/offline", Spent(input_tokens=1_000_000)) is None


def test_when_the_models_money_is_spent_people_answer(talk: Talk, script: Script, running: Running) -> None:
    with talk.shop.uow() as session:
        session.get_one(Tenant, talk.shop.tenant.id).settings = {budget.SETTING: 1_000}
        budget.spend(session, talk.shop.tenant.id, 999)

    async def go() -> list[str]:
        async with running(talk):
            script.add(Say("Hello."))
            await talk.say("hello")
            with talk.shop.uow() as session:
                budget.spend(session, talk.shop.tenant.id, 1)
            await talk.say("anybody?")
            return talk.texts()

    texts = asyncio.run(go())
    assert texts[0] == "Hello."
    assert "a person from our team" in texts[1]
    assert talk.snapshot().mode == "waiting_human"
    assert talk.cards("handoff")[0]["reason"] == "cannot_help"
    with clock.shifted(timedelta(days=1)), talk.shop.uow() as session:
        assert not budget.is_spent(session, talk.shop.tenant.id)
