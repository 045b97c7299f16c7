"""Housekeeping: every job binds its tenant, and what recovery settles reaches the conversation that asked."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from engine import jobs
from engine.checkout import service
from engine.checkout.complete import complete
from engine.conversations import service as conversations
from engine.db import Store
from engine.kit import audit, clock, faults, outbox
from engine.kit.direct import Ask, Row
from engine.kit.identity import Identity
from engine.kit.tenancy import Tenant
from engine.orders import queries
from engine.runtime import Runtime
from tests.engine.checkout.test_complete import Killed, die_at
from tests.shop import ADDRESS, Shop


def in_a_thread(shop: Shop, card: str = "card_test_visa") -> tuple[Identity, str, str]:
    """A shopper with an approved card in a conversation: identity, thread, consent."""
    buyer = shop.shopper()
    with shop.uow() as session:
        thread_id = conversations.create_thread(session, buyer).id
    shop.fill(buyer, "A")
    with shop.uow() as session:
        service.update(session, buyer, service.Details(email="ada@example.com", **ADDRESS), thread_id=thread_id)
    shop.pay_with(buyer, card)
    card_view = shop.card(buyer)
    shop.approve(buyer, card_view.id)
    return buyer, thread_id, card_view.id


def cards(shop: Shop, buyer: Identity, thread_id: str) -> list[str | None]:
    with shop.uow() as session:
        snapshot = conversations.snapshot(session, buyer, thread_id)
    return [message.activity_type for message in snapshot.messages]


@pytest.mark.parametrize(("card", "shown"), [("card_test_visa", "receipt"), ("card_test_declined", "payment_problem")])
def test_a_payment_that_recovery_ends_is_told_in_its_conversation(shop: Shop, card: str, shown: str) -> None:
    shop.add("A")
    buyer, thread_id, consent_id = in_a_thread(shop, card)
    die_at("before_capture")
    with pytest.raises(Killed):
        complete(shop.runtime, buyer, consent_id)
    faults.set_hook(None)
    with clock.shifted(timedelta(minutes=1)):
        jobs.keep_house(shop.runtime, shop.tenant.id)
    assert shown not in cards(shop, buyer, thread_id)
    with clock.shifted(timedelta(minutes=2)):
        jobs.keep_house(shop.runtime, shop.tenant.id)
        jobs.keep_house(shop.runtime, shop.tenant.id)
    assert cards(shop, buyer, thread_id).count(shown) == 1
    with shop.uow() as session:
        assert outbox.waiting(session, shop.tenant.id, "conversation") == 0
        assert session.scalars(select(audit.AuditRow.id).where(audit.AuditRow.hash.is_(None))).all() == []


def test_a_payment_under_way_is_ended_though_the_shop_was_suspended(shop: Shop) -> None:
    shop.add("A")
    buyer, _thread_id, consent_id = in_a_thread(shop)
    die_at("after_capture")
    with pytest.raises(Killed):
        complete(shop.runtime, buyer, consent_id)
    faults.set_hook(None)
    with shop.runtime.store.without_tenant() as session:
        session.get_one(Tenant, shop.tenant.id).status = "suspended"
    assert shop.tenant.id not in shop.runtime.store.tenant_ids()
    with clock.shifted(timedelta(minutes=2)):
        jobs.run_once(shop.runtime)
    with shop.uow() as session:
        assert [order.payment_status for order in queries.own_orders(session, buyer).items] == ["paid"]


def test_a_job_that_fails_stops_no_other(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def broken(_runtime: object, tenant_id: str) -> None:
        ran.append(tenant_id)
        raise RuntimeError("down")

    monkeypatch.setattr(jobs, "EVERY_SECOND", (broken, lambda _runtime, tenant_id: ran.append(f"then {tenant_id}")))
    jobs.run_once(shop.runtime, minutely=True)
    assert shop.tenant.id in ran
    assert f"then {shop.tenant.id}" in ran


def test_a_shop_in_which_nothing_waits_is_looked_at_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs.keep_house(shop.runtime, shop.tenant.id)
    looks: list[int] = []

    def ask(store: Store, tenant_id: str, *asks: Ask) -> list[list[Row]]:
        looks.append(len(asks))
        return asked(store, tenant_id, *asks)

    asked = Store.ask
    monkeypatch.setattr(Store, "ask", ask)
    monkeypatch.setattr(Store, "unit_of_work", None)
    monkeypatch.setattr(Store, "alone", None)
    jobs.keep_house(shop.runtime, shop.tenant.id)
    assert looks == [1]


def test_what_one_job_leaves_to_another_is_done_in_the_same_round(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def writes(_runtime: Runtime, tenant_id: str) -> None:
        with shop.uow() as session:
            audit.record(session, tenant_id, actor="system", action="test.written", subject=tenant_id)

    jobs.keep_house(shop.runtime, shop.tenant.id)
    monkeypatch.setattr(jobs, "EVERY_SECOND", (jobs.seal_audit, writes))
    jobs.keep_house(shop.runtime, shop.tenant.id)
    with shop.uow() as session:
        assert session.scalars(select(audit.AuditRow.id).where(audit.AuditRow.hash.is_(None))).all() == []


def test_one_process_at_a_time_keeps_a_house(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    monkeypatch.setattr(jobs, "EVERY_SECOND", (lambda _runtime, _tenant: ran.append("second"),))
    monkeypatch.setattr(jobs, "EVERY_MINUTE", (lambda _runtime, _tenant: ran.append("minute"),))
    with shop.runtime.store.alone(shop.tenant.id, jobs.SECOND) as mine:
        assert mine
        jobs.keep_house(shop.runtime, shop.tenant.id, minutely=True)
        assert ran == ["minute"]
    jobs.keep_house(shop.runtime, shop.tenant.id)
    assert ran == ["minute", "second"]
