"""A card whose bank asks: the session says so, the holder is authenticated by delegation, the true result pays."""

from __future__ import annotations

import copy
from typing import Any

from sqlalchemy import select

from engine.orders.models import Order
from engine.payments.models import Payment
from tests.app.acp import official
from tests.app.acp.conftest import Checkout, codes, total
from tests.shop import Shop

NUMBER = "4000000000003220"
SIGNED = {"Signature": "c2ln"}


def token_of(buying: Checkout, session: dict[str, Any]) -> str:
    """A delegated token of a card that is challenged."""
    body = copy.deepcopy(official.example("examples.delegate_payment.json")["delegate_payment_request"])
    body["allowance"] |= {
        "merchant_id": buying.shop.tenant.slug,
        "checkout_session_id": session["id"],
        "max_amount": total(session),
        "expires_at": session["expires_at"],
    }
    body["payment_method"] |= {"number": NUMBER, "exp_year": "2030"}
    return str(buying.agent.post("/agentic_commerce/delegate_payment", body | {"risk_signals": []}).json()["id"])


def begun(buying: Checkout, session: dict[str, Any], name: str = "with_channel") -> dict[str, Any]:
    examples = official.example("examples.delegate_authentication.json")
    start = f"create_authentication_session_request_{name}"
    body = copy.deepcopy(next(value for key, value in examples.items() if key.startswith(start)))
    body |= {
        "merchant_id": buying.shop.tenant.slug,
        "checkout_session_id": session["id"],
        "amount": {"value": total(session), "currency": "USD"},
    }
    body["payment_method"]["number"] = NUMBER
    return dict(buying.agent.post("/delegate_authentication", body, **SIGNED).json())


def authenticated(buying: Checkout, session: dict[str, Any]) -> dict[str, Any]:
    """What the bank says of the holder, who passed its challenge."""
    path = f"/delegate_authentication/{begun(buying, session)['authentication_session_id']}"
    asked = buying.agent.post(f"{path}/authenticate", {"fingerprint_completion": "Y"}, **SIGNED).json()
    assert (asked["status"], asked["action"]["type"]) == ("action_required", "challenge")
    gateway: Any = buying.shop.runtime.gateways["sandbox"]
    gateway.pass_challenge(asked["action"]["challenge"]["acs_trans_id"])
    ended = buying.agent.get(path).json()
    assert ended["status"] == "authenticated"
    return dict(ended["authentication_result"])


def outcome(proof: dict[str, Any]) -> dict[str, Any]:
    return {"authentication_result": {"outcome": "authenticated", "outcome_details": proof}}


def test_from_the_question_to_the_order(buying: Checkout, shop: Shop) -> None:
    shop.add("TENT", price=5000)
    session = buying.opened("TENT")
    token = token_of(buying, session)
    asked = buying.complete(session, token).json()
    assert (asked["status"], codes(asked)) == ("authentication_required", ["requires_3ds"])
    assert asked["authentication_metadata"]["directory_server"] == "visa"
    proof = authenticated(buying, session)
    given = {name: proof[name] for name in proof if name in DETAILS}
    done = buying.complete(session, token, **outcome(given)).json()
    assert done["status"] == "completed", done
    with shop.uow() as db:
        payment = db.scalars(select(Payment)).one()
        order = db.scalars(select(Order).where(Order.placed_at.is_not(None))).one()
    assert (payment.status, payment.amount, order.id) == ("captured", total(session), done["order"]["id"])


def test_another_sessions_result_does_not_pay(buying: Checkout, shop: Shop) -> None:
    shop.add("TENT", price=5000)
    first, second = buying.opened("TENT"), buying.opened("TENT")
    proof = authenticated(buying, first)
    given = {name: proof[name] for name in proof if name in DETAILS}
    answer = buying.complete(second, token_of(buying, second), **outcome(given)).json()
    assert codes(answer) == ["payment_declined"]
    with shop.uow() as db:
        assert db.scalars(select(Payment)).all() == []


DETAILS = frozenset({"three_ds_cryptogram", "electronic_commerce_indicator", "transaction_id", "version"})
"""What a completed checkout takes of it."""
