"""A purchase by chat with the model the house ships: no key, no network, no script."""

from __future__ import annotations

import asyncio

import pytest

from engine.catalog.changes import update_product
from engine.catalog.models import Variant
from engine.conversations import service
from engine.kit.identity import Actor, Identity, Scope
from tests.graph.conftest import Running, Talk
from tests.shop import Shop


@pytest.fixture
def chat(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Talk:
    monkeypatch.delenv("ICOMMERCE_MODEL", raising=False)
    identity = shop.shopper()
    with shop.uow() as session:
        thread = service.create_thread(session, identity)
    return Talk(shop, identity, thread.id)


def _stock_a_tent(shop: Shop) -> None:
    """An item whose words the search finds."""
    variant = shop.add("TENT", price=4_000)
    staff = Identity(shop.tenant.id, Actor.API_KEY, "key_staff", scopes=frozenset({Scope.ADMIN}))
    with shop.uow() as session:
        product = session.get_one(Variant, (shop.tenant.id, variant)).product_id
        changes = {"title": "Storm Tent", "description": "A tent for two.", "category": "tents"}
        update_product(session, staff, product_id=product, changes=changes)


def test_a_purchase_from_hello_to_receipt(chat: Talk, running: Running) -> None:
    _stock_a_tent(chat.shop)

    async def go() -> None:
        async with running(chat):
            for words in (
                "hello",
                "show me tents",
                "add the first one to my cart",
                "I want to check out",
                "Ada Buyer, ada@example.com, 12 Pine St, Portland, WA 97204",
                "use the test card",
                "standard shipping is fine, I want to pay",
            ):
                view = await chat.say(words)
                assert view.status in {"completed", "interrupted"}
                if chat.snapshot().interrupts:
                    break
            [card] = chat.snapshot().interrupts
            assert (await chat.decide(card.id)).status == "completed"

    asyncio.run(go())
    assert chat.cards("receipt")[0]["lines"][0]["title"] == "Storm Tent"


def test_a_long_conversation_goes_on_as_it_began(chat: Talk, running: Running) -> None:
    """The history is trimmed on the way; no call may be taken for one that has run."""
    _stock_a_tent(chat.shop)

    async def go() -> list[tuple[int, int]]:
        async with running(chat):
            views = [await chat.say("show me tents") for _ in range(14)]
            return [(view.usage["requests"], len(view.tool_calls)) for view in views]

    assert asyncio.run(go()) == [(3, 1)] * 14
