"""Cards of consent beyond payment, through the graph: the row decides and the engine does it once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from engine.checkout import recovery
from engine.checkout.complete import complete
from engine.checkout.models import Consent
from engine.conversations import asking, deliver, events, handoff, log, runs, service
from engine.conversations.models import Thread
from engine.kit import clock, faults, outbox
from engine.kit.errors import Forbidden, NotFound
from engine.kit.identity import Actor, Identity, Scope
from engine.orders import queries
from engine.orders import service as orders
from engine.orders.changes import apply
from engine.orders.changes.effect import Method
from engine.orders.changes.propose import propose
from engine.orders.changes.schemas import ChangeView
from engine.orders.changes.wanted import read
from engine.orders.errors import ChangeEnded
from engine.payments.models import Payment, Refund
from engine.runtime import Runtime
from engine.support import cases, desk
from tests.engine.orders.desk import broken, sibling
from tests.graph.conftest import Running, Talk
from tests.scripted import Say, Script


def _order(talk: Talk, quantity: int = 2, *, card: str = "card_test_visa") -> str:
    """A paid order of A (50.00 each), whose sibling A2 costs 60.00 and A3 40.00."""
    talk.shop.add("A", price=5000)
    sibling(talk.shop, "A", "A2", price=6000)
    sibling(talk.shop, "A", "A3", price=4000)
    done = complete(talk.shop.runtime, talk.identity, talk.shop.approved(talk.identity, "A", quantity, card=card))
    assert done.order is not None
    return done.order.id


def _quote(talk: Talk, order_id: str, kind: str, *, thread_id: str | None = None, **wanted: Any) -> ChangeView:
    asked = read({"kind": kind} | wanted)
    return propose(talk.shop.runtime, talk.identity, order_id, asked, thread_id=thread_id or talk.thread_id)


def _swap(talk: Talk, to: str, quantity: int = 1) -> list[dict[str, Any]]:
    shop = talk.shop
    return [{"variant_id": shop.variants["A"], "to_variant_id": shop.variants[to], "quantity": quantity}]


def _status(talk: Talk, order_id: str) -> tuple[str, str]:
    with talk.shop.uow() as session:
        view = queries.own_order(session, talk.identity, order_id)
        return view.status, view.payment_status


def _refunds(talk: Talk) -> list[int]:
    with talk.shop.uow() as session:
        return list(session.scalars(select(Refund.amount).where(Refund.tenant_id == talk.shop.tenant.id)))


def _entry(card: str, *, approved: bool = True) -> list[dict[str, Any]]:
    return [{"interruptId": card, "status": "resolved", "payload": {"approved": approved}}]


def _cards(talk: Talk) -> list[tuple[str, str]]:
    return [(one["status"], one["change"]["status"]) for one in talk.cards("change")]


async def _shown(talk: Talk, script: Script) -> str:
    """A turn that ends while a card is open; the id of the one that is."""
    script.add(Say("There is a card for it."))
    view = await talk.say("what now?")
    assert view.status == "interrupted"
    return talk.snapshot().interrupts[-1].id


def test_a_cancel_is_asked_survives_words_and_is_done_once(talk: Talk, script: Script, running: Running) -> None:
    order_id = _order(talk)
    change = _quote(talk, order_id, "cancel", reason="no_longer_needed")

    async def go() -> None:
        async with running(talk):
            card = await _shown(talk, script)
            assert card == change.consent_id
            [interrupt] = talk.snapshot().interrupts
            assert interrupt.reason == "order_change"
            assert interrupt.change.refund.amount == change.refund.amount > 0
            script.add(Say("Only your press does it."))
            assert (await talk.say("yes, do it")).status == "interrupted"
            assert _status(talk, order_id) == ("open", "paid")
            assert (await talk.decide(card)).status == "completed"
            assert talk.submit(resume=_entry(card)).id == talk.submit(resume=_entry(card)).id

    asyncio.run(go())
    assert _status(talk, order_id) == ("canceled", "refunded")
    assert _refunds(talk) == [change.refund.amount]
    assert talk.snapshot().interrupts == []
    assert _cards(talk) == [("claimed", "applied")]
    assert talk.cards("order_timeline")[-1]["status"] == "canceled"
    said = talk.texts()[-1]
    assert "Canceled." in said
    assert str(change.refund) in said
    assert [outcome["type"] for outcome in _outcomes(talk)] == ["interrupt", "interrupt", "success"]
    listed = _outcomes(talk)[0]["interrupts"][0]
    assert (listed["reason"], listed["message"]) == (
        "order_change",
        f"Cancel 2 x Thing A of order {change.order_number}? {change.refund} goes back to you.",
    )
    assert listed["metadata"]["change"]["id"] == change.id
    assert broken(talk.shop) == []


def _outcomes(talk: Talk) -> list[dict[str, Any]]:
    return [event["outcome"] for event in talk.events() if event["type"] == "RUN_FINISHED"]


def test_no_leaves_everything_as_it_was(talk: Talk, script: Script, running: Running) -> None:
    order_id = _order(talk)
    change = _quote(talk, order_id, "cancel", reason="other")

    async def go() -> None:
        async with running(talk):
            view = await talk.decide(change.consent_id or "", approved=False)
            assert (view.status, view.usage["requests"]) == ("completed", 0)

    asyncio.run(go())
    assert _status(talk, order_id) == ("open", "paid")
    assert _refunds(talk) == []
    assert _cards(talk) == [("declined", "refused")]
    assert talk.texts()[-1] == "All right, nothing was changed. Your order stays as it was."


def test_two_tabs_press_yes_at_once_and_it_is_applied_once(talk: Talk, script: Script, running: Running) -> None:
    order_id = _order(talk)
    card = _quote(talk, order_id, "cancel", reason="other").consent_id or ""

    async def go() -> None:
        async with running(talk):
            runs = await asyncio.gather(*(asyncio.to_thread(talk.submit, resume=_entry(card)) for _ in range(6)))
            assert len({run.id for run in runs}) == 1
            assert (await talk.wait(runs[0].id)).status == "completed"
            with pytest.raises(ChangeEnded):
                await asyncio.to_thread(talk.submit, resume=_entry(card, approved=False))

    asyncio.run(go())
    assert len(_refunds(talk)) == 1
    assert broken(talk.shop) == []


def test_an_order_that_moved_gets_a_fresh_card_and_nothing_happens(
    talk: Talk, script: Script, running: Running
) -> None:
    order_id = _order(talk)
    old = _quote(talk, order_id, "cancel", reason="other").consent_id or ""

    async def go() -> str:
        async with running(talk):
            with talk.shop.uow() as session:
                orders.touch(orders.lock(session, talk.shop.tenant.id, order_id))
            assert (await talk.decide(old)).status == "interrupted"
            return talk.snapshot().interrupts[0].id

    fresh = asyncio.run(go())
    assert fresh != old
    assert _status(talk, order_id) == ("open", "paid")
    assert _cards(talk) == [("superseded", "superseded"), ("open", "quoted")]
    assert talk.cards("change")[-1]["reason"].startswith("The order or its prices changed")


def test_a_dearer_swap_is_charged_by_the_press(talk: Talk, script: Script, running: Running) -> None:
    order_id = _order(talk)
    change = _quote(talk, order_id, "items", swaps=_swap(talk, "A2"), payment_method_ref="test_visa")
    assert change.charge.amount > 0

    async def go() -> None:
        async with running(talk):
            assert (await talk.decide(change.consent_id or "")).status == "completed"

    asyncio.run(go())
    assert _cards(talk) == [("claimed", "applied")]
    assert f"{change.charge} was charged." in talk.texts()[-1]
    assert broken(talk.shop) == []


def test_a_refused_charge_is_told_and_a_fresh_card_may_be_asked_for(
    talk: Talk, script: Script, running: Running, decline: Callable[[str], None]
) -> None:
    order_id = _order(talk)
    decline("card_test_declined")
    change = _quote(talk, order_id, "items", swaps=_swap(talk, "A2"), payment_method_ref="test_visa")

    async def go() -> None:
        async with running(talk):
            assert (await talk.decide(change.consent_id or "")).status == "completed"
            [problem] = talk.cards("change_problem")
            assert problem["retry"] == {"action": "ask_again", "args": {"card": change.consent_id}}
            assert problem["message"] in talk.texts()[-1]
            assert _cards(talk) == [("claimed", "failed")]
            decline("card_test_visa")
            assert (await talk.press("ask_again", card=change.consent_id)).status == "interrupted"
            fresh = talk.snapshot().interrupts[0].id
            assert (await talk.decide(fresh)).status == "completed"

    asyncio.run(go())
    assert _cards(talk) == [("claimed", "failed"), ("claimed", "applied")]
    assert broken(talk.shop) == []


def test_a_bank_that_asks_first_is_told_and_the_same_card_is_pressed_again(
    talk: Talk, script: Script, running: Running, decline: Callable[[str], None]
) -> None:
    order_id = _order(talk)
    decline("card_test_3ds")
    change = _quote(talk, order_id, "items", swaps=_swap(talk, "A2"), payment_method_ref="test_visa")
    card = change.consent_id or ""

    async def go() -> None:
        async with running(talk):
            assert (await talk.decide(card)).status == "completed"
            [problem] = talk.cards("change_problem")
            assert (problem["code"], problem["retry"]) == ("authentication_required", {"resume": card})
            assert _cards(talk) == [("approved", "confirmed")]
            gateway: Any = talk.shop.runtime.gateways["sandbox"]
            gateway.pass_challenge(problem["challenge_url"].rpartition("/")[2])
            assert (await talk.decide(card)).status == "completed"

    asyncio.run(go())
    assert _cards(talk) == [("claimed", "applied")]
    assert broken(talk.shop) == []


@pytest.fixture
def decline(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make the demo's open test card behave like another of the sandbox's."""

    def behave(ref: str) -> None:
        def choose(*_args: Any, **_kwargs: Any) -> Method:
            return Method(gateway="sandbox", ref=ref, brand="visa", last4="0000", label="A card")

        monkeypatch.setattr("engine.orders.changes.case.methods.choose", choose)

    return behave


def test_a_newer_quote_puts_the_older_card_of_its_kind_aside(talk: Talk, script: Script, running: Running) -> None:
    order_id = _order(talk)
    whole = _quote(talk, order_id, "cancel", reason="other")
    swap = _quote(talk, order_id, "items", swaps=_swap(talk, "A3"))
    with talk.shop.uow() as session:
        line = queries.own_order(session, talk.identity, order_id).lines[0].id
    one = _quote(talk, order_id, "cancel", reason="other", lines=[{"line_id": line, "quantity": 1}])
    assert [card.id for card in talk.snapshot().interrupts] == [swap.consent_id, one.consent_id]
    with pytest.raises(ChangeEnded, match="replaced"):
        talk.submit(resume=_entry(whole.consent_id or ""))


def test_a_card_past_its_time_changes_nothing(talk: Talk, script: Script, running: Running) -> None:
    order_id = _order(talk)
    card = _quote(talk, order_id, "cancel", reason="other").consent_id or ""

    async def go() -> None:
        async with running(talk):
            assert await _shown(talk, script) == card
            with clock.shifted(timedelta(hours=2)):
                with pytest.raises(ChangeEnded, match="run out"):
                    await asyncio.to_thread(talk.submit, resume=_entry(card))
                assert talk.snapshot().interrupts == []
                script.add(Say("It has run out."))
                assert (await talk.say("and now?")).status == "completed"

    asyncio.run(go())
    assert _status(talk, order_id) == ("open", "paid")


def test_only_the_shopper_of_the_thread_decides(talk: Talk, script: Script, running: Running) -> None:
    order_id = _order(talk)
    card = _quote(talk, order_id, "cancel", reason="other").consent_id or ""
    staff = Identity(talk.shop.tenant.id, Actor.API_KEY, "key_staff", scopes=frozenset({Scope.STAFF}))
    with pytest.raises(Forbidden):
        Talk(talk.shop, staff, talk.thread_id).submit(resume=_entry(card))
    with pytest.raises(NotFound):
        _another(talk, talk.shop.shopper()).submit(resume=_entry(card))
    with pytest.raises(NotFound):
        _another(talk, talk.identity).submit(resume=_entry(card))
    with talk.shop.uow() as session:
        own = service.create_thread(session, staff)
    with pytest.raises(Forbidden):
        Talk(talk.shop, staff, own.id).submit(resume=_entry(card))
    with talk.shop.uow() as session:
        assert session.get_one(Consent, (talk.shop.tenant.id, card)).status == "open"


def _another(talk: Talk, identity: Identity) -> Talk:
    with talk.shop.uow() as session:
        return Talk(talk.shop, identity, service.create_thread(session, identity).id)


def test_news_of_what_was_told_here_is_not_told_twice(talk: Talk, script: Script, running: Running) -> None:
    order_id = _order(talk)
    card = _quote(talk, order_id, "items", swaps=_swap(talk, "A3")).consent_id or ""

    async def go() -> None:
        async with running(talk):
            assert (await talk.decide(card)).status == "completed"

    asyncio.run(go())
    before = talk.texts()
    _drain(talk.shop.runtime, talk)
    assert [words for words in talk.texts() if words not in before and "The items were changed" in words] == []


def _drain(runtime: Runtime, talk: Talk) -> None:
    with talk.shop.uow() as session:
        rows = outbox.claim_batch(session, talk.shop.tenant.id, deliver.CONSUMER)
        outbox.deliver(session, rows, lambda row: deliver.deliver(session, runtime, row), "not delivered")


def test_a_no_on_the_orders_page_shows_in_the_conversation(talk: Talk, script: Script, running: Running) -> None:
    order_id = _order(talk)
    change = _quote(talk, order_id, "cancel", reason="other")

    async def go() -> None:
        async with running(talk):
            await _shown(talk, script)

    asyncio.run(go())
    _card_in_log(talk, change)
    apply.confirm(talk.shop.runtime, talk.identity, order_id, change.id, approved=False, channel="order_page")
    _drain(talk.shop.runtime, talk)
    assert _cards(talk) == [("declined", "refused")]
    assert talk.snapshot().interrupts == []


def _card_in_log(talk: Talk, change: ChangeView) -> None:
    with talk.shop.uow() as session:
        shown = events.asked(asking.card(session, talk.shop.tenant.id, change.consent_id or ""))
        log.append(session, talk.shop.tenant.id, talk.thread_id, None, [shown])


def test_a_card_stays_open_to_its_shopper_while_people_have_the_conversation(
    talk: Talk, script: Script, running: Running
) -> None:
    order_id = _order(talk)
    card = _quote(talk, order_id, "cancel", reason="other").consent_id or ""

    async def go() -> None:
        async with running(talk):
            with talk.shop.uow() as session:
                handoff.request(session, talk.identity, talk.thread_id, reason="complaint", summary="Slow.")
            assert (await talk.say("hello?")).status == "interrupted"
            assert (await talk.decide(card)).status == "completed"

    asyncio.run(go())
    assert _status(talk, order_id) == ("canceled", "refunded")


POINTS = (
    "before_t1_commit",
    "after_t1_commit",
    "before_capture",
    "after_capture",
    "before_t2_commit",
    "after_t2_commit",
)


@pytest.mark.parametrize("point", POINTS)
def test_a_crash_in_a_decided_change_is_gone_on_with_once_from_the_row(
    talk: Talk, script: Script, running: Running, point: str
) -> None:
    order_id = _order(talk)
    change = _quote(talk, order_id, "items", swaps=_swap(talk, "A2"), payment_method_ref="test_visa")
    _card_in_log(talk, change)
    run = talk.submit(resume=_entry(change.consent_id or ""))
    _die(talk, change, point)

    async def go() -> None:
        async with running(talk):
            assert (await talk.wait(run.id)).status == "completed"

    asyncio.run(go())
    with clock.shifted(timedelta(minutes=1)):
        recovery.recover_payments(talk.shop.runtime, talk.shop.tenant.id)
        _drain(talk.shop.runtime, talk)
    assert _cards(talk) == [("claimed", "applied")]
    with talk.shop.uow() as session:
        taken = session.scalars(select(Payment.status).where(Payment.change_id == change.id)).all()
        assert [str(one) for one in taken] == ["captured"]
    assert any("The items were changed" in words for words in talk.texts())
    assert broken(talk.shop) == []


class Unplugged(BaseException):
    """The process is gone: no handler of the engine may see it."""


def _die(talk: Talk, change: ChangeView, point: str) -> None:
    """A worker takes the run, carries the change out as far as ``point``, and vanishes with its lease."""

    def hook(name: str) -> None:
        if name == point:
            raise Unplugged

    with talk.shop.uow() as session:
        claim = runs.claim_next(session, talk.shop.tenant.id, talk.thread_id)
        assert claim is not None
    faults.set_hook(hook)
    try:
        with pytest.raises(Unplugged):
            apply.carry_out(talk.shop.runtime, talk.identity, change.order_id, change.id)
    finally:
        faults.set_hook(None)
    with talk.shop.uow() as session:
        runs.release(session, talk.shop.tenant.id, claim)


def test_agents_stay_silent_meanwhile_and_hear_once_what_people_did(
    talk: Talk, script: Script, running: Running
) -> None:
    staff = Identity(talk.shop.tenant.id, Actor.API_KEY, "key_staff", scopes=frozenset({Scope.STAFF}))
    with talk.shop.uow() as session:
        handoff.request(session, talk.identity, talk.thread_id, reason="complaint", summary="Slow.")
        case = cases.of_thread(session, session.get_one(Thread, (talk.shop.tenant.id, talk.thread_id)))
        assert case is not None
        case_id = case.id

    async def go() -> None:
        async with running(talk):
            view = await talk.say("is anybody there?")
            assert (view.status, view.usage["requests"], view.agent_path) == ("completed", 0, [])
            with talk.shop.uow() as session:
                desk.reply(session, staff, case_id, "Yes, I am here.")
                desk.resolve(session, staff, case_id, then="agents")
            script.add(Say("Back with you."), Say("Still here."))
            await talk.say("thanks")
            await talk.say("and now?")

    asyncio.run(go())
    for asked in script.asked:
        notes = [m for m in asked if "gave it back" in str(m.get("content"))]
        assert len(notes) == 1
    assert "wrote 1 messages here" in str(script.asked[0])
    assert all("gave it back" not in words for words in talk.texts())
