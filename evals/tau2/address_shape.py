"""An address of ours in the words of the benchmark's file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

PARTS: Final = {
    "address1": "line_one",
    "address2": "line_two",
    "city": "city",
    "country": "country",
    "state": "state",
    "zip": "postal_code",
}
"""Their part → ours."""
_COUNTRIES: Final = {"US": "USA"}
"""Our code → what the file calls it."""


def address_shape(place: Mapping[str, Any]) -> dict[str, str]:
    """Word for word, but for the country."""
    found = {theirs: str(place.get(ours) or "") for theirs, ours in PARTS.items()}
    return found | {"country": _COUNTRIES.get(found["country"], found["country"])}
