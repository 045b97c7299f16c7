"""What people typed wrong is said in our words, whatever rule of the shop it is about."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, time
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError

from engine.kit.caps import HOME
from engine.kit.refusals import in_words, worded
from engine.policies import POLICIES, policy_kind

ANYTHING: tuple[Any, ...] = (-(10**12), 10**12, 0.5, "", "§" * 500, None, [None], ["a"] * 300, {"x": {"y": []}})


class Form(BaseModel):
    days: Annotated[int, Field(ge=0, le=30)] = 0
    words: Annotated[str, Field(min_length=2, max_length=5)] = "abc"
    kind: Literal["a", "b"] = "a"
    on: date = date(2026, 3, 31)
    at: time = time(9)
    code: Annotated[str, Field(pattern="^[a-z]$"), worded("a small letter")] = "a"


def refusals(kind: type[BaseModel], said: dict[str, Any]) -> Iterator[str]:
    try:
        kind.model_validate(said, context={HOME: "USD"})
    except ValidationError as error:
        yield from (in_words(one) for one in error.errors())


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("days", -1, "at least 0"),
        ("days", 31, "at most 30"),
        ("days", "x", "a whole number"),
        ("days", 1.5, "a whole number"),
        ("words", "a", "at least 2 characters"),
        ("words", "abcdef", "at most 5 characters"),
        ("words", 1, "text"),
        ("kind", "c", "one of a or b"),
        ("on", "tomorrow", "a day such as 2026-03-31"),
        ("at", "noon", "a time such as 09:30"),
        ("code", "A", "a small letter"),
        ("code", 1, "a small letter"),
    ],
)
def test_a_fault_is_said_in_plain_words(field: str, value: Any, words: str) -> None:
    assert list(refusals(Form, {field: value})) == [words]


@pytest.mark.parametrize("section", sorted(POLICIES))
def test_no_rule_of_a_shop_is_refused_in_pydantics_words(section: str) -> None:
    kind = policy_kind(section)
    said = {words for name in kind.model_fields for value in ANYTHING for words in refusals(kind, {name: value})}
    assert said
    assert [words for words in said if "should" in words or "pattern" in words or "{" in words] == []
