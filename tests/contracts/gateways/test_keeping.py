"""A card that paid is kept for its customer, pays again in any session, and is let go for good."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine.customers.models import Customer
from engine.db import Store
from engine.kit.ids import new_id
from engine.payments.errors import TokenRefused
from engine.payments.gateway import ChargeStatus
from tests.contracts.gateways.bench import Bench, StripeHands

ELSEWHERE = "cs_another"


@pytest.fixture
def ada(bench: Bench, store: Store) -> str:
    return person(bench, store)


def person(bench: Bench, store: Store) -> str:
    customer_id = new_id("customer")
    with store.unit_of_work(bench.merchant) as session:
        session.add(Customer(tenant_id=bench.merchant, id=customer_id, email=f"{customer_id}@example.com", name=""))
    return customer_id


def paid_with(bench: Bench, card: str, keep_for: str) -> None:
    token = bench.gateway.delegate(card, bench.allowance(keep_for=keep_for), key=new_id("consent"))
    assert bench.gateway.capture(bench.request(token)).status == ChargeStatus.CAPTURED


def keep(bench: Bench, card: str, customer: str) -> str:
    return bench.gateway.keep(card, merchant=bench.merchant, session_id=bench.session_id, customer=customer)


def test_a_card_that_paid_is_kept_and_pays_in_another_session(bench: Bench, ada: str) -> None:
    card = bench.hands.entered(bench.session_id)
    paid_with(bench, card, ada)

    ref = keep(bench, card, ada)

    assert keep(bench, card, ada) == ref
    known = bench.gateway.describe(ref, merchant=bench.merchant, session_id=ELSEWHERE)
    assert known is not None
    assert (known.last4, known.entered, known.exp_month, known.exp_year) == ("4242", False, 12, 2040)
    token = bench.gateway.delegate(ref, bench.allowance(session_id=ELSEWHERE), key=new_id("consent"))
    assert bench.gateway.capture(bench.request(token, session_id=ELSEWHERE)).status == ChargeStatus.CAPTURED


def test_what_is_kept_is_let_go_for_good(bench: Bench, ada: str) -> None:
    card = bench.hands.entered(bench.session_id)
    paid_with(bench, card, ada)
    ref = keep(bench, card, ada)

    bench.gateway.forget(ref, merchant=bench.merchant)

    assert bench.gateway.describe(ref, merchant=bench.merchant, session_id=ELSEWHERE) is None
    with pytest.raises(TokenRefused):
        keep(bench, card, ada)


def test_nobody_keeps_anothers_card(bench: Bench, ada: str, store: Store) -> None:
    card = bench.hands.entered(bench.session_id)
    paid_with(bench, card, ada)
    keep(bench, card, ada)
    with pytest.raises(TokenRefused):
        keep(bench, card, person(bench, store))
    with pytest.raises(TokenRefused):
        keep(bench, "card_nonsense", ada)


def test_a_card_of_another_session_is_not_kept(bench: Bench, ada: str) -> None:
    card = bench.hands.entered(bench.session_id)
    paid_with(bench, card, ada)
    with pytest.raises(TokenRefused):
        bench.gateway.keep(card, merchant=bench.merchant, session_id=ELSEWHERE, customer=ada)


def test_stripe_is_told_who_it_is_by_our_id_alone_and_once(
    stripe: StripeHands, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(stripe)
    ada = person(bench, store)
    for _ in range(2):
        card = stripe.entered(bench.session_id)
        paid_with(bench, card, ada)
        keep(bench, card, ada)
    (customer,) = stripe.ledger.customers.values()
    assert customer["metadata"] == {"merchant": bench.merchant, "customer": ada}
    assert (customer["email"], customer["name"]) == (None, None)
    intents = list(stripe.ledger.intents.values())
    assert {(one["customer"], one["setup_future_usage"]) for one in intents} == {(customer["id"], "on_session")}


def test_a_card_that_paid_for_nobody_cannot_be_kept_at_stripe(stripe: StripeHands, store: Store) -> None:
    bench = Bench(stripe)
    card = stripe.entered(bench.session_id)
    paid_with(bench, card, "")
    with pytest.raises(TokenRefused):
        keep(bench, card, person(bench, store))


def test_the_banks_question_comes_first_and_the_card_is_kept_all_the_same(stripe: StripeHands, store: Store) -> None:
    bench = Bench(stripe)
    ada, card = person(bench, store), stripe.card("challenge")
    allow: Callable[[], str] = lambda: bench.gateway.delegate(  # noqa: E731 (twice the same)
        card, bench.allowance(keep_for=ada), key=new_id("consent")
    )
    first = bench.gateway.capture(bench.request(allow()))
    stripe.pass_challenge(first.challenge_url or "")
    assert bench.gateway.capture(bench.request(allow())).status == ChargeStatus.CAPTURED
    assert len(stripe.ledger.intents) == 1
    assert keep(bench, card, ada).endswith(f"/{card}")
