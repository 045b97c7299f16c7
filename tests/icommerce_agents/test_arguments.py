"""What models write, and what becomes of it."""

from __future__ import annotations

import json

import pytest

from icommerce_agents import arguments
from icommerce_agents.arguments import UNREADABLE, InvalidArguments, as_sent_back, call_arguments, read_arguments
from tools.spec import load

ADD = load()["add_to_cart"]


@pytest.mark.parametrize(
    "raw",
    [
        '{"item_id": "var_1", "quantity": 2, "options": {"color": "blue"}}',
        '```json\n{"item_id": "var_1", "quantity": 2, "options": {"color": "blue"},}\n```',
        "{'item_id': 'var_1', 'quantity': 2, 'options': {'color': 'blue'}}",
        '{"item_id": "var_1", "quantity": "2", "options": "{\\"color\\": \\"blue\\"}"}',
        '{"item_id": "var_1", "quantity": 2, "options": {"color": "blue"}, "note": "as asked"}',
    ],
)
def test_slips_are_mended(raw: str) -> None:
    wanted = {"item_id": "var_1", "quantity": 2, "options": {"color": "blue"}}
    assert call_arguments(read_arguments(ADD, raw)) == wanted


def test_nulls_fall_back_to_the_default() -> None:
    given = read_arguments(ADD, '{"item_id": "var_1", "quantity": null}')
    assert call_arguments(given) == {"item_id": "var_1", "quantity": 1, "options": None}


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ("{}", "item_id: Field required"),
        ('{"item_id": "var_1", "quantity": 0}', "quantity: Input should be greater than or equal to 1"),
        ("add it please", "The arguments are not a JSON object."),
        ("[1, 2]", "The arguments are not a JSON object."),
        ("", "item_id: Field required"),
    ],
)
def test_what_cannot_be_mended_is_explained_without_its_value(raw: str, says: str) -> None:
    with pytest.raises(InvalidArguments) as caught:
        read_arguments(ADD, raw)
    assert caught.value.message == says


def test_letters_that_no_text_can_hold_are_left_out() -> None:
    spec = load()["quote_cancel"]
    raw = json.dumps({"order": "TS-\x001", "reason": "o\ud800ther", "lines": [{"line_id": "\0oli", "quantity": 1}]})
    read = read_arguments(spec, raw)
    assert read.model_dump(include={"order", "reason"}) == {"order": "TS-1", "reason": "other"}
    assert read.model_dump()["lines"] == [{"line_id": "oli", "quantity": 1}]
    assert as_sent_back('{"no\\ud800te": "a\\u0000b"}') == '{"note": "ab"}'


def test_an_object_within_a_text_is_as_clean_as_the_rest() -> None:
    raw = json.dumps({"item_id": "var_1", "options": '{"color": "blue\\u0000 \\ud800"}'})
    assert call_arguments(read_arguments(ADD, raw))["options"] == {"color": "blue"}


@pytest.mark.parametrize("raw", ["[" * 100_000, f'{{"item_id": {"[" * 900}{"]" * 900}}}'])
def test_nesting_without_an_end_is_no_object(raw: str) -> None:
    with pytest.raises(InvalidArguments, match="not a JSON object"):
        read_arguments(ADD, raw)


def test_what_is_nested_too_deep_is_not_sent_back() -> None:
    assert as_sent_back(f'{{"item_id": {"[" * 900}{"]" * 900}}}') == UNREADABLE


def test_a_parser_that_was_disturbed_is_no_failure_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def disturbed(_text: str) -> None:
        raise SystemError("AST constructor recursion depth mismatch")

    monkeypatch.setattr(arguments.ast, "literal_eval", disturbed)
    with pytest.raises(InvalidArguments, match="not a JSON object"):
        read_arguments(ADD, "{'item_id': 'var_1'}")
    assert as_sent_back("{'item_id': 'var_1'}") == UNREADABLE
