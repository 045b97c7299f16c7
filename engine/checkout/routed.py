"""Where a sale's units are reserved: by the shop's routing rules, from the facts that its price rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from engine.checkout.facts import Basket, Facts
from engine.fulfillment.geography import Point
from engine.fulfillment.policies import RoutingPolicy
from engine.fulfillment.routing import Destination, Plan, Site, Stock, plan
from engine.inventory.shared import overlap, recipes_of, shelves_of
from engine.kit.policies import read_policy


class Wanted(Protocol):
    """What routing must know of a priced line."""

    @property
    def variant_id(self) -> str: ...
    @property
    def restrictions(self) -> tuple[str, ...]: ...
    @property
    def now(self) -> int: ...


def routed(basket: Basket, found: Facts, lines: Sequence[Wanted], promised_days: int | None) -> Plan | None:
    """The plan for what ships at once; ``None`` when nothing does. Raises ``OutOfStock`` when no way is allowed."""
    wanted = {line.variant_id: line.now for line in lines if line.now}
    if not wanted:
        return None
    policy = read_policy(dict(found.shop.settings), RoutingPolicy)
    destination = Destination.of(found.goes_to(basket), {"max_days": promised_days})
    barred = {line.variant_id: frozenset(() if found.picked else line.restrictions) for line in lines}
    return plan(wanted, _stock(found, wanted, barred), policy=policy, destination=destination)


def _stock(found: Facts, wanted: Mapping[str, int], barred: Mapping[str, frozenset[str]]) -> Stock:
    stock = {variant: found.stock[variant] for variant in wanted}
    units = {variant: {place.location_id: place.available for place in places} for variant, places in stock.items()}
    parts = recipes_of(stock)
    shelves = shelves_of(stock) if overlap(parts) else {}
    return Stock([_site(row) for row in found.sites], units, barred, parts, shelves)


def _site(row: Mapping[str, Any]) -> Site:
    known = row["latitude"] is not None and row["longitude"] is not None
    return Site(
        row["id"],
        row["code"],
        row["country"],
        row["region"],
        row["position"],
        Point(row["latitude"], row["longitude"]) if known else None,
        row["handling_days"],
        row["handling_cost"],
        frozenset(row["cannot_ship"]),
    )
