"""Who may see a conversation, what may come in, and what goes out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import func, select

from engine import jobs
from engine.checkout import confirmation
from engine.checkout.complete import complete
from engine.checkout.errors import ConsentDecided, ConsentExpired
from engine.checkout.models import Consent
from engine.conversations import events, handoff, log, references, runs, service
from engine.conversations.errors import TooManyWaiting
from engine.conversations.models import Audience, Event, Run, Thread
from engine.conversations.schemas import RunInput
from engine.kit import clock
from engine.kit.audit import AuditRow
from engine.kit.errors import DomainError, Forbidden, InvalidInput, NotFound
from engine.kit.identity import Actor, Identity, Scope
from engine.kit.ids import new_id
from tests.conftest import MakeTenant
from tests.shop import Shop, open_shop


@pytest.fixture
def shopper(shop: Shop) -> Identity:
    return shop.shopper()


@pytest.fixture
def thread(shop: Shop, shopper: Identity) -> Thread:
    with shop.uow() as session:
        return service.create_thread(session, shopper)


def _staff(shop: Shop) -> Identity:
    return Identity(shop.tenant.id, Actor.API_KEY, "key_staff", scopes=frozenset({Scope.STAFF}))


def _submit(shop: Shop, identity: Identity, thread: Thread, **given: Any) -> Run:
    with shop.uow() as session:
        return service.submit(session, identity, thread.id, RunInput.model_validate(given))


def _count(shop: Shop, model: Any) -> int:
    with shop.uow() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def test_a_thread_is_its_owners_and_staff_may_read(shop: Shop, shopper: Identity, thread: Thread) -> None:
    for identity in (shopper, _staff(shop)):
        with shop.uow() as session:
            assert service.snapshot(session, identity, thread.id).id == thread.id
    with shop.uow() as session, pytest.raises(NotFound):
        service.snapshot(session, shop.shopper(), thread.id)


def test_a_thread_of_another_tenant_is_not_there(shop: Shop, thread: Thread, make_tenant: MakeTenant) -> None:
    other = open_shop(shop.runtime, make_tenant())
    for identity in (other.shopper(), _staff(other)):
        with other.uow() as session, pytest.raises(NotFound):
            service.events_after(session, identity, thread.id, 0)


def test_staff_do_not_speak_for_the_shopper(shop: Shop, thread: Thread) -> None:
    with pytest.raises(Forbidden):
        _submit(shop, _staff(shop), thread, message="buy it")
    with pytest.raises(NotFound):
        _submit(shop, shop.shopper(), thread, message="buy it")
    assert (_count(shop, Run), _count(shop, Event)) == (0, 0)


def test_a_message_shows_at_once_and_waits_its_turn(shop: Shop, shopper: Identity, thread: Thread) -> None:
    first = _submit(shop, shopper, thread, message="pay with 4242 4242 4242 4242")
    second = _submit(shop, shopper, thread, message="hello?")
    assert (first.number, second.number) == (1, 2)
    with shop.uow() as session:
        snapshot = service.snapshot(session, shopper, thread.id)
        view = service.run_view(session, shopper, thread.id, first.id)
        stored = session.get_one(Run, (shop.tenant.id, first.id))
    assert [(m.role, m.content) for m in snapshot.messages] == [("user", "pay with •••• 4242"), ("user", "hello?")]
    assert snapshot.last_event == 6
    assert (view.status, view.usage, view.agent_path, view.tool_calls) == ("running", {}, [], [])
    assert stored.input == {"message": "pay with •••• 4242"}
    assert stored.identity == {"kind": "shopper", "id": shopper.id, "customer_id": None, "scopes": [], "person": None}


@pytest.mark.parametrize("message", ["", " \n ", "x" * 8001, "a\x00b", "\ud800"])
def test_bad_messages_change_nothing(shop: Shop, shopper: Identity, thread: Thread, message: str) -> None:
    with pytest.raises(InvalidInput):
        _submit(shop, shopper, thread, message=message)
    assert (_count(shop, Run), _count(shop, Event)) == (0, 0)


def test_a_message_of_the_full_size_is_taken(shop: Shop, shopper: Identity, thread: Thread) -> None:
    assert _submit(shop, shopper, thread, message="x" * 8000).number == 1


def test_nul_in_an_argument_is_refused(shop: Shop, shopper: Identity, thread: Thread) -> None:
    with pytest.raises(InvalidInput):
        _submit(shop, shopper, thread, action={"name": "view_product", "args": {"product_id": "a\x00"}})


def test_a_card_number_in_an_argument_is_refused(shop: Shop, shopper: Identity, thread: Thread) -> None:
    with pytest.raises(InvalidInput):
        _submit(shop, shopper, thread, action={"name": "view_product", "args": {"product_id": "4242424242424242"}})
    assert _count(shop, Run) == 0


def test_too_much_waiting_is_refused(shop: Shop, shopper: Identity, thread: Thread) -> None:
    for number in range(20):
        _submit(shop, shopper, thread, message=str(number))
    with pytest.raises(TooManyWaiting):
        _submit(shop, shopper, thread, message="one more")


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"message": "a", "action": {"name": "retry"}},
        {"message": "a", "model": "other"},
        {"resume": []},
        {"resume": [{"interruptId": "cnf_1", "status": "resolved"}]},
        {"resume": [{"interruptId": "cnf_1", "status": "resolved", "payload": {"approved": "yes"}}]},
        {"resume": [{"interruptId": "cnf_1", "status": "resolved", "payload": {"approved": True, "total": 1}}]},
        {"resume": [{"interruptId": "cnf_1", "status": "cancelled"}] * 2},
        {"action": {"name": "confirm", "args": {}}},
        {"action": {"name": "add_to_cart", "args": {"variant_id": "var_1", "price": 1}}},
        {"action": {"name": "add_to_cart", "args": {"variant_id": "var_1", "quantity": 0}}},
        {"action": {"name": "request_confirmation", "args": {"approved": True}}},
    ],
)
def test_input_that_is_not_exactly_one_thing_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RunInput.model_validate(given)


def test_a_wrong_argument_is_named_without_its_value() -> None:
    with pytest.raises(ValidationError) as caught:
        RunInput.model_validate({"action": {"name": "use_payment_method", "args": {"card": "secret-token"}}})
    assert "use_payment_method does not take these arguments: card, card_token" in str(caught.value.errors()[0]["msg"])


def test_a_decision_is_written_and_shown_at_once(shop: Shop, shopper: Identity, thread: Thread) -> None:
    card = _card(shop, shopper, thread)
    run = _submit(shop, shopper, thread, resume=[_entry(card)])
    assert run.input == {"resume": [{"interruptId": card, "status": "resolved", "payload": {"approved": True}}]}
    assert _submit(shop, shopper, thread, resume=[_entry(card)]).id == run.id
    with pytest.raises(ConsentDecided):
        _submit(shop, shopper, thread, resume=[{"interruptId": card, "status": "cancelled"}])
    with shop.uow() as session:
        assert session.get_one(Consent, (shop.tenant.id, card)).status == "approved"
        found = [payload for _seq, payload in service.events_after(session, shopper, thread.id, 0)]
        assert service.snapshot(session, shopper, thread.id).interrupts == []
    assert [(e["type"], (e.get("content") or e.get("value"))["status"]) for e in found] == [
        ("ACTIVITY_SNAPSHOT", "approved"),
        ("CUSTOM", "approved"),
    ]
    assert _count(shop, Run) == 1


def test_an_approval_that_nobody_used_is_carried_out_by_the_next_press(
    shop: Shop, shopper: Identity, thread: Thread
) -> None:
    card = _card(shop, shopper, thread)
    first = _submit(shop, shopper, thread, resume=[_entry(card)])
    with shop.uow() as session:
        runs.fail(session, session.get_one(Run, (shop.tenant.id, first.id)), code="interrupted", message="x")
    again = _submit(shop, shopper, thread, resume=[_entry(card)])
    assert again.id != first.id
    assert _submit(shop, shopper, thread, resume=[_entry(card)]).id == again.id
    assert complete(shop.runtime, shopper, card).order is not None
    with shop.uow() as session:
        runs.fail(session, session.get_one(Run, (shop.tenant.id, again.id)), code="interrupted", message="x")
    assert _submit(shop, shopper, thread, resume=[_entry(card)]).id == again.id


def test_a_card_is_decided_in_the_conversation_that_shows_it(shop: Shop, shopper: Identity, thread: Thread) -> None:
    card = _card(shop, shopper, thread)
    with shop.uow() as session:
        other = service.create_thread(session, shopper)
    with pytest.raises(NotFound):
        _submit(shop, shopper, other, resume=[_entry(card)])
    there = confirmation.request(shop.runtime, shopper, thread_id=other.id)
    assert there.id != card
    with pytest.raises(ConsentDecided):
        _submit(shop, shopper, thread, resume=[_entry(card)])
    assert _submit(shop, shopper, other, resume=[_entry(there.id)]).thread_id == other.id
    assert complete(shop.runtime, shopper, there.id).order is not None
    with clock.shifted(clock.timedelta(minutes=1)):
        jobs.keep_house(shop.runtime, shop.tenant.id)
    with shop.uow() as session:
        here = [message.activity_type for message in service.snapshot(session, shopper, other.id).messages]
    assert here == ["confirmation", "receipt"]


def test_a_card_that_ran_out_cannot_be_decided(shop: Shop, shopper: Identity, thread: Thread) -> None:
    card = _card(shop, shopper, thread)
    with clock.shifted(clock.timedelta(minutes=11)), pytest.raises(ConsentExpired):
        _submit(shop, shopper, thread, resume=[_entry(card)])
    assert (_count(shop, Run), _count(shop, Event)) == (0, 0)


def test_one_bad_decision_undoes_its_request(shop: Shop, shopper: Identity, thread: Thread) -> None:
    card = _card(shop, shopper, thread)
    with pytest.raises(NotFound):
        _submit(shop, shopper, thread, resume=[_entry(card), _entry(new_id("consent"))])
    with shop.uow() as session:
        assert session.get_one(Consent, (shop.tenant.id, card)).status == "open"


def test_the_snapshot_has_the_public_shape(shop: Shop, shopper: Identity, thread: Thread) -> None:
    card = _card(shop, shopper, thread)
    with shop.uow() as session:
        log.append(session, shop.tenant.id, thread.id, None, [events.activity("c1", "cart", {"n": 1})])
        owner = json.loads(service.snapshot(session, shopper, thread.id).model_dump_json())
        staff = json.loads(service.snapshot(session, _staff(shop), thread.id).model_dump_json())
    assert set(owner) == {"id", "mode", "messages", "interrupts", "cart", "last_event", "active_agent"}
    assert owner["messages"] == [
        {"id": "c1", "role": "activity", "content": "", "name": None, "activity_type": "cart", "data": {"n": 1}}
    ]
    [interrupt] = owner["interrupts"]
    assert (interrupt["id"], interrupt["reason"]) == (card, "confirmation")
    assert set(interrupt) == {"id", "reason", "expires_at", "checkout"}
    assert owner["cart"]["lines"][0]["quantity"] == 1
    assert staff["cart"] == owner["cart"]


def test_events_are_filtered_by_audience_and_paged(shop: Shop, shopper: Identity, thread: Thread) -> None:
    news = [events.step_started("a"), *events.text("m", "user", "hi"), events.tool_arguments("c", "{}")]
    with shop.uow() as session:
        log.append(session, shop.tenant.id, thread.id, None, news)
    with shop.uow() as session:
        mine = service.events_after(session, shopper, thread.id, 0)
        theirs = service.events_after(session, _staff(shop), thread.id, 0)
        page = service.events_after(session, _staff(shop), thread.id, 1, limit=2)
    assert [seq for seq, _ in mine] == [2, 3, 4]
    assert [seq for seq, _ in theirs] == [1, 2, 3, 4, 5]
    assert [seq for seq, _ in page] == [2, 3]


def test_staff_messages_are_hidden_in_the_snapshot(shop: Shop, shopper: Identity, thread: Thread) -> None:
    note = events.activity("s1", "stock", {}, audience=Audience.STAFF)
    with shop.uow() as session:
        log.append(session, shop.tenant.id, thread.id, None, [note])
    with shop.uow() as session:
        assert service.snapshot(session, shopper, thread.id).messages == []
        assert len(service.snapshot(session, _staff(shop), thread.id).messages) == 1


def test_a_run_is_seen_in_its_own_thread_only(shop: Shop, shopper: Identity, thread: Thread) -> None:
    run = _submit(shop, shopper, thread, message="hi")
    with shop.uow() as session:
        other = service.create_thread(session, shopper)
        with pytest.raises(NotFound):
            service.run_view(session, shopper, other.id, run.id)


def test_a_handoff_is_asked_for_once_and_audited(shop: Shop, shopper: Identity, thread: Thread) -> None:
    views = []
    for _ in range(2):
        with shop.uow() as session:
            summary = "Card 4242 4242 4242 4242 " + "x" * 900
            views.append(handoff.request(session, shopper, thread.id, reason="whatever", summary=summary))
    assert views[0] == views[1]
    assert (views[0].mode, views[0].reason) == ("waiting_human", "other")
    with shop.uow() as session:
        row = session.get_one(Thread, (shop.tenant.id, thread.id))
        assert row.handoff is not None
        assert row.handoff["summary"].startswith("Card •••• 4242 xxx")
        assert len(row.handoff["summary"]) == 600
        actions = session.scalars(select(AuditRow.action).where(AuditRow.subject == thread.id)).all()
        assert list(actions) == ["conversation.handoff_requested"]
    with shop.uow() as session, pytest.raises(NotFound):
        handoff.request(session, shopper, new_id("thread"), reason="other", summary="")


def test_references_are_kept_per_thread(shop: Shop, shopper: Identity, thread: Thread) -> None:
    seen, unseen = new_id("variant"), new_id("variant")
    with shop.uow() as session:
        other = service.create_thread(session, shopper)
        references.record(session, shop.tenant.id, thread.id, [seen, seen])
        references.record(session, shop.tenant.id, thread.id, [seen])
        references.record(session, shop.tenant.id, thread.id, [])
    assert references.missing(shop.runtime, shopper, thread.id, [seen, unseen]) == {unseen}
    assert references.missing(shop.runtime, shopper, other.id, [seen]) == {seen}
    assert references.missing(shop.runtime, shopper, thread.id, []) == set()


def test_every_refusal_is_a_domain_error() -> None:
    assert issubclass(TooManyWaiting, DomainError)
    assert TooManyWaiting().retry_after_seconds == 2


def _card(shop: Shop, shopper: Identity, thread: Thread) -> str:
    shop.add("LAMP")
    shop.ready(shopper, "LAMP")
    card = shop.card(shopper)
    with shop.uow() as session:
        session.get_one(Consent, (shop.tenant.id, card.id)).thread_id = thread.id
    return card.id


def _entry(card: str) -> dict[str, Any]:
    return {"interruptId": card, "status": "resolved", "payload": {"approved": True}}
