"""Mappings: what does not fit is refused when it is saved, and what a document lacks is told field by field."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.sync import mapping
from engine.sync.errors import Rejected
from engine.sync.mapping import MappingRefused
from tests.engine.sync.targets import MADE, ORDER, SPEC, SalesOrder

ADDRESS = ("shippingAddress.addr1", "shippingAddress.city", "shippingAddress.country")


def spec(**fields: Any) -> dict[str, Any]:
    """The good one with some places said anew; ``None`` leaves one out."""
    made = copy.deepcopy(SPEC)
    for name, rule in fields.items():
        made["fields"].pop(name, None)
        if rule is not None:
            made["fields"][name] = rule
    return made


def order(**values: Any) -> dict[str, Any]:
    return copy.deepcopy(ORDER) | values


def refused(written: Any) -> dict[str, str]:
    with pytest.raises(MappingRefused) as error:
        mapping.compile(written, SalesOrder)
    return {one.path: one.message for one in error.value.faults}


def rejected(document: Any, written: Any = SPEC) -> dict[str, str]:
    with pytest.raises(Rejected) as error:
        mapping.apply(mapping.compile(written, SalesOrder), document)
    return {one.path: one.message for one in error.value.fields}


def test_a_document_becomes_the_other_systems() -> None:
    assert mapping.apply(mapping.compile(SPEC, SalesOrder), ORDER) == MADE


@pytest.mark.parametrize(
    ("fields", "where", "words"),
    [
        ({"amout": {"path": "x"}}, "amout", "SalesOrder has no amout"),
        ({"shippingAddress.street": {"path": "x"}}, "shippingAddress.street", "Address has no street"),
        ({"otherRefNum": None}, "otherRefNum", "it must be there"),
        ({"tranDate": None}, "tranDate", "it must be there"),
        ({"item.items": None}, "item", "it must be there"),
        ({"shippingAddress.city": None}, "shippingAddress.city", "it must be there"),
        ({"status": {"constant": "C"}}, "status", "Input should be 'A' or 'B'"),
        ({"amount": {"constant": "many"}}, "amount", "Input should be a valid integer"),
        ({"amount": {"path": "x", "default": 1.5}}, "amount", "Input should be a valid integer"),
        ({"tranDate": {"constant": "26.11.2026"}}, "tranDate", "Input should be a valid date"),
        ({"amount": {"path": "length(line_items) > `1`"}}, "amount", "it takes integer, and gets boolean"),
        ({"amount": {"path": "line_items[*].id"}}, "amount", "it takes integer, and gets array"),
        ({"amount": {"path": '`"x"`'}}, "amount", "it takes integer, and gets string"),
        ({"amount": {"path": "x", "transform": ["upper"]}}, "amount", "it takes integer, and gets string"),
        ({"tags": {"path": "x", "transform": ["integer"]}}, "tags", "it takes array, and gets integer"),
        ({"urgent": {"path": "x", "transform": ["letter"]}}, "urgent", "it takes boolean, and gets string"),
        ({"amount": {"path": "line_items[?"}}, "amount", "no JMESPath"),
        ({"amount": {"path": "sum(line_items[].id)"}}, "amount", "sum() is not exact"),
        ({"amount": {"path": "a[*].to_number(b)"}}, "amount", "to_number() is not exact"),
        ({"amount": {"path": "system(x)"}}, "amount", "no such function"),
        ({"amount": {"path": "length(a, b)"}}, "amount", "takes 1, not 2"),
        ({"amount": {"path": "x" * 501}}, "amount", "1 to 500"),
        ({"amount": {"path": "x", "transform": ["eval"]}}, "amount", "no transform eval"),
        (
            {"amount": {"path": "x", "transform": [{"name": "minor", "currency": "XXX"}]}},
            "amount",
            "XXX is not a currency",
        ),
        ({"amount": {"path": "x", "transform": ["minor"]}}, "amount", "minor: currency Field required"),
        (
            {"tranDate": {"path": "x", "transform": [{"name": "date", "zone": "Mars/Base"}]}},
            "tranDate",
            "no such time zone",
        ),
        ({"tranDate": {"path": "x", "transform": [{"name": "date", "at": "x"}]}}, "tranDate", "at Extra inputs"),
        ({"status": {"path": "x", "lookup": "nowhere"}}, "status", "no lookup nowhere"),
        ({"amount": {"path": "x", "lookup": "items"}}, "amount (lookup items)", "valid integer"),
        (
            {"item.items": {"path": "line_items"}, "item.items.quantity": {"path": "x"}},
            "item.items.quantity",
            "use each",
        ),
        ({"otherRefNum.x": {"path": "x"}}, "otherRefNum.x", "nothing that has fields"),
        ({"tags": {"each": "x", "fields": {"a": {"path": "b"}}}}, "tags", "no list of things with fields"),
        ({"item.items": {"each": "x", "fields": {"quantity": {"path": "b"}}}}, "item.items.item", "it must be there"),
        ({"item": {"path": "lines"}}, "item.items", "it is said twice"),
        ({"other_ref_num": {"path": "name"}}, "otherRefNum", "it is said twice"),
        ({"amount": {"path": "x", "constant": 1}}, "fields.amount", "say one of"),
        ({"amount": {}}, "fields.amount", "say one of"),
        ({"amount": {"constant": 1, "default": 2}}, "fields.amount", "a constant is what it is"),
        ({"amount": {"path": "x", "script": "1"}}, "fields.amount.script", "Extra inputs"),
        ({"": {"path": "x"}}, "fields.…", "at least 1"),
    ],
)
def test_what_does_not_fit_is_refused(fields, where, words) -> None:
    found = refused(spec(**fields))

    assert where in found, found
    assert words in found[where]


def test_everything_that_is_wrong_is_told_at_once() -> None:
    wrong = spec(amount={"constant": "x"}, status={"constant": "C"}, otherRefNum=None)

    assert set(refused(wrong)) == {"amount", "status", "otherRefNum"}


def test_an_optional_thing_may_be_left_out_whole() -> None:
    compiled = mapping.compile(spec(**dict.fromkeys(ADDRESS)), SalesOrder)

    assert mapping.apply(compiled, ORDER) == {key: value for key, value in MADE.items() if key != "shippingAddress"}


def test_what_a_document_lacks_is_told_field_by_field() -> None:
    found = rejected(
        order(
            name=None,
            processed_at="yesterday",
            total_price="1.005",
            line_items=[{"id": 1, "sku": "BOAT", "current_quantity": 1, "price": "x"}],
        )
    )

    assert found == {
        "tranDate": "it is no moment",
        "amount": "USD has no such fraction",
        "item.items.0.item.externalId": "BOAT is not in its table",
        "item.items.0.rate": "it is no number",
    }


def test_what_the_target_refuses_is_told_by_its_own_names() -> None:
    assert rejected(order(name="#" * 46)) == {"otherRefNum": "String should have at most 45 characters"}
    assert rejected(order(name=None)) == {"otherRefNum": "Field required"}
    assert rejected(order(line_items={"no": "list"})) == {"item": "Field required"}


def test_nothing_found_is_the_default_or_nothing() -> None:
    made = mapping.apply(mapping.compile(SPEC, SalesOrder), order(tags=None, total_price=None))

    assert (made["tags"], "amount" in made) == ([], False)


def test_a_table_may_say_what_else_is() -> None:
    written = spec()
    written["lookups"]["items"]["otherwise"] = "IT-0"
    lines = [{"id": 1, "sku": "BOAT", "current_quantity": 1, "price": "1"}]

    made = mapping.apply(mapping.compile(written, SalesOrder), order(line_items=lines))

    assert made["item"]["items"][0]["item"] == {"externalId": "IT-0"}


def test_a_dry_run_tells_what_would_be_made_and_changes_nothing() -> None:
    good, bad = mapping.dry_run(SPEC, SalesOrder, [ORDER, order(processed_at=None)])

    assert (good.ok, good.result, good.faults) == (True, MADE, [])
    assert (bad.ok, bad.result, [(one.path, one.message) for one in bad.faults]) == (
        False,
        None,
        [("tranDate", "Field required")],
    )


def test_a_difference_names_the_places_that_change() -> None:
    new = spec(status={"constant": "A"}, amount=None)
    new["fields"]["item.items"]["fields"]["quantity"] = {"constant": 5}

    (found,) = mapping.diff(SPEC, new, SalesOrder, [ORDER])

    assert found.changed == {
        "amount": [12990, None],
        "status": ["B", "A"],
        "item.items.0.quantity": [1, 5],
        "item.items.1.quantity": [2, 5],
    }
    assert (found.before.ok, found.after.ok) == (True, True)


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(ORDER)), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(sorted(ORDER)), json))
def test_whatever_a_document_is_it_fits_or_it_is_rejected(strange: dict[str, Any]) -> None:
    tried = mapping.attempt(mapping.compile(SPEC, SalesOrder), ORDER | strange)

    assert tried.ok != bool(tried.faults)
    if tried.ok:
        SalesOrder.model_validate(tried.result)
