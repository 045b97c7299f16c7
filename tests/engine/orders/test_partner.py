"""Goods that a warehouse or partner has in hand: it is asked, and nothing moves before it agrees."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from engine.fulfillment import requests
from engine.fulfillment.models import Fulfillment
from engine.fulfillment.policies import FulfillmentPolicy
from engine.fulfillment.release import release
from engine.kit import clock
from engine.kit.policies import change_policy
from engine.kit.tenancy import Tenant
from engine.orders.changes.schemas import ChangeView
from engine.orders.errors import OrderBusy, WrongStatus
from engine.payments import captures, refunds, voids
from engine.payments.models import Payment
from tests.engine.orders.desk import Desk, broken, buy, changes, held, rule, sibling, stock
from tests.engine.orders.test_faults import Unplugged, pull, recover
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


def payment(desk: Desk) -> tuple[int, str]:
    """The payment of the change: amount and status."""
    with desk.shop.uow() as session:
        row = session.scalars(select(Payment).where(Payment.change_id.is_not(None))).one()
        return row.amount, row.status


def dearer(desk: Desk) -> ChangeView:
    variants = desk.shop.variants
    swaps = [{"variant_id": variants["A"], "to_variant_id": variants["A2"], "quantity": 1}]
    return desk.do("items", swaps=swaps)


def test_a_dearer_swap_sets_its_charge_aside_until_the_partner_agrees(desk: Desk) -> None:
    asked = dearer(desk)
    assert (asked.status, asked.charge.amount, asked.needs_partner) == ("requested", 1100, True)
    assert (payment(desk), held(desk.shop)) == ((1100, "authorized"), 11655)
    assert (stock(desk.shop, "A"), stock(desk.shop, "A2")) == ((10, 2), (10, 1))
    assert desk.look().status == "on_hold"
    assert broken(desk.shop) == []
    answer(desk, accepted=True)
    order = desk.look()
    assert [(x.sku, x.canceled, x.allocated, x.released) for x in order.lines] == [("A", 1, 1, 1), ("A2", 0, 1, 0)]
    assert (order.status, order.due.amount if order.due else None) == ("open", 12755)
    assert broken(desk.shop) == []
    with clock.shifted(timedelta(minutes=1)):
        captures.finish_pending(desk.shop.runtime, desk.shop.tenant.id)
    assert (payment(desk), held(desk.shop), desk.look().payment_status) == ((1100, "captured"), 12755, "paid")
    assert desk.balances() == {"psp_clearing": 12755, "customer_deposits": -11595, "tax_payable": -1160}
    assert broken(desk.shop) == []


def test_a_partner_that_refuses_a_dearer_swap_frees_what_was_set_aside(desk: Desk) -> None:
    dearer(desk)
    answer(desk, accepted=False)
    with clock.shifted(timedelta(minutes=1)):
        voids.finish_requested(desk.shop.runtime, desk.shop.tenant.id)
    assert (payment(desk), held(desk.shop)) == ((1100, "voided"), 11655)
    order = desk.look()
    assert (order.status, order.payment_status, order.changes[0].status) == ("open", "paid", "refused")
    assert (stock(desk.shop, "A"), stock(desk.shop, "A2")) == ((10, 2), (10, 0))
    assert broken(desk.shop) == []


def test_a_partner_that_agrees_too_late_changes_nothing(desk: Desk) -> None:
    dearer(desk)
    with clock.shifted(timedelta(days=8)):
        voids.expire_authorizations(desk.shop.runtime, desk.shop.tenant.id)
        answer(desk, accepted=True)
    order = desk.look()
    assert (order.status, order.changes[0].status, "lapsed" in order.changes[0].message) == ("open", "refused", True)
    assert [(x.sku, x.canceled, x.allocated, x.released) for x in order.lines] == [("A", 0, 2, 1)]
    assert (stock(desk.shop, "A2"), held(desk.shop)) == ((10, 0), 11655)
    assert broken(desk.shop) == []


def test_an_own_warehouse_gives_back_and_the_charge_is_taken_at_once(shop: Shop) -> None:
    shop.add("A", price=5000)
    sibling(shop, "A", "A2", price=6000)
    desk = buy(shop, "A", 2)
    with shop.uow() as session:
        release(session, shop.tenant.id, desk.order_id)
    done = dearer(desk)
    assert (done.status, payment(desk), held(shop)) == ("applied", (1100, "captured"), 12755)
    assert desk.look().payment_status == "paid"
    assert broken(shop) == []


@pytest.mark.parametrize("point", ["after_t1_commit", "before_capture", "after_capture", "before_t2_commit"])
def test_a_dearer_swap_that_waits_survives_a_crash_anywhere(desk: Desk, point: str) -> None:
    variants = desk.shop.variants
    change = desk.ask("items", swaps=[{"variant_id": variants["A"], "to_variant_id": variants["A2"], "quantity": 1}])
    pull(point)
    with pytest.raises(Unplugged):
        desk.agree(change)
    recover(desk)
    assert (changes(desk.shop), payment(desk)) == (["requested"], (1100, "authorized"))
    assert broken(desk.shop) == []
    answer(desk, accepted=True)
    with clock.shifted(timedelta(minutes=1)):
        captures.finish_pending(desk.shop.runtime, desk.shop.tenant.id)
    assert held(desk.shop) == 12755
    assert broken(desk.shop) == []


def test_a_cheaper_swap_is_asked_for_too(desk: Desk) -> None:
    variants = desk.shop.variants
    before = desk.rows()
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
