"""The sandbox gateway: late, lost and refused answers, disputes, payouts, webhooks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from engine.kit import clock
from engine.kit.errors import NotFound, Unauthenticated
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
    Allowance,
    CaptureRequest,
    ChargeStatus,
    DisputeStatus,
    EventKind,
    GatewayTimeout,
    MoveStatus,
    PayoutKind,
    PayoutLine,
    Standing,
)
from engine.payments.gateways.sandbox.gateway import SandboxGateway
from engine.runtime import Runtime

pytestmark = pytest.mark.usefixtures("still_clock")

LATER = timedelta(seconds=10)


class Merchant:
    """One merchant at the gateway."""

    def __init__(self, gateway: SandboxGateway) -> None:
        self.gateway = gateway
        self.id = new_id("tenant")

    def request(self, card: str = "card_test_visa", amount: int = 1000) -> CaptureRequest:
        session_id, payment_id = new_id("checkout"), new_id("payment")
        money = Money(amount, "USD")
        allowance = Allowance(self.id, session_id, money, clock.now() + timedelta(minutes=10))
        token = self.gateway.delegate(card, allowance, key=payment_id)
        return CaptureRequest(payment_id, self.id, session_id, token, money)

    def paid(self, card: str = "card_test_visa", amount: int = 1000) -> str:
        request = self.request(card, amount)
        assert self.gateway.capture(request).status == ChargeStatus.CAPTURED
        return request.payment_id

    def held(self, card: str = "card_test_visa", amount: int = 1000) -> str:
        request = self.request(card, amount)
        assert self.gateway.authorize(request).status == ChargeStatus.AUTHORIZED
        return request.payment_id

    def take(self, payment_id: str, amount: int, key: str, *, final: bool = False) -> Any:
        money = Money(amount, "USD")
        return self.gateway.capture_authorized(payment_id, merchant=self.id, amount=money, key=key, final=final)

    def refund(self, payment_id: str, amount: int, key: str) -> Any:
        return self.gateway.refund(payment_id, merchant=self.id, amount=Money(amount, "USD"), key=key)

    def move(self, key: str, payment_id: str) -> Any:
        return self.gateway.find_move(key, payment_id=payment_id, merchant=self.id)

    def standing(self, payment_id: str) -> tuple[int, int, int, int]:
        s = self.gateway.standings(merchant=self.id)[payment_id]
        return s.authorized, s.captured, s.refunded, s.disputed

    def events(self) -> list[Any]:
        sent = self.gateway.due_webhooks(merchant=self.id)
        return [self.gateway.parse_webhook(one.body, one.headers) for one in sent]


@pytest.fixture
def merchant(runtime: Runtime) -> Merchant:
    gateway = runtime.gateways["sandbox"]
    assert isinstance(gateway, SandboxGateway)
    return Merchant(gateway)


def test_an_authorization_is_captured_in_parts_and_the_rest_let_go(merchant: Merchant) -> None:
    payment_id = merchant.held()
    charge = merchant.gateway.find(payment_id, merchant=merchant.id)
    assert charge is not None
    assert charge.expires_at is not None
    assert timedelta(days=6, hours=23) < charge.expires_at - clock.now() <= timedelta(days=7)
    assert merchant.take(payment_id, 300, "cap_1").status == MoveStatus.SUCCEEDED
    assert merchant.standing(payment_id) == (1000, 300, 0, 0)
    with pytest.raises(CaptureExceedsAuthorization):
        merchant.take(payment_id, 701, "cap_2")
    assert merchant.move("cap_2", payment_id) is None
    assert merchant.take(payment_id, 200, "cap_3", final=True).status == MoveStatus.SUCCEEDED
    with pytest.raises(CaptureExceedsAuthorization):
        merchant.take(payment_id, 1, "cap_4")
    done = merchant.gateway.find(payment_id, merchant=merchant.id)
    assert (done.status, done.amount) == (ChargeStatus.CAPTURED, Money(500, "USD"))
    assert merchant.standing(payment_id) == (1000, 500, 0, 0)


def test_a_key_moves_money_once_and_another_body_is_refused(merchant: Merchant) -> None:
    payment_id = merchant.held()
    first = merchant.take(payment_id, 300, "cap_1")
    assert merchant.take(payment_id, 300, "cap_1") == first == merchant.move("cap_1", payment_id)
    with pytest.raises(TokenRefused):
        merchant.take(payment_id, 301, "cap_1")
    merchant.take(payment_id, 300, "cap_2", final=True)
    assert merchant.refund(payment_id, 100, "rfd_1") == merchant.refund(payment_id, 100, "rfd_1")
    with pytest.raises(TokenRefused):
        merchant.refund(payment_id, 99, "rfd_1")
    assert merchant.standing(payment_id) == (1000, 600, 100, 0)


def test_one_token_pays_one_of_twenty(merchant: Merchant) -> None:
    first = merchant.request()
    rest = [
        CaptureRequest(new_id("payment"), merchant.id, first.session_id, first.token, first.amount) for _ in range(19)
    ]
    with ThreadPoolExecutor(20) as pool:
        ends = [charge.status for charge in pool.map(merchant.gateway.capture, [first, *rest])]
    assert (ends.count(ChargeStatus.CAPTURED), ends.count(ChargeStatus.DECLINED)) == (1, 19)


def test_a_refused_repeat_uses_up_no_token(merchant: Merchant) -> None:
    paid, other = merchant.request(), merchant.request()
    merchant.gateway.capture(paid)
    mixed = CaptureRequest(paid.payment_id, merchant.id, other.session_id, other.token, other.amount)
    with pytest.raises(TokenRefused):
        merchant.gateway.capture(mixed)
    assert merchant.gateway.inspect(other.token, merchant=merchant.id, session_id=other.session_id).usable


def test_twenty_requests_with_one_payment_id_and_two_tokens(merchant: Merchant) -> None:
    one, two = merchant.request(), merchant.request()
    two = CaptureRequest(one.payment_id, merchant.id, two.session_id, two.token, two.amount)

    def attempt(request: CaptureRequest) -> str:
        try:
            return merchant.gateway.capture(request).status
        except TokenRefused:
            return "refused"

    with ThreadPoolExecutor(20) as pool:
        ends = list(pool.map(attempt, [one, two] * 10))
    assert (ends.count("captured"), ends.count("refused")) == (10, 10)
    usable = [
        merchant.gateway.inspect(r.token, merchant=merchant.id, session_id=r.session_id).usable for r in (one, two)
    ]
    assert sorted(usable) == [False, True]


def test_an_authorization_lapses(merchant: Merchant) -> None:
    payment_id, part = merchant.held(), merchant.held()
    merchant.take(part, 300, "cap_part")
    with clock.shifted(timedelta(days=7, seconds=1)):
        with pytest.raises(AuthorizationExpired):
            merchant.take(payment_id, 1, "cap_late")
        gone = merchant.gateway.find(payment_id, merchant=merchant.id)
        kept = merchant.gateway.find(part, merchant=merchant.id)
    assert gone.status == ChargeStatus.VOIDED
    assert (kept.status, kept.amount) == (ChargeStatus.CAPTURED, Money(300, "USD"))


def test_void_lets_go_what_was_not_taken(merchant: Merchant) -> None:
    payment_id, part, paid = merchant.held(), merchant.held(), merchant.paid()
    merchant.take(part, 300, "cap_part")
    void = lambda one: merchant.gateway.void(one, merchant=merchant.id, key="void")  # noqa: E731 (a local shorthand)
    assert [void(payment_id).status, void(payment_id).status] == [ChargeStatus.VOIDED, ChargeStatus.VOIDED]
    assert (void(part).status, void(part).amount) == (ChargeStatus.CAPTURED, Money(300, "USD"))
    assert (void(paid).status, void(paid).amount) == (ChargeStatus.CAPTURED, Money(1000, "USD"))
    with pytest.raises(CaptureExceedsAuthorization):
        merchant.take(payment_id, 1, "cap_after")
    assert merchant.standing(payment_id) == (1000, 0, 0, 0)


def test_the_answer_to_a_capture_is_lost_and_found(merchant: Merchant) -> None:
    payment_id = merchant.held("card_test_capture_timeout")
    with pytest.raises(GatewayTimeout):
        merchant.take(payment_id, 400, "cap_1")
    assert merchant.move("cap_1", payment_id).status == MoveStatus.SUCCEEDED
    assert merchant.take(payment_id, 400, "cap_1").status == MoveStatus.SUCCEEDED
    assert merchant.standing(payment_id) == (1000, 400, 0, 0)


def test_a_capture_is_refused(merchant: Merchant) -> None:
    payment_id = merchant.held("card_test_capture_refused")
    assert merchant.take(payment_id, 400, "cap_1").failure_code == "card_declined"
    assert merchant.take(payment_id, 400, "cap_1").status == MoveStatus.FAILED
    assert merchant.standing(payment_id) == (1000, 0, 0, 0)


def test_a_late_authorization_and_its_late_capture(merchant: Merchant) -> None:
    request = merchant.request("card_test_late")
    with pytest.raises(GatewayTimeout):
        merchant.gateway.authorize(request)
    with clock.shifted(LATER):
        assert merchant.gateway.authorize(request).status == ChargeStatus.AUTHORIZED
        assert merchant.take(request.payment_id, 400, "cap_1", final=True).status == MoveStatus.PENDING
        with pytest.raises(CaptureExceedsAuthorization):
            merchant.take(request.payment_id, 1, "cap_2")
    with clock.shifted(2 * LATER):
        assert merchant.move("cap_1", request.payment_id).status == MoveStatus.SUCCEEDED
        assert merchant.standing(request.payment_id) == (1000, 400, 0, 0)
        told = merchant.events()
    assert [event.kind for event in told] == [EventKind.CHARGE, EventKind.CAPTURE]
    assert (told[0].charge.status, told[1].move.key) == (ChargeStatus.AUTHORIZED, "cap_1")


@pytest.mark.parametrize(
    ("card", "first", "last", "left"),
    [
        ("card_test_visa", MoveStatus.SUCCEEDED, MoveStatus.SUCCEEDED, 600),
        ("card_test_refund_late", MoveStatus.PENDING, MoveStatus.SUCCEEDED, 600),
        ("card_test_refund_refused", MoveStatus.PENDING, MoveStatus.FAILED, 1000),
        ("card_test_refund_fails", MoveStatus.SUCCEEDED, MoveStatus.FAILED, 1000),
    ],
)
def test_how_refunds_end(merchant: Merchant, card: str, first: MoveStatus, last: MoveStatus, left: int) -> None:
    payment_id = merchant.paid(card)
    assert merchant.refund(payment_id, 400, "rfd_1").status == first
    with pytest.raises(RefundExceedsCapture):
        merchant.refund(payment_id, 601, "rfd_2")
    with clock.shifted(LATER):
        assert merchant.move("rfd_1", payment_id).status == last
        standing: Standing = merchant.gateway.standings(merchant=merchant.id)[payment_id]
        assert standing.net == left
        assert [event.move.status for event in merchant.events()] == ([] if card == "card_test_visa" else [last])


def test_the_answer_to_a_refund_is_lost_and_found(merchant: Merchant) -> None:
    payment_id = merchant.paid("card_test_refund_timeout")
    with pytest.raises(GatewayTimeout):
        merchant.refund(payment_id, 400, "rfd_1")
    assert merchant.move("rfd_1", payment_id).status == MoveStatus.SUCCEEDED
    assert merchant.standing(payment_id) == (1000, 1000, 400, 0)


@pytest.mark.parametrize(("words", "status"), [("winning_evidence", "won"), ("losing_evidence", "lost")])
def test_a_dispute_is_answered_once_and_decided(merchant: Merchant, words: str, status: str) -> None:
    payment_id = merchant.paid("card_test_dispute")
    with clock.shifted(LATER):
        [opened] = merchant.events()
        assert (opened.dispute.status, opened.dispute.amount) == (DisputeStatus.NEEDS_RESPONSE, Money(1000, "USD"))
        with pytest.raises(RefundExceedsCapture):
            merchant.refund(payment_id, 1, "rfd_1")
        give = {"merchant": merchant.id, "evidence": {"uncategorized_text": words}}
        sent = merchant.gateway.submit_evidence(opened.dispute.gateway_id, key="e1", **give)
        assert sent.status == DisputeStatus.UNDER_REVIEW
        assert merchant.gateway.submit_evidence(opened.dispute.gateway_id, key="e1", **give) == sent
        with pytest.raises(EvidenceTooLate):
            merchant.gateway.submit_evidence(opened.dispute.gateway_id, key="e2", **give)
    with clock.shifted(3 * LATER):
        ends = [event.dispute.status for event in merchant.events()]
        assert ends[-1] == status
        assert merchant.standing(payment_id) == (1000, 1000, 0, 0 if status == "won" else 1000)


def test_a_dispute_nobody_answers_is_lost_and_is_nobody_elses(merchant: Merchant) -> None:
    payment_id = merchant.paid()
    opened = merchant.gateway.open_dispute(payment_id, merchant=merchant.id, amount=600)
    with pytest.raises(NotFound):
        merchant.gateway.open_dispute(payment_id, merchant=merchant.id, amount=401)
    with pytest.raises(NotFound):
        merchant.gateway.submit_evidence(opened.gateway_id, merchant="tnt_other", evidence={}, key="e")
    with clock.shifted(timedelta(days=8)):
        with pytest.raises(EvidenceTooLate):
            merchant.gateway.submit_evidence(opened.gateway_id, merchant=merchant.id, evidence={}, key="e")
        assert merchant.events()[-1].dispute.status == DisputeStatus.LOST
    assert merchant.standing(payment_id) == (1000, 1000, 0, 600)


def test_a_payout_settles_everything_older_than_a_moment_once(merchant: Merchant) -> None:
    paid, held = merchant.paid(amount=10_000), merchant.held()
    merchant.take(held, 500, "cap_1", final=True)
    merchant.refund(paid, 2500, "rfd_1")
    opened = merchant.gateway.open_dispute(paid, merchant=merchant.id, amount=1000)
    start = clock.now() - timedelta(hours=1)
    assert merchant.gateway.pay_out(merchant=merchant.id, before=start) == []
    with clock.shifted(timedelta(days=1)):
        [first] = merchant.gateway.pay_out(merchant=merchant.id, before=clock.now())
        assert merchant.gateway.pay_out(merchant=merchant.id, before=clock.now()) == []
        merchant.gateway.decide_dispute(opened.gateway_id, won=True)
    with clock.shifted(timedelta(days=2)):
        [second] = merchant.gateway.pay_out(merchant=merchant.id, before=clock.now())
    found = merchant.gateway.payouts(merchant=merchant.id, since=start)
    assert [payout.gateway_id for payout in found] == [first, second]
    assert set(found[0].lines) == {
        PayoutLine(PayoutKind.CHARGE, paid, paid, 10_000, 320),
        PayoutLine(PayoutKind.CHARGE, "cap_1", held, 500, 45),
        PayoutLine(PayoutKind.REFUND, "rfd_1", paid, -2500, 0),
        PayoutLine(PayoutKind.DISPUTE, opened.gateway_id, paid, -1000, 1500),
    }
    assert found[0].amount == 10_000 - 320 + 500 - 45 - 2500 - 1000 - 1500
    assert found[1].lines == (PayoutLine(PayoutKind.DISPUTE_WON, opened.gateway_id, paid, 1000, 0),)
    assert found[1].amount == 1000


def test_a_refund_that_came_back_is_in_the_payouts_both_ways(merchant: Merchant) -> None:
    payment_id = merchant.paid("card_test_refund_fails")
    merchant.refund(payment_id, 400, "rfd_1")
    with clock.shifted(timedelta(days=1)):
        merchant.gateway.pay_out(merchant=merchant.id, before=clock.now())
    [payout] = merchant.gateway.payouts(merchant=merchant.id, since=clock.now() - timedelta(days=1))
    kinds = {(line.kind, line.amount) for line in payout.lines}
    assert kinds == {(PayoutKind.CHARGE, 1000), (PayoutKind.REFUND, -400), (PayoutKind.ADJUSTMENT, 400)}


def test_a_webhook_comes_again_until_it_is_confirmed(merchant: Merchant) -> None:
    merchant.gateway.open_dispute(merchant.paid(), merchant=merchant.id)
    [sent] = merchant.gateway.due_webhooks(merchant=merchant.id)
    assert merchant.gateway.due_webhooks(merchant=merchant.id) == []
    with clock.shifted(timedelta(seconds=11)):
        [again] = merchant.gateway.due_webhooks(merchant=merchant.id)
        merchant.gateway.confirm(again.event_id)
    with clock.shifted(timedelta(seconds=30)):
        assert merchant.gateway.due_webhooks(merchant=merchant.id) == []
    assert (sent.event_id, sent.body) == (again.event_id, again.body)


def test_a_webhook_that_is_forged_stale_or_without_signature_is_refused(merchant: Merchant) -> None:
    merchant.gateway.open_dispute(merchant.paid(), merchant=merchant.id)
    [sent] = merchant.gateway.due_webhooks(merchant=merchant.id)
    read = merchant.gateway.parse_webhook
    assert read(sent.body, sent.headers).merchant == merchant.id
    signature = sent.headers["sandbox-signature"]
    for headers in ({}, {"sandbox-signature": signature[:-1] + "x"}, {"sandbox-signature": "t=x,v1=ü"}):
        with pytest.raises(Unauthenticated):
            read(sent.body, headers)
    with pytest.raises(Unauthenticated):
        read(sent.body + b" ", sent.headers)
    with clock.shifted(timedelta(minutes=6)), pytest.raises(Unauthenticated, match="too old"):
        read(sent.body, sent.headers)
