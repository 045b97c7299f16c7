"""The words stock is spoken of in: parts, places, allocations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from engine.kit.money import allocate

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
    price: int = field(default=0, compare=False)
    """Of a piece in the list, minor units of the shop's own currency: what a bundle's price is shared by."""


Recipe = tuple[Part, ...]


def bundled(variant_id: str, parts: Recipe, unit_price: int) -> list[dict[str, Any]]:
    """Of a bundle: [{variant_id, quantity, price, share}] per unit; empty for what is its own only part. ``price`` is a
    piece's in the list, ``share`` what all its pieces bear of ``unit_price``, by largest remainder.
    """
    if parts in {(), (Part(variant_id),), (Part(variant_id, tracked=False),)}:
        return []
    weights = [part.price * part.per_unit for part in parts]
    shares = allocate(unit_price, weights if any(weights) else [part.per_unit for part in parts])
    return [
        {"variant_id": part.variant_id, "quantity": part.per_unit, "price": part.price, "share": share}
        for part, share in zip(parts, shares, strict=True)
    ]


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
