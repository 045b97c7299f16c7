"""Every request in the official examples that the official schema calls valid is taken; only ids are ours."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from app.protocols.acp.requests import CancelRequest, CompleteRequest, CreateRequest, UpdateRequest
from tests.app.acp import official
from tests.app.acp.conftest import Checkout
from tests.shop import Shop

KINDS = {
    "create": ("CheckoutSessionCreateRequest", CreateRequest),
    "update": ("CheckoutSessionUpdateRequest", UpdateRequest),
    "complete": ("CheckoutSessionCompleteRequest", CompleteRequest),
    "cancel": ("CancelSessionRequest", CancelRequest),
}


def kind_of(name: str) -> str | None:
    if "request" not in name or "response" in name:
        return None
    return next((kind for kind in KINDS if kind in name), None)


def requests(value: Any, name: str = "") -> list[tuple[str, str, Any]]:
    """Every request that occurs in an example, by kind, whatever lies around it."""
    found = []
    for inner, one in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        here = f"{name}.{inner}" if name else str(inner)
        body = one.get("params", {}).get("arguments", {}).get("payload", one) if isinstance(one, dict) else one
        kind = kind_of(str(inner))
        if kind and isinstance(body, dict) and not official.faults(KINDS[kind][0], body):
            found.append((here, kind, body))
        found += requests(one, here)
    return found


EXAMPLES = [
    (f"{path.name}:{where}", kind, body)
    for path in sorted((official.SPEC / "examples").rglob("*.json"))
    for where, kind, body in requests(official.example(str(path.relative_to(official.SPEC / "examples"))))
]


def ours(body: Any, item_id: str) -> Any:
    body = copy.deepcopy(body)
    for line in body.get("line_items", []):
        line["id"] = item_id
    for one in body.get("selected_fulfillment_options", []):
        one |= {"option_id": "overnight", "type": "shipping", "item_ids": [item_id]}
    if "handler_id" in body.get("payment_data", {}):
        body["payment_data"]["handler_id"] = "card_tokenized"
    return body


def test_there_are_enough_of_them() -> None:
    assert {kind for _, kind, _ in EXAMPLES} == set(KINDS)
    assert len(EXAMPLES) >= 14


@pytest.mark.parametrize(("name", "kind", "body"), EXAMPLES, ids=[name for name, _, _ in EXAMPLES])
def test_a_valid_request_is_taken(buying: Checkout, shop: Shop, name: str, kind: str, body: Any) -> None:
    item_id = shop.add("TENT")
    body = ours(body, item_id)
    if kind == "create":
        assert buying.agent.post("/checkout_sessions", body).status_code == 201
        return
    session = buying.opened("TENT")
    path = {"update": "", "complete": "/complete", "cancel": "/cancel"}[kind]
    answer = buying.agent.post(f"/checkout_sessions/{session['id']}{path}", body)
    assert answer.status_code == 200, answer.text
