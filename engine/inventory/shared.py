"""Lines that take from the same shelves: a bundle beside its own parts, or two bundles with one in common.

Each alone may be there while all together are not. Lines are served one after the other, whole bundles before single
items, each from its fullest place first; what one takes the next has no more.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from engine.inventory.items import Place, Recipe, Stock


class Shelves:
    """What still lies at each place while lines take from it."""

    def __init__(self, parts: Mapping[str, Recipe], units: Mapping[str, Mapping[str, int]]) -> None:
        """``parts`` by variant; ``units`` by location and part. A part that is not named there is never short."""
        self._parts = parts
        self._left = {place: dict(have) for place, have in units.items()}

    def room(self, variant_id: str, place: str, most: int) -> int:
        """Whole units of the variant that can still be taken there, at most ``most``."""
        left = self._left.get(place, {})
        counted = (part for part in self._parts.get(variant_id, ()) if part.tracked and part.variant_id in left)
        return min([most, *(left[part.variant_id] // part.per_unit for part in counted)])

    def take(self, variant_id: str, place: str, quantity: int) -> None:
        """Take whole units; there must be room for them."""
        left = self._left.get(place, {})
        for part in self._parts.get(variant_id, ()):
            if part.tracked and part.variant_id in left:
                left[part.variant_id] -= part.per_unit * quantity

    def copy(self) -> Shelves:
        return Shelves(self._parts, self._left)


def recipes_of(stock: Stock) -> dict[str, Recipe]:
    """What a unit of each variant takes, as its places know it."""
    return {variant: places[0].parts for variant, places in stock.items() if places and places[0].parts}


def shelves_of(stock: Stock) -> dict[str, dict[str, int]]:
    """Location → part → counted units there."""
    found: dict[str, dict[str, int]] = {}
    for places in stock.values():
        for place in places:
            found.setdefault(place.location_id, {}).update(place.shelf)
    return found


def overlap(parts: Mapping[str, Recipe]) -> bool:
    """Whether two of the variants take the same counted part."""
    counted = [part.variant_id for recipe in parts.values() for part in recipe if part.tracked]
    return len(counted) > len(set(counted))


def serving_order(variants: Collection[str], parts: Mapping[str, Recipe], *, waits: Collection[str] = ()) -> list[str]:
    """Who is served first: what cannot ``wait`` for stock, then what needs most parts at one place."""
    return sorted(variants, key=lambda one: (one in waits, -len(parts.get(one, ())), one))


def together(wanted: Mapping[str, int], stock: Stock, *, waits: Collection[str] = ()) -> dict[str, int]:
    """Variant → units that are there for all of ``wanted`` together; empty when no two lines share a part."""
    parts = recipes_of({variant: stock.get(variant, ()) for variant in wanted})
    if not overlap(parts):
        return {}
    shelves = Shelves(parts, shelves_of(stock))
    found = {}
    for variant in serving_order(wanted, parts, waits=waits):
        found[variant] = _serve(shelves, variant, wanted[variant], stock.get(variant, ()))
    return found


def clipped(places: Sequence[Place], units: int) -> list[Place]:
    """The places with no more than ``units`` between them."""
    kept = []
    for place in places:
        here = min(place.available, units)
        units -= here
        if here:
            kept.append(replace(place, available=here))
    return kept


def _serve(shelves: Shelves, variant: str, wanted: int, places: Sequence[Place]) -> int:
    left = wanted
    for place in sorted(places, key=lambda one: (-shelves.room(variant, one.location_id, one.available), one.position)):
        take = min(left, shelves.room(variant, place.location_id, place.available))
        shelves.take(variant, place.location_id, take)
        left -= take
    return wanted - left
