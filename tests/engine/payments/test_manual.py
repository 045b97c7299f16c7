"""The shop's own payment system as a gateway: tokens carry their allowance under a seal, moves are not kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from engine.agentic.paying import gateway_for
from engine.kit import clock
from engine.kit.money import Money
from engine.payments.gateway import Allowance, CaptureRequest, ChargeStatus, MoveStatus
from engine.payments.gateways.manual import Crediting, ManualGateway
from engine.runtime import Runtime

GATEWAY = ManualGateway(b"k" * 32)
TEN = Money(1_000, "USD")


def token(**changed: object) -> str:
    given = Allowance(merchant="tnt_1", session_id="chg_1", maximum=TEN, expires_at=clock.now() + timedelta(minutes=5))
    return GATEWAY.delegate("paypal_1", replace(given, **changed), key="k")  # type: ignore[arg-type] # fields of it


def asked(said: str, **changed: object) -> CaptureRequest:
    given = CaptureRequest(payment_id="pay_1", merchant="tnt_1", session_id="chg_1", token=said, amount=TEN)
    return replace(given, **changed)  # type: ignore[arg-type] # fields of it


def test_a_token_pays_what_it_was_made_for_and_no_more() -> None:
    said = token()
    facts = GATEWAY.inspect(said, merchant="tnt_1", session_id="chg_1")
    assert (facts.usable, facts.maximum) == (True, TEN)
    taken = GATEWAY.capture(asked(said))
    assert (taken.status, taken.amount) == (ChargeStatus.CAPTURED, TEN)
    held = GATEWAY.authorize(asked(said))
    assert held.status == ChargeStatus.AUTHORIZED
    assert held.expires_at is not None


@pytest.mark.parametrize(
    "changed",
    [
        {"merchant": "tnt_2"},
        {"session_id": "chg_2"},
        {"amount": Money(1_001, "USD")},
        {"amount": Money(1_000, "EUR")},
        {"token": "vt_nothing"},
        {"token": "vt_"},
        {"token": "ä"},
    ],
)
def test_another_merchant_change_amount_or_token_is_declined(changed: dict[str, object]) -> None:
    refused = GATEWAY.capture(asked(token(), **changed))
    assert (refused.status, refused.decline_code) == (ChargeStatus.DECLINED, "token_invalid")


def test_a_token_of_another_key_and_one_that_is_over_pay_nothing() -> None:
    other = ManualGateway(b"x" * 32)
    assert other.capture(asked(token())).status == ChargeStatus.DECLINED
    assert not other.inspect(token(), merchant="tnt_1", session_id="chg_1").usable
    over = token(expires_at=clock.now() - timedelta(seconds=1))
    assert GATEWAY.capture(asked(over)).decline_code == "token_expired"
    assert not GATEWAY.inspect(over, merchant="tnt_1", session_id="chg_1").usable


def test_money_goes_back_and_to_other_ways_and_no_books_are_kept() -> None:
    assert isinstance(GATEWAY, Crediting)
    assert GATEWAY.refund("pay_1", merchant="tnt_1", amount=TEN, key="rfd_1").status == MoveStatus.SUCCEEDED
    assert GATEWAY.credit("paypal_1", merchant="tnt_1", amount=TEN, key="rfd_1").status == MoveStatus.SUCCEEDED
    assert GATEWAY.standings(merchant="tnt_1") == {}
    assert GATEWAY.find("pay_1", merchant="tnt_1") is None


def test_no_agent_pays_at_a_system_that_takes_only_our_own_tokens(runtime: Runtime) -> None:
    assert gateway_for(runtime, demo=True) == "sandbox"
    assert gateway_for(runtime, demo=False) is None
    live = replace(runtime, gateways={"manual": GATEWAY, "stripe": GATEWAY})
    assert gateway_for(live, demo=False) == "stripe"
