"""What is replayed from ``cassettes/``: a few acts at Stripe with ids that never change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from engine.kit import clock
from engine.kit.money import Money
from engine.payments.gateway import Allowance, CaptureRequest, Charge, Gateway

MERCHANT: Final = "tnt_0000000000000000000000stri"
SESSION: Final = "cs_0000000000000000000000stri"
SINCE: Final = datetime(2026, 1, 1, tzinfo=UTC)


def pay(gateway: Gateway, payment_id: str, card: str, *, hold: bool = False) -> Charge:
    allowance = Allowance(MERCHANT, SESSION, Money(5000, "USD"), clock.now() + timedelta(minutes=5))
    token = gateway.delegate(card, allowance, key=payment_id)
    request = CaptureRequest(payment_id, MERCHANT, SESSION, token, Money(5000, "USD"))
    return gateway.authorize(request) if hold else gateway.capture(request)


def sale(gateway: Gateway) -> list[Any]:
    paid = pay(gateway, "pay_sale", "pm_pays")
    back = gateway.refund("pay_sale", merchant=MERCHANT, amount=Money(1500, "USD"), key="rfd_sale")
    known = gateway.find_move("rfd_sale", payment_id="pay_sale", merchant=MERCHANT)
    return [paid, gateway.find("pay_sale", merchant=MERCHANT), back, known]


def decline(gateway: Gateway) -> list[Any]:
    return [pay(gateway, "pay_decline", "pm_declines"), gateway.find("pay_decline", merchant=MERCHANT)]


def hold(gateway: Gateway) -> list[Any]:
    held = pay(gateway, "pay_hold", "pm_pays", hold=True)
    part = gateway.capture_authorized(
        "pay_hold", merchant=MERCHANT, amount=Money(2000, "USD"), key="cap_hold", final=False
    )
    return [held, part, gateway.void("pay_hold", merchant=MERCHANT, key="void_hold")]


def challenge(gateway: Gateway) -> list[Any]:
    return [pay(gateway, "pay_challenge", "pm_asks")]


def dispute(gateway: Gateway) -> list[Any]:
    pay(gateway, "pay_dispute", "pm_pays")
    evidence = {"shipping_tracking_number": "TRACK1"}
    answered = gateway.submit_evidence("dp_1", merchant=MERCHANT, evidence=evidence, key="dsp_1")
    return [answered, gateway.payouts(merchant=MERCHANT, since=SINCE), dict(gateway.standings(merchant=MERCHANT))]


SCENES: Final[dict[str, Callable[[Gateway], list[Any]]]] = {
    scene.__name__: scene for scene in (sale, decline, hold, challenge, dispute)
}


def plain(told: Any) -> Any:
    """Dataclasses and what holds them as plain values."""
    if isinstance(told, list):
        return [plain(each) for each in told]
    if isinstance(told, dict):
        return {key: plain(value) for key, value in told.items()}
    return asdict(told)
