"""A process that is killed after a write: of the graph's steps nothing is stored, and the write is not done again."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import pytest
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

from engine.checkout import confirmation
from engine.payments.models import Payment
from graph import confirm
from graph import runner as running_module
from icommerce_agents import adapter
from tests.graph.conftest import Running, Talk, begin
from tests.graph.test_offline import _stock_a_tent
from tests.shop import Shop

_CUT: Final = ("before its outcome was written down", "after it")


async def _lost(_saver: Any, config: Any, checkpoint: Any, *_more: Any) -> Any:
    return {"configurable": config["configurable"] | {"checkpoint_id": checkpoint["id"]}}


async def _unwritten(*_args: Any) -> None:
    pass


def _cut(patch: pytest.MonkeyPatch, cut: str) -> asyncio.Event:
    """Set when the write is done; the turn goes no further."""
    reached, do = asyncio.Event(), adapter.in_thread

    async def done_and_no_more(function: Any, spec: Any, *args: Any, **more: Any) -> Any:
        answer = await do(function, spec, *args, **more)
        return await no_more() if spec.name in {"add_to_cart", "search_products"} else answer

    async def no_more(*_args: Any) -> Any:
        reached.set()
        await asyncio.Event().wait()

    patch.setattr(AsyncPostgresSaver, "aput", _lost)
    patch.setattr(AsyncPostgresSaver, "aput_writes", _unwritten)
    if cut == _CUT[0]:
        patch.setattr(adapter, "in_thread", done_and_no_more)
    else:
        do_cards = confirm.in_thread

        async def all_but_the_cards(function: Any, *args: Any, **more: Any) -> Any:
            return await (no_more() if function is confirm.asking.standing else do_cards(function, *args, **more))

        patch.setattr(confirm, "in_thread", all_but_the_cards)
    return reached


@pytest.fixture
def chat(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Talk:
    """With the model the house ships."""
    monkeypatch.delenv("ICOMMERCE_MODEL", raising=False)
    monkeypatch.setattr(running_module, "STOP_SECONDS", 0.05)
    return begin(shop)


@pytest.fixture
def killed(running: Running, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The turn that is cut off there and gone on with by another process."""

    def go(talk: Talk, cut: str, *before: str, **given: Any) -> Any:
        async def first() -> str:
            async with running(talk) as runner:
                for words in before:
                    await talk.say(words)
                with monkeypatch.context() as patch:
                    reached = _cut(patch, cut)
                    run = await asyncio.to_thread(talk.submit, **given)
                    runner.wake(talk.shop.tenant.id, talk.thread_id)
                    await reached.wait()
                    await runner.stop()
                return run.id

        async def second() -> Any:
            async with running(talk):
                return await talk.wait(run_id)

        run_id = asyncio.run(first())
        assert talk.run(run_id).status == "running"
        return asyncio.run(second())

    return go


def _in_cart(talk: Talk) -> list[int]:
    return [line.quantity for line in talk.snapshot().cart.lines]


@pytest.mark.parametrize("cut", _CUT)
def test_what_an_agent_put_in_the_cart_is_in_it_once(chat: Talk, killed: Any, cut: str) -> None:
    _stock_a_tent(chat.shop)
    assert killed(chat, cut, "show me tents", message="add the first one to my cart").status == "completed"
    assert _in_cart(chat) == [1]


@pytest.mark.parametrize(("cut", "said"), [(_CUT[0], "That was interrupted."), (_CUT[1], "Added to your cart: ")])
def test_what_was_pressed_into_the_cart_is_in_it_once(chat: Talk, killed: Any, cut: str, said: str) -> None:
    variant = chat.shop.add("LAMP")
    view = killed(chat, cut, action={"name": "add_to_cart", "args": {"variant_id": variant}})
    assert (view.status, _in_cart(chat)) == ("completed", [1])
    assert chat.cards("cart")[-1]["item_count"] == 1
    [text] = chat.texts()
    assert text.startswith(said)


def test_a_press_that_may_be_done_twice_is_done_again(chat: Talk, killed: Any) -> None:
    variant = chat.shop.add("LAMP")
    chat.shop.ready(chat.identity, "LAMP")
    view = killed(chat, _CUT[1], action={"name": "update_cart_line", "args": {"variant_id": variant, "quantity": 4}})
    assert (view.status, _in_cart(chat), chat.texts()) == ("completed", [4], ["Your cart is updated."])


def test_what_was_paid_is_paid_once(chat: Talk, killed: Any) -> None:
    chat.shop.add("LAMP")
    chat.shop.ready(chat.identity, "LAMP")
    card = confirmation.request(chat.shop.runtime, chat.identity, thread_id=chat.thread_id)
    press = {"interruptId": card.id, "status": "resolved", "payload": {"approved": True}}
    assert killed(chat, _CUT[1], resume=[press]).status == "completed"
    with chat.shop.uow() as session:
        assert [payment.status for payment in session.query(Payment)] == ["captured"]
    assert len(chat.cards("receipt")) == 1


def test_a_search_that_was_cut_off_is_made_again(chat: Talk, shop: Shop, killed: Any) -> None:
    """It only reads: the shopper is shown what they asked for, and hears nothing of a server."""
    _stock_a_tent(shop)
    assert killed(chat, _CUT[0], message="show me tents").status == "completed"
    assert len(chat.cards("products")) == 1
    assert "didn't work" not in chat.texts()[-1]
