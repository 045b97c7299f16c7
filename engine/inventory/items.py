"""The words stock is spoken of in: parts, places, allocations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

PLENTY: Final = 9_999
"""What is said to be there of an item that nobody counts."""


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """What one unit of an order line takes from the shelf: ``per_unit`` units of ``variant_id``.

    An item is its own only part; a bundle has one for each component. Of an untracked one nothing is counted.
    """

    variant_id: str
    per_unit: int = 1
    tracked: bool = True


Recipe = tuple[Part, ...]


def bundled(variant_id: str, parts: Recipe) -> list[dict[str, Any]]:
    """Of a bundle: [{variant_id, quantity}] per unit; empty for what is its own only part."""
    if parts in {(), (Part(variant_id),), (Part(variant_id, tracked=False),)}:
        return []
    return [{"variant_id": part.variant_id, "quantity": part.per_unit} for part in parts]


@dataclass(frozen=True, slots=True)
class Allocation:
    """``quantity`` units of a variant from one location. Without ``parts`` stock looks them up."""

    variant_id: str
    location_id: str
    quantity: int
    parts: Recipe | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Sellable units of one variant at one location that ships. A unit of a bundle is whole there."""

    location_id: str
    region: str
    position: int
    available: int
    parts: Recipe | None = None
    shelf: tuple[tuple[str, int], ...] = ()
    """The counted units of each part that lie there, whatever they are for."""


Stock = Mapping[str, Sequence[Place]]
