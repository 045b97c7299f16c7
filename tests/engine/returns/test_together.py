"""Returns beside everything else: two at once, a dispute, an approval, a process that dies in the middle."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select

from engine.approvals.asking import perform
from engine.approvals.models import ApprovalKind
from engine.approvals.service import decide
from engine.checkout import recovery
from engine.kit import clock, faults
from engine.kit.errors import DomainError
from engine.orders.changes import apply
from engine.payments import gateway_events
from engine.payments.models import Payment
from engine.payments.policy import PaymentsPolicy
from engine.returns import arriving, deciding
from engine.returns.models import ReturnStatus
from tests.engine.orders.desk import broken, buy, held, limit, sibling, stock
from tests.engine.returns.coming import (
    ask,
    deliver,
    inspect,
    lines_of,
    pay,
    receive,
    returned,
    send_back,
    the_return,
)
from tests.engine.support.conftest import staff
from tests.shop import Shop


class Died(BaseException):
    """The plug was pulled."""


def test_of_two_who_agree_at_once_one_sends_the_unit_back(shop: Shop) -> None:
    shop.add("A")
    desk = buy(shop, "A")
    deliver(desk)
    asked = [ask(desk, ("A", 1)) for _ in range(2)]

    def agree(place: int) -> str:
        try:
            return desk.agree(asked[place]).status
        except DomainError as refused:
            return refused.code

    with ThreadPoolExecutor(2) as pool:
        ended = sorted(pool.map(agree, range(2)))
    assert ended[0] == "applied"
    assert ended[1] in {"change_outdated", "too_many_units"}
    assert broken(shop) == []


def test_a_parcel_that_is_taken_in_twice_at_once_pays_once(shop: Shop) -> None:
    shop.add("A")
    desk = buy(shop, "A", 2)
    deliver(desk)
    send_back(desk, ("A", 2))
    row = the_return(desk)
    line = lines_of(desk, row)[0]

    def take(_: int) -> None:
        with shop.uow() as session:
            made = arriving.receive(session, row.tenant_id, row.id, units={line.id: 2}, actor="key_staff")
        pay(desk, made)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(take, range(4)))
    assert (the_return(desk).given, returned(desk)) == (11000, {"A": 2})
    assert broken(shop) == []


def test_a_dispute_refuses_a_return_and_keeps_the_money_of_one_that_is_under_way(shop: Shop) -> None:
    shop.add("A")
    desk = buy(shop, "A", 2)
    deliver(desk)
    send_back(desk, ("A", 1))
    gateway = shop.runtime.gateways["sandbox"]
    with shop.uow() as session:
        payment_id = session.scalars(select(Payment.id).where(Payment.order_id == desk.order_id)).one()
    gateway.open_dispute(payment_id, merchant=shop.tenant.id)  # type: ignore[attr-defined] # the sandbox's own
    for told in gateway.due_webhooks(merchant=shop.tenant.id):  # type: ignore[attr-defined]
        gateway_events.receive(
            shop.runtime, "sandbox", told.body, dict(told.headers), on_charge=recovery.on_gateway_event
        )
    with pytest.raises(DomainError) as refused:
        ask(desk, ("A", 1))
    assert refused.value.code == "order_disputed"
    receive(desk, the_return(desk))
    inspect(desk, the_return(desk))
    stuck = the_return(desk)
    assert (stuck.problem, stuck.given, stuck.status) == ("refund_blocked_by_dispute", 0, ReturnStatus.INSPECTED)
    assert broken(shop) == []


@pytest.mark.parametrize("point", faults.POINTS)
def test_whoever_dies_charging_an_exchange_leaves_it_whole(shop: Shop, point: str) -> None:
    shop.add("A")
    sibling(shop, "A", "A2", price=7000)
    desk = buy(shop, "A")
    deliver(desk)
    paid = desk.look().total.amount
    change = ask(desk, {"sku": "A", "exchange": "A2"})

    def hook(name: str) -> None:
        if name == point:
            raise Died

    faults.set_hook(hook)
    try:
        desk.agree(change)
    except Died:
        pass
    finally:
        faults.set_hook(None)
    with clock.shifted(timedelta(minutes=2)):
        recovery.recover_payments(shop.runtime, shop.tenant.id)
    applied = held(shop) == paid + 2200
    assert stock(shop, "A2") == (10, 1 if applied else 0)
    assert broken(shop) == []
    if applied:
        receive(desk, the_return(desk))
        assert desk.line("A2").allocated == 1
        assert broken(shop) == []


def test_an_exchange_is_given_up_and_the_card_gets_its_charge_once(shop: Shop) -> None:
    shop.add("A")
    sibling(shop, "A", "A2", price=7000)
    desk = buy(shop, "A")
    deliver(desk)
    paid = desk.look().total.amount
    send_back(desk, {"sku": "A", "exchange": "A2"})
    row = the_return(desk)

    def give_up(_: int) -> bool:
        try:
            with shop.uow() as session:
                made = deciding.cancel(session, row.tenant_id, row.id, actor=desk.buyer.id)
        except DomainError:
            return False
        pay(desk, made)
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(give_up, range(4))) == [False, False, False, True]
    assert held(shop) == paid
    assert broken(shop) == []


def test_above_a_limit_the_money_waits_for_somebody_elses_yes(shop: Shop) -> None:
    shop.add("A")
    desk = buy(shop, "A")
    deliver(desk)
    limit(desk, PaymentsPolicy, refund_limit_per_order=100)
    line = {"line_id": desk.line("A").id, "reason": "changed_mind"}
    change = desk.ask("return", by=desk.staff, lines=[line])
    apply.apply_as_staff(shop.runtime, desk.staff, desk.order_id, change.id)
    receive(desk, the_return(desk))
    ann, bob = staff(shop.tenant, "ann"), staff(shop.tenant, "bob")
    with shop.uow() as session:
        args = {"return_id": the_return(desk).id}
        waits = perform(session, shop.runtime, ann, ApprovalKind.RETURN_REFUND, args, reason="It is here").approval
    assert waits is not None
    assert (waits.amount, the_return(desk).given) == (5500, 0)
    assert broken(shop) == []
    decide(shop.runtime, bob, waits.id, approve=True, note="")
    assert (the_return(desk).given, the_return(desk).problem) == (5500, None)
    inspect(desk, the_return(desk))
    assert the_return(desk).status == ReturnStatus.CLOSED
    assert broken(shop) == []
