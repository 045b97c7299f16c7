"""Recorded conversations held with the real supervisor, agents, tools, cards and handoff."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from engine.lookout import Lookout
from evals.house import House, staged
from evals.tau2 import graphs, quirks, spelling
from evals.tau2.cases import Recorded, Shop, read_conversations, read_db
from evals.tau2.run import HERE
from evals.tau2.scene import gateways
from evals.tau2.shapes import TRANSFER, WRITES


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop(read_db(HERE / "db.json"))


def chosen() -> list[Recorded]:
    """The shortest of the slice's conversations that together make every kind of change, and a handoff."""
    talks = sorted(read_conversations([HERE / "conversations"]), key=lambda talk: len(talk.calls))
    wanted, found = {*WRITES, TRANSFER}, []
    for talk in talks:
        new = wanted & {call.name for call in talk.calls if call.error is None}
        if new:
            found.append(talk)
            wanted -= new
    assert not wanted & {call.name for talk in talks for call in talk.calls if call.error is None}
    return found


@pytest.mark.timeout(480)
def test_each_write_raises_one_card_and_the_shop_ends_as_recorded(
    house: House, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ICOMMERCE_MODEL", raising=False)
    monkeypatch.setattr(Lookout, "due", lambda *_, **__: [])
    known = {**house.runtime.gateways, **gateways(house.addresses)}
    talks = chosen()

    async def go() -> graphs.Graph:
        async with staged(House(replace(house.runtime, gateways=known), house.addresses)) as stage:
            return await graphs.measure_on(stage, shop, talks)

    figures = asyncio.run(go()).as_json()
    assert figures["failed"] == []
    assert figures["n"] == figures["identical"] == len(talks)
    assert figures["one_card"] == figures["writes"] > len(talks) // 2
    assert figures["cards_without_write"] == 0
    assert figures["transfers"] == figures["handoffs"] > 0
    assert figures["named_gates"][graphs.Gate.SIGN_IN] > 0


@pytest.mark.parametrize("gate", [*graphs.Gate, spelling.GATE, quirks.EACH_ITS_OWN_PRICE])
def test_the_page_names_every_gate(gate: str) -> None:
    page = Path(__file__).parents[3] / "docs/howto/tau2.md"
    assert f"| `{gate}` |" in page.read_text("utf-8")
