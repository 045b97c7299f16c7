"""Whoever is forgotten is found nowhere, the books stay whole, and nobody else loses anything."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, text

from engine.checks import check_tenant
from engine.conversations import service as conversations
from engine.conversations.models import Run, RunStatus
from engine.conversations.schemas import RunInput
from engine.customers.book import add_address, change_profile
from engine.customers.models import Customer, Erasure, PaymentMethod
from engine.kit.errors import NotFound
from engine.kit.identity import Identity
from engine.kit.ids import new_id
from engine.kit.tenancy import tenant_tables
from engine.orders import notes, queries
from engine.privacy import erasing
from engine.privacy.exporting import export
from engine.privacy.schemas import ErasureView
from tests.engine.customers.people import customer_of, known, staff, tell
from tests.engine.customers.test_verifying import bought, seen
from tests.engine.orders.desk import Desk
from tests.engine.warranties import fault
from tests.shop import ADDRESS, Shop

WORDS = ("ada@example.com", "Ada Buyer", "12 Pine St", "Zaphod", "Heartofgold", '"97204"')
"""The last one as it stands in a document: bare digits are also found in digests and moments."""
FREE = {"number": "", "text": "Zaphod was here"}


def everything(shop: Shop) -> dict[str, str]:
    """Table → all its rows of this shop, as text."""
    found = {}
    with shop.uow() as session:
        for table in tenant_tables():
            query = f"SELECT coalesce(string_agg(t::text, ' '), '') FROM app.{table} t"  # noqa: S608 (our own)
            found[table] = session.execute(text(query)).scalar_one()
        key = f"{shop.tenant.id}:%"
        for table in ("checkpoints", "checkpoint_blobs", "checkpoint_writes"):
            query = f"SELECT count(*) FROM graph.{table} WHERE thread_id LIKE :key"  # noqa: S608 (our own)
            found[table] = str(session.execute(text(query), {"key": key}).scalar_one())
    return found


def where(shop: Shop) -> set[str]:
    """Tables in which something of Ada can be read."""
    return {table for table, rows in everything(shop).items() if any(word in rows for word in WORDS)}


def full_life(shop: Shop) -> tuple[Identity, Desk, str]:
    """Ada: a profile, a card, a conversation, an order that was changed and then canceled whole."""
    ada = known(shop)
    order_id = bought(shop, ada)
    desk = Desk(shop, ada, order_id)
    with shop.uow() as session:
        change_profile(session, ada, name="Zaphod Beeblebrox", phone="Heartofgold 42")
        add_address(session, ada, ADDRESS, default=True)
        card = PaymentMethod(
            tenant_id=shop.tenant.id, id=new_id("payment_method"), customer_id=ada.customer_id or "", gateway="sandbox",
            gateway_ref="card_mine", brand="visa", last4="4242", exp_month=1, exp_year=2040,
        )  # fmt: skip
        session.add(card)
        order = queries.find_own(session, ada, order_id)
        notes.add(session, ada, order, "Zaphod was here", audience=notes.NoteAudience.SHOPPER)
        thread = conversations.create_thread(session, ada)
        run = conversations.submit(session, ada, thread.id, RunInput(message="I am Zaphod, 12 Pine St"))
        session.get_one(Run, (shop.tenant.id, run.id)).status = RunStatus.COMPLETED
        key = {"thread": f"{shop.tenant.id}:{thread.id}"}
        session.execute(
            text(
                "INSERT INTO graph.checkpoints (thread_id, checkpoint_ns, checkpoint_id, checkpoint)"
                " VALUES (:thread, '', 'x', '{}')"
            ),
            key,
        )
    desk.do("address", ship_to=ADDRESS | {"line_one": "13 Pine St", "name": "Zaphod"})
    desk.do("cancel", reason="other")
    tell(shop)
    return ada, desk, thread.id


def erase(shop: Shop, who: Identity) -> Erasure:
    with shop.uow() as session:
        return erasing.request(
            session, shop.tenant.id, who.customer_id or "", requested_by="key_test", reason="asked_by_customer"
        )


def broken(shop: Shop) -> list[Any]:
    return [r for r in check_tenant(shop.runtime, shop.tenant.id, shop.tenant.slug) if not r.ok]


def test_nothing_of_them_is_left_and_the_books_stand(shop: Shop) -> None:
    ada, desk, thread = full_life(shop)
    assert where(shop) >= {"customers", "addresses", "orders", "checkout_sessions", "consents", "messages", "events",
                           "order_notes", "order_changes", "runs"}  # fmt: skip
    before = desk.balances()

    row = erase(shop, ada)

    assert (row.status, row.holds) == ("done", [])
    assert where(shop) == set()
    left = everything(shop)
    assert (left["checkpoints"], left["messages"], left["events"], left["addresses"]) == ("0", "", "", "")
    assert desk.balances() == before
    assert broken(shop) == []
    view = desk.look()
    assert (view.status, view.ship_to and view.ship_to.state, view.ship_to and view.ship_to.line_one) == (
        "canceled", "WA", "",
    )  # fmt: skip
    with shop.uow() as session:
        assert conversations.snapshot(session, staff(shop), thread).messages == []


def test_who_proves_the_address_afterwards_is_somebody_new(shop: Shop) -> None:
    ada, _, _ = full_life(shop)
    erase(shop, ada)

    again = known(shop)

    assert again.customer_id != ada.customer_id
    assert seen(shop, again) == set()


def test_an_open_order_puts_it_off_and_it_is_done_once_that_has_ended(shop: Shop) -> None:
    ada = known(shop)
    desk = Desk(shop, ada, bought(shop, ada))
    number = desk.look().number

    row = erase(shop, ada)

    assert (row.status, row.holds) == ("deferred", [{"kind": "open_order", "subject": number}])
    assert customer_of(shop, ada).email == "ada@example.com"
    assert erasing.erase_deferred(shop.runtime, shop.tenant.id) == 0
    desk.do("cancel", reason="other")
    assert erasing.erase_deferred(shop.runtime, shop.tenant.id) == 1
    assert customer_of(shop, ada).email == f"{ada.customer_id}@erased.invalid"
    assert where(shop) == set()
    with shop.uow() as session:
        assert session.scalars(select(Erasure.status)).all() == ["done"]


def test_the_address_typed_by_somebody_else_goes_and_their_own_stays(shop: Shop) -> None:
    ada, eve = known(shop), known(shop, "eve@example.com")
    order = bought(shop, eve)  # with Ada's e-mail and name typed in
    erase(shop, ada)

    assert seen(shop, eve) == {order}
    assert customer_of(shop, eve).email == "eve@example.com"
    found = everything(shop)
    assert not [table for table, rows in found.items() if "ada@example.com" in rows]
    assert "12 Pine St" in found["orders"]


def test_who_became_them_is_forgotten_with_them(shop: Shop) -> None:
    from engine.customers import merging

    old, ada = known(shop, "ada@work.example"), known(shop)
    with shop.uow() as session:
        merging.merge(session, staff(shop), source_id=old.customer_id or "", target_id=ada.customer_id or "")
    erase(shop, ada)

    with shop.uow() as session:
        emails = session.scalars(select(Customer.email)).all()
    assert sorted(emails) == sorted(f"{one.customer_id}@erased.invalid" for one in (old, ada))


def test_nobody_is_erased_twice_and_nobody_who_is_not_there(shop: Shop) -> None:
    ada = known(shop)
    erase(shop, ada)
    with pytest.raises(erasing.AlreadyErased):
        erase(shop, ada)
    with pytest.raises(NotFound), shop.uow() as session:
        erasing.request(session, shop.tenant.id, "cus_x", requested_by="key_test", reason="unlawful")


def test_the_audit_and_the_record_name_nobody(shop: Shop) -> None:
    ada, _, _ = full_life(shop)
    erase(shop, ada)
    found = everything(shop)

    assert not [word for word in WORDS if word in found["audit"] + found["erasures"]]
    assert "customer.erasure" in found["audit"]


def test_the_export_holds_what_the_shop_holds_and_nothing_for_staff_alone(shop: Shop) -> None:
    ada, desk, _ = full_life(shop)
    bought(shop, known(shop, "eve@example.com"))
    with shop.uow() as session:
        order = queries.find_own(session, ada, desk.order_id)
        notes.add(session, staff(shop), order, "a difficult person", audience=notes.NoteAudience.STAFF)
        told = export(session, shop.tenant.id, ada.customer_id or "", actor="test")

    data = told.data
    assert [row["email"] for row in data["customers"]] == ["ada@example.com"]
    assert [row["id"] for row in data["orders"]] == [desk.order_id]
    assert [row["line_one"] for row in data["addresses"]] == ["12 Pine St"]
    assert [row["text"] for row in data["order_notes"]] == ["Zaphod was here"]
    assert "I am Zaphod, 12 Pine St" in [row["content"] for row in data["messages"]]
    document = told.model_dump_json()
    for secret in ("a difficult person", "eve@example.com", "unit_cost", "card_mine", "code_hash"):
        assert secret not in document


def test_a_unit_that_is_being_repaired_finds_its_way_back_first(shop: Shop) -> None:
    desk = fault.delivered(shop)
    who = known(shop, "ada@example.com", desk.buyer)
    claim = fault.look(desk, fault.claim(desk))
    with shop.uow() as session:
        row = erasing.request(session, shop.tenant.id, who.customer_id or "", requested_by=who.id, reason="x")
        assert (row.status, row.holds) == ("deferred", [{"kind": "open_claim", "subject": claim.number}])
        assert ErasureView.of(row).waits_for == [f"Warranty claim {claim.number} is not settled yet."]
