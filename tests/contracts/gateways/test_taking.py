"""Tokens and charges: what every gateway keeps, whoever made it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from engine.kit import clock
from engine.kit.ids import new_id
from engine.kit.money import Money
from engine.payments.errors import TokenRefused
from engine.payments.gateway import ChargeStatus, EntryKind, GatewayTimeout, MethodKind, MoveStatus
from tests.contracts.gateways.bench import Bench

DECLINES = ("card_declined", "insufficient_funds", "expired_card", "incorrect_cvc")


def test_a_card_is_described_by_brand_and_last_digits(bench: Bench) -> None:
    ref = bench.hands.card("pays")
    card = bench.gateway.describe(ref, merchant=bench.merchant, session_id=bench.session_id)
    assert card is not None
    assert (card.ref, card.brand, card.last4) == (ref, "visa", "4242")


def test_a_card_in_a_wallet_is_told_as_one(bench: Bench) -> None:
    ref = bench.hands.card("wallet")
    card = bench.gateway.describe(ref, merchant=bench.merchant, session_id=bench.session_id)
    assert card is not None
    assert (card.kind, card.brand, card.last4) == (MethodKind.WALLET, "visa", "4242")
    plain = bench.gateway.describe(bench.hands.card("pays"), merchant=bench.merchant, session_id=bench.session_id)
    assert plain is not None
    assert (plain.kind, plain.wallet) == (MethodKind.CARD, "")


@pytest.mark.parametrize(("behavior", "kind"), [("pays", MethodKind.CARD), ("wallet", MethodKind.WALLET)])
def test_a_token_says_what_kind_it_stands_for(bench: Bench, behavior: str, kind: MethodKind) -> None:
    facts = bench.gateway.inspect(bench.token(behavior), merchant=bench.merchant, session_id=bench.session_id)
    assert (facts.usable, facts.challenge_url, facts.kind) == (True, None, kind)
    assert (facts.brand, facts.last4) == ("visa", "4242")
    assert "Visa" in facts.label
    assert "4242" in facts.label
    assert facts.maximum == Money(5000, "USD")
    assert facts.expires_at is not None
    assert not facts.review


def test_a_wallet_pays_and_is_paid_back(bench: Bench) -> None:
    payment_id = bench.paid(5000, "wallet")
    back = bench.refund(payment_id, 1500)
    assert (back.status, back.amount) == (MoveStatus.SUCCEEDED, Money(1500, "USD"))
    standing = bench.gateway.standings(merchant=bench.merchant)[payment_id]
    assert (standing.captured, standing.refunded) == (5000, 1500)


def test_a_wallet_is_held_taken_in_parts_and_let_go(bench: Bench) -> None:
    payment_id = bench.held(5000, "wallet")
    assert bench.take(payment_id, 2000).status == MoveStatus.SUCCEEDED
    charge = bench.gateway.void(payment_id, merchant=bench.merchant, key="void_1")
    assert (charge.status, charge.amount) == (ChargeStatus.CAPTURED, Money(2000, "USD"))


def test_where_cards_are_entered_is_data(bench: Bench) -> None:
    bench.hands.publish("pk_test_1")
    element = bench.gateway.entry(merchant=bench.merchant, session_id=bench.session_id)
    assert element.gateway == bench.gateway.name
    assert element.path.startswith("/card-")
    assert bool(element.publishable_key) == bool(element.script_origins) == (element.kind == EntryKind.ELEMENT)
    assert element.wallets


def test_a_reference_nobody_gave_out_describes_nothing(bench: Bench) -> None:
    assert bench.gateway.describe("card_of_nobody", merchant=bench.merchant, session_id=bench.session_id) is None
    with pytest.raises(TokenRefused):
        bench.gateway.delegate("card_of_nobody", bench.allowance(), key=new_id("consent"))


def test_the_same_key_gives_the_same_token(bench: Bench) -> None:
    card, allowance, key = bench.hands.card("pays"), bench.allowance(), new_id("consent")
    token = bench.gateway.delegate(card, allowance, key=key)
    assert token.startswith("vt_")
    assert bench.gateway.delegate(card, allowance, key=key) == token
    assert bench.gateway.delegate(card, allowance, key=new_id("consent")) != token


def test_a_proof_that_nobody_gave_out_proves_nothing(bench: Bench) -> None:
    token = bench.token("challenge")
    made_up = {
        "three_ds_cryptogram": "AQIDBAUGBwgJCgsMDQ4PEBESExQ=",
        "electronic_commerce_indicator": "05",
        "transaction_id": "c4e59ceb-a382-4d6a-bc87-385d591fa09d",
        "version": "2.2.0",
    }
    check = bench.gateway.check_authentication
    known = {"session_id": bench.session_id, "merchant": bench.merchant, "amount": Money(5000, "USD")}
    assert not check(**known, result=made_up)  # type: ignore[arg-type]
    assert bench.gateway.capture(bench.request(token)).decline_code == "authentication_required"


def test_a_token_pays_once(bench: Bench) -> None:
    token = bench.token()
    assert bench.gateway.inspect(token, merchant=bench.merchant, session_id=bench.session_id).usable
    first = bench.gateway.capture(bench.request(token))
    assert (first.status, first.amount) == (ChargeStatus.CAPTURED, Money(5000, "USD"))
    assert not bench.gateway.inspect(token, merchant=bench.merchant, session_id=bench.session_id).usable
    second = bench.gateway.capture(bench.request(token))
    assert (second.status, second.decline_code) == (ChargeStatus.DECLINED, "token_invalid")
    assert bench.gateway.standings(merchant=bench.merchant)[first.key].captured == 5000
    assert second.key not in bench.gateway.standings(merchant=bench.merchant)


def test_a_token_races_with_itself_and_pays_once(bench: Bench) -> None:
    token = bench.token()
    requests = [bench.request(token) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(charge.status for charge in pool.map(bench.gateway.capture, requests))
    assert statuses == [ChargeStatus.CAPTURED] + [ChargeStatus.DECLINED] * 3
    taken = [standing.captured for standing in bench.gateway.standings(merchant=bench.merchant).values()]
    assert sum(taken) == 5000


@pytest.mark.parametrize(
    "wrong",
    [{"session_id": "cs_another"}, {"amount": Money(5001, "USD")}, {"amount": Money(100, "EUR")}, {"token": "vt_0"}],
    ids=["another session", "more than allowed", "another currency", "not a token"],
)
def test_outside_its_allowance_a_token_takes_nothing(bench: Bench, wrong: dict[str, object]) -> None:
    request = replace(bench.request(bench.token()), **wrong)
    charge = bench.gateway.capture(request)
    assert (charge.status, charge.decline_code) == (ChargeStatus.DECLINED, "token_invalid")
    assert bench.gateway.standings(merchant=bench.merchant) == {}
    assert bench.find(request.payment_id).status == ChargeStatus.DECLINED


def test_less_than_its_maximum_may_be_taken(bench: Bench) -> None:
    charge = bench.gateway.capture(bench.request(bench.token(amount=5000), 1234))
    assert (charge.status, charge.amount) == (ChargeStatus.CAPTURED, Money(1234, "USD"))


def test_an_expired_token_takes_nothing(bench: Bench) -> None:
    token = bench.token()
    with clock.shifted(timedelta(minutes=11)):
        assert not bench.gateway.inspect(token, merchant=bench.merchant, session_id=bench.session_id).usable
        charge = bench.gateway.capture(bench.request(token))
    assert (charge.status, charge.decline_code) == (ChargeStatus.DECLINED, "token_invalid")


def test_a_repeat_is_answered_before_the_token_is_looked_at(bench: Bench) -> None:
    request = bench.request(bench.token())
    first = bench.gateway.capture(request)
    with clock.shifted(timedelta(minutes=11)):
        again = bench.gateway.capture(request)
    assert (again.status, again.gateway_id, again.amount) == (ChargeStatus.CAPTURED, first.gateway_id, first.amount)
    assert bench.gateway.standings(merchant=bench.merchant)[request.payment_id].captured == 5000


def test_the_same_payment_id_with_another_body_is_refused(bench: Bench) -> None:
    request = bench.request(bench.token())
    bench.gateway.capture(request)
    for other in (replace(request, amount=Money(4000, "USD")), replace(request, token=bench.token())):
        with pytest.raises(TokenRefused):
            bench.gateway.capture(other)
    with pytest.raises(TokenRefused):
        bench.gateway.authorize(request)
    assert bench.gateway.standings(merchant=bench.merchant)[request.payment_id].captured == 5000


def test_one_payment_id_at_the_same_moment_charges_once(bench: Bench) -> None:
    request = bench.request(bench.token())

    def take(_: int) -> str:
        try:
            return bench.gateway.capture(request).status
        except GatewayTimeout:
            return "unknown"

    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(take, range(4)))
    assert found <= {"captured", "unknown"}
    assert bench.find(request.payment_id).status == ChargeStatus.CAPTURED
    assert [s.captured for s in bench.gateway.standings(merchant=bench.merchant).values()] == [5000]


@pytest.mark.parametrize("code", DECLINES)
@pytest.mark.parametrize("hold", [False, True], ids=["capture", "authorize"])
def test_a_decline_says_why_and_stays(bench: Bench, code: str, hold: bool) -> None:
    request = bench.request(bench.token(code))
    take = bench.gateway.authorize if hold else bench.gateway.capture
    charge = take(request)
    assert (charge.status, charge.decline_code) == (ChargeStatus.DECLINED, code)
    found = bench.find(request.payment_id)
    assert (found.status, found.decline_code) == (ChargeStatus.DECLINED, code)
    assert take(request).status == ChargeStatus.DECLINED
    assert all(s.net == 0 for s in bench.gateway.standings(merchant=bench.merchant).values())


@pytest.mark.parametrize("hold", [False, True], ids=["capture", "authorize"])
def test_a_bank_that_asks_first_is_asked_and_then_pays(bench: Bench, hold: bool) -> None:
    card = bench.hands.card("challenge")
    take = bench.gateway.authorize if hold else bench.gateway.capture

    def token() -> str:
        return bench.gateway.delegate(card, bench.allowance(), key=new_id("consent"))

    first = take(bench.request(token()))
    assert (first.status, first.decline_code) == (ChargeStatus.DECLINED, "authentication_required")
    assert first.challenge_url
    fresh = token()
    asked = bench.gateway.inspect(fresh, merchant=bench.merchant, session_id=bench.session_id)
    assert (asked.usable, bool(asked.challenge_url)) == (True, True)
    bench.hands.pass_challenge(asked.challenge_url or "")
    assert bench.gateway.inspect(fresh, merchant=bench.merchant, session_id=bench.session_id).challenge_url is None
    paid = take(bench.request(fresh))
    assert paid.status == (ChargeStatus.AUTHORIZED if hold else ChargeStatus.CAPTURED)
    assert bench.find(first.key).status == ChargeStatus.DECLINED
    assert bench.find(paid.key).status == paid.status
    standing = bench.gateway.standings(merchant=bench.merchant)
    assert (set(standing), standing[paid.key].captured) == ({paid.key}, 0 if hold else 5000)


def test_a_lost_answer_is_found_again(bench: Bench) -> None:
    request = bench.request(bench.token("capture_lost"))
    with pytest.raises(GatewayTimeout):
        bench.gateway.capture(request)
    found = bench.find(request.payment_id)
    assert (found.status, found.amount) == (ChargeStatus.CAPTURED, Money(5000, "USD"))
    assert bench.gateway.capture(request).status == ChargeStatus.CAPTURED
    assert bench.gateway.standings(merchant=bench.merchant)[request.payment_id].captured == 5000


def test_an_unknown_payment_is_unknown(bench: Bench) -> None:
    assert bench.find(new_id("payment")) is None
    assert bench.gateway.find_move(new_id("refund"), payment_id=new_id("payment"), merchant=bench.merchant) is None


def test_what_was_canceled_before_it_came_is_never_captured(bench: Bench) -> None:
    request = bench.request(bench.token())
    assert bench.gateway.cancel(request.payment_id, merchant=bench.merchant).status == ChargeStatus.CANCELED
    assert bench.gateway.capture(request).status == ChargeStatus.CANCELED
    assert bench.find(request.payment_id).status == ChargeStatus.CANCELED
    assert bench.gateway.standings(merchant=bench.merchant) == {}


def test_what_was_captured_is_answered_as_such_when_canceled(bench: Bench) -> None:
    payment_id = bench.paid()
    assert bench.gateway.cancel(payment_id, merchant=bench.merchant).status == ChargeStatus.CAPTURED
    assert bench.gateway.standings(merchant=bench.merchant)[payment_id].net == 5000
