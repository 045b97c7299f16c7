"""Stripe's shapes and words, as its SDK has them: the double speaks them, and no status of theirs is unknown to us."""

from __future__ import annotations

import json

import pytest
import stripe

from engine.kit.ids import new_id
from engine.kit.money import Money
from engine.payments.gateways.stripe import evidence, facts
from tests.contracts.gateways.bench import Bench, StripeHands
from tests.contracts.gateways.shapes import faults, words_of
from tests.contracts.gateways.stripe_double import StripeDouble

HANDLED = {"requires_payment_method", "requires_confirmation", "requires_action", "requires_capture"}
HANDLED |= {"processing", "succeeded", "canceled"}


def test_every_answer_of_the_double_has_stripes_shape(
    stripe: StripeHands, double: StripeDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, answers = Bench(stripe), []
    answer = double.answer

    def listen(*args: object) -> object:
        told = answer(*args)
        answers.append(told)
        return told

    monkeypatch.setattr(double, "answer", listen)
    _everything(bench, stripe)
    bodies = [json.loads(body) for status, body in answers if status == 200]
    assert {body["object"] for body in bodies} >= {"payment_intent", "refund", "dispute", "payment_method", "list"}
    assert {fault for body in bodies for fault in faults(body, whole=False)} == set()
    assert {fault for event in stripe.ledger.events for fault in faults(event["data"]["object"], whole=False)} == set()


def test_the_look_at_shapes_can_find_fault() -> None:
    refund = {"id": "re_1", "object": "refund", "amount": 1, "created": 1, "currency": "usd", "sum": 1}
    assert faults(refund, whole=False) == ["/Refund: no field sum"]
    del refund["sum"], refund["currency"]
    assert faults(refund, whole=False) == ["/Refund: currency is missing"]
    assert "/Refund: charge is missing" in faults(refund, whole=True)


def test_every_status_of_an_intent_is_known() -> None:
    assert words_of(stripe.PaymentIntent, "status") == HANDLED
    assert words_of(stripe.PaymentIntent, "cancellation_reason") >= facts._LAPSED


def test_every_status_of_a_dispute_is_known() -> None:
    words = words_of(stripe.Dispute, "status")
    assert {word for word in words if not word.startswith("warning_")} == set(facts._DISPUTES)


def test_every_field_of_evidence_is_known() -> None:
    fields = stripe.Dispute.Evidence.__annotations__
    files = {name for name, hint in fields.items() if "File" in str(hint)}
    rest = set(fields) - files - {"appeal", "enhanced_evidence", "_inner_class_types"}
    assert rest == evidence.TEXT_FIELDS


def _everything(bench: Bench, hands: StripeHands) -> None:
    for code in ("pays", "card_declined", "challenge"):
        card = hands.card(code)
        bench.gateway.describe(card, merchant=bench.merchant, session_id=bench.session_id)
        token = bench.gateway.delegate(card, bench.allowance(), key=new_id("consent"))
        bench.find(bench.gateway.capture(bench.request(token)).key)
    held, paid = bench.held(), bench.paid()
    bench.take(held, 100)
    bench.gateway.void(held, merchant=bench.merchant, key="k")
    bench.gateway.find_move(bench.refund(paid, 100).key, payment_id=paid, merchant=bench.merchant)
    dispute_id = hands.open_dispute(bench.paid())
    bench.gateway.submit_evidence(dispute_id, merchant=bench.merchant, evidence={"customer_name": "Ada"}, key="k")
    hands.close_dispute(dispute_id, won=True)
    bench.gateway.standings(merchant=bench.merchant)
    hands.pay_out()
    (payout,) = bench.gateway.payouts(merchant=bench.merchant, since=facts.moment(0))
    assert Money(payout.amount, payout.currency).amount > 0
