"""A claim's choice, a return that is given up, an act of the shop's own people: asked on cards, done by a press."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from engine.checkout.errors import ConsentDecided
from engine.checkout.models import Consent
from engine.conversations import service
from engine.kit.errors import InvalidInput, NotFound
from engine.kit.identity import Identity
from engine.operations import asking as operations
from engine.orders import queries
from engine.returns import deciding, giving_up
from engine.returns.models import ReturnStatus
from engine.warranties import choosing
from engine.warranties.errors import WrongClaimStep
from engine.warranties.models import ClaimStatus
from tests.engine.operations.conftest import person
from tests.engine.orders.desk import Desk, broken, held
from tests.engine.returns.coming import the_return
from tests.engine.returns.test_abuse import dearer_exchange
from tests.engine.warranties.fault import REFUND, REPAIR, REPLACEMENT, delivered, grant, look, refunds
from tests.graph.conftest import Running, Talk
from tests.scripted import Say, Script
from tests.shop import Shop


def _talk(shop: Shop, identity: Identity) -> Talk:
    with shop.uow() as session:
        return Talk(shop, identity, service.create_thread(session, identity).id)


def _chosen(card: str, choice: str | None, *, approved: bool = True) -> list[dict[str, Any]]:
    payload = {"approved": approved} | ({"choice": choice} if choice else {})
    return [{"interruptId": card, "status": "resolved", "payload": payload}]


@pytest.fixture
def claimed(shop: Shop) -> tuple[Desk, str]:
    """A claim whose shopper may have the money back or a new unit; neither has to be sent in."""
    desk = delivered(shop)
    return desk, grant(desk, REFUND, REPLACEMENT, carry=False).id


def _offer(talk: Talk, claim_id: str) -> str:
    with talk.shop.uow() as session:
        return choosing.show(session, talk.identity, claim_id, thread_id=talk.thread_id).id


def test_a_claims_choice_is_a_card_and_is_carried_out_once(
    claimed: tuple[Desk, str], script: Script, running: Running
) -> None:
    desk, claim_id = claimed
    talk = _talk(desk.shop, desk.buyer)
    card = _offer(talk, claim_id)

    async def go() -> None:
        async with running(talk):
            script.add(Say("Choose on the card."))
            assert (await talk.say("what about my claim?")).status == "interrupted"
            [interrupt] = talk.snapshot().interrupts
            assert (interrupt.id, interrupt.reason) == (card, "claim_choice")
            assert [one.resolution for one in interrupt.offers] == [REFUND, REPLACEMENT]
            for wrong in (None, "repaint"):
                with pytest.raises(InvalidInput):
                    await asyncio.to_thread(talk.submit, resume=_chosen(card, wrong))
            with pytest.raises(InvalidInput):
                await asyncio.to_thread(talk.submit, resume=_chosen(card, REFUND, approved=False))
            runs = await asyncio.gather(
                *(asyncio.to_thread(talk.submit, resume=_chosen(card, REFUND)) for _ in range(4))
            )
            assert len({run.id for run in runs}) == 1
            assert (await talk.wait(runs[0].id)).status == "completed"
            with pytest.raises(ConsentDecided):
                await asyncio.to_thread(talk.submit, resume=_chosen(card, REPLACEMENT))

    asyncio.run(go())
    assert look(desk, claim_id).status in {ClaimStatus.REFUNDED, ClaimStatus.CLOSED}
    assert [status for _, _, status in refunds(desk)] == ["succeeded"]
    assert [(one["status"], one["choice"]) for one in talk.cards("claim_choice")] == [("claimed", "refund")]
    assert talk.cards("claim")[0]["resolution"] == "refund"
    assert "goes back the way it was paid" in talk.texts()[-1]
    assert broken(desk.shop) == []


def test_a_unit_to_be_sent_in_is_said(shop: Shop, script: Script, running: Running) -> None:
    desk = delivered(shop)
    claim_id = grant(desk, REFUND, REPAIR, carry=False).id
    talk = _talk(shop, desk.buyer)
    card = _offer(talk, claim_id)

    async def go() -> None:
        async with running(talk):
            assert (await talk.turn(resume=_chosen(card, REPAIR))).status == "completed"

    asyncio.run(go())
    assert look(desk, claim_id).comes_back
    assert "please send Thing A in" in talk.texts()[-1]


def test_a_claims_card_belongs_to_one_conversation(claimed: tuple[Desk, str]) -> None:
    desk, claim_id = claimed
    first, second = _talk(desk.shop, desk.buyer), _talk(desk.shop, desk.buyer)
    old = _offer(first, claim_id)
    assert _offer(first, claim_id) == old
    fresh = _offer(second, claim_id)
    assert fresh != old
    with pytest.raises(ConsentDecided, match="replaced"):
        first.submit(resume=_chosen(old, REFUND))
    with pytest.raises(NotFound):
        first.submit(resume=_chosen(fresh, REFUND))
    stranger = _talk(desk.shop, desk.shop.shopper())
    with pytest.raises(NotFound):
        stranger.submit(resume=_chosen(fresh, REFUND))
    second.submit(resume=_chosen(fresh, REFUND))
    with pytest.raises(WrongClaimStep):
        _offer(second, claim_id)


def _give_up(talk: Talk) -> str:
    with talk.shop.uow() as session:
        row = the_return(Desk(talk.shop, talk.identity, _order_of(talk)))
        return giving_up.ask(session, talk.identity, row.number, thread_id=talk.thread_id).id


def _order_of(talk: Talk) -> str:
    with talk.shop.uow() as session:
        return queries.own_orders(session, talk.identity, limit=1).items[0].id


def _press(card: str, *, approved: bool = True) -> list[dict[str, Any]]:
    return [{"interruptId": card, "status": "resolved", "payload": {"approved": approved}}]


def test_an_exchange_is_given_up_by_a_press_and_its_charge_goes_back(
    shop: Shop, script: Script, running: Running
) -> None:
    desk = dearer_exchange(shop)
    paid = held(shop)
    talk = _talk(shop, desk.buyer)
    card = _give_up(talk)
    assert _give_up(talk) == card
    [interrupt] = talk.snapshot().interrupts
    assert (interrupt.reason, interrupt.return_cancel.refund.amount) == ("return_cancel", 2200)

    async def go() -> None:
        async with running(talk):
            assert the_return(desk).status == ReturnStatus.LABEL_READY
            runs = [talk.submit(resume=_press(card)).id for _ in range(3)]
            assert len(set(runs)) == 1
            assert (await talk.wait(runs[0])).status == "completed"
            assert talk.submit(resume=_press(card)).id == runs[0]

    asyncio.run(go())
    assert the_return(desk).status == ReturnStatus.CANCELED
    assert held(shop) == paid - 2200
    assert [one["status"] for one in talk.cards("return_cancel")] == ["claimed"]
    assert talk.cards("return")[0]["status"] == "canceled"
    assert "$22.00" in talk.texts()[-1]
    assert broken(shop) == []


def test_a_return_that_moved_is_not_given_up_by_an_old_card(shop: Shop, script: Script, running: Running) -> None:
    desk = dearer_exchange(shop)
    talk = _talk(shop, desk.buyer)
    card = _give_up(talk)
    with shop.uow() as session:
        deciding.cancel(session, shop.tenant.id, the_return(desk).id, actor="key_staff")

    async def go() -> None:
        async with running(talk):
            assert (await talk.turn(resume=_press(card))).status == "completed"

    asyncio.run(go())
    assert [one["status"] for one in talk.cards("return_cancel")] == ["superseded"]
    assert talk.texts()[-1].startswith("Nothing was changed.")
    assert talk.cards("change_problem")[0]["retry"]["action"] == "ask_again"


def test_a_no_keeps_the_return(shop: Shop, script: Script, running: Running) -> None:
    desk = dearer_exchange(shop)
    talk = _talk(shop, desk.buyer)
    card = _give_up(talk)

    async def go() -> None:
        async with running(talk):
            assert (await talk.turn(resume=_press(card, approved=False))).status == "completed"

    asyncio.run(go())
    assert the_return(desk).status == ReturnStatus.LABEL_READY
    assert talk.texts()[-1] == "All right, the return stays as it was."


def test_an_act_of_the_shops_people_is_done_in_their_own_conversation(
    shop: Shop, script: Script, running: Running
) -> None:
    shop.add("A", stock={"EAST": 10, "WEST": 1})
    noor = person(shop.tenant, "noor")
    talk = _talk(shop, noor)
    given = {"kind": "adjustment", "sku": "A", "location": "EAST", "delta": -1, "reason": "broken"}
    with shop.uow() as session:
        card = operations.propose(session, noor, given, thread_id=talk.thread_id).id

    async def go() -> None:
        async with running(talk):
            script.add(Say("Press on the card."))
            assert (await talk.say("write one off")).status == "interrupted"
            assert talk.snapshot().interrupts[0].reason == "staff_act"
            assert (await talk.turn(resume=_press(card))).status == "completed"

    asyncio.run(go())
    [shown] = talk.cards("staff_act")
    assert (shown["status"], shown["outcome"]) == ("claimed", talk.texts()[-1])
    with shop.uow() as session:
        assert session.get_one(Consent, (shop.tenant.id, card)).status == "claimed"
