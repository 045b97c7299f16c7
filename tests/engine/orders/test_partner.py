"""Goods that a warehouse or partner has in hand: it is asked, and nothing moves before it agrees."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from engine.fulfillment import requests
from engine.fulfillment.models import Fulfillment
from engine.fulfillment.policies import FulfillmentPolicy
from engine.fulfillment.release import release
from engine.kit.policies import change_policy
from engine.kit.tenancy import Tenant
from engine.orders.errors import OrderBusy, WrongStatus
from engine.payments import refunds
from tests.engine.orders.desk import Desk, broken, buy, changes, held, rule, sibling, stock
from tests.shop import ADDRESS, Shop


@pytest.fixture
def desk(shop: Shop) -> Desk:
    """Two of A for 50.00, released to a partner: 116.55 paid."""
    shop.add("A", price=5000)
    sibling(shop, "A", "A2", price=6000)
    sibling(shop, "A", "A3", price=4000)
    with shop.uow() as session:
        tenant = session.get_one(Tenant, shop.tenant.id)
        change_policy(tenant, FulfillmentPolicy, {"partners": {"EAST": "Acme", "WEST": "Acme"}})
    found = buy(shop, "A", 2)
    with shop.uow() as session:
        assert len(release(session, shop.tenant.id, found.order_id)) == 1
    assert found.look().fulfillment_status == "processing"
    return found


def answer(desk: Desk, *, accepted: bool) -> None:
    with desk.shop.uow() as session:
        work = session.scalars(select(Fulfillment.id)).one()
        requests.answer_cancel(session, desk.shop.tenant.id, work, accepted=accepted, actor="Acme")
    refunds_left = desk.shop.runtime
    with desk.shop.uow() as session:
        from engine.payments.models import Refund

        pending = session.scalars(select(Refund.id).where(Refund.status == "pending")).all()
    for refund_id in pending:
        refunds.execute(refunds_left, desk.shop.tenant.id, refund_id)


def test_a_cancel_waits_for_the_partner_and_then_refunds(desk: Desk) -> None:
    change = desk.ask("cancel", reason="other")
    assert change.needs_partner
    asked = desk.agree(change)
    assert (asked.status, "asked" in asked.message) == ("requested", True)
    order = desk.look()
    assert (order.status, order.payment_status, order.changes[0].status) == ("on_hold", "paid", "requested")
    assert (stock(desk.shop, "A"), held(desk.shop)) == ((10, 2), 11655)
    assert broken(desk.shop) == []
    with pytest.raises(OrderBusy):
        desk.ask("cancel", reason="other")
    answer(desk, accepted=True)
    order = desk.look()
    assert (order.status, order.payment_status, order.changes[0].status) == ("canceled", "refunded", "applied")
    assert (stock(desk.shop, "A"), held(desk.shop), desk.balances()) == ((10, 0), 0, {})
    assert broken(desk.shop) == []


def test_a_refusal_leaves_the_order_and_says_what_is_left(desk: Desk) -> None:
    desk.do("cancel", reason="other")
    answer(desk, accepted=False)
    order = desk.look()
    assert (order.status, order.payment_status, order.hold_reason) == ("open", "paid", None)
    assert (order.changes[0].status, "sent back" in order.changes[0].message) == ("refused", True)
    assert [(line.allocated, line.released, line.canceled) for line in order.lines] == [(2, 2, 0)]
    assert (stock(desk.shop, "A"), held(desk.shop)) == ((10, 2), 11655)
    assert broken(desk.shop) == []


def test_a_cheaper_swap_can_be_asked_for_a_dearer_one_cannot(desk: Desk) -> None:
    variants = desk.shop.variants
    before = desk.rows()
    with pytest.raises(WrongStatus, match="sent back"):
        desk.ask("items", swaps=[{"variant_id": variants["A"], "to_variant_id": variants["A2"], "quantity": 1}])
    with pytest.raises(WrongStatus, match="old address"):
        desk.ask("address", ship_to=ADDRESS | {"line_one": "2 Pine St"})
    assert desk.rows() == before
    swaps = [{"variant_id": variants["A"], "to_variant_id": variants["A3"], "quantity": 1}]
    assert desk.do("items", swaps=swaps).status == "requested"
    answer(desk, accepted=True)
    order = desk.look()
    assert [(x.sku, x.canceled, x.allocated, x.released) for x in order.lines] == [("A", 1, 1, 1), ("A3", 0, 1, 0)]
    assert held(desk.shop) == 11655 - 1100
    assert changes(desk.shop) == ["applied"]
    assert broken(desk.shop) == []


def test_a_shop_may_refuse_at_once(desk: Desk) -> None:
    rule(desk.shop, after_release="refuse")
    with pytest.raises(WrongStatus, match="sent back"):
        desk.ask("cancel", reason="other")


def test_an_own_warehouse_that_has_not_begun_agrees_at_once(shop: Shop) -> None:
    shop.add("A", price=5000)
    desk = buy(shop, "A", 2)
    with shop.uow() as session:
        release(session, shop.tenant.id, desk.order_id)
    assert desk.do("cancel", reason="other").status == "applied"
    assert (desk.look().status, stock(shop, "A"), held(shop)) == ("canceled", (10, 0), 0)
    assert broken(shop) == []
