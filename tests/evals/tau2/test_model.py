"""The model of the rules against what was published and recorded, and against its own faithful twin."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from evals.tau2 import gold, replay
from evals.tau2.cases import Shop, changed, read_conversations, read_db, read_gold
from evals.tau2.model import Model
from evals.tau2.quirks import EACH_ITS_OWN_PRICE, Faithful
from evals.tau2.run import HERE
from evals.tau2.shapes import comparable, differences, in_cents

GOLD = read_gold(sorted(HERE.glob("gold*.jsonl")))
TALKS = read_conversations([HERE / "conversations"])


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop(read_db(HERE / "db.json"))


def test_every_published_case_ends_as_it_must(shop: Shop) -> None:
    found = gold.measure(Model(), shop, GOLD)
    assert [one.as_json() for one in found.failed] == []
    assert found.as_json()["errors_agree"] == sum(len(case.calls) for case in GOLD) > 150


def test_every_recorded_call_does_again_what_it_did(shop: Shop) -> None:
    figures = replay.measure(Model(), shop, TALKS).as_json()
    assert figures["first_differences"] == []
    assert figures["calls_identical"] == figures["calls"] > 300


def test_a_slice_and_the_whole_cannot_be_told_apart(shop: Shop) -> None:
    for talk in TALKS[:10]:
        part, whole = Model(), Model()
        part.reset(shop.slice_for(talk.calls))
        whole.reset(shop.db)
        for call in talk.calls:
            assert part.call(call.name, call.arguments) == whole.call(call.name, call.arguments)
        state = whole.export()
        assert {key: state["orders"][key] for key in part.export()["orders"]} == part.export()["orders"]


def two_lines(shop: Shop, status: str, products: int = 2) -> tuple[dict[str, Any], list[str], list[str]]:
    """An order of ``status`` with two lines of different products, and a variant that is sold for each."""
    for order in shop.db["orders"].values():
        lines = list({line["product_id"]: line for line in order["items"]}.values())
        others = [
            next(
                (
                    key
                    for key, one in shop.db["products"][line["product_id"]]["variants"].items()
                    if one["available"] and key != line["item_id"]
                ),
                None,
            )
            for line in lines
        ]
        found = [(line["item_id"], other) for line, other in zip(lines, others, strict=True) if other]
        if order["status"] == status and len(found) >= products:
            return order, [old for old, _ in found[:products]], [new for _, new in found[:products]]
    raise AssertionError(f"no {status} order has {products} products")


def test_each_replaced_line_takes_its_own_variant_and_the_faithful_twin_does_not(shop: Shop) -> None:
    order, old, new = two_lines(shop, "pending")
    user = shop.db["users"][order["user_id"]]
    method = next(key for key, one in user["payment_methods"].items() if one["source"] != "gift_card")
    given = {"order_id": order["order_id"], "item_ids": old, "new_item_ids": new, "payment_method_id": method}
    found = []
    for one in (Model(), Faithful()):
        one.reset(shop.db)
        result, error = one.call("modify_pending_order_items", given)
        assert error is None
        found.append({line["item_id"]: line["price"] for line in comparable(result)["items"]})
    prices = {
        key: v["price"] for product in in_cents(shop.db["products"]).values() for key, v in product["variants"].items()
    }
    assert {key: found[0][key] for key in new} == {key: prices[key] for key in new}
    assert {found[1][key] for key in new} == {prices[new[-1]]}


def test_what_only_the_benchmarks_fault_explains_is_named(shop: Shop) -> None:
    order, old, new = two_lines(shop, "pending")
    method = order["payment_history"][0]["payment_method_id"]
    given = {"order_id": order["order_id"], "item_ids": old, "new_item_ids": new, "payment_method_id": method}
    faithful = Faithful()
    faithful.reset(shop.db)
    result, error = faithful.call("modify_pending_order_items", given)
    assert error is None
    talk = copy.copy(TALKS[0])
    call = type(talk.calls[0])("modify_pending_order_items", given, result, None)
    recorded = type(talk)("made", "none", (), (call,), (0,))
    found = replay.measure(Model(), shop, [recorded])
    assert (found.named, found.failed) == ({EACH_ITS_OWN_PRICE: 1}, [])


def test_a_cancelled_order_gives_back_what_is_held_once(shop: Shop) -> None:
    order_id, user = next(
        (key, shop.db["users"][order["user_id"]])
        for key, order in shop.db["orders"].items()
        if order["status"] == "pending" and len(shop.db["users"][order["user_id"]]["payment_methods"]) > 1
    )
    paid = shop.db["orders"][order_id]["payment_history"][0]
    other = next(
        key
        for key, one in user["payment_methods"].items()
        if key != paid["payment_method_id"] and one["source"] != "gift_card"
    )
    model = Model()
    model.reset(shop.db)
    assert model.call("modify_pending_order_payment", {"order_id": order_id, "payment_method_id": other})[1] is None
    assert model.call("cancel_pending_order", {"order_id": order_id, "reason": "no longer needed"})[1] is None
    history = model.export()["orders"][order_id]["payment_history"]
    assert [(one["transaction_type"], one["payment_method_id"]) for one in history] == [
        ("payment", paid["payment_method_id"]),
        ("payment", other),
        ("refund", paid["payment_method_id"]),
        ("refund", other),
    ]
    assert {one["amount"] for one in history} == {paid["amount"]}


@pytest.mark.parametrize("arguments", [None, [], "x", {}, {"order_id": 1, "reason": "no longer needed"}, {"x": 1}])
@pytest.mark.parametrize("name", ["cancel_pending_order", "no_such_tool", ""])
def test_nonsense_is_an_error_and_changes_nothing(shop: Shop, name: str, arguments: Any) -> None:
    model = Model()
    model.reset(shop.db)
    result, error = model.call(name, arguments)
    assert error == "malformed"
    assert result.startswith("Error: ")
    assert list(differences(in_cents(shop.db), in_cents(model.export()))) == []


def test_changes_reach_options_whose_name_holds_a_slash(shop: Shop) -> None:
    variant = {"a": {"options": {"bagged/bagless": "bagged", "type": "canister"}, "price": 1.1}}
    change = {"path": "/a/options/bagged/bagless", "before": "bagged", "after": "bagless"}
    assert changed(variant, [change]) == {
        "a": {"options": {"bagged/bagless": "bagless", "type": "canister"}, "price": 110}
    }
