"""Captures of an authorization, letting go, refunds, disputes, payouts: what every gateway keeps."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.kit import clock
from engine.kit.errors import NotFound
from engine.kit.ids import new_id
from engine.kit.money import Money
from engine.payments.errors import (
    AuthorizationExpired,
    CaptureExceedsAuthorization,
    EvidenceTooLate,
    RefundExceedsCapture,
    TokenRefused,
)
from engine.payments.gateway import (
    ChargeStatus,
    DisputeStatus,
    GatewayTimeout,
    MoveStatus,
    PayoutKind,
    Standing,
)
from tests.contracts.gateways.bench import Bench

EVIDENCE = {"shipping_tracking_number": "TRACK1", "uncategorized_text": "Delivered."}


def standing(bench: Bench, payment_id: str) -> Standing:
    return bench.gateway.standings(merchant=bench.merchant)[payment_id]


def test_a_hold_takes_nothing_and_says_until_when(bench: Bench) -> None:
    charge = bench.gateway.authorize(bench.request(bench.token()))
    assert (charge.status, charge.amount) == (ChargeStatus.AUTHORIZED, Money(5000, "USD"))
    assert charge.expires_at is not None
    assert charge.expires_at > clock.now() + timedelta(days=1)
    assert standing(bench, charge.key) == Standing("USD", 5000, 0, 0, 0)
    assert bench.find(charge.key).status == ChargeStatus.AUTHORIZED


def test_parts_are_captured_and_the_last_lets_the_rest_go(bench: Bench) -> None:
    payment_id = bench.held()
    first, second = bench.take(payment_id, 1000), bench.take(payment_id, 1500, final=True)
    assert (first.status, first.amount) == (MoveStatus.SUCCEEDED, Money(1000, "USD"))
    assert second.status == MoveStatus.SUCCEEDED
    charge = bench.find(payment_id)
    assert (charge.status, charge.amount) == (ChargeStatus.CAPTURED, Money(2500, "USD"))
    with pytest.raises(CaptureExceedsAuthorization):
        bench.take(payment_id, 1)
    assert standing(bench, payment_id) == Standing("USD", 5000, 2500, 0, 0)


def test_between_parts_the_rest_is_still_held(bench: Bench) -> None:
    payment_id = bench.held()
    bench.take(payment_id, 1000)
    assert bench.find(payment_id).status == ChargeStatus.AUTHORIZED
    with pytest.raises(CaptureExceedsAuthorization):
        bench.take(payment_id, 4001)
    assert bench.take(payment_id, 4000).status == MoveStatus.SUCCEEDED
    assert bench.find(payment_id).status == ChargeStatus.CAPTURED


def test_a_capture_key_moves_money_once(bench: Bench) -> None:
    payment_id, key = bench.held(), new_id("capture")
    first = bench.take(payment_id, 1000, key=key)
    assert bench.take(payment_id, 1000, key=key) == first
    with pytest.raises(TokenRefused):
        bench.take(payment_id, 999, key=key)
    assert standing(bench, payment_id).captured == 1000
    found = bench.gateway.find_move(key, payment_id=payment_id, merchant=bench.merchant)
    assert found is not None
    assert (found.key, found.status, found.amount) == (key, MoveStatus.SUCCEEDED, Money(1000, "USD"))


def test_a_lost_answer_to_a_capture_is_found_again(bench: Bench) -> None:
    payment_id, key = bench.held(behavior="move_lost"), new_id("capture")
    with pytest.raises(GatewayTimeout):
        bench.take(payment_id, 5000, key=key, final=True)
    found = bench.gateway.find_move(key, payment_id=payment_id, merchant=bench.merchant)
    assert found is not None
    assert found.status == MoveStatus.SUCCEEDED
    assert bench.take(payment_id, 5000, key=key, final=True).status == MoveStatus.SUCCEEDED
    assert standing(bench, payment_id).captured == 5000


def test_nothing_is_captured_of_what_lapsed(bench: Bench) -> None:
    payment_id = bench.held()
    with clock.shifted(timedelta(days=40)):
        with pytest.raises(AuthorizationExpired):
            bench.take(payment_id, 1000)
        assert bench.find(payment_id).status == ChargeStatus.VOIDED
        assert standing(bench, payment_id).captured == 0


def test_nothing_is_captured_of_what_was_never_held(bench: Bench) -> None:
    with pytest.raises(CaptureExceedsAuthorization):
        bench.take(new_id("payment"), 100)


def test_a_void_lets_a_hold_go(bench: Bench) -> None:
    payment_id = bench.held()
    for _ in range(2):
        charge = bench.gateway.void(payment_id, merchant=bench.merchant, key=new_id("capture"))
        assert charge.status == ChargeStatus.VOIDED
    with pytest.raises(CaptureExceedsAuthorization):
        bench.take(payment_id, 100)
    assert standing(bench, payment_id).captured == 0


def test_a_void_keeps_what_was_taken(bench: Bench) -> None:
    payment_id = bench.held()
    bench.take(payment_id, 1000)
    charge = bench.gateway.void(payment_id, merchant=bench.merchant, key=new_id("capture"))
    assert (charge.status, charge.amount) == (ChargeStatus.CAPTURED, Money(1000, "USD"))
    assert bench.find(payment_id).amount == Money(1000, "USD")


def test_cancel_lets_a_hold_go(bench: Bench) -> None:
    payment_id = bench.held()
    assert bench.gateway.cancel(payment_id, merchant=bench.merchant).status == ChargeStatus.VOIDED
    with pytest.raises(CaptureExceedsAuthorization):
        bench.take(payment_id, 100)


def test_refunds_add_up_to_no_more_than_was_captured(bench: Bench) -> None:
    payment_id = bench.paid()
    first = bench.refund(payment_id, 2000)
    assert (first.status, first.amount) == (MoveStatus.SUCCEEDED, Money(2000, "USD"))
    with pytest.raises(RefundExceedsCapture):
        bench.refund(payment_id, 3001)
    assert bench.refund(payment_id, 3000).status == MoveStatus.SUCCEEDED
    with pytest.raises(RefundExceedsCapture):
        bench.refund(payment_id, 1)
    assert standing(bench, payment_id) == Standing("USD", 5000, 5000, 5000, 0)


def test_a_refund_key_moves_money_once(bench: Bench) -> None:
    payment_id, key = bench.paid(), new_id("refund")
    first = bench.refund(payment_id, 1000, key=key)
    assert bench.refund(payment_id, 1000, key=key) == first
    with pytest.raises(TokenRefused):
        bench.refund(payment_id, 1001, key=key)
    assert standing(bench, payment_id).refunded == 1000


def test_a_lost_answer_to_a_refund_is_found_again(bench: Bench) -> None:
    payment_id, key = bench.paid(behavior="refund_lost"), new_id("refund")
    with pytest.raises(GatewayTimeout):
        bench.refund(payment_id, 1000, key=key)
    found = bench.gateway.find_move(key, payment_id=payment_id, merchant=bench.merchant)
    assert found is not None
    assert (found.status, found.amount) == (MoveStatus.SUCCEEDED, Money(1000, "USD"))
    assert bench.refund(payment_id, 1000, key=key).status == MoveStatus.SUCCEEDED
    assert standing(bench, payment_id).refunded == 1000


@pytest.mark.usefixtures("still_clock")
def test_a_pending_refund_arrives_later(bench: Bench) -> None:
    payment_id, key = bench.paid(behavior="refund_pending"), new_id("refund")
    pending = bench.refund(payment_id, 1000, key=key)
    assert pending.status == MoveStatus.PENDING
    bench.hands.end_refund(pending.gateway_id)
    with clock.shifted(timedelta(minutes=1)):
        found = bench.gateway.find_move(key, payment_id=payment_id, merchant=bench.merchant)
        told = [event for event in bench.events() if event.move and event.move.key == key]
    assert found is not None
    assert found.status == MoveStatus.SUCCEEDED
    assert told[-1].move is not None
    assert (told[-1].payment_id, told[-1].move.status) == (payment_id, MoveStatus.SUCCEEDED)


@pytest.mark.parametrize("amount", [0, 100])
def test_what_was_not_captured_is_not_refunded(bench: Bench, amount: int) -> None:
    payment_id = bench.held() if amount else new_id("payment")
    with pytest.raises(RefundExceedsCapture):
        bench.refund(payment_id, 100)


def test_a_refund_keeps_the_currency(bench: Bench) -> None:
    payment_id = bench.paid()
    with pytest.raises(RefundExceedsCapture):
        bench.refund(payment_id, 100, currency="EUR")
    assert standing(bench, payment_id).refunded == 0


def test_a_dispute_takes_the_money_and_blocks_its_refund(bench: Bench) -> None:
    payment_id = bench.paid()
    dispute_id = bench.hands.open_dispute(payment_id)
    assert standing(bench, payment_id) == Standing("USD", 5000, 5000, 0, 5000)
    assert standing(bench, payment_id).net == 0
    with pytest.raises(RefundExceedsCapture):
        bench.refund(payment_id, 100)
    (told,) = [event.dispute for event in bench.events() if event.dispute]
    assert (told.gateway_id, told.payment_id, told.status) == (dispute_id, payment_id, DisputeStatus.NEEDS_RESPONSE)
    assert (told.amount, told.fee) == (Money(5000, "USD"), 1500)
    assert told.evidence_due_at is not None


@pytest.mark.parametrize("won", [True, False])
def test_a_dispute_is_answered_once_and_decided(bench: Bench, won: bool) -> None:
    payment_id = bench.paid()
    dispute_id = bench.hands.open_dispute(payment_id)
    sent = {"merchant": bench.merchant, "evidence": EVIDENCE}
    key = new_id("dispute")
    first = bench.gateway.submit_evidence(dispute_id, **sent, key=key)
    assert (first.status, first.payment_id) == (DisputeStatus.UNDER_REVIEW, payment_id)
    assert bench.gateway.submit_evidence(dispute_id, **sent, key=key).status == DisputeStatus.UNDER_REVIEW
    with pytest.raises(EvidenceTooLate):
        bench.gateway.submit_evidence(dispute_id, **sent, key=new_id("dispute"))
    bench.hands.close_dispute(dispute_id, won=won)
    assert standing(bench, payment_id).disputed == (0 if won else 5000)
    last = [event.dispute for event in bench.events() if event.dispute][-1]
    assert last.status == (DisputeStatus.WON if won else DisputeStatus.LOST)


def test_evidence_may_be_too_late_or_about_nothing(bench: Bench) -> None:
    dispute_id = bench.hands.open_dispute(bench.paid())
    sent = {"merchant": bench.merchant, "evidence": EVIDENCE, "key": new_id("dispute")}
    with clock.shifted(timedelta(days=30)), pytest.raises(EvidenceTooLate):
        bench.gateway.submit_evidence(dispute_id, **sent)
    with pytest.raises(NotFound):
        bench.gateway.submit_evidence("du_nobody", **sent)


def test_a_payout_is_the_sum_of_its_lines(bench: Bench) -> None:
    since = clock.now() - timedelta(minutes=1)
    paid, refund_key = bench.paid(), new_id("refund")
    bench.refund(paid, 1000, key=refund_key)
    lost, won = bench.paid(2000), bench.paid(3000)
    disputes = {name: bench.hands.open_dispute(name) for name in (lost, won)}
    bench.hands.close_dispute(disputes[won], won=True)
    bench.hands.pay_out()
    with clock.shifted(timedelta(minutes=2)):
        (payout,) = bench.gateway.payouts(merchant=bench.merchant, since=since)
    assert payout.currency == "USD"
    assert payout.amount == sum(line.amount for line in payout.lines) - sum(line.fee for line in payout.lines)
    assert min(line.fee for line in payout.lines) >= 0
    assert {line.payment_id for line in payout.lines} == {paid, lost, won}
    found = {(line.kind, line.reference): line.amount for line in payout.lines}
    assert found == {
        (PayoutKind.CHARGE, paid): 5000,
        (PayoutKind.REFUND, refund_key): -1000,
        (PayoutKind.CHARGE, lost): 2000,
        (PayoutKind.CHARGE, won): 3000,
        (PayoutKind.DISPUTE, disputes[lost]): -2000,
        (PayoutKind.DISPUTE, disputes[won]): -3000,
        (PayoutKind.DISPUTE_WON, disputes[won]): 3000,
    }


def test_only_payouts_since_then_are_told(bench: Bench) -> None:
    bench.paid()
    bench.hands.pay_out()
    assert bench.gateway.payouts(merchant=bench.merchant, since=clock.now() + timedelta(hours=1)) == []
