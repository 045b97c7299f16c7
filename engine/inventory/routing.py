"""Where each unit of a sale ships from, when nothing but stock and nearness is known."""

from __future__ import annotations

from collections.abc import Mapping

from engine.inventory.errors import OutOfStock
from engine.inventory.items import Allocation, Place, Stock


def route(wanted: Mapping[str, int], stock: Stock, *, region: str) -> list[Allocation]:
    """Choose where each unit ships from: one location for all if there is one, else as few parcels as it takes,
    the destination's own region first, then the shop's order of preference.

    Raises ``OutOfStock`` naming the first variant that cannot be covered.
    """
    for variant_id, quantity in wanted.items():
        available = sum(place.available for place in stock.get(variant_id, ()))
        if available < quantity:
            raise OutOfStock("There is not enough of it left.", variant_id=variant_id, available=available)
    preference = _preference(wanted, stock, region)
    allocations = []
    for variant_id, quantity in wanted.items():
        left = quantity
        places = sorted(stock[variant_id], key=lambda p: (p.available < quantity, preference[p.location_id]))
        for place in places:
            take = min(left, place.available)
            if take:
                allocations.append(Allocation(variant_id, place.location_id, take, place.parts))
                left -= take
    return sorted(allocations, key=lambda a: (a.variant_id, a.location_id))


def _preference(wanted: Mapping[str, int], stock: Stock, region: str) -> dict[str, tuple[int, bool, int]]:
    """Location → rank: covers most lines, then nearest, then the shop's own order."""
    covered: dict[str, int] = {}
    facts: dict[str, Place] = {}
    for variant_id, quantity in wanted.items():
        for place in stock[variant_id]:
            facts[place.location_id] = place
            covered[place.location_id] = covered.get(place.location_id, 0) + (place.available >= quantity)
    return {key: (-covered[key], place.region != region, place.position) for key, place in facts.items()}
