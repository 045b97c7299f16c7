"""Replayed exchanges with Stripe's own address: what goes out is compared to the letter, what comes back is read.

The answers were written by us in the full shape that the vendor's SDK has for each object; they were not recorded from
the real service. ``docs/domains/payments-stripe.md`` says what has been tried where.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import vcr
import yaml

from engine.db import Addresses, Store
from engine.payments.gateway import ChargeStatus, DisputeStatus, MoveStatus, PayoutKind, Standing
from engine.payments.gateways import accounts
from engine.payments.gateways.models import AccountMode
from engine.payments.gateways.stripe.gateway import StripeGateway
from tests.conftest import MakeTenant
from tests.contracts.gateways import scenes
from tests.contracts.gateways.shapes import faults

CASSETTES = Path(__file__).parent / "cassettes"
STRICT = ("method", "scheme", "host", "path", "query", "body", "key")


@pytest.fixture(scope="session")
def made() -> set[str]:
    return set()


@pytest.fixture
def gateway(store: Store, addresses: Addresses, make_tenant: MakeTenant, made: set[str]) -> StripeGateway:
    """At Stripe's own address: no double stands behind it, and nothing but a cassette can answer."""
    if not made:
        make_tenant(id=scenes.MERCHANT)
        made.add(scenes.MERCHANT)
    change = accounts.Change(mode=AccountMode.TEST, secret_key="sk_test_replayed")
    with store.unit_of_work(scenes.MERCHANT) as session:
        accounts.put(session, addresses.secret_key, scenes.MERCHANT, "stripe", change, actor="test")
    multicapture = accounts.Change(settings={"multicapture": True})
    with store.unit_of_work(scenes.MERCHANT) as session:
        accounts.put(session, addresses.secret_key, scenes.MERCHANT, "stripe", multicapture, actor="test")
    return StripeGateway(store, addresses.secret_key, return_url=lambda: "https://shop.example/paid")


@pytest.fixture
def replayed(request: pytest.FixtureRequest) -> Iterator[Any]:
    recorder = vcr.VCR(record_mode="none", match_on=STRICT)
    recorder.register_matcher("key", lambda a, b: _key(a) == _key(b))
    with recorder.use_cassette(str(CASSETTES / f"{request.param}.yaml")) as cassette:
        yield cassette
        assert cassette.all_played


def _key(request: Any) -> str | None:
    return next((value for name, value in request.headers.items() if name.lower() == "idempotency-key"), None)


@pytest.mark.parametrize("replayed", ["sale"], indirect=True)
def test_a_sale_and_its_refund(gateway: StripeGateway, replayed: Any) -> None:
    paid, found, back, known = scenes.sale(gateway)
    assert (paid.status, paid.amount.amount, paid.gateway_id[:3]) == (ChargeStatus.CAPTURED, 5000, "pi_")
    assert found == paid
    assert (back.status, back.amount.amount, back.gateway_id[:3]) == (MoveStatus.SUCCEEDED, 1500, "re_")
    assert known == back


@pytest.mark.parametrize("replayed", ["decline"], indirect=True)
def test_a_decline(gateway: StripeGateway, replayed: Any) -> None:
    said, found = scenes.decline(gateway)
    assert (said.status, said.decline_code) == (ChargeStatus.DECLINED, "insufficient_funds")
    assert found == said


@pytest.mark.parametrize("replayed", ["hold"], indirect=True)
def test_a_hold_a_part_and_letting_go(gateway: StripeGateway, replayed: Any) -> None:
    held, part, let_go = scenes.hold(gateway)
    assert (held.status, held.amount.amount) == (ChargeStatus.AUTHORIZED, 5000)
    assert held.expires_at is not None
    assert (part.key, part.status, part.amount.amount) == ("cap_hold", MoveStatus.SUCCEEDED, 2000)
    assert (let_go.status, let_go.amount.amount) == (ChargeStatus.CAPTURED, 2000)


@pytest.mark.parametrize("replayed", ["challenge"], indirect=True)
def test_a_challenge(gateway: StripeGateway, replayed: Any) -> None:
    (asked,) = scenes.challenge(gateway)
    assert (asked.status, asked.decline_code) == (ChargeStatus.DECLINED, "authentication_required")
    assert asked.challenge_url.startswith("https://hooks.")


@pytest.mark.parametrize("replayed", ["dispute"], indirect=True)
def test_a_dispute_and_the_books(gateway: StripeGateway, replayed: Any) -> None:
    answered, (payout,), standings = scenes.dispute(gateway)
    assert (answered.status, answered.amount.amount, answered.fee) == (DisputeStatus.UNDER_REVIEW, 5000, 1500)
    assert [(line.kind, line.amount, line.fee, line.payment_id) for line in payout.lines] == [
        (PayoutKind.CHARGE, 5000, 175, "pay_dispute"),
        (PayoutKind.DISPUTE, -5000, 1500, "pay_dispute"),
    ]
    assert payout.amount == -1675
    assert standings == {"pay_dispute": Standing("USD", 5000, 5000, 0, 5000)}


@pytest.mark.parametrize("name", scenes.SCENES)
def test_every_replayed_answer_has_the_vendors_whole_shape(name: str) -> None:
    text = (CASSETTES / f"{name}.yaml").read_text()
    assert "sk_" not in text
    answers = [turn["response"] for turn in yaml.safe_load(text)["interactions"]]
    bodies = [json.loads(turn["body"]["string"]) for turn in answers if turn["status"]["code"] == 200]
    assert bodies
    assert {fault for body in bodies for fault in faults(body, whole=True)} == set()
