"""Where places are on the globe, well enough to tell a near warehouse from a far one."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from math import asin, cos, radians, sin, sqrt
from pathlib import Path
from typing import Final

_TABLE: Final = Path(__file__).parent / "data" / "places.csv"
_EARTH_RADIUS_KM: Final = 6371


@dataclass(frozen=True, slots=True)
class Point:
    """Degrees north and east."""

    latitude: float
    longitude: float


def distance_km(one: Point, other: Point) -> int:
    """Great-circle distance by the haversine formula, in whole kilometers."""
    north, east = radians(other.latitude - one.latitude), radians(other.longitude - one.longitude)
    chord = sin(north / 2) ** 2 + cos(radians(one.latitude)) * cos(radians(other.latitude)) * sin(east / 2) ** 2
    return round(2 * _EARTH_RADIUS_KM * asin(min(1, sqrt(chord))))


def middle_of(country: str, region: str) -> Point | None:
    """The middle of a US state, else of a country; ``None`` for one that the table does not know."""
    country, region = country.upper(), region.upper()
    return _places().get((country, region)) or _places().get((country, ""))


@cache
def _places() -> Mapping[tuple[str, str], Point]:
    lines = [line for line in _TABLE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return {
        (row["country"], row["region"]): Point(float(row["latitude"]), float(row["longitude"]))
        for row in csv.DictReader(lines)
    }
