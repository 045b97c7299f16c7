"""Named transforms: exact, and refusing what they cannot work with."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.sync.expressions import Misfit
from engine.sync.transforms import TRANSFORMS, described


def run(name: str, value: Any, **args: Any) -> Any:
    known = TRANSFORMS[name]
    return known.run(value, known.args.model_validate(args))


@pytest.mark.parametrize(
    ("name", "value", "args", "made"),
    [
        ("text", 11, {}, "11"),
        ("text", True, {}, "true"),
        ("text", 0.1, {}, "0.1"),
        ("text", 1e21, {}, "1" + "0" * 21),
        ("upper", "usd", {}, "USD"),
        ("lower", "USD", {}, "usd"),
        ("strip", " a ", {}, "a"),
        ("cut", "abcdef", {"most": 3}, "abc"),
        ("join", ["a", None, "", 2], {"between": "-"}, "a-2"),
        ("split", "a, b,,c", {"between": ","}, ["a", "b", "c"]),
        ("integer", "3", {}, 3),
        ("integer", 3.0, {}, 3),
        ("integer", "3.00", {}, 3),
        ("decimal", 12.50, {}, "12.5"),
        ("decimal", "12.50", {}, "12.50"),
        ("negate", "0.10", {}, "-0.10"),
        ("negate", 0, {}, "0"),
        ("total", ["0.10", "0.20", None, 1], {}, "1.30"),
        ("total", [], {}, "0"),
        ("minor", "12.5", {"currency": "USD"}, 1250),
        ("minor", 1250, {"currency": "JPY"}, 1250),
        ("minor", "-0.005", {"currency": "KWD"}, -5),
        ("major", 1250, {"currency": "USD"}, "12.50"),
        ("major", -5, {"currency": "KWD"}, "-0.005"),
        ("major", 7, {"currency": "JPY"}, "7"),
        ("date", "2026-11-26T02:30:00Z", {"zone": "America/New_York"}, "2026-11-25"),
        ("date", "2026-11-26T02:30:00+09:00", {}, "2026-11-25"),
        ("moment", "2026-11-26T02:30:00-05:00", {}, "2026-11-26T07:30:00Z"),
        ("letter", True, {}, "T"),
        ("letter", False, {"no": "N"}, "N"),
        ("truth", "F", {}, False),
        ("blank", " ", {}, None),
        ("blank", 0, {}, 0),
    ],
)
def test_what_comes_out(name, value, args, made) -> None:
    found = run(name, value, **args)

    assert (found, type(found)) == (made, type(made))


@pytest.mark.parametrize(
    ("name", "value", "args"),
    [
        ("text", {}, {}),
        ("upper", 3, {}),
        ("integer", "3.5", {}),
        ("integer", True, {}),
        ("integer", "x", {}),
        ("decimal", "NaN", {}),
        ("decimal", float("inf"), {}),
        ("decimal", "1e400", {}),
        ("total", "1", {}),
        ("total", ["x"], {}),
        ("minor", "0.005", {"currency": "USD"}),
        ("minor", "0.5", {"currency": "JPY"}),
        ("minor", None, {"currency": "USD"}),
        ("major", "1.5", {"currency": "USD"}),
        ("date", "2026-11-26T02:30:00", {}),
        ("date", "2026", {}),
        ("date", 3, {}),
        ("date", "0001-01-01T00:00:00Z", {"zone": "America/New_York"}),
        ("date", "9999-12-31T23:59:59Z", {"zone": "Asia/Tokyo"}),
        ("moment", "0001-01-01T00:00:00+14:00", {}),
        ("letter", 1, {}),
        ("truth", "x", {}),
        ("join", "x", {"between": ","}),
    ],
)
def test_what_is_refused(name, value, args) -> None:
    with pytest.raises(Misfit):
        run(name, value, **args)


@given(st.integers(-(10**15), 10**15), st.sampled_from(["USD", "JPY", "KWD"]))
def test_there_and_back_is_the_same(amount: int, currency: str) -> None:
    assert run("minor", run("major", amount, currency=currency), currency=currency) == amount


@given(st.lists(st.decimals(-1_000, 1_000, places=2), max_size=20))
def test_a_total_is_exact(amounts: list[Decimal]) -> None:
    assert Decimal(run("total", [str(one) for one in amounts])) == sum(amounts)


def test_each_says_what_it_does() -> None:
    assert all(described().values())
    assert {one.gives for one in TRANSFORMS.values()} <= {"string", "integer", "boolean", "array", "any"}
