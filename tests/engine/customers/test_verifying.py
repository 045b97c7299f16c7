"""Whose what is: a guest's own, a customer's, and what only says it is somebody's."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from engine.checkout.complete import complete
from engine.conversations import service as conversations
from engine.customers import links, service
from engine.customers.models import CustomerLink, LinkStatus
from engine.kit.errors import NotFound
from engine.kit.identity import Identity
from engine.orders import queries
from engine.orders.models import Order
from engine.payments import stored_value
from engine.payments.stored_value_models import StoredValueKind
from tests.engine.customers.people import known, staff, tell
from tests.shop import Shop


def bought(shop: Shop, who: Identity) -> str:
    """An order of this identity, paid, with the typed e-mail ada@example.com."""
    if "A" not in shop.variants:
        shop.add("A")
    done = complete(shop.runtime, who, shop.approved(who, "A"))
    assert done.order is not None
    return done.order.id


def seen(shop: Shop, who: Identity) -> set[str]:
    with shop.uow() as session:
        return {view.id for view in queries.own_orders(session, who).items}


def all_links(shop: Shop) -> list[Any]:
    with shop.uow() as session:
        query = select(CustomerLink.subject_id, CustomerLink.status, CustomerLink.customer_id)
        return [tuple(row) for row in session.execute(query.order_by(CustomerLink.id))]


def test_what_a_guest_bought_becomes_the_customers(shop: Shop) -> None:
    guest = shop.shopper()
    order = bought(shop, guest)
    with shop.uow() as session:
        credit = stored_value.issue(
            session, shop.tenant.id, secret_key=b"x", kind=StoredValueKind.STORE_CREDIT, amount=500, currency="USD",
            owner_id=guest.id, actor="test",
        ).account.id  # fmt: skip

    who = known(shop, "ada@example.com", guest)
    elsewhere = known(shop, "ada@example.com")

    assert (who.customer_id, elsewhere.id != who.id) == (elsewhere.customer_id, True)
    assert seen(shop, elsewhere) == {order}
    with shop.uow() as session:
        assert [row.id for row in stored_value.own_accounts(session, elsewhere)] == [credit]


def test_a_typed_email_opens_nothing_and_the_shop_sees_the_claim(shop: Shop) -> None:
    ada = known(shop, "ada@example.com")
    one, two = shop.shopper(), shop.shopper()
    first, second = bought(shop, one), bought(shop, two)
    tell(shop)

    assert seen(shop, ada) == set()
    assert (seen(shop, one), seen(shop, two)) == ({first}, {second})
    assert set(all_links(shop)) == {
        (first, LinkStatus.CLAIMED, ada.customer_id),
        (second, LinkStatus.CLAIMED, ada.customer_id),
    }
    with shop.uow() as session:
        assert session.scalars(select(Order.customer_id)).all() == [None, None]
        assert service.payment_methods(session, one) == []
        assert service.profile(session, one) is None


def test_the_code_opens_what_was_bought_elsewhere_with_the_address(shop: Shop) -> None:
    one, two = shop.shopper(), shop.shopper()
    first, second = bought(shop, one), bought(shop, two)
    tell(shop)

    ada = known(shop, "ada@example.com", one)

    assert seen(shop, ada) == {first, second}
    assert seen(shop, two) == {second}
    assert set(all_links(shop)) == {
        (first, LinkStatus.VERIFIED, ada.customer_id),
        (second, LinkStatus.VERIFIED, ada.customer_id),
    }


def test_what_somebody_known_bought_with_anothers_address_stays_theirs(shop: Shop) -> None:
    eve = known(shop, "eve@example.com")
    order = bought(shop, eve)
    tell(shop)

    ada = known(shop, "ada@example.com")

    assert (seen(shop, ada), seen(shop, eve)) == (set(), {order})
    assert all_links(shop) == []


def test_a_claim_that_staff_rejected_is_not_opened_by_the_code(shop: Shop) -> None:
    order = bought(shop, shop.shopper())
    tell(shop)
    with shop.uow() as session:
        links.reject(session, staff(shop), session.scalars(select(CustomerLink.id)).one())

    ada = known(shop, "ada@example.com")

    assert seen(shop, ada) == set()
    assert all_links(shop) == [(order, LinkStatus.REJECTED, None)]


def test_told_twice_it_is_claimed_once(shop: Shop) -> None:
    order = bought(shop, shop.shopper())
    with shop.uow() as session:
        for _ in range(2):
            links.claim(session, shop.tenant.id, email="ada@example.com", source="acp", subject_id=order)
            links.claim(session, shop.tenant.id, email="no address", source="acp", subject_id="ord_x")

    assert all_links(shop) == [(order, LinkStatus.CLAIMED, None)]


def test_a_conversation_is_the_customers_on_every_device_and_nobody_elses(shop: Shop) -> None:
    phone = known(shop, "ada@example.com")
    with shop.uow() as session:
        thread = conversations.create_thread(session, phone).id
    laptop, eve, guest = known(shop, "ada@example.com"), known(shop, "eve@example.com"), shop.shopper()

    with shop.uow() as session:
        assert conversations.snapshot(session, laptop, thread).id == thread
        for other in (eve, guest):
            with pytest.raises(NotFound):
                conversations.snapshot(session, other, thread)
