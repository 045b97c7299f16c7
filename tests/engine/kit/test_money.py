from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.kit.money import Money, allocate, exponent, format_minor, is_currency, share_ppm


def test_amounts_read_like_prices() -> None:
    assert str(Money(129900, "USD")) == "$1,299.00"
    assert str(Money(-5, "EUR")) == "-€0.05"
    assert format_minor(1500, "JPY") == "¥1,500"
    assert format_minor(1234567, "BHD") == "1,234.567 BHD"
    assert [exponent(code) for code in ("USD", "KRW", "ISK", "KWD", "CLP")] == [2, 0, 0, 3, 0]


@pytest.mark.parametrize(
    ("code", "known"), [("USD", True), ("XPF", True), ("XXX", False), ("XAU", False), ("usd", False)]
)
def test_which_currencies_there_are(code: str, known: bool) -> None:
    assert is_currency(code) is known


def test_two_currencies_do_not_add_up() -> None:
    with pytest.raises(ValueError, match="do not add up"):
        Money(1, "USD") + Money(1, "EUR")


@pytest.mark.parametrize("bad", [1.0, True, "1"])
def test_only_whole_minor_units(bad: object) -> None:
    with pytest.raises(TypeError):
        Money(bad, "USD")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("amount", "ppm", "expected"),
    [(1000, 82_500, 83), (50, 10_000, 1), (49, 10_000, 0), (-50, 10_000, -1), (1, 0, 0)],
)
def test_a_share_is_rounded_half_up(amount: int, ppm: int, expected: int) -> None:
    assert share_ppm(amount, ppm) == expected


@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**6), min_size=1, max_size=20).filter(any))
def test_allocation_adds_up_and_is_fair(amount: int, weights: list[int]) -> None:
    parts = allocate(amount, weights)
    assert sum(parts) == amount
    for part, weight in zip(parts, weights, strict=True):
        exact = amount * weight
        assert exact // sum(weights) <= part <= exact // sum(weights) + 1


def test_nothing_cannot_be_split_over_nothing() -> None:
    assert allocate(0, [0, 0]) == [0, 0]
    with pytest.raises(ValueError, match="nothing to allocate"):
        allocate(1, [0, 0])
