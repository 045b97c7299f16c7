"""Captures of authorizations, voids and expiry: bounds, deaths, crowds, lost and refused answers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from engine.kit import clock, faults
from engine.kit.errors import DomainError, InvalidInput
from engine.payments import captures, inbox, voids
from engine.payments.errors import (
    AuthorizationExpired,
    CaptureExceedsAuthorization,
    NothingToCapture,
    NothingToVoid,
)
from engine.payments.gateway import Charge, ChargeStatus, GatewayTimeout, Move
from engine.payments.models import Capture, PaymentStatus
from tests.engine.payments.paying import SOON, TOTAL, Till, death_at

CAPTURE_POINTS = [point for point in faults.MOVE_POINTS if point.startswith("capture_")]
VOID_POINTS = [point for point in faults.MOVE_POINTS if point.startswith("void_")]


def take(till: Till, payment_id: str, amount: int, *, tax: int = 0, final: bool = False) -> Capture:
    capture_id = till.capture(payment_id, amount, tax=tax, final=final)
    return captures.execute(till.runtime, till.tenant_id, capture_id)


def theirs(till: Till, payment_id: str) -> int:
    return till.gateway.standings(merchant=till.tenant_id)[payment_id].captured


def test_several_captures_and_the_last_lets_the_rest_go(till: Till) -> None:
    payment_id = till.authorized()
    before = till.books()
    assert take(till, payment_id, 300, tax=30).status == "succeeded"
    assert till.payment(payment_id).status == PaymentStatus.PARTIALLY_CAPTURED
    with pytest.raises(CaptureExceedsAuthorization, match=r"\$7\.00"):
        till.capture(payment_id, 701)
    assert take(till, payment_id, 200, final=True).status == "succeeded"
    assert till.payment(payment_id).status == PaymentStatus.CAPTURED
    with pytest.raises(NothingToCapture):
        till.capture(payment_id, 1)
    assert theirs(till, payment_id) == 500
    after = till.books()
    assert {key: after[key] - before[key] for key in after} == {
        "psp_clearing": 500, "customer_deposits": -470, "tax_payable": -30,
    }  # fmt: skip
    till.assert_clean()


def test_capturing_everything_is_the_last_capture(till: Till) -> None:
    payment_id = till.authorized()
    assert take(till, payment_id, 1000).final
    assert till.payment(payment_id).status == PaymentStatus.CAPTURED
    with pytest.raises(InvalidInput):
        till.capture(payment_id, 0)


@pytest.mark.parametrize("point", CAPTURE_POINTS)
@pytest.mark.parametrize("card", ["card_test_visa", "card_test_capture_timeout"])
def test_death_at_any_point_of_a_capture_takes_once(till: Till, point: str, card: str) -> None:
    payment_id = till.authorized(card)
    capture_id = till.capture(payment_id, 400)
    with death_at(point):
        captures.execute(till.runtime, till.tenant_id, capture_id)
    with clock.shifted(SOON):
        till.recover()
        till.recover()
    assert (till.tally(payment_id).captured, theirs(till, payment_id)) == (400, 400)
    assert till.books()["psp_clearing"] == TOTAL + 400
    till.assert_clean()


def test_twenty_captures_at_once_never_pass_the_authorization(till: Till) -> None:
    payment_id = till.authorized()

    def attempt(_: int) -> str:
        try:
            return take(till, payment_id, 150).status
        except DomainError as error:
            return error.code

    with ThreadPoolExecutor(20) as pool:
        ends = list(pool.map(attempt, range(20)))
    assert (ends.count("succeeded"), ends.count("capture_exceeds_authorization")) == (6, 14)
    assert theirs(till, payment_id) == 900
    till.assert_clean()


def test_a_refused_capture_leaves_the_authorization(till: Till) -> None:
    payment_id = till.authorized("card_test_capture_refused")
    capture = take(till, payment_id, 400)
    assert (capture.status, capture.failure_code) == ("failed", "card_declined")
    assert till.open_alerts() == [("capture_failed", capture.id)]
    assert till.payment(payment_id).status == PaymentStatus.AUTHORIZED
    assert till.tally(payment_id).capturable == 1000
    till.assert_clean()


def test_nothing_else_happens_while_the_last_capture_is_under_way(till: Till) -> None:
    payment_id = till.authorized()
    capture_id = till.capture(payment_id, 400, final=True)
    with death_at("capture_after_gateway"):
        captures.execute(till.runtime, till.tenant_id, capture_id)
    with pytest.raises(NothingToCapture, match="last capture"):
        till.capture(payment_id, 1)
    with pytest.raises(NothingToVoid):
        voids.void(till.runtime, till.tenant_id, payment_id)
    with clock.shifted(SOON):
        till.recover()
    assert till.payment(payment_id).status == PaymentStatus.CAPTURED


def test_a_silent_gateway_leaves_an_item_whose_action_looks_again(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    payment_id = till.authorized()
    capture_id = till.capture(payment_id, 400)

    def silent(*_: object, **__: object) -> Move:
        raise GatewayTimeout("No answer.")

    with monkeypatch.context() as patch:
        patch.setattr(till.gateway, "capture_authorized", silent)
        patch.setattr(till.gateway, "find_move", silent)
        assert captures.execute(till.runtime, till.tenant_id, capture_id).status == "pending"
    assert till.open_alerts() == [("capture_unknown", capture_id)]
    assert captures.execute(till.runtime, till.tenant_id, capture_id).status == "pending"
    inbox.act(till.runtime, till.staff, till.alert_id("capture_unknown"))
    assert till.tally(payment_id).captured == 400
    assert till.open_alerts() == []
    till.assert_clean()


def test_void_lets_go_and_nothing_is_captured_after(till: Till) -> None:
    payment_id = till.authorized()
    assert voids.void(till.runtime, till.tenant_id, payment_id).status == PaymentStatus.VOIDED
    with pytest.raises(NothingToCapture):
        till.capture(payment_id, 1)
    with pytest.raises(NothingToVoid):
        voids.void(till.runtime, till.tenant_id, payment_id)
    assert theirs(till, payment_id) == 0
    till.assert_clean()


def test_void_of_a_partly_captured_payment_keeps_what_was_taken(till: Till) -> None:
    payment_id = till.authorized()
    take(till, payment_id, 300)
    assert voids.void(till.runtime, till.tenant_id, payment_id).status == PaymentStatus.CAPTURED
    assert theirs(till, payment_id) == 300
    till.assert_clean()


@pytest.mark.parametrize("point", VOID_POINTS)
def test_death_at_any_point_of_a_void_lets_go(till: Till, point: str) -> None:
    payment_id = till.authorized()
    with death_at(point):
        voids.void(till.runtime, till.tenant_id, payment_id)
    with clock.shifted(SOON):
        till.recover()
    assert till.payment(payment_id).status == PaymentStatus.VOIDED
    assert till.gateway.find(payment_id, merchant=till.tenant_id).status == ChargeStatus.VOIDED
    till.assert_clean()


def test_a_void_without_an_answer_waits_in_the_inbox(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    payment_id = till.authorized()

    def silent(*_: object, **__: object) -> Charge:
        raise GatewayTimeout("No answer.")

    with monkeypatch.context() as patch:
        patch.setattr(till.gateway, "void", silent)
        assert voids.void(till.runtime, till.tenant_id, payment_id).status == PaymentStatus.AUTHORIZED
    with pytest.raises(NothingToCapture):
        till.capture(payment_id, 1)
    assert till.open_alerts() == [("void_unknown", payment_id)]
    inbox.act(till.runtime, till.staff, till.alert_id("void_unknown"))
    assert till.payment(payment_id).status == PaymentStatus.VOIDED
    assert till.open_alerts() == []


def test_a_capture_and_a_void_at_once_end_in_one_of_the_two(till: Till) -> None:
    payment_id = till.authorized()

    def capture() -> str:
        try:
            return take(till, payment_id, 1000).status
        except DomainError as error:
            return error.code

    def void() -> str:
        try:
            return voids.void(till.runtime, till.tenant_id, payment_id).status
        except DomainError as error:
            return error.code

    with ThreadPoolExecutor(2) as pool:
        ends = {pool.submit(capture), pool.submit(void)}
    assert {end.result() for end in ends} in (
        {"succeeded", "nothing_to_void"},
        {"voided", "nothing_to_capture"},
    )
    till.assert_clean()


def test_an_authorization_that_lapsed_puts_its_order_on_hold(till: Till) -> None:
    payment_id, part = till.authorized(), till.authorized()
    take(till, part, 300)
    with clock.shifted(timedelta(days=7, minutes=1)):
        with pytest.raises(AuthorizationExpired):
            till.capture(payment_id, 1)
        assert voids.expire_authorizations(till.runtime, till.tenant_id) == 2
        assert voids.expire_authorizations(till.runtime, till.tenant_id) == 0
        assert till.payment(payment_id).status == PaymentStatus.EXPIRED
        assert till.payment(part).status == PaymentStatus.CAPTURED
        assert set(till.open_alerts()) == {("authorization_expired", payment_id), ("authorization_expired", part)}
        till.assert_clean()
