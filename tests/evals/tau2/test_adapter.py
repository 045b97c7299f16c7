"""The benchmark's tools on our engine: what each does to the shop, and that nothing odd does anything."""

from __future__ import annotations

import copy
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from evals.tau2.adapter import Adapter
from evals.tau2.shapes import READS, TOOLS, WRITES

DATA = Path(__file__).parents[3] / "evals" / "tau2" / "data"
DB = json.loads((DATA / "db.json").read_text("utf-8"))
ADDRESS = {"address1": "1 New St", "address2": "", "city": "Denver", "state": "CO", "country": "USA", "zip": "80279"}


def slice_of(*users):
    orders = {key: order for key, order in DB["orders"].items() if order["user_id"] in users}
    return {"products": DB["products"], "users": {user: DB["users"][user] for user in users}, "orders": orders}


@pytest.fixture
def adapter(runtime):
    with Adapter(runtime) as opened:
        yield opened


@pytest.fixture
def whole(adapter):
    adapter.reset(DB)
    return adapter


def order_of(status, *, paid_by="", lines=1, beside=""):
    """An order of that status, paid by such a way, of somebody who also has one ``beside``."""
    for order in DB["orders"].values():
        methods = DB["users"][order["user_id"]]["payment_methods"]
        fits = order["status"] == status and len(order["items"]) >= lines
        paid = order["payment_history"][0]["payment_method_id"]
        if fits and paid.startswith(paid_by) and any(way.startswith(beside) and way != paid for way in methods):
            return order
    raise AssertionError(status)


def way_of(order, kind):
    return next(way for way in DB["users"][order["user_id"]]["payment_methods"] if way.startswith(kind))


def another(line, *, available=True):
    """Another variant of the same product."""
    variants = DB["products"][line["product_id"]]["variants"].values()
    return next(one for one in variants if one["available"] == available and one["item_id"] != line["item_id"])


def cents(amount):
    return round(amount * 100)


def result_of(outcome):
    result, error = outcome
    assert error is None, result
    return json.loads(result)


def test_lookups_are_as_strict_as_the_benchmarks(whole):
    user = DB["users"]["isabella_johansson_2152"]
    assert whole.call("find_user_id_by_email", {"email": user["email"].upper()}) == (user["user_id"], None)
    name = {"first_name": "ISABELLA", "last_name": "johansson", "zip": user["address"]["zip"]}
    assert whole.call("find_user_id_by_name_zip", name) == (user["user_id"], None)
    for arguments in ({"email": f" {user['email']}"}, {"email": ""}):
        assert whole.call("find_user_id_by_email", arguments)[1] == "not_found"
    for wrong in ({"zip": "00000"}, {"last_name": ""}, {"first_name": "Isabella "}, {"zip": f"{name['zip']} "}):
        assert whole.call("find_user_id_by_name_zip", name | wrong)[1] == "not_found"


def test_everything_can_be_looked_at_as_it_is_in_the_file(whole):
    for part, tool, key in (
        ("users", "get_user_details", "user_id"),
        ("orders", "get_order_details", "order_id"),
        ("products", "get_product_details", "product_id"),
    ):
        for own, row in DB[part].items():
            assert result_of(whole.call(tool, {key: own})) == row
        assert whole.call(tool, {key: own.lower().removeprefix("#") + "x"})[1] == "not_found"
    product = next(iter(DB["products"].values()))
    for own, variant in product["variants"].items():
        assert result_of(whole.call("get_item_details", {"item_id": own})) == variant
    assert whole.call("get_item_details", {"item_id": "1"})[1] == "not_found"
    names = {row["name"]: row["product_id"] for row in DB["products"].values()}
    assert whole.call("list_all_product_types", {}) == (json.dumps(names, sort_keys=True), None)
    assert whole.cards == []


@pytest.mark.parametrize(
    ("expression", "value"),
    [("2 + 2", "4.0"), ("(10.10 - 0.2) * 3", "29.7"), ("1013.51", "1013.51"), ("-1/3", "-0.33"), ("0.1+0.2", "0.3")],
)
def test_sums_are_printed_as_the_benchmark_prints_them(whole, expression, value):
    assert whole.call("calculate", {"expression": expression}) == (value, None)


@pytest.mark.parametrize(
    "expression", ["2 ** 8", "9" * 900 + "*" + "9" * 90 + "x", "1/0", "abs(1)", "(", "", "__import__"]
)
def test_what_is_no_sum_is_refused(whole, expression):
    assert whole.call("calculate", {"expression": expression})[1] == "malformed"


def test_a_canceled_orders_money_goes_back_at_once(whole):
    order = order_of("pending", paid_by="gift_card")
    card, paid = order["payment_history"][0]["payment_method_id"], order["payment_history"][0]["amount"]
    before = DB["users"][order["user_id"]]["payment_methods"][card]["balance"]
    arguments = {"order_id": order["order_id"], "reason": "ordered by mistake"}
    found = result_of(whole.call("cancel_pending_order", arguments))
    refund = {"transaction_type": "refund", "amount": paid, "payment_method_id": card}
    ended = {"status": "cancelled", "cancel_reason": "ordered by mistake"}
    assert found == order | ended | {"payment_history": [*order["payment_history"], refund]}
    methods = result_of(whole.call("get_user_details", {"user_id": order["user_id"]}))["payment_methods"]
    assert cents(methods[card]["balance"]) == cents(before) + cents(paid)
    assert whole.call("cancel_pending_order", arguments)[1] == "wrong_status"
    assert [(card.tool, card.user_id) for card in whole.cards] == [("quote_cancel", order["user_id"])]
    assert whole.check() == []


def test_an_order_is_paid_another_way_once(whole):
    order = order_of("pending", paid_by="", beside="paypal")
    old, new = order["payment_history"][0], way_of(order, "paypal")
    arguments = {"order_id": order["order_id"], "payment_method_id": new}
    assert (
        whole.call("modify_pending_order_payment", arguments | {"payment_method_id": "paypal_1"})[1]
        == "not_owned_method"
    )
    found = result_of(whole.call("modify_pending_order_payment", arguments))
    assert found["payment_history"] == [
        old,
        {"transaction_type": "payment", "amount": old["amount"], "payment_method_id": new},
        {"transaction_type": "refund", "amount": old["amount"], "payment_method_id": old["payment_method_id"]},
    ]
    assert found["status"] == "pending"
    assert whole.call("modify_pending_order_payment", arguments)[1] == "wrong_status"
    assert whole.check() == []


@pytest.mark.parametrize("before", ["payment", "items", "cancel"])
def test_a_way_to_pay_that_is_not_theirs_is_named_before_what_else_stands_against_it(whole, before):
    order = order_of("pending", beside="paypal")
    old, new = order["items"][0], another(order["items"][0])
    arguments = {"order_id": order["order_id"], "payment_method_id": way_of(order, "paypal")}
    swap = {"item_ids": [old["item_id"]], "new_item_ids": [new["item_id"]]}
    done = {
        "payment": ("modify_pending_order_payment", arguments),
        "items": ("modify_pending_order_items", arguments | swap),
        "cancel": ("cancel_pending_order", {"order_id": order["order_id"], "reason": "no longer needed"}),
    }
    assert whole.call(*done[before])[1] is None
    state = whole.export()
    stranger = arguments | {"payment_method_id": "paypal_1"}
    expected = "wrong_status" if before == "cancel" else "not_owned_method"
    assert whole.call("modify_pending_order_payment", stranger)[1] == expected
    assert whole.call("modify_pending_order_payment", arguments)[1] == "wrong_status"
    assert whole.export() == state


def test_items_take_their_own_variants_price_in_their_own_place(whole):
    order = order_of("pending", lines=2, beside="")
    old = order["items"][:2]
    new = [another(line) for line in old]
    method = next(way for way in DB["users"][order["user_id"]]["payment_methods"] if not way.startswith("gift"))
    arguments = {
        "order_id": order["order_id"],
        "item_ids": [line["item_id"] for line in reversed(old)],
        "new_item_ids": [one["item_id"] for one in reversed(new)],
        "payment_method_id": method,
    }
    found = result_of(whole.call("modify_pending_order_items", arguments))
    swapped = [
        line | {key: one[key] for key in ("item_id", "price", "options")} for line, one in zip(old, new, strict=True)
    ]
    assert found["items"] == [*swapped, *order["items"][2:]]
    difference = sum(cents(one["price"]) - cents(line["price"]) for line, one in zip(old, new, strict=True))
    last = found["payment_history"][-1]
    assert (last["transaction_type"], cents(last["amount"])) == (
        "payment" if difference > 0 else "refund",
        abs(difference),
    )
    assert (last["payment_method_id"], found["status"]) == (method, "pending (item modified)")
    for tool, more in (
        ("modify_pending_order_items", arguments),
        ("cancel_pending_order", {"reason": "no longer needed"}),
    ):
        assert whole.call(tool, {"order_id": order["order_id"]} | more)[1] == "wrong_status"
    moved = result_of(whole.call("modify_pending_order_address", {"order_id": order["order_id"]} | ADDRESS))
    assert moved["address"] == ADDRESS
    assert whole.check() == []


def test_a_return_waits_for_its_goods(whole):
    order = order_of("delivered", lines=2)
    items = [line["item_id"] for line in order["items"]]
    method = order["payment_history"][0]["payment_method_id"]
    arguments = {"order_id": order["order_id"], "item_ids": items[::-1], "payment_method_id": method}
    found = result_of(whole.call("return_delivered_order_items", arguments))
    added = {"status": "return requested", "return_items": sorted(items), "return_payment_method_id": method}
    assert found == order | added
    assert whole.call("return_delivered_order_items", arguments)[1] == "wrong_status"
    assert whole.export()["users"] == DB["users"]
    assert whole.check() == []


def test_so_does_an_exchange_and_its_difference(whole):
    order = order_of("delivered", lines=2, beside="")
    old, new = order["items"][0], another(order["items"][0])
    method = next(way for way in DB["users"][order["user_id"]]["payment_methods"] if not way.startswith("gift"))
    arguments = {
        "order_id": order["order_id"],
        "item_ids": [old["item_id"]],
        "new_item_ids": [new["item_id"]],
        "payment_method_id": method,
    }
    found = result_of(whole.call("exchange_delivered_order_items", arguments))
    difference = cents(new["price"]) - cents(old["price"])
    assert cents(found.pop("exchange_price_difference")) == difference
    assert found == order | {
        "status": "exchange requested",
        "exchange_items": [old["item_id"]],
        "exchange_new_items": [new["item_id"]],
        "exchange_payment_method_id": method,
    }
    assert whole.call("exchange_delivered_order_items", arguments)[1] == "wrong_status"
    assert whole.check() == []


def test_the_same_item_twice_is_two_lines(whole):
    order = DB["orders"]["#W9093821"]
    twice = next(one for one in (line["item_id"] for line in order["items"]) if _count(order, one) == 2)
    line = next(line for line in order["items"] if line["item_id"] == twice)
    method = next(way for way in DB["users"][order["user_id"]]["payment_methods"] if not way.startswith("gift"))
    more = {"order_id": order["order_id"], "payment_method_id": method}
    new = another(line)["item_id"]
    three = more | {"item_ids": [twice] * 3, "new_item_ids": [new] * 3}
    assert whole.call("modify_pending_order_items", three)[1] == "count_mismatch"
    found = result_of(whole.call("modify_pending_order_items", more | {"item_ids": [twice], "new_item_ids": [new]}))
    assert [one["item_id"] for one in found["items"]].count(twice) == 1
    assert len(found["items"]) == len(order["items"])


def _count(order, item_id):
    return [line["item_id"] for line in order["items"]].count(item_id)


def test_a_default_address_is_changed_and_found_by(whole):
    user = DB["users"]["noah_patel_6952"]
    found = result_of(whole.call("modify_user_address", {"user_id": user["user_id"]} | ADDRESS))
    assert found == user | {"address": ADDRESS}
    name = {"first_name": "noah", "last_name": "patel"}
    assert whole.call("find_user_id_by_name_zip", name | {"zip": user["address"]["zip"]})[1] == "not_found"
    assert whole.call("find_user_id_by_name_zip", name | {"zip": "80279"}) == (user["user_id"], None)
    assert whole.export()["orders"] == DB["orders"]
    again = result_of(whole.call("modify_user_address", {"user_id": user["user_id"]} | ADDRESS))
    assert (again, len(whole.cards)) == (found, 1)


def test_an_address_in_any_words_is_kept_in_those_words(whole):
    nowhere = {"address1": "", "address2": " ", "city": "", "state": "Atlantis", "country": "", "zip": "m5v"}
    order = order_of("pending")
    moved = result_of(whole.call("modify_pending_order_address", {"order_id": order["order_id"]} | nowhere))
    assert moved == order | {"address": nowhere}
    found = result_of(whole.call("modify_user_address", {"user_id": "noah_patel_6952"} | nowhere))
    assert found["address"] == nowhere
    assert whole.export()["orders"][order["order_id"]] == moved
    abroad = nowhere | {"country": "Atlantis"}
    assert whole.call("modify_user_address", {"user_id": "noah_patel_6952"} | abroad)[1] is not None
    assert whole.export()["users"]["noah_patel_6952"] == found


def test_a_customer_may_change_their_mind_more_often_than_one_session_may(whole):
    order = order_of("pending")
    for number in range(70):
        place = ADDRESS | {"address1": f"{number} New St"}
        assert whole.call("modify_pending_order_address", {"order_id": order["order_id"]} | place)[1] is None
    assert len(whole.cards) == 70


def test_a_transfer_opens_a_handoff_and_changes_nothing(whole):
    for _ in range(3):
        assert whole.call("transfer_to_human_agents", {"summary": "They are angry. " * 300}) == (
            "Transfer successful",
            None,
        )
    assert whole.export() == DB


NONSENSE = [
    (None, {}),
    (7, {}),
    ("", {}),
    ("delete_order", {"order_id": "#W1"}),
    ("__init__", {}),
    ("get_order_details", None),
    ("get_order_details", []),
    ("get_order_details", "order_id"),
    ("get_order_details", {}),
    ("get_order_details", {"order_id": None}),
    ("get_order_details", {"order_id": 7}),
    ("get_order_details", {"order_id": ["#W7678072"]}),
    ("get_order_details", {"order_id": "#W7678072", "user_id": "x"}),
    ("get_order_details", {"order_id": "a" * 1_000_000}),
    ("get_order_details", {"order_id": "#W\x00"}),
    ("get_order_details", {"order_id": "\ud800"}),
    ("get_order_details", {"\udfff": "x"}),
    ("get_order_details", {7: "x", None: "y"}),
    ("calculate", {"expression": math.nan}),
    ("calculate", {"expression": "(" * 100_000}),
    ("calculate", {"expression": "1" * 900 + "/7"}),
    ("find_user_id_by_email", {"email": {"a": {"b": {}}}}),
    ("find_user_id_by_name_zip", {"first_name": True, "last_name": "x", "zip": 80279}),
    ("transfer_to_human_agents", {"summary": "x" * 1_000_000}),
    ("transfer_to_human_agents", {"summary": "\x00"}),
]


def deep():
    value = []
    for _ in range(50_000):
        value = [value]
    return value


@pytest.mark.parametrize(("name", "arguments"), NONSENSE)
def test_nonsense_is_an_error_and_changes_nothing(whole, name, arguments):
    result, error = whole.call(name, arguments)
    if name != "calculate" or "/7" not in str(arguments):
        assert (result[:7], error) in {("Error: ", "malformed"), ("Error: ", "not_found")}
    assert whole.export() == DB


@pytest.mark.parametrize("name", sorted(WRITES))
def test_no_argument_of_a_change_can_be_anything(whole, name):
    order = order_of("delivered" if "delivered" in name else "pending")
    good = {
        "order_id": order["order_id"],
        "user_id": order["user_id"],
        "reason": "no longer needed",
        "item_ids": [order["items"][0]["item_id"]],
        "new_item_ids": [another(order["items"][0])["item_id"]],
        "payment_method_id": order["payment_history"][0]["payment_method_id"],
    } | ADDRESS
    odd = (
        None,
        0,
        math.nan,
        True,
        b"x",
        "x" * 1_000_000,
        "\x00",
        "\ud83d",
        [],
        [None],
        [[]],
        {},
        {"id": "x"},
        ["\x00"],
        deep(),
    )
    for key in TOOLS[name]:
        for value in odd:
            arguments = {other: good[other] for other in TOOLS[name]} | {key: value}
            result, error = whole.call(name, arguments)
            assert (result[:7], error is None) == ("Error: ", False), (key, value)
    assert (whole.export(), whole.cards) == (DB, [])


def test_what_is_refused_changes_nothing(whole):
    pending, delivered = order_of("pending", beside=""), order_of("delivered")
    line = pending["items"][0]
    method = pending["payment_history"][0]["payment_method_id"]
    more = {"order_id": pending["order_id"], "item_ids": [line["item_id"]], "payment_method_id": method}
    stranger = next(user for user in DB["users"].values() if user["user_id"] != pending["user_id"])
    other = next(one for one in DB["products"].values() if one["product_id"] != line["product_id"])
    refusals = [
        ("cancel_pending_order", {"order_id": delivered["order_id"], "reason": "no longer needed"}, "wrong_status"),
        ("cancel_pending_order", {"order_id": pending["order_id"], "reason": "No longer needed"}, "invalid_reason"),
        ("cancel_pending_order", {"order_id": pending["order_id"][1:], "reason": "no longer needed"}, "not_found"),
        ("modify_pending_order_items", more | {"new_item_ids": [line["item_id"]]}, "same_item"),
        ("modify_pending_order_items", more | {"new_item_ids": []}, "count_mismatch"),
        ("modify_pending_order_items", more | {"item_ids": [], "new_item_ids": []}, "count_mismatch"),
        ("modify_pending_order_items", more | {"item_ids": ["1"], "new_item_ids": ["2"]}, "count_mismatch"),
        ("modify_pending_order_items", more | {"new_item_ids": [next(iter(other["variants"]))]}, "wrong_product"),
        ("modify_pending_order_items", more | {"item_ids": ["1"] * 500, "new_item_ids": ["2"] * 500}, "count_mismatch"),
        (
            "modify_pending_order_items",
            more
            | {
                "new_item_ids": [another(line)["item_id"]],
                "payment_method_id": next(iter(stranger["payment_methods"])),
            },
            "not_owned_method",
        ),
        (
            "modify_pending_order_items",
            more | {"new_item_ids": [another(line, available=False)["item_id"]]},
            "unavailable",
        ),
        ("return_delivered_order_items", more, "wrong_status"),
        ("exchange_delivered_order_items", more | {"new_item_ids": ["1", "2"]}, "wrong_status"),
    ]
    for name, arguments, reason in refusals:
        result, error = whole.call(name, arguments)
        assert (error, result[:7]) == (reason, "Error: "), (name, arguments, result)
    assert (whole.export(), whole.cards) == (DB, [])
    assert whole.check() == []


def test_a_slice_is_a_shop_of_its_own(adapter):
    one, two = slice_of("noah_patel_6952"), slice_of("olivia_ito_3591")
    given = copy.deepcopy(one)
    adapter.reset(one)
    adapter.call("modify_user_address", {"user_id": "noah_patel_6952"} | ADDRESS)
    assert (len(adapter.cards), one) == (1, given)
    adapter.reset(two)
    assert adapter.call("get_user_details", {"user_id": "noah_patel_6952"})[1] == "not_found"
    assert (adapter.export(), adapter.cards) == (two, [])


def test_without_a_shop_there_is_nothing_to_call(adapter):
    assert adapter.call("list_all_product_types", {})[1] == "malformed"
    with pytest.raises(RuntimeError):
        adapter.export()


def test_every_tool_of_the_benchmark_is_there():
    assert set(READS) | set(WRITES) == {
        name.removeprefix("_call_") for name in dir(Adapter) if name.startswith("_call_")
    } - {"nothing"}


ALONE = """
import json, sys
from evals.tau2.adapter import Adapter
with Adapter() as adapter:
    adapter.reset(json.load(open(sys.argv[1])))
    print(adapter.call("find_user_id_by_email", {"email": "nobody@example.com"}))
    print(adapter.runtime.store.url.split("host=")[1])
"""


def test_with_nothing_else_running_it_brings_its_own_store_and_leaves_nothing(tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", ALONE, str(DATA / "db.json")],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path), "TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"},
        timeout=110,
    )
    assert run.stdout.splitlines()[0] == "('Error: There is no such customer.', 'not_found')"
    assert list(tmp_path.glob("icommerce-tau2-*")) == []
