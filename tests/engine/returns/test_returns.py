"""Goods that come back: money to the cent, stock, books, and every refusal leaves all as it was."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from engine.kit import clock
from engine.kit.errors import DomainError
from engine.orders import service as orders
from engine.orders.changes import apply
from engine.orders.models import AdjustmentKind
from engine.payments import refunds
from engine.payments.policy import PaymentsPolicy
from engine.returns import deciding, parcel
from engine.returns.arriving import Stray
from engine.returns.errors import NotInspected, WrongStep
from engine.returns.models import Disposition, ReturnStatus
from tests.engine.inventory.stocked import bundle
from tests.engine.orders.desk import Desk, broken, buy, held, limit, stock
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


def money(desk: Desk) -> tuple[int, int]:
    """What the gateway keeps, and what is due."""
    due = desk.look().due
    assert due is not None
    return held(desk.shop), due.amount


def test_a_return_is_agreed_sent_received_refunded_restocked_and_closed(shop: Shop) -> None:
    shop.add("A")
    desk = buy(shop, "A", 2)
    deliver(desk)
    agreed = send_back(desk, ("A", 1))
    assert agreed.status == "applied"
    assert agreed.terms is not None
    assert (agreed.terms.refund.amount, agreed.refund.amount, agreed.charge.amount) == (5500, 0, 0)
    row = the_return(desk)
    assert (row.status, row.refund, row.given) == (ReturnStatus.LABEL_READY, 5500, 0)
    assert row.number == f"{desk.look().number}-R1"
    assert broken(shop) == []
    receive(desk, row)
    assert returned(desk) == {"A": 1}
    assert the_return(desk).given == 5500
    assert desk.look().payment_status == "partially_refunded"
    assert desk.look().fulfillment_status == "partially_returned"
    before, books = stock(shop, "A"), desk.balances()
    assert broken(shop) == []
    inspect(desk, row)
    assert stock(shop, "A") == (before[0] + 1, before[1])
    assert desk.balances()["inventory"] - books.get("inventory", 0) == 2500
    assert the_return(desk).status == ReturnStatus.CLOSED
    assert broken(shop) == []
    assert held(shop) == desk.look().total.amount - 5500


REFUSED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("return_refused", {"enabled": False}, {}),
    ("return_window_closed", {"window_days": 3}, {}),
    ("final_sale", {"final_sale_categories": ["things"]}, {}),
    ("final_sale", {"final_sale_skus": ["A"]}, {}),
    ("final_sale", {"window_by_category": {"things": 0}}, {}),
    ("condition_refused", {}, {"condition": "used"}),
    ("invalid_reason", {}, {"reason": "no_such"}),
    ("too_many_units", {}, {"quantity": 3}),
    ("exchange_refused", {"exchanges": False}, {"exchange": "A"}),
]


@pytest.mark.parametrize(("code", "policy", "asked"), REFUSED)
def test_the_shops_rules_refuse_and_nothing_changes(
    shop: Shop, code: str, policy: dict[str, Any], asked: dict[str, Any]
) -> None:
    shop.add("A")
    desk = buy(shop, "A", 2)
    deliver(desk)
    rule(shop, **policy)
    before = desk.rows()
    with clock.shifted(timedelta(days=5)), pytest.raises(DomainError) as refused:
        ask(desk, {"sku": "A", "quantity": 1} | asked)
    assert refused.value.code == code
    assert desk.rows() == before


def test_a_fault_of_the_shop_outweighs_final_sale_and_condition_and_has_no_fee(shop: Shop) -> None:
    shop.add("A")
    desk = buy(shop, "A")
    deliver(desk)
    rule(shop, final_sale_skus=["A"], restocking_fee_percent=20, label_paid_by="customer", label_fee=500)
    terms = ask(desk, {"sku": "A", "reason": "damaged", "condition": "damaged"}).terms
    assert terms is not None
    shipping = 655
    assert (terms.fee.amount, terms.label, terms.shipping.amount) == (0, "shop", shipping)
    assert terms.refund.amount == desk.look().total.amount


def test_what_has_not_arrived_or_was_lost_cannot_come_back(shop: Shop) -> None:
    shop.add("A")
    desk = buy(shop, "A")
    with pytest.raises(DomainError) as refused:
        ask(desk, ("A", 1))
    assert refused.value.code == "not_delivered"


def test_fees_are_kept_and_earned(shop: Shop) -> None:
    shop.add("A")
    desk = buy(shop, "A", 3)
    deliver(desk)
    rule(shop, restocking_fee_percent=15, opened_fee_percent=25, label_paid_by="customer", label_fee=401)
    agreed = send_back(desk, {"sku": "A", "quantity": 2, "condition": "opened"})
    assert agreed.terms is not None
    assert (agreed.terms.fee.amount, agreed.terms.refund.amount) == (2901, 8099)
    row = the_return(desk)
    receive(desk, row, 1)
    assert broken(shop) == []
    receive(desk, row, 1)
    inspect(desk, row)
    assert (the_return(desk).given, desk.balances()["return_fees"]) == (8099, -2901)
    assert desk.balances()["return_labels"] == the_return(desk).label_cost
    assert broken(shop) == []


def test_shipping_comes_back_by_share_to_the_cent(shop: Shop) -> None:
    for sku, price in (("A", 3333), ("B", 1111), ("C", 7)):
        shop.add(sku, price=price)
    desk = buy(shop, "A", 2, "B", "C")
    deliver(desk)
    rule(shop, refund_shipping="share")
    paid = desk.look().total.amount
    for sku, quantity in (("A", 1), ("C", 1), ("A", 1), ("B", 1)):
        send_back(desk, (sku, quantity))
        receive(desk, the_return(desk))
        assert broken(shop) == []
    assert money(desk) == (0, 0)
    assert paid > 0
    assert desk.look().payment_status == "refunded"
    assert desk.look().fulfillment_status == "returned"


def test_several_parcels_too_many_and_something_else(shop: Shop) -> None:
    shop.add("A")
    shop.add("B")
    desk = buy(shop, "A", 3, "B")
    deliver(desk)
    send_back(desk, ("A", 2), ("B", 1))
    row = the_return(desk)
    receive(desk, row, 1, 0)
    assert (returned(desk), the_return(desk).status) == ({"A": 1, "B": 0}, ReturnStatus.RECEIVED)
    receive(desk, row, 4, 0, strays=(Stray("A red shoe", 1),))
    assert returned(desk) == {"A": 2, "B": 0}
    assert [(one["what"], one["quantity"]) for one in the_return(desk).unexpected] == [
        ("A red shoe", 1),
        ("Thing A", 3),
    ]
    inspect(desk, row, {Disposition.RESTOCK: 1, Disposition.SCRAP: 1}, {})
    assert the_return(desk).status == ReturnStatus.INSPECTED
    with shop.uow() as session:
        made = deciding.close(session, shop.tenant.id, row.id, actor="key_staff")
    pay(desk, made)
    assert (the_return(desk).status, the_return(desk).given) == (ReturnStatus.CLOSED, 11000)
    assert broken(shop) == []
    send_back(desk, ("B", 1))
    assert the_return(desk).refund == 5500


def test_money_waits_for_the_inspection_and_rejected_units_get_none(shop: Shop) -> None:
    shop.add("A")
    rule(shop, refund_at="inspected")
    desk = buy(shop, "A", 3)
    deliver(desk)
    send_back(desk, ("A", 3))
    row = the_return(desk)
    receive(desk, row)
    assert the_return(desk).given == 0
    with shop.uow() as session, pytest.raises(NotInspected):
        deciding.close(session, shop.tenant.id, row.id, actor="key_staff")
    inspect(desk, row, {Disposition.RESTOCK: 2, Disposition.QUARANTINE: 1}, rejected=(1,))
    assert (the_return(desk).given, the_return(desk).status, returned(desk)) == (11000, ReturnStatus.CLOSED, {"A": 2})
    assert broken(shop) == []
    with pytest.raises(DomainError) as refused:
        ask(desk, ("A", 1))
    assert refused.value.code == "too_many_units"


def test_money_goes_back_when_the_carrier_has_it(shop: Shop) -> None:
    shop.add("A")
    rule(shop, refund_at="in_transit")
    desk = buy(shop, "A")
    deliver(desk)
    send_back(desk, ("A", 1))
    row = the_return(desk)
    with shop.uow() as session:
        parcel.handed_in(session, shop.tenant.id, row.id, actor=desk.buyer.id)
    parcel.poll(shop.runtime, shop.tenant.id)
    assert the_return(desk).given == 0
    with clock.shifted(timedelta(hours=5)):
        parcel.poll(shop.runtime, shop.tenant.id)
        assert (the_return(desk).status, the_return(desk).given) == (ReturnStatus.IN_TRANSIT, 5500)
        with shop.uow() as session, pytest.raises(WrongStep):
            deciding.cancel(session, shop.tenant.id, row.id, actor=desk.buyer.id)
        assert broken(shop) == []
        receive(desk, row)
        inspect(desk, row)
    assert (the_return(desk).status, the_return(desk).given) == (ReturnStatus.CLOSED, 5500)
    assert broken(shop) == []


def test_cheap_faulty_goods_may_be_kept(shop: Shop) -> None:
    shop.add("A", price=900)
    rule(shop, keep_below=2000)
    desk = buy(shop, "A", 2)
    deliver(desk)
    agreed = send_back(desk, {"sku": "A", "quantity": 1, "reason": "damaged", "condition": "damaged"})
    assert agreed.terms is not None
    assert (agreed.terms.keep, agreed.refund.amount) == (True, agreed.terms.refund.amount)
    row = the_return(desk)
    assert (row.status, row.given, row.label_at) == (ReturnStatus.CLOSED, row.refund, None)
    assert returned(desk) == {"A": 1}
    assert broken(shop) == []


def test_goodwill_given_before_is_part_of_what_was_paid(shop: Shop) -> None:
    shop.add("A")
    desk = buy(shop, "A")
    deliver(desk)
    rule(shop, refund_shipping="full_return")
    paid = desk.look().total.amount
    with shop.uow() as session:
        order = orders.lock(session, shop.tenant.id, desk.order_id)
        made = refunds.request(
            session, shop.tenant.id, order_id=order.id, amount=700, tax=0, unearned=0, reason="x", requested_by="key_x"
        )
        orders.adjust(session, order, kind=AdjustmentKind.GOODWILL, amount=-700, tax=0, refund_id=made[0].id)
    pay(desk, (made[0].id,))
    send_back(desk, ("A", 1))
    assert the_return(desk).refund == paid - 700
    receive(desk, the_return(desk))
    assert money(desk) == (0, 0)
    assert broken(shop) == []


def test_a_limit_or_a_dispute_keeps_the_money_here_until_it_is_lifted(shop: Shop) -> None:
    shop.add("A")
    desk = buy(shop, "A")
    deliver(desk)
    limit(desk, PaymentsPolicy, refund_limit_per_order=100)
    line = {"line_id": desk.line("A").id, "reason": "changed_mind"}
    change = desk.ask("return", by=desk.staff, lines=[line])
    apply.apply_as_staff(shop.runtime, desk.staff, desk.order_id, change.id)
    row = the_return(desk)
    receive(desk, row)
    stuck = the_return(desk)
    assert (stuck.problem, stuck.given, returned(desk)) == ("refund_over_limit", 0, {"A": 0})
    inspect(desk, row)
    assert broken(shop) == []
    limit(desk, PaymentsPolicy, refund_limit_per_order=None)
    assert deciding.retry_blocked(shop.runtime, shop.tenant.id) == 1
    assert (the_return(desk).status, the_return(desk).given) == (ReturnStatus.CLOSED, 5500)
    assert broken(shop) == []


def test_a_return_is_looked_at_first_and_declined_or_approved(shop: Shop) -> None:
    shop.add("A")
    rule(shop, auto_approve=False)
    desk = buy(shop, "A", 2)
    deliver(desk)
    agreed = send_back(desk, ("A", 1))
    assert (agreed.status, the_return(desk).status) == ("requested", ReturnStatus.REQUESTED)
    assert broken(shop) == []
    with pytest.raises(DomainError) as refused:
        ask(desk, ("A", 2))
    assert refused.value.code == "too_many_units"
    with shop.uow() as session:
        deciding.decline(session, shop.tenant.id, the_return(desk).id, words="It was worn.", actor="key_staff")
    assert the_return(desk).status == ReturnStatus.DECLINED
    assert broken(shop) == []
    send_back(desk, ("A", 2))
    deciding.approve(shop.runtime, desk.staff, the_return(desk).id)
    assert the_return(desk).status == ReturnStatus.LABEL_READY
    assert broken(shop) == []


def test_what_nobody_sends_expires_and_can_be_asked_for_again(shop: Shop) -> None:
    shop.add("A")
    desk = buy(shop, "A")
    deliver(desk)
    send_back(desk, ("A", 1))
    with clock.shifted(timedelta(days=15)):
        assert deciding.expire_returns(shop.runtime, shop.tenant.id) == 1
        assert the_return(desk).status == ReturnStatus.EXPIRED
        assert broken(shop) == []
        send_back(desk, ("A", 1))
        assert the_return(desk).refund == 5500


def test_a_part_of_a_bundle_comes_back_by_its_share(shop: Shop) -> None:
    shop.add("X", price=3000)
    shop.add("Y", price=1000)
    bundle(shop, "SET", {"X": 1, "Y": 2}, price=4001)
    desk = buy(shop, "SET", 2)
    deliver(desk)
    send_back(desk, {"sku": "SET", "part": "Y", "quantity": 3})
    row = the_return(desk)
    assert lines_of(desk, row)[0].goods == 3 * 8002 * 2 // 5 // 4
    before = stock(shop, "Y")
    receive(desk, row)
    inspect(desk, row)
    assert (stock(shop, "Y"), returned(desk)) == ((before[0] + 3, before[1]), {"SET": 0})
    assert broken(shop) == []
    send_back(desk, {"sku": "SET", "part": "X", "quantity": 2}, {"sku": "SET", "part": "Y", "quantity": 1})
    receive(desk, the_return(desk))
    inspect(desk, the_return(desk))
    assert returned(desk) == {"SET": 2}
    assert money(desk)[1] == desk.look().total.amount - 8802
    assert broken(shop) == []
