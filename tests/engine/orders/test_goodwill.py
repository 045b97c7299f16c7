"""Goodwill, and what becomes of it when the order is canceled afterwards: the same money goes back once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from engine.fulfillment import release, shipments
from engine.kit import clock
from engine.kit.errors import NotFound
from engine.orders import goodwill, queries
from engine.orders.models import OrderAdjustment
from engine.payments import refunds
from engine.payments.errors import RefundExceedsCapture, RefundOverLimit
from engine.payments.models import Refund
from engine.payments.policy import PaymentsPolicy
from tests.engine.orders.desk import Desk, broken, buy, held, limit
from tests.shop import Shop

TOTAL = 19355


@pytest.fixture
def desk(shop: Shop) -> Desk:
    """Three of A (50.00) and one of B (20.00), shipped for 5.95 with 10 % tax: 170.00 + 5.95 + 17.60 = 193.55."""
    shop.add("A", price=5000)
    shop.add("B", price=2000)
    made = buy(shop, "A", 3, "B")
    limit(made, PaymentsPolicy, refund_limit_per_order=None)
    return made


def give(desk: Desk, amount: int, *, execute: bool = True, **more: Any) -> list[Refund]:
    with desk.shop.uow() as session:
        made = goodwill.give(
            session,
            desk.shop.tenant.id,
            order_id=desk.order_id,
            amount=amount,
            reason="A scratch",
            requested_by="key_staff",
            **more,
        )
    if execute:
        for one in made:
            refunds.execute(desk.shop.runtime, desk.shop.tenant.id, one.id)
    return made


def given(desk: Desk) -> int:
    """What counts as goodwill in the end."""
    with desk.shop.uow() as session:
        query = select(func.sum(OrderAdjustment.amount)).where(OrderAdjustment.kind == "goodwill")
        return int(session.scalar(query) or 0)


def send(desk: Desk) -> None:
    for one in release.release_now(desk.shop.runtime, desk.shop.tenant.id, desk.order_id):
        shipments.ship_now(desk.shop.runtime, desk.shop.tenant.id, one)


def test_goodwill_then_a_cancel_gives_back_what_is_left_and_no_sale_was_ever_returned(desk: Desk) -> None:
    give(desk, 1000)
    assert desk.balances()["sales_returns"] == 1000
    quoted = desk.ask("cancel", reason="other")
    assert (quoted.refund.amount, quoted.difference.amount, quoted.balance_after.amount) == (18355, -TOTAL, 0)
    assert desk.agree(quoted).status == "applied"
    order = desk.look()
    assert (order.status, order.due.amount, order.balance.amount) == ("canceled", 0, 0)
    assert (held(desk.shop), given(desk)) == (0, 0)
    assert desk.balances() == {}
    assert broken(desk.shop) == []


@pytest.mark.parametrize("units", [1, 2, 3])
def test_canceled_step_by_step_the_goodwill_is_taken_up_when_it_must_be(desk: Desk, units: int) -> None:
    give(desk, 19000)
    line = desk.line("A")
    first = desk.do("cancel", reason="other", lines=[{"line_id": line.id, "quantity": units}])
    assert (first.refund.amount, desk.look().due.amount) == (355, 0)
    assert given(desk) == units * 5500 - TOTAL
    assert broken(desk.shop) == []
    assert desk.do("cancel", reason="other").refund.amount == 0
    assert (desk.look().status, held(desk.shop), given(desk)) == ("canceled", 0, 0)
    assert desk.balances() == {}
    assert broken(desk.shop) == []


def test_goodwill_for_what_was_kept_stays_a_returned_sale(desk: Desk) -> None:
    line = desk.line("B")
    give(desk, 5000)
    assert desk.do("cancel", reason="other", lines=[{"line_id": line.id, "quantity": 1}]).refund.amount == 2200
    send(desk)
    assert (given(desk), desk.balances()["sales_returns"]) == (-5000, 5000)
    assert "customer_deposits" not in desk.balances()
    assert broken(desk.shop) == []


def test_goodwill_that_is_still_on_its_way_counts(desk: Desk) -> None:
    [on_its_way] = give(desk, 1000, execute=False)
    assert desk.do("cancel", reason="other").refund.amount == 18355
    refunds.execute(desk.shop.runtime, desk.shop.tenant.id, on_its_way.id)
    assert (held(desk.shop), desk.balances()) == (0, {})
    assert broken(desk.shop) == []


def test_goodwill_that_came_back_is_given_with_the_cancel(shop: Shop) -> None:
    shop.add("A", price=5000)
    desk = buy(shop, "A", 1, card="card_test_refund_refused")
    give(desk, 1000)
    with clock.shifted(timedelta(minutes=1)):
        refunds.finish_pending(shop.runtime, shop.tenant.id)
        with shop.uow() as session:
            assert session.scalars(select(Refund.status)).all() == ["failed"]
        assert desk.ask("cancel", reason="other").refund.amount == desk.look().total.amount


def test_goodwill_to_store_credit_and_a_cancel_to_the_card(desk: Desk) -> None:
    give(desk, 1000, destination="store_credit")
    assert desk.do("cancel", reason="other").refund.amount == 18355
    assert desk.balances() == {"psp_clearing": 1000, "store_credit_liability": -1000}
    assert broken(desk.shop) == []


def test_nobody_gives_more_than_is_due_and_a_refusal_leaves_nothing(desk: Desk) -> None:
    before = desk.rows()
    with pytest.raises(RefundExceedsCapture):
        give(desk, TOTAL + 1, approved="word_1")
    limit(desk, PaymentsPolicy, refund_limit_per_order=999)
    with pytest.raises(RefundOverLimit):
        give(desk, 1000)
    assert desk.rows() == before
    assert [one.approved for one in give(desk, 1000, approved="word_1", note="A difficult person")] == ["word_1"]
    with desk.shop.uow() as session:
        shown = queries.own_order(session, desk.buyer, desk.order_id).model_dump_json()
    assert ("A scratch" in shown, "A difficult person" in shown) == (True, False)
    with desk.shop.uow() as session, pytest.raises(NotFound):
        goodwill.give(
            session, desk.shop.tenant.id, order_id="ord_x", amount=1, reason="A scratch", requested_by="key_staff"
        )
    assert broken(desk.shop) == []
