"""No float touches money, and the check that says so is able to fail."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.source import nothing_collected

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
from check_money import faults, floats_in


def test_no_float_touches_money() -> None:
    with nothing_collected():
        found = faults()
    assert found == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("price = 1.5", ["the float 1.5"]),
        ("price = float(text)", ["float()"]),
        ("share = total / 3", ["true division"]),
        ("total /= 2", ["true division"]),
        ("path = folder / 'file'", []),
        ("share = total // 3", []),
    ],
)
def test_the_check_finds_floats(source: str, found: list[str]) -> None:
    assert [what for _, what in floats_in(source)] == found
