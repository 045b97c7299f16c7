"""Which state a postal code lies in."""

from __future__ import annotations

import pytest

from engine.customers.addresses import CA_PROVINCES, US_STATES
from engine.customers.postal import _PROVINCES, _zip, region_of


@pytest.mark.parametrize(
    ("code", "state"),
    [
        ("10001", "NY"),
        ("00501", "NY"),
        ("02139", "MA"),
        ("05401", "VT"),
        ("05501", "MA"),
        ("20001", "DC"),
        ("20101", "VA"),
        ("30301", "GA"),
        ("39901", "GA"),
        ("60601", "IL"),
        ("73301", "TX"),
        ("79901", "TX"),
        ("83414", "ID"),
        ("83101", "WY"),
        ("88510", "TX"),
        ("90210", "CA"),
        ("96701", "HI"),
        ("97204", "OR"),
        ("98101-1234", "WA"),
        ("99501", "AK"),
        ("00901", "PR"),
    ],
)
def test_a_zip_code_tells_its_state(code: str, state: str) -> None:
    assert region_of("US", code) == state


@pytest.mark.parametrize(
    ("country", "code", "region"),
    [
        ("CA", "V6B 1A1", "BC"),
        ("CA", "m5v2t6", "ON"),
        ("DE", "10115", ""),
        ("US", "981", ""),
        ("US", "", ""),
        ("US", "00000", ""),
    ],
)
def test_elsewhere_and_what_is_none(country: str, code: str, region: str) -> None:
    assert region_of(country, code) == region


def test_every_state_that_is_told_is_one() -> None:
    begins, states = _zip()
    assert begins == sorted(set(begins))
    assert set(states) <= US_STATES.keys()
    assert set(_PROVINCES.values()) <= CA_PROVINCES.keys()
