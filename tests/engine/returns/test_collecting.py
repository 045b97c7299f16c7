"""An exchange that is paid on receipt beside everything else: a process that dies, two at once, a closing, a no."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from engine.checkout import recovery
from engine.customers.models import PaymentMethod
from engine.kit import clock, faults
from engine.kit.errors import DomainError
from engine.payments import refunds
from engine.returns import collecting, deciding
from engine.returns.models import ReturnStatus
from tests.engine.orders.desk import broken, buy, sibling
from tests.engine.orders.stored import Known, known
from tests.engine.returns.coming import deliver, inspect, receive, rule, the_return
from tests.shop import Shop

DIFFERENCE = 3_300


class Died(BaseException):
    """The plug was pulled."""


def here(shop: Shop, way: str) -> Known:
    """A dearer exchange by that way to pay, whose old goods have come."""
    shop.add("TENT", price=10_000)
    sibling(shop, "TENT", "TENT-L", price=13_000)
    desk = known(buy(shop, "TENT"))
    deliver(desk)
    with shop.uow() as session:
        session.get_one(PaymentMethod, (shop.tenant.id, desk.card)).gateway = "sandbox"
        session.get_one(PaymentMethod, (shop.tenant.id, desk.card)).gateway_ref = "card_test_declined"
    rule(shop, exchange_charge_at="received", exchange_refund_to=["original"])
    line = {
        "variant_id": shop.variants["TENT"],
        "reason": "other",
        "exchange_variant_id": shop.variants["TENT-L"],
    }
    desk.do("return", lines=[line], payment_method_ref=getattr(desk, way, way), refund_to="original")
    receive(desk, the_return(desk))
    return desk


def collect(desk: Known) -> int:
    return collecting.collect_due(desk.shop.runtime, desk.shop.tenant.id)


def die_at(desk: Known, point: str) -> bool:
    """Whether it came to that point."""

    def hook(name: str) -> None:
        if name == point:
            raise Died

    faults.set_hook(hook)
    try:
        collect(desk)
    except Died:
        return True
    finally:
        faults.set_hook(None)
    return False


def taken(desk: Known) -> tuple[int, int, list[int]]:
    """(still to be taken, taken, the payments for it)."""
    row = the_return(desk)
    return row.to_charge, row.collected, [amount for _, amount in desk.paid()[1:]]


@pytest.mark.parametrize("way", ["test_visa", "paypal", "gift"])
@pytest.mark.parametrize("point", faults.POINTS)
def test_whoever_dies_taking_the_difference_takes_it_once(shop: Shop, point: str, way: str) -> None:
    desk = here(shop, way)
    with clock.shifted(timedelta(days=20)):  # the card of the yes ran out long ago
        died = die_at(desk, point)
    assert died or way != "test_visa"
    assert broken(shop) == []
    with clock.shifted(timedelta(days=20, minutes=2)):
        recovery.recover_payments(shop.runtime, shop.tenant.id)
        collect(desk)
    assert taken(desk) == (0, DIFFERENCE, [DIFFERENCE])
    assert desk.balance() == 10_000 - (DIFFERENCE if way == "gift" else 0)
    inspect(desk, the_return(desk))
    assert (the_return(desk).status, desk.line("TENT-L").allocated) == (ReturnStatus.CLOSED, 1)
    assert broken(shop) == []


@pytest.mark.parametrize("way", ["test_visa", "gift"])
def test_of_many_who_take_it_at_once_one_does(shop: Shop, way: str) -> None:
    desk = here(shop, way)
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(lambda _: collect(desk), range(4))) == 1
    assert taken(desk) == (0, DIFFERENCE, [DIFFERENCE])
    assert broken(shop) == []


def test_nothing_is_closed_while_the_card_is_asked(shop: Shop) -> None:
    desk = here(shop, "test_visa")
    inspect(desk, the_return(desk))
    assert die_at(desk, "after_capture")
    row, before = the_return(desk), desk.rows()
    with pytest.raises(DomainError) as refused, shop.uow() as session:
        deciding.close(session, row.tenant_id, row.id, actor="key_staff")
    assert (refused.value.code, desk.rows()) == ("wrong_step", before)
    with clock.shifted(timedelta(minutes=2)):
        recovery.recover_payments(shop.runtime, shop.tenant.id)
    assert taken(desk) == (0, DIFFERENCE, [DIFFERENCE])
    assert broken(shop) == []


def test_a_card_that_said_no_is_not_asked_again_and_the_goods_that_came_are_paid_back(shop: Shop) -> None:
    desk = here(shop, "card")
    inspect(desk, the_return(desk))
    assert collect(desk) == 1
    row = the_return(desk)
    assert (row.problem, taken(desk)) == ("difference_unpaid", (DIFFERENCE, 0, [DIFFERENCE]))
    assert deciding.retry_blocked(shop.runtime, shop.tenant.id) == 0
    assert (collect(desk), the_return(desk).problem, len(desk.paid())) == (0, "difference_unpaid", 2)
    with pytest.raises(DomainError) as refused, shop.uow() as session:
        deciding.settle_again(session, row.tenant_id, row.id, actor="key_staff")
    assert refused.value.code == "wrong_step"
    assert broken(shop) == []
    with shop.uow() as session:
        made = deciding.close(session, row.tenant_id, row.id, actor="key_staff")
    for refund_id in made:
        refunds.execute(shop.runtime, row.tenant_id, refund_id)
    assert (the_return(desk).status, desk.given()[-1][2]) == (ReturnStatus.CLOSED, 11_000)
    assert broken(shop) == []
