"""The tools as the agents get them: their rules, and what they never hold."""

from __future__ import annotations

import re

import pytest

from engine.kit.errors import Forbidden, InvalidInput
from engine.kit.identity import Actor, Identity, Scope
from engine.kit.pagination import encode_cursor
from tests.shop import Shop
from tools.catalog import search_products
from tools.gate import admit
from tools.spec import Access, AgentName, Risk, ToolContext, load, tools_for

FORBIDDEN = re.compile(r"confirm_payment|approve|capture|complete|resume|charge|\bpay\b")


def context(shop: Shop, identity: Identity | None = None) -> ToolContext:
    return ToolContext(shop.runtime, identity or shop.shopper(), "thr_x", "run_x")


def test_no_agent_holds_a_tool_that_takes_money() -> None:
    names = {spec.name for agent in AgentName for spec in tools_for(agent)}
    assert names
    assert not [name for name in names if FORBIDDEN.search(name)]


@pytest.mark.parametrize("name", load())
def test_every_tool_tells_the_model_what_it_needs(name: str) -> None:
    spec = load()[name]
    assert len(spec.description) > 25
    assert spec.agents
    assert spec.risk in ({Risk.READ} if spec.access is Access.READ else {Risk.CART, Risk.ASK}), "none moves money"
    assert spec.caps.keys() <= {"thread", "day"}
    assert spec.staff or spec.agents != {AgentName.OPERATIONS}
    assert spec.schema()["additionalProperties"] is False
    named = " ".join(spec.schema()["properties"])
    assert not re.search(r"tenant|customer|shopper|identity|token", named), "identity is never an argument"
    if spec.access is Access.WRITE:
        ids = {key for key in spec.arguments.model_fields if key.endswith(("_id", "_ref", "_ids"))}
        assert ids - {"fulfillment_option_id"} <= spec.refs, "a write names only what a read returned"


def test_stock_by_place_is_for_staff_alone(shop: Shop) -> None:
    shop.add("LAMP", stock={"EAST": 3, "WEST": 2})
    spec = load()["stock_by_location"]
    assert spec.agents == {AgentName.OPERATIONS}
    with pytest.raises(Forbidden, match="staff"):
        admit(spec, context(shop))
    staff = Identity(shop.tenant.id, Actor.API_KEY, "key_x", scopes=frozenset({Scope.OPS}))
    admit(spec, context(shop, staff))
    found = spec.function(context(shop, staff), "LAMP").result["items"]
    places = [(row["code"], row["available"]) for row in found[0]["locations"]]
    assert places == [("EAST", 3), ("WEST", 2), ("STORE", 0)]


def test_more_of_a_list_needs_its_cursor_alone(shop: Shop) -> None:
    for number in range(5):
        shop.add(f"LAMP-{number}", title=f"Lamp number {number}", search_strong="lamp")
    shop.add("ROPE", title="Rope", search_strong="rope")
    first = search_products(context(shop), "lamp", limit=2).result
    second = search_products(context(shop), cursor=first["next_cursor"], limit=2).result
    third = search_products(context(shop), "something else", cursor=second["next_cursor"], limit=2).result
    titles = [item["title"] for page in (first, second, third) for item in page["items"]]
    assert sorted(titles) == [f"Lamp number {number}" for number in range(5)]
    assert third["next_cursor"] is None


@pytest.mark.parametrize("cursor", ["x", encode_cursor(["{}", "y"]), encode_cursor(['{"query": 1}', "y"])])
def test_a_forged_cursor_is_refused(shop: Shop, cursor: str) -> None:
    with pytest.raises(InvalidInput):
        search_products(context(shop), cursor=cursor)


def test_prices_are_asked_in_whole_units_of_the_shops_currency(shop: Shop) -> None:
    shop.add("CHEAP", price=1999, search_strong="lamp")
    shop.add("DEAR", price=2001, search_strong="lamp")
    found = search_products(context(shop), "lamp", max_price=20).result["items"]
    assert [item["price"] for item in found] == ["$19.99"]
