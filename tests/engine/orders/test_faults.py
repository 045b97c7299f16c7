"""The plug pulled at every point of a change: nothing lost, nothing doubled, whoever finishes it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from engine.checkout import recovery
from engine.kit import clock, faults
from engine.kit.ids import new_id
from engine.orders.changes import apply
from engine.orders.errors import OrderBusy
from engine.payments import refunds
from engine.payments.gateway import DisputeStatus, GatewayTimeout
from engine.payments.models import Dispute, Payment
from tests.engine.orders.desk import Desk, broken, buy, changes, held, rule, sibling, stock
from tests.shop import Shop

CHARGE_POINTS = (
    "before_t1_commit",
    "after_t1_commit",
    "before_capture",
    "after_capture",
    "before_t2_commit",
    "after_t2_commit",
)
REFUND_POINTS = (
    "before_t1_commit",
    "after_t1_commit",
    "refund_before_gateway",
    "refund_after_gateway",
    "refund_before_commit",
    "refund_after_commit",
)


class Unplugged(BaseException):
    """The process is gone: no handler of the engine may see it."""


@pytest.fixture
def desk(shop: Shop) -> Desk:
    """Two of A for 50.00, shipped for 5.95, with 10 % tax: 116.55."""
    shop.add("A", price=5000)
    sibling(shop, "A", "A2", price=6000)
    return buy(shop, "A", 2)


def pull(point: str) -> None:
    def hook(name: str) -> None:
        if name == point:
            raise Unplugged

    faults.set_hook(hook)


def recover(desk: Desk) -> None:
    """What the jobs do once every lease has ended."""
    faults.set_hook(None)
    with clock.shifted(timedelta(minutes=1)):
        recovery.recover_payments(desk.shop.runtime, desk.shop.tenant.id)
        refunds.finish_pending(desk.shop.runtime, desk.shop.tenant.id)


def swap(desk: Desk) -> Any:
    variants = desk.shop.variants
    swaps = [{"variant_id": variants["A"], "to_variant_id": variants["A2"], "quantity": 2}]
    return desk.ask("items", swaps=swaps)


def assert_swapped(desk: Desk) -> None:
    order = desk.look()
    assert [(x.sku, x.ordered, x.canceled, x.allocated) for x in order.lines] == [("A", 2, 2, 0), ("A2", 2, 0, 2)]
    assert (order.status, order.payment_status) == ("open", "paid")
    assert (stock(desk.shop, "A"), stock(desk.shop, "A2")) == ((10, 0), (10, 2))
    assert held(desk.shop) == 11655 + 2200
    assert desk.balances() == {"psp_clearing": 13855, "customer_deposits": -12595, "tax_payable": -1260}


def assert_untouched(desk: Desk) -> None:
    order = desk.look()
    assert [(x.sku, x.ordered, x.canceled) for x in order.lines] == [("A", 2, 0)]
    assert order.status == "open"
    assert (stock(desk.shop, "A"), stock(desk.shop, "A2")) == ((10, 2), (10, 0))
    assert held(desk.shop) == 11655


@pytest.mark.parametrize("point", CHARGE_POINTS)
def test_a_charged_swap_survives_a_crash_anywhere(desk: Desk, point: str) -> None:
    change = swap(desk)
    pull(point)
    with pytest.raises(Unplugged):
        desk.agree(change)
    recover(desk)
    if point == "before_t1_commit":
        assert_untouched(desk)
        assert changes(desk.shop) == ["confirmed"]
        desk.agree(change)
    assert_swapped(desk)
    assert changes(desk.shop) == ["applied"]
    assert desk.agree(change).status == "applied"
    assert_swapped(desk)
    assert broken(desk.shop) == []


def test_a_charge_whose_answer_is_lost_holds_the_order_and_ends_as_the_gateway_says(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = swap(desk)
    gateway = desk.shop.runtime.gateways["sandbox"]
    capture, find = gateway.capture, gateway.find

    def lost(request: Any) -> Any:
        capture(request)
        raise GatewayTimeout("no answer")

    def silent(*_: Any, **__: Any) -> Any:
        raise GatewayTimeout("no answer")

    monkeypatch.setattr(gateway, "capture", lost)
    monkeypatch.setattr(gateway, "find", silent)
    assert desk.agree(change).status == "charging"
    order = desk.look()
    assert (order.status, order.payment_status) == ("on_hold", "paid")
    assert [x.sku for x in order.lines] == ["A"]
    assert broken(desk.shop) == []
    with pytest.raises(OrderBusy):
        desk.ask("cancel", reason="other")
    monkeypatch.setattr(gateway, "find", find)
    monkeypatch.setattr(gateway, "capture", capture)
    recover(desk)
    assert_swapped(desk)
    assert broken(desk.shop) == []


def test_a_charge_nobody_made_before_the_consent_ran_out_is_never_made(desk: Desk) -> None:
    change = swap(desk)
    pull("after_t1_commit")
    with pytest.raises(Unplugged):
        desk.agree(change)
    faults.set_hook(None)
    with clock.shifted(timedelta(minutes=20)):
        recovery.recover_payments(desk.shop.runtime, desk.shop.tenant.id)
    assert_untouched(desk)
    assert changes(desk.shop) == ["failed"]
    assert broken(desk.shop) == []


@pytest.mark.parametrize("point", REFUND_POINTS)
def test_a_cancel_with_its_refund_survives_a_crash_anywhere(desk: Desk, point: str) -> None:
    change = desk.ask("cancel", reason="other")
    pull(point)
    with pytest.raises(Unplugged):
        desk.agree(change)
    recover(desk)
    if point == "before_t1_commit":
        assert_untouched(desk)
        desk.agree(change)
    order = desk.look()
    assert (order.status, order.payment_status) == ("canceled", "refunded")
    assert (stock(desk.shop, "A"), held(desk.shop), desk.balances()) == ((10, 0), 0, {})
    assert desk.agree(change).status == "applied"
    assert held(desk.shop) == 0
    assert broken(desk.shop) == []


@pytest.mark.parametrize("point", [*CHARGE_POINTS, *REFUND_POINTS[2:]])
def test_another_way_to_pay_survives_a_crash_anywhere(desk: Desk, point: str) -> None:
    rule(desk.shop, payment_change_requires_other_method=False)
    change = desk.ask("payment_method", payment_method_ref="test_visa")
    pull(point)
    with pytest.raises(Unplugged):
        desk.agree(change)
    recover(desk)
    if point == "before_t1_commit":
        desk.agree(change)
    order = desk.look()
    assert (order.status, order.payment_status, order.balance.amount) == ("open", "paid", 0)
    assert held(desk.shop) == 11655
    assert desk.balances() == {"psp_clearing": 11655, "customer_deposits": -10595, "tax_payable": -1060}
    assert broken(desk.shop) == []


def test_money_taken_for_a_change_that_can_no_longer_be_made_goes_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.inventory.errors import NotReserved
    from engine.orders.changes import write

    change = swap(desk)

    def refused(*_: Any, **__: Any) -> Any:
        raise NotReserved("gone")

    monkeypatch.setattr(write, "_end_units", refused)
    assert desk.agree(change).status == "failed"
    assert_untouched(desk)
    assert broken(desk.shop) == []


def test_staff_and_shopper_meet_the_same_change_once(desk: Desk) -> None:
    change = desk.ask("cancel", by=desk.staff, reason="other")
    pull("after_t1_commit")
    with pytest.raises(Unplugged):
        apply.apply_as_staff(desk.shop.runtime, desk.staff, desk.order_id, change.id)
    faults.set_hook(None)
    assert apply.apply_as_staff(desk.shop.runtime, desk.staff, desk.order_id, change.id).status == "applied"
    recover(desk)
    assert held(desk.shop) == 0
    assert broken(desk.shop) == []


def disputed(desk: Desk) -> Dispute:
    with desk.shop.uow() as session:
        payment_id = session.scalars(select(Payment.id)).one()
        row = Dispute(
            tenant_id=desk.shop.tenant.id,
            id=new_id("dispute"),
            payment_id=payment_id,
            order_id=desk.order_id,
            gateway="sandbox",
            gateway_dispute_id="d1",
            amount=100,
            fee=0,
            currency="USD",
            reason="fraudulent",
            status=DisputeStatus.NEEDS_RESPONSE,
            opened_at=clock.now(),
        )
        session.add(row)
    return row


def test_a_refund_that_will_be_refused_is_known_before_the_charge(desk: Desk) -> None:
    from engine.payments.errors import RefundBlockedByDispute

    rule(desk.shop, payment_change_requires_other_method=False)
    change = desk.ask("payment_method", payment_method_ref="test_visa")
    dispute = disputed(desk)
    before = desk.rows()
    with pytest.raises(RefundBlockedByDispute):
        desk.agree(change)
    assert desk.rows() == before
    with desk.shop.uow() as session:
        session.delete(dispute)
    assert_untouched(desk)
    assert broken(desk.shop) == []


def test_a_charge_that_cannot_even_be_given_back_ends_and_tells_a_person(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.inventory.errors import NotReserved
    from engine.orders.changes import write
    from engine.payments.errors import RefundBlockedByDispute
    from engine.payments.models import Alert

    change = swap(desk)

    def refused(*_: Any, **__: Any) -> Any:
        raise NotReserved("gone")

    def blocked(*_: Any, **__: Any) -> Any:
        raise RefundBlockedByDispute("disputed")

    monkeypatch.setattr(write, "_end_units", refused)
    monkeypatch.setattr(refunds, "request", blocked)
    assert desk.agree(change).status == "failed"
    order = desk.look()
    assert (order.status, order.balance.amount) == ("open", -2200)
    with desk.shop.uow() as session:
        assert list(session.scalars(select(Alert.kind))) == ["change_not_applied"]
    assert {result.name for result in broken(desk.shop)} >= {"every placed order has its money"}
