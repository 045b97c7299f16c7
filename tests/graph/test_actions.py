"""What a press does: its tool, at once, without a model."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from engine.checkout import service
from engine.conversations.models import Run
from engine.payments import stored_value
from engine.payments.stored_value_models import StoredValueKind
from tests.graph.conftest import Running, Talk
from tests.scripted import Call, Fail, Say, Script


def _press(talk: Talk, running: Running, *presses: tuple[str, dict[str, Any]]) -> list[Any]:
    async def go() -> list[Any]:
        async with running(talk):
            return [await talk.press(name, **args) for name, args in presses]

    return asyncio.run(go())


def test_add_update_and_view(talk: Talk, running: Running) -> None:
    variant = talk.shop.add("LAMP")
    views = _press(
        talk,
        running,
        ("add_to_cart", {"variant_id": variant, "quantity": 2}),
        ("update_cart_line", {"variant_id": variant, "quantity": 3}),
        ("view_product", {"product_id": variant}),
    )
    assert [view.status for view in views] == ["completed"] * 3
    assert [view.usage["requests"] for view in views] == [0, 0, 0]
    assert [line.quantity for line in talk.snapshot().cart.lines] == [3]
    assert [card["item_count"] for card in talk.cards("cart")] == [2, 3]
    assert talk.cards("product")[0]["title"] == "Thing LAMP"
    assert talk.texts() == ["Added to your cart: Thing LAMP.", "Your cart is updated."]


def test_the_agents_know_what_was_pressed(talk: Talk, script: Script, running: Running) -> None:
    variant = talk.shop.add("LAMP")

    async def go() -> None:
        async with running(talk):
            await talk.press("add_to_cart", variant_id=variant)
            script.add(Call("update_cart_line", {"variant_id": variant, "quantity": 5}), Say("Five."))
            await talk.say("make it five")

    asyncio.run(go())
    assert [line.quantity for line in talk.snapshot().cart.lines] == [5]
    calls = [m["tool_calls"][0]["function"]["name"] for m in script.asked[0] if m.get("tool_calls")]
    assert calls == ["add_to_cart"]


def test_a_press_that_cannot_be_is_said_plainly(talk: Talk, running: Running) -> None:
    views = _press(
        talk, running, ("request_confirmation", {}), ("use_payment_method", {"card_token": "card_nonsense1"})
    )
    assert [view.status for view in views] == ["completed", "completed"]
    assert talk.texts() == ["There is no checkout running.", "There is no checkout running."]


def test_a_card_token_is_kept_nowhere(talk: Talk, running: Running) -> None:
    talk.shop.add("LAMP")
    talk.shop.ready(talk.identity, "LAMP")
    token = "card_06gzrj3de0tnh3vtk19gppxj4x"
    _press(talk, running, ("use_payment_method", {"card_token": token}))
    with talk.shop.uow() as session:
        runs = session.query(Run).all()
        assert [run.input["action"]["args"] for run in runs] == [{}]
    assert token not in json.dumps(talk.events())


def test_the_checkouts_own_fields_show_a_fresh_card_and_the_code_nowhere(talk: Talk, running: Running) -> None:
    shop = talk.shop
    shop.add("LAMP")
    shop.ready(talk.identity, "LAMP")
    with shop.uow() as session:
        code = stored_value.issue(
            session, shop.tenant.id, secret_key=shop.runtime.secret_key, kind=StoredValueKind.GIFT_CARD, amount=1000,
            currency="USD", actor="key_staff",
        ).code or ""  # fmt: skip
    account = stored_value.find_by_code(shop.runtime, talk.identity, code)
    with shop.uow() as session:
        service.use_gift_card(session, talk.identity, account)
    [view] = _press(talk, running, ("show_checkout", {}))
    assert view.status == "interrupted"
    card = talk.snapshot().interrupts[0].checkout
    assert [(one.label, one.amount) for one in card.tenders] == [(f"Gift card •••• {code[-4:]}", 1000)]
    assert code not in json.dumps(talk.events())


def test_a_code_in_the_chat_is_kept_nowhere(talk: Talk, running: Running, script: Script) -> None:
    script.add(Say("Please type it into the field on the checkout card."))

    async def go() -> None:
        async with running(talk):
            await talk.say("pay with 7QK2MNPX9ABCD3EF")

    asyncio.run(go())
    with talk.shop.uow() as session:
        kept = [run.input for run in session.query(Run).all()]
    everything = json.dumps([kept, talk.events(), script.asked])
    assert "7QK2MNPX9ABCD3EF" not in everything
    assert "D3EF" in everything


def test_show_a_card_and_pay_by_press_alone(talk: Talk, running: Running) -> None:
    talk.shop.add("LAMP")
    talk.shop.ready(talk.identity, "LAMP")

    async def go() -> None:
        async with running(talk):
            assert (await talk.press("request_confirmation")).status == "interrupted"
            assert (await talk.decide(talk.snapshot().interrupts[0].id)).status == "completed"

    asyncio.run(go())
    assert len(talk.cards("receipt")) == 1


def test_asking_for_a_person_silences_the_agents(talk: Talk, script: Script, running: Running) -> None:
    async def go() -> None:
        async with running(talk):
            await talk.press("request_human")
            view = await talk.say("are you there?")
            assert (view.status, view.agent_path, view.usage["requests"]) == ("completed", [], 0)

    asyncio.run(go())
    snapshot = talk.snapshot()
    assert snapshot.mode == "waiting_human"
    card = talk.cards("handoff")[0]
    assert (card["mode"], card["reason"]) == ("waiting_human", "asked_for_person")
    modes = [event["value"] for event in talk.events() if event.get("name") == "conversation.mode"]
    assert modes == [{"mode": "waiting_human", "reference": card["reference"]}]
    assert talk.texts() == ["I have asked a person from our team to take over. They will answer right here."]
    assert talk.texts("user") == ["are you there?"]
    assert script.asked == []


def test_retry_answers_the_words_that_failed(talk: Talk, script: Script, running: Running) -> None:
    variant = talk.shop.add("LAMP")

    async def go() -> None:
        async with running(talk):
            script.add(Call("search_products"), Call("add_to_cart", {"item_id": variant}), Fail(OSError()))
            assert (await talk.say("a lamp")).status == "failed"
            script.add(Say("It is in your cart."))
            assert (await talk.press("retry")).status == "completed"
            assert (await talk.press("retry")).status == "completed"

    asyncio.run(go())
    assert talk.texts("user") == ["a lamp"]
    assert talk.texts() == ["It is in your cart.", "There is nothing to try again. What can I do for you?"]
    names = [m["tool_calls"][0]["function"]["name"] for m in script.asked[-1] if m.get("tool_calls")]
    assert names == ["search_products", "add_to_cart"]
    assert [line.quantity for line in talk.snapshot().cart.lines] == [1]


def test_show_more_goes_on_with_its_own_list(talk: Talk, script: Script, running: Running) -> None:
    for number in range(7):
        talk.shop.add(f"LAMP-{number}", title=f"Lamp number {number}", search_strong="lamp")

    async def go() -> None:
        async with running(talk):
            script.add(Call("search_products", {"query": "lamp"}), Say("Here."))
            await talk.say("lamps?")
            await talk.press("show_more", cursor=talk.cards("products")[0]["next_cursor"])

    asyncio.run(go())
    first, second = talk.cards("products")
    assert len(first["items"]) == 5
    assert len(second["items"]) == 2
    assert not {i["id"] for i in first["items"]} & {i["id"] for i in second["items"]}
    assert second["next_cursor"] is None
