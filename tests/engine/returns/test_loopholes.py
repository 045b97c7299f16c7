"""Ways around the rules that are closed: a parcel nobody saw, a fee that an exchange hides, one that starves many."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from engine.catalog.models import Variant
from engine.kit import clock
from engine.kit.errors import DomainError
from engine.kit.identity import Actor, Identity, Scope
from engine.orders.changes.apply import change_as_staff
from engine.orders.changes.wanted import read
from engine.orders.errors import ChangeRefused
from engine.orders.models import AdjustmentKind, OrderAdjustment, OrderLine
from engine.returns import deciding, parcel
from engine.returns.errors import WrongStep
from engine.returns.models import Disposition, Return, ReturnStatus
from tests.engine.inventory.stocked import bundle
from tests.engine.orders.desk import Desk, broken, buy, held, sibling, stock
from tests.engine.returns.coming import (
    ask,
    deliver,
    inspect,
    lines_of,
    pay,
    receive,
    returned,
    rule,
    send_back,
    the_return,
)
from tests.shop import Shop


def adjusted(desk: Desk, kind: AdjustmentKind) -> list[int]:
    with desk.shop.uow() as session:
        query = select(OrderAdjustment.amount).where(OrderAdjustment.order_id == desk.order_id)
        return list(session.scalars(query.where(OrderAdjustment.kind == kind).order_by(OrderAdjustment.at)))


def test_no_money_rests_on_what_the_shopper_says_of_the_parcel(shop: Shop) -> None:
    shop.add("A")
    rule(shop, refund_at="in_transit")
    desk = buy(shop, "A", 2)
    deliver(desk)
    send_back(desk, ("A", 2))
    row = the_return(desk)
    with shop.uow() as session:
        parcel.handed_in(session, shop.tenant.id, row.id, actor=desk.buyer.id)
    receive(desk, row, 1)
    assert the_return(desk).given == 5500
    inspect(desk, row, {Disposition.RESTOCK: 1})
    with shop.uow() as session:
        made = deciding.close(session, shop.tenant.id, row.id, actor="key_staff")
    pay(desk, made)
    assert (the_return(desk).given, the_return(desk).scanned_at, returned(desk)) == (5500, None, {"A": 1})
    assert broken(shop) == []


def test_the_shops_people_may_say_that_the_carrier_has_it(shop: Shop) -> None:
    shop.add("A")
    rule(shop, refund_at="in_transit")
    desk = buy(shop, "A")
    deliver(desk)
    send_back(desk, ("A", 1))
    row = the_return(desk)
    for _ in range(2):
        with shop.uow() as session:
            made = parcel.scanned(session, shop.tenant.id, row.id, actor="key_staff")
        pay(desk, made)
        assert (the_return(desk).status, the_return(desk).given) == (ReturnStatus.IN_TRANSIT, 5500)
    receive(desk, row)
    inspect(desk, row)
    with shop.uow() as session:
        assert parcel.scanned(session, shop.tenant.id, row.id, actor="key_staff") == ()
    assert broken(shop) == []


def test_a_parcel_that_is_not_expected_is_not_scanned(shop: Shop) -> None:
    shop.add("A")
    desk = buy(shop, "A")
    deliver(desk)
    send_back(desk, ("A", 1))
    row = the_return(desk)
    receive(desk, row)
    with shop.uow() as session, pytest.raises(WrongStep):
        parcel.scanned(session, shop.tenant.id, row.id, actor="key_staff")


def test_an_exchange_that_is_canceled_costs_the_fee_of_a_return(shop: Shop) -> None:
    shop.add("A")
    sibling(shop, "A", "A2", price=5000)
    rule(shop, restocking_fee_percent=20)
    desk = buy(shop, "A", 2)
    deliver(desk)
    paid = held(shop)
    send_back(desk, {"sku": "A", "quantity": 2, "exchange": "A2"})
    row = the_return(desk)
    receive(desk, row)
    inspect(desk, row)
    assert ([line.waived_fee for line in lines_of(desk, row)], held(shop)) == ([2000], paid)
    first = desk.ask("cancel", reason="other", lines=[{"line_id": desk.line("A2").id, "quantity": 1}])
    assert (first.kept_fee.amount, first.refund.amount) == (1000, 4500)
    desk.agree(first)
    assert (held(shop), adjusted(desk, AdjustmentKind.FEE)) == (paid - 4500, [1000])
    assert broken(shop) == []
    sibling(shop, "A", "A3", price=5000)
    desk.do("items", swaps=[{"line_id": desk.line("A2").id, "to_variant_id": shop.variants["A3"], "quantity": 1}])
    desk.do("cancel", reason="other")
    assert (held(shop), adjusted(desk, AdjustmentKind.FEE)) == (paid - 9000, [1000, 1000])
    balances = desk.balances()
    assert (balances.get("customer_deposits", 0), balances["return_fees"]) == (0, -2000)
    assert broken(shop) == []


@pytest.mark.parametrize(("kept", "fee", "waived"), [("difference", 900, 100), ("never", 0, 1000), ("always", 1000, 0)])
def test_an_exchange_for_something_cheap_is_no_way_around_the_fee(shop: Shop, kept: str, fee: int, waived: int) -> None:
    shop.add("A")
    sibling(shop, "A", "A2", price=500)
    rule(shop, restocking_fee_percent=20, exchange_restocking=kept)
    desk = buy(shop, "A")
    deliver(desk)
    paid = held(shop)
    send_back(desk, {"sku": "A", "exchange": "A2"})
    row = the_return(desk)
    receive(desk, row)
    inspect(desk, row)
    assert [(line.fee, line.waived_fee) for line in lines_of(desk, row)] == [(fee, waived)]
    assert (held(shop), desk.balances().get("return_fees", 0)) == (paid - 4950 + fee, -fee)
    assert broken(shop) == []
    staff = Identity(shop.tenant.id, Actor.API_KEY, "key_staff", scopes=frozenset({Scope.STAFF}))
    change_as_staff(shop.runtime, staff, desk.order_id, read({"kind": "cancel", "reason": "other"}))
    assert -desk.balances().get("return_fees", 0) == fee + min(waived, 550)
    assert broken(shop) == []


def test_an_exchange_for_something_cheap_in_two_steps_is_refused(shop: Shop) -> None:
    shop.add("A")
    sibling(shop, "A", "A2", price=5000)
    sibling(shop, "A", "A3", price=500)
    rule(shop, restocking_fee_percent=20)
    desk = buy(shop, "A")
    deliver(desk)
    send_back(desk, {"sku": "A", "exchange": "A2"})
    receive(desk, the_return(desk))
    inspect(desk, the_return(desk))
    left = held(shop)
    swap = {"line_id": desk.line("A2").id, "to_variant_id": shop.variants["A3"], "quantity": 1}
    with pytest.raises(ChangeRefused):
        desk.ask("items", swaps=[swap])
    assert held(shop) == left
    rule(shop, exchange_restocking="never")
    assert desk.ask("items", swaps=[swap]).refund.amount == 4950


def test_an_exchange_for_as_much_is_spared_all_of_the_fee(shop: Shop) -> None:
    shop.add("A")
    sibling(shop, "A", "A2", price=6000)
    rule(shop, restocking_fee_percent=20)
    desk = buy(shop, "A")
    deliver(desk)
    send_back(desk, {"sku": "A", "exchange": "A2"})
    assert [(line.fee, line.waived_fee) for line in lines_of(desk, the_return(desk))] == [(0, 1000)]


def test_an_exchange_of_what_was_the_shops_fault_is_canceled_for_nothing(shop: Shop) -> None:
    shop.add("A")
    sibling(shop, "A", "A2", price=5000)
    rule(shop, restocking_fee_percent=20)
    desk = buy(shop, "A")
    deliver(desk)
    paid = held(shop)
    send_back(desk, {"sku": "A", "exchange": "A2", "reason": "damaged", "condition": "damaged"})
    receive(desk, the_return(desk))
    desk.do("cancel", reason="other")
    assert (held(shop), adjusted(desk, AdjustmentKind.FEE)) == (paid - 5500, [])
    assert broken(shop) == []


def test_the_shop_cancels_what_was_had_for_less_than_the_fee_without_a_charge(shop: Shop) -> None:
    shop.add("A")
    sibling(shop, "A", "A2", price=500)
    rule(shop, restocking_fee_percent=50, exchange_restocking="never")
    desk = buy(shop, "A", 2)
    deliver(desk)
    send_back(desk, {"sku": "A", "quantity": 2, "exchange": "A2"})
    receive(desk, the_return(desk))
    inspect(desk, the_return(desk))
    left = held(shop)
    asked = desk.ask("cancel", reason="other")
    assert (asked.kept_fee.amount, asked.charge.amount, asked.refund.amount) == (5000, 3900, 0)
    staff = Identity(shop.tenant.id, Actor.API_KEY, "key_staff", scopes=frozenset({Scope.STAFF}))
    done = change_as_staff(shop.runtime, staff, desk.order_id, read({"kind": "cancel", "reason": "other"}))
    assert (done.kept_fee.amount, done.charge.amount, done.refund.amount) == (1100, 0, 0)
    assert (held(shop), adjusted(desk, AdjustmentKind.FEE)) == (left, [1100])
    assert broken(shop) == []


def test_an_exchange_of_which_only_some_comes_costs_the_fee(shop: Shop) -> None:
    shop.add("A")
    sibling(shop, "A", "A2", price=5000)
    rule(shop, restocking_fee_percent=20)
    desk = buy(shop, "A", 2)
    deliver(desk)
    paid = held(shop)
    send_back(desk, {"sku": "A", "quantity": 2, "exchange": "A2"})
    row = the_return(desk)
    receive(desk, row, 1)
    inspect(desk, row, {Disposition.RESTOCK: 1})
    with shop.uow() as session:
        made = deciding.close(session, shop.tenant.id, row.id, actor="key_staff")
    pay(desk, made)
    assert (held(shop), the_return(desk).given, the_return(desk).fee) == (paid - 4500, 4500, 2000)
    assert broken(shop) == []


@pytest.mark.parametrize(("job", "over"), [("retry_blocked", {}), ("expire_returns", {"days": 15})])
def test_returns_that_are_stuck_starve_no_other(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, job: str, over: dict[str, int]
) -> None:
    shop.add("A", stock={"EAST": 50})
    desks = [buy(shop, "A") for _ in range(3)]
    for desk in desks:
        deliver(desk)
        send_back(desk, ("A", 1))
    rows = [the_return(desk) for desk in desks]
    if job == "retry_blocked":
        with shop.uow() as session:
            for row in rows:
                session.get_one(Return, (row.tenant_id, row.id)).problem = "refund_over_limit"
    monkeypatch.setattr(deciding, "_BATCH", 1)
    tried: list[str] = []
    name = "_again" if job == "retry_blocked" else "_expire"

    def stuck(_session: object, _tenant_id: str, return_id: str) -> tuple[str, ...]:
        tried.append(return_id)
        if return_id != rows[2].id:
            raise RuntimeError
        return ()

    monkeypatch.setattr(deciding, name, stuck)
    with clock.shifted(timedelta(**over)):
        assert getattr(deciding, job)(shop.runtime, shop.tenant.id) == 1
    assert tried == [row.id for row in rows]


def test_a_bundle_is_shared_by_the_prices_of_its_purchase(shop: Shop) -> None:
    shop.add("X", price=3000)
    shop.add("Y", price=1000)
    bundle(shop, "SET", {"X": 1, "Y": 2}, price=4001)
    desk = buy(shop, "SET", 1)
    with shop.uow() as session:
        line = session.get_one(OrderLine, (shop.tenant.id, desk.line("SET").id))
        parts = {one["variant_id"]: (one["price"], one["share"]) for one in line.components}
    assert parts == {shop.variants["X"]: (3000, 2401), shop.variants["Y"]: (1000, 1600)}
    with shop.uow() as session:
        session.get_one(Variant, (shop.tenant.id, shop.variants["X"])).price = 1
    deliver(desk)
    quoted = ask(desk, {"sku": "SET", "part": "X", "quantity": 1})
    assert quoted.returned[0].total.amount == 2401 + 240
    desk.agree(quoted)
    receive(desk, the_return(desk))
    assert broken(shop) == []


def test_some_goods_of_a_return_are_exchanged_and_others_paid_back(shop: Shop) -> None:
    shop.add("A")
    sibling(shop, "A", "A2", price=5000)
    rule(shop, restocking_fee_percent=10)
    desk = buy(shop, "A", 3)
    deliver(desk)
    paid = held(shop)
    send_back(desk, {"sku": "A", "quantity": 2, "exchange": "A2"}, {"sku": "A", "quantity": 1})
    row = the_return(desk)
    assert (row.kind, row.charge, row.refund, row.fee) == ("exchange", 0, 5000, 500)
    assert stock(shop, "A2") == (10, 2)
    receive(desk, row, 2, 0)
    assert (held(shop), returned(desk)) == (paid, {"A": 0})
    receive(desk, row, 0, 1)
    assert (held(shop), returned(desk), desk.line("A2").allocated) == (paid - 5000, {"A": 3, "A2": 0}, 2)
    inspect(desk, row)
    assert broken(shop) == []
    deliver(desk)
    assert desk.balances().get("customer_deposits", 0) == 0
    assert broken(shop) == []


def test_a_part_of_a_bundle_is_exchanged_for_a_cheaper_one_that_is_not_free(shop: Shop) -> None:
    shop.add("X", price=3000)
    shop.add("Y", price=1000)
    bundle(shop, "SET", {"X": 1, "Y": 2}, price=3500)
    sibling(shop, "X", "X2", price=600)
    desk = buy(shop, "SET")
    deliver(desk)
    send_back(desk, {"sku": "SET", "part": "X", "quantity": 1, "exchange": "X2"})
    row = the_return(desk)
    assert (row.credit, row.replacement) == (2310, 462)  # X was 21.00 of 35.00; X2 is 6.00 less the same three tenths
    receive(desk, row)
    inspect(desk, row)
    assert (desk.line("X2").unit_price.amount, desk.line("X2").discount) == (600, 180)
    assert broken(shop) == []


def test_a_part_of_a_bundle_is_exchanged(shop: Shop) -> None:
    shop.add("X", price=3000)
    shop.add("Y", price=1000)
    bundle(shop, "SET", {"X": 1, "Y": 2}, price=3500)
    sibling(shop, "X", "X2", price=3000)
    desk = buy(shop, "SET", 2)
    deliver(desk)
    paid = held(shop)
    quoted = ask(desk, {"sku": "SET", "part": "X", "quantity": 1, "exchange": "X2"})
    assert (quoted.charge.amount, quoted.refund.amount) == (0, 0)
    desk.agree(quoted)
    row = the_return(desk)
    receive(desk, row)
    inspect(desk, row)
    assert (held(shop), returned(desk), desk.line("X2").ordered) == (paid, {"SET": 0, "X2": 0}, 1)
    assert broken(shop) == []
    deliver(desk)
    assert broken(shop) == []
    with pytest.raises(DomainError) as refused:
        ask(desk, {"sku": "SET", "part": "X", "quantity": 1, "exchange": "Y"})
    assert refused.value.code == "wrong_product"
