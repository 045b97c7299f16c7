"""Addresses in one spelling: our house writes ``United States`` as a code and ``Texas`` as ``TX``, on purpose."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from engine.customers.addresses import country_code, region_code
from engine.customers.errors import AddressIncomplete
from evals.tau2.shapes import Difference

GATE: Final = "address_in_one_spelling"
_HOME: Final = "US"


def only_spelling(difference: Difference) -> bool:
    """Whether it is a part of an address, said in another way."""
    where, _, part = difference.path.rpartition("/")
    said, found = difference.expected, difference.found
    if not where.endswith("/address") or not isinstance(said, str) or not isinstance(found, str):
        return False
    return _spelled(part, said) == _spelled(part, found)


def beyond_spelling(found: Iterable[Difference]) -> list[Difference]:
    """Those that are more than that."""
    return [difference for difference in found if not only_spelling(difference)]


def _spelled(part: str, said: str) -> str:
    words = " ".join(said.split())
    try:
        if part == "country":
            return country_code(words)
        return region_code(words, _HOME) if part == "state" else words
    except AddressIncomplete:
        return words
