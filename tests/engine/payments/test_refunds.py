"""Refunds: bounds, spreading, limits, failures late and early, deaths, crowds."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from engine.kit import clock, faults
from engine.kit.audit import AuditRow
from engine.kit.errors import DomainError, InvalidInput, NotFound
from engine.kit.policies import change_policy
from engine.kit.tenancy import Tenant
from engine.payments import captures, inbox, refunds
from engine.payments.errors import AlertClosed, RefundBlockedByDispute, RefundExceedsCapture, RefundOverLimit
from engine.payments.models import Refund
from engine.payments.policy import PaymentsPolicy
from engine.payments.spreading import Share, Source, spread
from tests.engine.payments.paying import SOON, TAX, TOTAL, Till, death_at

REFUND_POINTS = [point for point in faults.MOVE_POINTS if point.startswith("refund_")]
PAID = {"psp_clearing": TOTAL, "customer_deposits": TAX - TOTAL, "tax_payable": -TAX}


def set_policy(till: Till, **values: Any) -> None:
    with till.runtime.store.without_tenant() as session:
        change_policy(session.get_one(Tenant, till.tenant_id), PaymentsPolicy, values)


def test_partial_refunds_up_to_what_was_captured_and_not_a_cent_more(till: Till) -> None:
    order_id, payment_id = till.sale()
    assert till.refunded(order_id, 1000, tax=100, unearned=500) == ["succeeded"]
    assert till.books() == {
        "psp_clearing": TOTAL - 1000,
        "customer_deposits": TAX - TOTAL + 500,
        "tax_payable": 100 - TAX,
        "sales_returns": 400,
    }
    with pytest.raises(RefundExceedsCapture, match=r"\$51\.55"):
        till.refund(order_id, TOTAL - 999)
    assert till.refunded(order_id, TOTAL - 1000, tax=TAX - 100, unearned=0) == ["succeeded"]
    assert (till.tally(payment_id).refundable, till.tally(payment_id).refunded) == (0, TOTAL)
    assert till.gateway.standings(merchant=till.tenant_id)[payment_id].net == 0
    till.assert_clean()


@pytest.mark.parametrize("parts", [{"tax": -1}, {"unearned": 1001}, {"tax": 1, "unearned": 1000}])
def test_parts_that_do_not_fit_are_refused(till: Till, parts: dict[str, int]) -> None:
    order_id, payment_id = till.sale()
    with pytest.raises(InvalidInput):
        till.refund(order_id, 1000, **parts)
    with pytest.raises(NotFound):
        till.refund("ord_other", 1000)
    assert till.tally(payment_id).refunds_pending == 0


def test_twenty_refunds_at_once_never_pass_the_bound(till: Till) -> None:
    order_id, payment_id = till.sale()

    def attempt(_: int) -> str:
        try:
            return till.refunded(order_id, 1000)[0]
        except RefundExceedsCapture as error:
            return error.code

    with ThreadPoolExecutor(20) as pool:
        ends = list(pool.map(attempt, range(20)))
    assert (ends.count("succeeded"), ends.count("refund_exceeds_capture")) == (6, 14)
    assert till.tally(payment_id).refunded == 6000
    till.assert_clean()


def test_spreading_is_exact_to_the_cent() -> None:
    sources = [Source("a", 333), Source("b", 0), Source("c", 1000)]
    assert spread(sources, amount=1000, tax=91, unearned=909) == [Share("a", 333, 30, 303), Share("c", 667, 61, 606)]
    assert sum(share.amount for share in spread(sources, amount=2000, tax=0, unearned=0)) == 1333


def test_a_split_payment_gives_back_to_the_gift_card_first(till: Till) -> None:
    order_id, payment_id = till.sale()
    account, _ = till.gift_card(1500)
    stored = till.stored(account, 1500, order_id)
    captures.execute(till.runtime, till.tenant_id, till.capture(stored, 1500, tax=150))
    assert till.balance(account.id) == 0
    assert till.refunded(order_id, 2000, tax=200, unearned=1800) == ["succeeded", "succeeded"]
    assert till.balance(account.id) == 1500
    assert (till.tally(stored).refunded, till.tally(payment_id).refunded) == (1500, 500)
    till.assert_clean()
    set_policy(till, refund_order="card_first")
    till.refunded(order_id, 1000)
    assert till.tally(payment_id).refunded == 1500
    till.assert_clean()


def test_a_refund_to_store_credit_asks_no_gateway(till: Till) -> None:
    order_id, payment_id = till.sale()
    [refund] = till.refund(order_id, 1000, destination="store_credit")
    refunds.execute(till.runtime, till.tenant_id, refund.id)
    assert refund.stored_value_id is not None
    assert till.balance(refund.stored_value_id) == 1000
    assert till.gateway.standings(merchant=till.tenant_id)[payment_id].refunded == 0
    assert till.books()["store_credit_liability"] == -1000
    [second] = till.refund(order_id, 500, destination="store_credit")
    assert second.stored_value_id == refund.stored_value_id
    with pytest.raises(RefundExceedsCapture):
        till.refund(order_id, TOTAL - 1499)
    till.recover()
    with clock.shifted(SOON):
        till.recover()
    assert till.balance(refund.stored_value_id) == 1500
    till.assert_clean()


@pytest.mark.parametrize("limit", ["refund_limit_per_order", "refund_limit_per_customer_day", "refund_limit_per_day"])
def test_limits_are_cumulative(till: Till, limit: str) -> None:
    set_policy(till, **{limit: 1500})
    order_id, payment_id = till.sale()
    other_id, _ = till.sale()
    till.refunded(order_id, 1000)
    with pytest.raises(RefundOverLimit):
        till.refund(order_id, 501)
    if limit == "refund_limit_per_day":
        with pytest.raises(RefundOverLimit):
            till.refund(other_id, 501)
    else:
        till.refunded(other_id, 501)
    assert till.refunded(order_id, 499 if limit == "refund_limit_per_day" else 500) == ["succeeded"]
    assert till.tally(payment_id).refunded in {1499, 1500}


def test_a_day_limit_holds_for_orders_refunded_at_once(till: Till) -> None:
    set_policy(till, refund_limit_per_day=2500)
    orders = [till.sale()[0] for _ in range(4)]

    def attempt(order_id: str) -> str:
        try:
            return till.refunded(order_id, 1000)[0]
        except RefundOverLimit as error:
            return error.code

    with ThreadPoolExecutor(8) as pool:
        ends = list(pool.map(attempt, orders * 2))
    assert (ends.count("succeeded"), ends.count("refund_over_limit")) == (2, 6)


def test_a_dispute_blocks_refunds_until_it_is_won(till: Till) -> None:
    order_id, payment_id = till.sale()
    opened = till.gateway.open_dispute(payment_id, merchant=till.tenant_id, amount=1000)
    till.hear(till.sent())
    with pytest.raises(RefundBlockedByDispute):
        till.refund(order_id, 1)
    with pytest.raises(RefundBlockedByDispute):
        till.refund(order_id, 1, payment_id=payment_id)
    till.gateway.decide_dispute(opened.gateway_id, won=True)
    till.hear(till.sent())
    assert till.refunded(order_id, TOTAL) == ["succeeded"]
    till.assert_clean()


def lose(till: Till, payment_id: str, amount: int) -> None:
    opened = till.gateway.open_dispute(payment_id, merchant=till.tenant_id, amount=amount)
    till.gateway.decide_dispute(opened.gateway_id, won=False)
    till.hear(till.sent())


def test_what_a_lost_dispute_leaves_can_be_refunded_and_not_a_cent_more(till: Till) -> None:
    order_id, payment_id = till.sale()
    lose(till, payment_id, 1000)
    assert till.refunded(order_id, 155) == ["succeeded"]
    with pytest.raises(RefundBlockedByDispute) as refused:
        till.refund(order_id, TOTAL - 1000 - 155 + 1)
    assert str(refused.value) == "The card's bank has given money back: only $50.00 can still be refunded."
    assert till.refunded(order_id, TOTAL - 1000 - 155, payment_id=payment_id) == ["succeeded"]
    assert till.tally(payment_id).refundable == 0
    assert till.gateway.standings(merchant=till.tenant_id)[payment_id].net == 0
    till.assert_clean()


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from(["refund", "dispute", "won", "lost"]), st.integers(1, TOTAL)), min_size=2, max_size=8
    )
)
def test_no_more_goes_back_than_was_taken_less_what_the_bank_took(till: Till, steps: list[tuple[str, int]]) -> None:
    order_id, payment_id = till.sale()
    refunded = lost = 0
    open_ids: dict[str, int] = {}
    for what, amount in steps:
        left = TOTAL - refunded - lost - sum(open_ids.values())
        if what == "dispute" and amount <= left:
            opened = till.gateway.open_dispute(payment_id, merchant=till.tenant_id, amount=amount)
            open_ids[opened.gateway_id] = amount
        elif what in {"won", "lost"} and open_ids:
            dispute_id, taken = open_ids.popitem()
            till.gateway.decide_dispute(dispute_id, won=what == "won")
            lost += 0 if what == "won" else taken
        elif what == "refund" and (open_ids or amount > left):
            with pytest.raises((RefundBlockedByDispute, RefundExceedsCapture)):
                till.refund(order_id, amount)
        elif what == "refund":
            assert till.refunded(order_id, amount) == ["succeeded"]
            refunded += amount
        till.hear(till.sent())
        assert till.tally(payment_id).refundable == TOTAL - refunded - lost - sum(open_ids.values())
    till.assert_clean()


@pytest.mark.parametrize("point", REFUND_POINTS)
@pytest.mark.parametrize("card", ["card_test_visa", "card_test_refund_timeout"])
def test_death_at_any_point_of_a_refund_gives_back_once(till: Till, point: str, card: str) -> None:
    order_id, payment_id = till.sale(card)
    [refund] = till.refund(order_id, 1000)
    with death_at(point):
        refunds.execute(till.runtime, till.tenant_id, refund.id)
    with clock.shifted(SOON):
        till.recover()
        till.recover()
    assert till.tally(payment_id).refunded == 1000
    assert till.gateway.standings(merchant=till.tenant_id)[payment_id].refunded == 1000
    assert till.books()["psp_clearing"] == TOTAL - 1000
    till.assert_clean()


@pytest.mark.parametrize("point", ["refund_before_commit", "refund_after_commit"])
def test_death_credits_an_account_once(till: Till, point: str) -> None:
    order_id, _ = till.sale()
    [refund] = till.refund(order_id, 1000, destination="store_credit")
    with death_at(point):
        refunds.execute(till.runtime, till.tenant_id, refund.id)
    with clock.shifted(SOON):
        till.recover()
    assert refund.stored_value_id is not None
    assert till.balance(refund.stored_value_id) == 1000
    till.assert_clean()


def test_a_lost_answer_is_asked_for_at_once(till: Till) -> None:
    order_id, _ = till.sale("card_test_refund_timeout")
    assert till.refunded(order_id, 1000) == ["succeeded"]
    assert till.open_alerts() == []
    till.assert_clean()


@pytest.mark.usefixtures("still_clock")
def test_a_pending_refund_is_heard_of_by_webhook(till: Till) -> None:
    order_id, payment_id = till.sale("card_test_refund_late")
    assert till.refunded(order_id, 1000) == ["pending"]
    assert till.books() == PAID
    assert till.tally(payment_id).refundable == TOTAL - 1000
    with clock.shifted(SOON):
        till.hear(till.sent())
        assert till.tally(payment_id).refunded == 1000
        till.assert_clean()


@pytest.mark.usefixtures("still_clock")
@pytest.mark.parametrize("card", ["card_test_refund_fails", "card_test_refund_refused"])
def test_a_refund_that_fails_is_taken_back_and_made_again(till: Till, card: str) -> None:
    order_id, payment_id = till.sale(card)
    [refund] = till.refund(order_id, 1000, tax=91, unearned=500)
    refunds.execute(till.runtime, till.tenant_id, refund.id)
    with clock.shifted(SOON):
        sent = till.sent()
        till.hear([*sent, *sent])
        till.recover()
        assert till.books() == PAID
        assert till.tally(payment_id).refundable == TOTAL
        assert till.open_alerts() == [("refund_failed", refund.id)]
        till.assert_clean()
        alert_id = till.alert_id("refund_failed")
        inbox.act(till.runtime, till.staff, alert_id)
        with pytest.raises(AlertClosed):
            inbox.act(till.runtime, till.staff, alert_id)
        with till.shop.uow() as session:
            again = session.query(Refund).filter(Refund.id != refund.id).one()
        assert (again.amount, again.tax, again.unearned, again.requested_by) == (1000, 91, 500, "key_staff")


@pytest.mark.usefixtures("still_clock")
def test_news_in_the_wrong_order_ends_in_the_last_state(till: Till) -> None:
    order_id, payment_id = till.sale("card_test_refund_fails")
    [refund] = till.refund(order_id, 1000)
    with death_at("refund_after_gateway"):
        refunds.execute(till.runtime, till.tenant_id, refund.id)
    with clock.shifted(SOON):
        till.hear(till.sent())  # failed, before we knew that it had succeeded
        till.recover()
    assert till.tally(payment_id).refundable == TOTAL
    assert till.books() == PAID
    till.assert_clean()


def test_twenty_hands_on_one_refund_give_back_once(till: Till) -> None:
    order_id, payment_id = till.sale()
    [refund] = till.refund(order_id, 1000)

    def attempt(_: int) -> str:
        try:
            return refunds.execute(till.runtime, till.tenant_id, refund.id).status
        except DomainError as error:
            return error.code

    with ThreadPoolExecutor(20) as pool:
        ends = list(pool.map(attempt, range(20)))
    assert set(ends) <= {"succeeded", "pending"}
    assert till.tally(payment_id).refunded == 1000
    till.assert_clean()


def test_an_approval_lifts_the_limits_and_counts_towards_none_but_never_the_capture(till: Till) -> None:
    set_policy(till, refund_limit_per_order=1000)
    order_id, payment_id = till.sale()
    till.refunded(order_id, 400)
    with pytest.raises(RefundOverLimit) as refused:
        till.refund(order_id, 1000)
    error = refused.value
    assert (error.code, error.kind, error.rule) == ("refund_over_limit", "forbidden", "refund_limit_per_order")
    assert (error.limit, error.amount, error.currency) == (1000, 1400, "USD")
    [refund] = till.refund(order_id, 1000, approved="word_1", note="for the staff")
    assert (refund.approved, refund.note) == ("word_1", "for the staff")
    [_] = till.refund(order_id, 600)
    with pytest.raises(RefundExceedsCapture):
        till.refund(order_id, TOTAL - 1999, approved="word_1")
    with clock.shifted(SOON):
        till.recover()
    assert till.tally(payment_id).refunded == 2000
    with till.shop.uow() as session:
        facts = session.scalars(
            select(AuditRow.facts).where(AuditRow.action == "refund.requested", AuditRow.subject == refund.id)
        ).one()
    assert facts["approved"] == "word_1"
    till.assert_clean()
