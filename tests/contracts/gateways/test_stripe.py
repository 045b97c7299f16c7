"""What is Stripe's own: accounts, keys, saved errors, one capture only, ids that our tables forgot."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import delete, select
from structlog.testing import capture_logs

from engine.db import Addresses, Store
from engine.kit import clock
from engine.kit.audit import AuditRow
from engine.kit.errors import Unauthenticated
from engine.kit.ids import made_at, new_id
from engine.kit.money import Money
from engine.payments.errors import (
    CaptureExceedsAuthorization,
    GatewayMisconfigured,
    GatewayNotConfigured,
    TokenRefused,
)
from engine.payments.gateway import ChargeStatus, EventKind, GatewayTimeout, MoveStatus
from engine.payments.gateways import accounts
from engine.payments.gateways.models import DelegatedToken, GatewayAccount, GatewayHandle
from engine.payments.gateways.stripe.gateway import MERCHANT_HEADER
from tests.conftest import MakeTenant
from tests.contracts.gateways.bench import Bench, StripeHands, stripe_hands
from tests.contracts.gateways.stripe_double import StripeDouble


@pytest.fixture
def bench(stripe: StripeHands) -> Bench:
    return Bench(stripe)


@pytest.fixture
def hands(stripe: StripeHands) -> StripeHands:
    return stripe


def calls_since(double: StripeDouble, start: int) -> list[str]:
    return [path.rpartition("/")[2] for method, path in double.calls[start:] if method == "POST"]


def test_a_sale_is_two_calls_and_the_id_is_known_before_money_moves(
    bench: Bench, double: StripeDouble, store: Store
) -> None:
    request, start = bench.request(bench.token()), len(double.calls)
    bench.gateway.capture(request)
    assert calls_since(double, start) == ["payment_intents", "confirm"]
    with store.unit_of_work(bench.merchant) as session:
        handle = session.get_one(GatewayHandle, (bench.merchant, "stripe", request.payment_id))
        assert (handle.kind, handle.amount, handle.currency, handle.outcome) == ("payment", 5000, "USD", None)
        assert handle.gateway_id is not None
        assert handle.gateway_id.startswith("pi_")


@pytest.mark.parametrize("kind", ["lost_before", "lost_after", "500", "500_after", "429", "409"])
def test_an_intent_that_was_not_confirmed_is_nothing_yet(bench: Bench, double: StripeDouble, kind: str) -> None:
    request = bench.request(bench.token())
    double.plant("/v1/payment_intents", kind)
    with pytest.raises(GatewayTimeout):
        bench.gateway.capture(request)
    assert bench.find(request.payment_id) is None
    double.forget_keys()  # a saved 500 is answered for a day
    assert bench.gateway.capture(request).status == ChargeStatus.CAPTURED
    assert [s.captured for s in bench.gateway.standings(merchant=bench.merchant).values()] == [5000]


@pytest.mark.parametrize(
    ("kind", "after"),
    [
        ("lost_before", None),
        ("429", None),
        ("409", None),
        ("500", None),
        ("lost_after", ChargeStatus.CAPTURED),
        ("500_after", ChargeStatus.CAPTURED),
    ],
)
def test_after_an_unclear_confirmation_the_intent_itself_is_asked(
    bench: Bench, double: StripeDouble, kind: str, after: ChargeStatus | None
) -> None:
    request = bench.request(bench.token())
    double.plant("/confirm", kind)
    with pytest.raises(GatewayTimeout):
        bench.gateway.capture(request)
    found = bench.find(request.payment_id)
    assert (found.status if found else None) == after
    assert bench.gateway.cancel(request.payment_id, merchant=bench.merchant).status == (after or ChargeStatus.CANCELED)


def test_a_payment_canceled_while_its_intent_is_made_is_never_confirmed(
    bench: Bench, hands: StripeHands, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = bench.request(bench.token())
    create = hands.ledger.create_intent

    def cancel_meanwhile(params: dict[str, object]) -> dict[str, object]:
        made = create(params)
        monkeypatch.undo()
        assert bench.gateway.cancel(request.payment_id, merchant=bench.merchant).status == ChargeStatus.CANCELED
        return made

    monkeypatch.setattr(hands.ledger, "create_intent", cancel_meanwhile)
    assert bench.gateway.capture(request).status == ChargeStatus.CANCELED
    (intent,) = hands.ledger.intents.values()
    assert (intent["status"], intent["amount_received"]) == ("canceled", 0)


def test_one_account_may_capture_only_once_and_the_rest_is_let_go(
    store: Store, addresses: Addresses, double: StripeDouble, make_tenant: MakeTenant
) -> None:
    bench = Bench(stripe_hands(store, addresses, double, make_tenant().id, multicapture=False))
    payment_id = bench.held()
    assert bench.take(payment_id, 1000, final=False).status == MoveStatus.SUCCEEDED
    charge = bench.find(payment_id)
    assert (charge.status, charge.amount) == (ChargeStatus.CAPTURED, Money(1000, "USD"))
    with pytest.raises(CaptureExceedsAuthorization):
        bench.take(payment_id, 4000)


@pytest.mark.parametrize(
    ("wrong", "code"), [("amount_too_small", "token_invalid"), ("payment_method", "token_invalid")]
)
def test_what_stripe_will_not_even_begin_is_a_decline_that_stays(
    bench: Bench, hands: StripeHands, wrong: str, code: str
) -> None:
    token = bench.token()
    if wrong == "payment_method":
        hands.ledger.methods.clear()
    request = bench.request(token, 10 if wrong == "amount_too_small" else 5000)
    charge = bench.gateway.capture(request)
    assert (charge.status, charge.decline_code) == (ChargeStatus.DECLINED, code)
    assert bench.find(request.payment_id).decline_code == code
    assert hands.ledger.intents == {}


def test_a_card_just_entered_belongs_to_the_session_that_used_it_first(bench: Bench) -> None:
    card = bench.hands.card("pays")
    bench.gateway.delegate(card, bench.allowance(), key=new_id("consent"))
    assert bench.gateway.describe(card, merchant=bench.merchant, session_id="cs_other") is None
    with pytest.raises(TokenRefused):
        bench.gateway.delegate(card, bench.allowance(session_id="cs_other"), key=new_id("consent"))


def test_a_saved_card_is_its_customers_in_any_session(bench: Bench, hands: StripeHands) -> None:
    method = hands.ledger.add_card(customer="cus_1")
    for session_id in (bench.session_id, "cs_other"):
        bench.gateway.delegate(f"cus_1/{method}", bench.allowance(session_id=session_id), key=new_id("consent"))
    for ref in (method, f"cus_2/{method}"):
        assert bench.gateway.describe(ref, merchant=bench.merchant, session_id=bench.session_id) is None
    token = bench.gateway.delegate(f"cus_1/{method}", bench.allowance(), key=new_id("consent"))
    assert bench.gateway.capture(bench.request(token)).status == ChargeStatus.CAPTURED
    (intent,) = hands.ledger.intents.values()
    assert (intent["customer"], intent["payment_method"]) == ("cus_1", method)


def test_a_proof_for_another_amount_is_let_go_and_the_bank_asks_again(bench: Bench, hands: StripeHands) -> None:
    card = bench.hands.card("challenge")
    token = bench.gateway.delegate(card, bench.allowance(), key=new_id("consent"))
    first = bench.gateway.capture(bench.request(token))
    hands.pass_challenge(first.challenge_url or "")
    token = bench.gateway.delegate(card, bench.allowance(), key=new_id("consent"))
    second = bench.gateway.capture(bench.request(token, 4000))
    assert (second.status, second.decline_code) == (ChargeStatus.DECLINED, "authentication_required")
    assert sorted(row["status"] for row in hands.ledger.intents.values()) == ["canceled", "requires_action"]
    assert bench.gateway.standings(merchant=bench.merchant) == {}


def test_a_payment_that_our_tables_forgot_is_found_by_the_time_in_its_id(
    bench: Bench, hands: StripeHands, store: Store
) -> None:
    request = bench.request(bench.token())
    bench.gateway.capture(request)
    with store.unit_of_work(bench.merchant) as session:
        session.execute(delete(GatewayHandle).where(GatewayHandle.tenant_id == bench.merchant))
    told = [event for event in bench.events() if event.kind == EventKind.CHARGE]
    assert [event.payment_id for event in told] == [request.payment_id]
    found = bench.find(request.payment_id)
    assert (found.status, found.amount) == (ChargeStatus.CAPTURED, Money(5000, "USD"))
    assert bench.refund(request.payment_id, 100).status == MoveStatus.SUCCEEDED
    with pytest.raises(TokenRefused):
        bench.gateway.capture(request)
    assert abs(made_at(request.payment_id) - clock.now()) < timedelta(minutes=1)


def test_lists_are_read_to_their_end(bench: Bench, hands: StripeHands) -> None:
    for number in range(101):
        params = {"amount": "100", "currency": "usd", "metadata": {"payment_id": f"x{number}"}}
        hands.ledger.create_intent(params)
    paid = bench.paid()
    hands.ledger.intents = dict(reversed(hands.ledger.intents.items()))  # ours is the oldest: on the second page
    assert set(bench.gateway.standings(merchant=bench.merchant)) == {paid}


def test_a_refund_made_at_stripe_is_told_by_stripes_own_id(bench: Bench, hands: StripeHands) -> None:
    payment_id = bench.paid()
    hands.webhooks()
    hands.ledger.create_refund({"payment_intent": hands.intent_of(payment_id), "amount": "300"})
    (event,) = bench.events()
    assert event.move is not None
    assert (event.kind, event.payment_id, event.move.amount) == (EventKind.REFUND, payment_id, Money(300, "USD"))
    assert event.move.key.startswith("re_")


def test_a_refund_that_comes_back_is_told_with_its_reason(bench: Bench, hands: StripeHands) -> None:
    payment_id, key = bench.paid(), new_id("refund")
    made = bench.refund(payment_id, 300, key=key)
    hands.ledger.settle_refund(made.gateway_id, "failed")
    last = bench.events()[-1].move
    assert last is not None
    assert (last.key, last.status, last.failure_code) == (key, MoveStatus.FAILED, "expired_or_canceled_card")
    assert bench.gateway.standings(merchant=bench.merchant)[payment_id].refunded == 0


def test_an_inquiry_is_no_dispute(bench: Bench, hands: StripeHands) -> None:
    payment_id = bench.paid()
    hands.webhooks()
    hands.ledger.open_dispute(hands.intent_of(payment_id), status="warning_needs_response")
    assert [event.kind for event in bench.events()] == [EventKind.IGNORED]
    assert bench.gateway.standings(merchant=bench.merchant)[payment_id].disputed == 0


def test_evidence_without_a_field_at_stripe_is_told_in_the_free_one(bench: Bench, hands: StripeHands) -> None:
    dispute_id = hands.open_dispute(bench.paid())
    evidence = {"customer_name": "Ada", "receipt": "Order 1", "uncategorized_text": "Hello."}
    bench.gateway.submit_evidence(dispute_id, merchant=bench.merchant, evidence=evidence, key="k")
    sent = hands.ledger.disputes[dispute_id]["evidence"]
    assert {name: text for name, text in sent.items() if text} == {
        "customer_name": "Ada",
        "uncategorized_text": "Hello.\nreceipt: Order 1",
    }


def test_two_webhook_secrets_are_valid_while_one_is_replaced(
    bench: Bench, hands: StripeHands, store: Store, addresses: Addresses
) -> None:
    bench.paid()
    event, new = hands.ledger.events[-1], "whsec_new"

    def put(**fields: object) -> None:
        with store.unit_of_work(bench.merchant) as session:
            change = accounts.Change(**fields)
            accounts.put(session, addresses.secret_key, bench.merchant, "stripe", change, actor="test")

    put(webhook_secret=new)
    for secret in (new, hands.webhook_secret):
        assert bench.gateway.parse_webhook(*hands.signed(event, secret=secret)).kind == EventKind.CHARGE
    put(forget_old=True)
    assert bench.gateway.parse_webhook(*hands.signed(event, secret=new)).kind == EventKind.CHARGE
    with pytest.raises(Unauthenticated):
        bench.gateway.parse_webhook(*hands.signed(event))


def test_one_shops_webhook_is_not_anothers(
    bench: Bench, hands: StripeHands, store: Store, addresses: Addresses, double: StripeDouble, make_tenant: MakeTenant
) -> None:
    other = stripe_hands(store, addresses, double, make_tenant().id)
    bench.paid()
    event = hands.ledger.events[-1]
    body, headers = hands.signed(event)
    with pytest.raises(Unauthenticated):
        bench.gateway.parse_webhook(body, headers | {MERCHANT_HEADER: other.merchant})
    with pytest.raises(Unauthenticated):
        bench.gateway.parse_webhook(body, headers | {MERCHANT_HEADER: make_tenant().id})
    body, headers = other.signed(event)  # one account at Stripe, two shops: each hears of both
    assert bench.gateway.parse_webhook(body, headers).kind == EventKind.IGNORED
    body, headers = hands.signed(event)
    del headers[MERCHANT_HEADER]
    assert bench.gateway.parse_webhook(body, headers).merchant == bench.merchant


def test_a_wrong_key_is_said_so_and_nothing_happens(
    bench: Bench, hands: StripeHands, store: Store, addresses: Addresses
) -> None:
    request = bench.request(bench.token())
    with store.unit_of_work(bench.merchant) as session:
        change = accounts.Change(secret_key="sk_test_wrong")
        accounts.put(session, addresses.secret_key, bench.merchant, "stripe", change, actor="test")
    with pytest.raises(GatewayMisconfigured):
        bench.gateway.capture(request)
    with pytest.raises(GatewayMisconfigured):
        hands.gateway.ping(bench.merchant)
    with store.unit_of_work(bench.merchant) as session:
        change = accounts.Change(secret_key=f"sk_test_{bench.merchant}")
        accounts.put(session, addresses.secret_key, bench.merchant, "stripe", change, actor="test")
    assert hands.gateway.ping(bench.merchant) is False
    assert bench.gateway.capture(request).status == ChargeStatus.CAPTURED


def test_an_account_sealed_under_another_key_is_said_so(bench: Bench, store: Store) -> None:
    with store.unit_of_work(bench.merchant) as session, pytest.raises(GatewayMisconfigured):
        accounts.read(session, b"another key", bench.merchant, "stripe")


def test_a_shop_without_an_account_is_told_so(bench: Bench, make_tenant: MakeTenant) -> None:
    other = make_tenant().id
    with pytest.raises(GatewayNotConfigured):
        bench.gateway.capture(replace(bench.request("vt_0"), merchant=other))
    assert bench.gateway.standings(merchant=other) == {}


def test_secrets_are_sealed_and_said_nowhere(
    bench: Bench, hands: StripeHands, store: Store, double: StripeDouble, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = f"sk_test_{bench.merchant}"
    with capture_logs() as logs:
        request = bench.request(bench.token("card_declined"))
        bench.gateway.capture(request)
        double.plant("/confirm", "500")
        with pytest.raises(GatewayTimeout) as lost:
            bench.gateway.capture(bench.request(bench.token()))
    with store.unit_of_work(bench.merchant) as session:
        row = session.get_one(GatewayAccount, (bench.merchant, "stripe"))
        tokens = session.scalars(select(DelegatedToken).where(DelegatedToken.tenant_id == bench.merchant)).all()
        audits = session.scalars(select(AuditRow).where(AuditRow.tenant_id == bench.merchant)).all()
    said = repr(logs) + caplog.text + repr(lost.value) + repr(lost.value.__cause__) + repr([a.facts for a in audits])
    assert {log["code"] for log in logs} == {"card_declined", None}
    for hidden in (secret, hands.webhook_secret, request.token):
        assert hidden not in said
    assert "pm_" not in repr(logs)
    assert secret.encode() not in row.secrets_sealed
    assert all(b"pm_" not in token.method_sealed and request.token != token.token_hash for token in tokens)
    with store.unit_of_work(bench.merchant) as session:
        key = hands.gateway._secret_key
        assert secret not in repr(accounts.read(session, key, bench.merchant, "stripe"))
