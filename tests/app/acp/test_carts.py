"""Carts over REST: estimates, replaced as a whole, gone for good."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.app.acp.conftest import Agent
from tests.shop import Shop, open_shop


@pytest.fixture
def stocked(shop: Shop) -> Shop:
    shop.add("MUG", price=1250, stock={"EAST": 4})
    shop.add("RARE", price=9900, stock={})
    return shop


def _items(shop: Shop, **wanted: int) -> list[dict[str, Any]]:
    return [{"id": shop.variants[sku], "quantity": units} for sku, units in wanted.items()]


def _create(agent: Agent, shop: Shop, **wanted: int) -> Any:
    return agent.post("/carts", {"line_items": _items(shop, **wanted), "buyer": {"email": "ada@example.com"}})


def test_it_is_an_estimate_without_status_and_way_to_pay(agent: Agent, stocked: Shop) -> None:
    answer = _create(agent, stocked, MUG=2)
    assert answer.status_code == 201
    cart = answer.json()
    assert [(row["type"], row["amount"]) for row in cart["totals"]] == [
        ("items_base_amount", 2500),
        ("subtotal", 2500),
        ("total", 2500),
    ]
    assert (cart["currency"], cart["buyer"]) == ("usd", {"email": "ada@example.com"})
    assert not {"status", "capabilities"} & set(cart)
    assert {one["code"] for one in cart["messages"]} <= {"low_stock"}
    assert agent.get(f"/carts/{cart['id']}").json() == cart


def test_repeated_ids_add_up(agent: Agent, stocked: Shop) -> None:
    mug = {"id": stocked.variants["MUG"]}
    cart = agent.post("/carts", {"line_items": [mug, {"item": mug, "quantity": 2}]}).json()
    assert [line["quantity"] for line in cart["line_items"]] == [3]


def test_what_is_sold_out_stays_with_a_message(agent: Agent, stocked: Shop) -> None:
    cart = _create(agent, stocked, MUG=1, RARE=1).json()
    gone = [one for one in cart["messages"] if one["code"] == "out_of_stock"]
    assert [(one["type"], one["param"]) for one in gone] == [("error", "$.line_items[1]")]
    refused = _create(agent, stocked, RARE=1)
    assert (refused.status_code, refused.json()["code"]) == (422, "out_of_stock")


def test_put_replaces_all_of_it_once(agent: Agent, stocked: Shop) -> None:
    cart = _create(agent, stocked, MUG=1, RARE=1).json()
    wanted = {"line_items": _items(stocked, MUG=3)}
    first = agent.put(f"/carts/{cart['id']}", wanted, key="one")
    assert [line["quantity"] for line in first.json()["line_items"]] == [3]
    assert first.json()["expires_at"] >= cart["expires_at"]
    agent.put(f"/carts/{cart['id']}", {"line_items": _items(stocked, MUG=1)})
    again = agent.put(f"/carts/{cart['id']}", wanted, key="one")
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
    assert [line["quantity"] for line in agent.get(f"/carts/{cart['id']}").json()["line_items"]] == [1]


def test_a_canceled_cart_is_gone_for_ever(agent: Agent, stocked: Shop) -> None:
    cart_id = _create(agent, stocked, MUG=1).json()["id"]
    assert agent.post(f"/carts/{cart_id}/cancel").status_code == 200
    for ask in (
        agent.get(f"/carts/{cart_id}"),
        agent.put(f"/carts/{cart_id}", {"line_items": _items(stocked, MUG=1)}),
        agent.post(f"/carts/{cart_id}/cancel"),
    ):
        assert (ask.status_code, ask.json()["code"]) == (404, "not_found")


def test_nobody_elses_cart_is_found(
    agent: Agent, stocked: Shop, open_agent: Callable[..., Agent], make_tenant: Callable[..., Any]
) -> None:
    cart_id = _create(agent, stocked, MUG=1).json()["id"]
    elsewhere = open_shop(stocked.runtime, make_tenant()).tenant
    for stranger in (open_agent(stocked.tenant), open_agent(elsewhere)):
        assert stranger.get(f"/carts/{cart_id}").status_code == 404


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"line_items": []}, "invalid_request", "$.line_items"),
        ({"line_items": [{"id": "var_made_up"}]}, "invalid_item_id", "$.line_items[0].id"),
        ({"line_items": [{"id": "x", "quantity": 0}]}, "invalid_request", "$.line_items[0].quantity"),
        ({"line_items": [{"id": "x"}], "secret": 1}, "invalid_request", "$"),
        ({}, "missing", "$.line_items"),
        ({"line_items": [{"id": "x"}], "buyer": None}, "invalid_request", "$"),
    ],
)
def test_a_bad_cart_changes_nothing(agent: Agent, stocked: Shop, body: Any, code: str, param: str) -> None:
    answer = agent.post("/carts", body)
    assert (answer.status_code, answer.json()["code"], answer.json()["param"]) == (400, code, param)
