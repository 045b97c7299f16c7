"""One id from a shopper's words to the call at a vendor, and back to the journal."""

from __future__ import annotations

import asyncio

import httpx
from sqlalchemy import select

from engine.conversations.models import Run
from engine.kit import outbox, tracing
from engine.sync.models import Call
from tests.engine.sync.scene import connect
from tests.graph.conftest import Running, Talk
from tests.scripted import Call as Calls
from tests.scripted import Say, Script


def test_a_press_goes_on_with_the_trace_of_the_words(talk: Talk, script: Script, running: Running) -> None:
    talk.shop.add("TENT", price=10_000)
    talk.shop.ready(talk.identity, "TENT", card="card_test_visa")

    async def go() -> None:
        async with running(talk):
            script.add(Calls("request_confirmation"), Say("Press Pay on the card."))
            await talk.say("I want to pay")
            card = talk.snapshot().interrupts[0].id
            assert (await talk.decide(card)).status == "completed"

    asyncio.run(go())

    with talk.shop.uow() as session:
        words, press = session.scalars(select(Run).order_by(Run.number))
        assert ("message" in words.input, "message" in press.input) == (True, False)
        rows = session.scalars(select(outbox.OutboxRow).where(outbox.OutboxRow.topic == "order.paid")).all()
        traces = {tracing.told(row.payload, row.subject_id) for row in rows}
    assert traces == {tracing.of(words.id)}

    (trace_id,) = traces
    scene = connect(talk.shop.runtime, talk.shop.tenant)
    scene.answer = lambda _request: httpx.Response(200, json={"ok": True})
    scene.client(workflow_id="w", trace_id=trace_id).request("POST", "/orders", json={})
    scene.client().request("GET", "/shop")

    told, untold = (request.headers.get("traceparent", "") for request in scene.heard)
    assert (tracing.read(told), untold) == (trace_id, "")
    with talk.shop.uow() as session:
        assert session.scalars(select(Call.trace_id).order_by(Call.id)).all() == [trace_id, ""]
