"""The payment card through the graph: the row decides, the interrupt only waits, the engine captures once."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import func, select

from engine.checkout.errors import ConsentDecided
from engine.checkout.models import Consent
from engine.conversations import handoff
from engine.kit.errors import Forbidden
from engine.kit.identity import Actor, Identity, Scope
from engine.payments.models import Payment, PaymentStatus
from tests.graph.conftest import Running, Talk
from tests.scripted import Call, Say, Script


def _payments(talk: Talk) -> list[str]:
    with talk.shop.uow() as session:
        return list(session.scalars(select(Payment.status).where(Payment.tenant_id == talk.shop.tenant.id)))


def _ready(talk: Talk, *, card: str = "card_test_visa") -> None:
    talk.shop.add("TENT", price=10_000)
    talk.shop.ready(talk.identity, "TENT", card=card)


async def _show_card(talk: Talk, script: Script) -> str:
    script.add(Call("request_confirmation"), Say("Press Pay on the card."))
    view = await talk.say("I want to pay")
    assert view.status == "interrupted"
    return talk.snapshot().interrupts[0].id


def test_a_card_survives_a_message_and_is_captured_once(talk: Talk, script: Script, running: Running) -> None:
    _ready(talk)

    async def go() -> str:
        async with running(talk):
            card = await _show_card(talk, script)
            script.add(Say("Yes, it is warm."))
            assert (await talk.say("is it warm?")).status == "interrupted"
            assert [i.id for i in talk.snapshot().interrupts] == [card]
            assert (await talk.decide(card)).status == "completed"
            return card

    card = asyncio.run(go())
    assert _payments(talk) == [PaymentStatus.CAPTURED]
    assert talk.snapshot().interrupts == []
    assert [data["status"] for data in talk.cards("confirmation")] == ["claimed"]
    receipt = talk.cards("receipt")[0]
    assert (receipt["email"], receipt["payment_method"]["last4"]) == ("ada@example.com", "4242")
    assert (
        talk.texts()[-1]
        == f"Thank you! Payment received and order {receipt['number']} is placed. The receipt is below."
    )
    assert talk.snapshot().cart.lines == []
    finished = [event["outcome"] for event in talk.events() if event["type"] == "RUN_FINISHED"]
    assert [outcome["type"] for outcome in finished] == ["interrupt", "interrupt", "success"]
    assert finished[1]["interrupts"][0]["id"] == card
    assert finished[1]["interrupts"][0]["metadata"]["checkout"]["total"] == receipt["total"]


def test_the_same_decision_again_is_the_same_run(talk: Talk, script: Script, running: Running) -> None:
    _ready(talk)

    async def go() -> None:
        async with running(talk):
            card = await _show_card(talk, script)
            entry = {"interruptId": card, "status": "resolved", "payload": {"approved": True}}
            runs = await asyncio.gather(*(asyncio.to_thread(talk.submit, resume=[entry]) for _ in range(8)))
            assert len({run.id for run in runs}) == 1
            assert (await talk.wait(runs[0].id)).status == "completed"
            assert (await asyncio.to_thread(talk.submit, resume=[entry])).id == runs[0].id
            with pytest.raises(ConsentDecided):
                await asyncio.to_thread(talk.submit, resume=[{"interruptId": card, "status": "cancelled"}])

    asyncio.run(go())
    assert _payments(talk) == [PaymentStatus.CAPTURED]


def test_a_declined_card_is_acknowledged_without_a_model(talk: Talk, script: Script, running: Running) -> None:
    _ready(talk)

    async def go() -> None:
        async with running(talk):
            card = await _show_card(talk, script)
            view = await talk.decide(card, approved=False)
            assert (view.status, view.usage["requests"]) == ("completed", 0)

    asyncio.run(go())
    assert _payments(talk) == []
    assert talk.texts()[-1] == "All right, nothing was charged. Your cart is as it was."
    assert talk.cards("confirmation")[0]["status"] == "declined"


def test_a_card_stays_payable_while_people_have_the_conversation(talk: Talk, script: Script, running: Running) -> None:
    _ready(talk)

    async def go() -> None:
        async with running(talk):
            card = await _show_card(talk, script)
            with talk.shop.uow() as session:
                handoff.request(session, talk.identity, talk.thread_id, reason="complaint", summary="Slow.")
            assert (await talk.say("hello?")).status == "interrupted"
            assert (await talk.decide(card)).status == "completed"

    asyncio.run(go())
    assert _payments(talk) == [PaymentStatus.CAPTURED]


def test_a_decision_reaches_the_capture_without_any_interrupt(talk: Talk, script: Script, running: Running) -> None:
    """A card made outside the graph (or after its checkpoints were lost): the row is enough."""
    _ready(talk)

    async def go() -> None:
        async with running(talk):
            card = talk.shop.card(talk.identity)
            assert (await talk.decide(card.id)).status == "completed"

    asyncio.run(go())
    assert _payments(talk) == [PaymentStatus.CAPTURED]


def test_a_refused_payment_shows_a_problem_and_charges_nothing(talk: Talk, script: Script, running: Running) -> None:
    _ready(talk, card="card_test_declined")

    async def go() -> None:
        async with running(talk):
            card = await _show_card(talk, script)
            assert (await talk.decide(card)).status == "completed"

    asyncio.run(go())
    assert _payments(talk) == [PaymentStatus.FAILED]
    problem = talk.cards("payment_problem")[0]
    assert (problem["code"], problem["retryable"]) == ("card_declined", True)
    assert problem["message"] in talk.texts()[-1]
    assert len(talk.snapshot().cart.lines) == 1


def test_a_changed_cart_gets_a_fresh_card_instead_of_a_charge(talk: Talk, script: Script, running: Running) -> None:
    _ready(talk)

    async def go() -> tuple[str, str]:
        async with running(talk) as runner:
            card = await _show_card(talk, script)
            entry = {"interruptId": card, "status": "resolved", "payload": {"approved": True}}
            run = await asyncio.to_thread(talk.submit, resume=[entry])
            with talk.shop.uow() as session:
                session.get_one(Consent, (talk.shop.tenant.id, card)).digest = "0" * 64
            runner.wake(talk.shop.tenant.id, talk.thread_id)
            assert (await talk.wait(run.id)).status == "interrupted"
            return card, talk.snapshot().interrupts[0].id

    old, fresh = asyncio.run(go())
    assert old != fresh
    assert _payments(talk) == []
    assert [data["status"] for data in talk.cards("confirmation")] == ["superseded", "open"]


def test_staff_and_strangers_cannot_decide(talk: Talk, script: Script, running: Running) -> None:
    _ready(talk)

    async def go() -> str:
        async with running(talk):
            return await _show_card(talk, script)

    card = asyncio.run(go())
    entry = [{"interruptId": card, "status": "resolved", "payload": {"approved": True}}]
    staff = Identity(talk.shop.tenant.id, Actor.API_KEY, "key_staff", scopes=frozenset({Scope.STAFF}))
    with pytest.raises(Forbidden):
        Talk(talk.shop, staff, talk.thread_id).submit(resume=entry)
    with talk.shop.uow() as session:
        assert session.scalar(select(func.count()).select_from(Consent).where(Consent.status == "open")) == 1
