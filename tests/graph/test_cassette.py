"""The same turns from a recording, with no model at the other end: streamed, not streamed, with calls and an error."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from icommerce_agents import attempts
from tests.cassettes import FOLDER, NOBODY, cassette, recording
from tests.graph.conftest import Running, Talk, begin
from tests.llm_server import KEY, LlmServer, Status
from tests.scripted import Call, Say
from tests.shop import Shop


@pytest.fixture
def played(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Talk]:
    async def at_once(_seconds: float) -> None:
        """Nobody waits for a recording."""

    monkeypatch.setattr(attempts, "wait", at_once)
    with ExitStack() as stack:
        server = stack.enter_context(LlmServer())
        where = server.env() if recording() else {**server.env(), "OPENAI_BASE_URL": NOBODY}
        for name, value in where.items():
            monkeypatch.setenv(name, value)
        server.routes = ["commerce", {"tasks": [{"agent": "customer_service", "about": "thanks"}], "reason": "closing"}]
        server.add(
            Call("search_products", {"query": "lamp"}), Status(503), Say("One lamp, at $50.00. Shall I add it?"),
            [Say("Gladly."), Call("list_orders")], Say("No orders yet."),
        )  # fmt: skip
        yield begin(shop)
        assert recording() or server.asked == []


def test_a_conversation_is_played_back_without_its_model(played: Talk, running: Running) -> None:
    played.shop.add("LAMP", search_strong="lamp")

    async def go() -> None:
        async with running(played):
            with cassette("a_lamp") as tape:
                first = await played.say("do you have a lamp?")
                second = await played.say("thanks, and my orders?")
            assert (first.status, second.status) == ("completed", "completed")
            assert [call["name"] for call in first.tool_calls + second.tool_calls] == ["search_products", "list_orders"]
            assert first.usage["requests"] == 3
            assert recording() or tape.all_played

    asyncio.run(go())
    assert played.texts() == ["One lamp, at $50.00. Shall I add it?", "Gladly.", "No orders yet."]


def test_a_cassette_holds_no_key_and_no_words_of_ours() -> None:
    for path in FOLDER.glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        assert KEY not in text
        assert "authorization" not in text.lower()
        assert "shopping assistant" not in text
