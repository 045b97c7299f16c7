"""A model behind real HTTP: what streams, what breaks, and what the shopper gets then."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.graph.conftest import Running, Talk
from tests.llm_server import KEY, LlmServer
from tests.scripted import Call, Say


def _go(talk: Talk, running: Running, *messages: str) -> list[Any]:
    async def go() -> list[Any]:
        async with running(talk):
            return [await talk.say(message) for message in messages]

    return asyncio.run(go())


def test_words_and_calls_come_over_the_wire_as_from_any_model(distant: Talk, llm: LlmServer, running: Running) -> None:
    variant = distant.shop.add("LAMP", search_strong="lamp")
    llm.add(
        [Say("Let me look."), Call("search_products", {"query": "lamp", "limit": 5}), Call("list_categories")],
        Call("add_to_cart", {"item_id": variant, "quantity": 2}),
        Say("Two lamps are in your cart."),
    )
    [view] = _go(distant, running, "two lamps please")
    assert (view.status, view.agent_path) == ("completed", ["commerce"])
    assert [call["name"] for call in view.tool_calls] == ["search_products", "list_categories", "add_to_cart"]
    assert distant.texts() == ["Let me look.", "Two lamps are in your cart."]
    assert [line.quantity for line in distant.snapshot().cart.lines] == [2]
    assert [body["stream"] for body in llm.asked] == [True] * 3
    assert {headers["authorization"] for headers in llm.headers} == {f"Bearer {KEY}"}
    assert view.usage["input_tokens"] == 400
