"""Where each unit ships from: the way with the fewest points, and the reasons for it. Pure: no store, no clock.

Points follow the merchant's ``RoutingPolicy``. For a given set of places, taking each line from its fullest shelves
first is the cheapest way (it needs the fewest places, and a unit from a fuller shelf never costs more), so that only
sets of places are searched: all of them, cheapest first, dropping what cannot become one of the best three.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from engine.fulfillment.geography import Point, distance_km, middle_of
from engine.fulfillment.policies import RoutingPolicy
from engine.inventory.errors import OutOfStock
from engine.inventory.items import Allocation, Recipe
from engine.inventory.shared import Shelves, serving_order

KEPT: Final = 3
"""The chosen way and the next best, kept with the reasons."""
_STEPS: Final = 20_000
"""Sets looked at before the best so far is taken; 14 places are always searched to the end."""
_KM_SAME_REGION: Final = 100
_KM_SAME_COUNTRY: Final = 1_500
_KM_ABROAD: Final = 6_000


@dataclass(frozen=True, slots=True)
class Site:
    """What routing knows of a location that ships."""

    location_id: str
    code: str
    country: str
    region: str
    position: int = 0
    point: Point | None = None
    handling_days: int = 0
    handling_cost: int = 0
    cannot_ship: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Stock:
    """Sites, the units each has to give (variant → location → units), and what restricts each variant."""

    sites: Sequence[Site]
    units: Mapping[str, Mapping[str, int]]
    restrictions: Mapping[str, frozenset[str]] = field(default_factory=dict)
    parts: Mapping[str, Recipe] = field(default_factory=dict)
    """What a unit of each variant takes from the shelf; allocations carry it on."""
    shelves: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Location → part → units, where variants share parts: what one takes the others have no more."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the parcel goes, and in how many days it was promised."""

    country: str
    region: str
    point: Point | None = None
    promised_days: int | None = None

    @classmethod
    def of(cls, ship_to: Mapping[str, Any] | None, option: Mapping[str, Any] | None = None) -> Destination:
        """From an order's address and the shipping option it chose."""
        place, chosen = ship_to or {}, option or {}
        country, region = str(place.get("country", "")), str(place.get("state", ""))
        return cls(country, region, middle_of(country, region), chosen.get("max_days"))


@dataclass(frozen=True, slots=True)
class Plan:
    """``allocations`` cover what was wanted; ``reasons`` is what staff read of it."""

    allocations: tuple[Allocation, ...]
    parcels: int
    points: int
    reasons: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Leg:
    """A site's way to the destination."""

    site: Site
    km: int
    measured: bool
    days: int
    late: bool
    parts: Mapping[str, int]
    """Points by what they are for."""

    @property
    def points(self) -> int:
        return sum(self.parts.values())


@dataclass(frozen=True, slots=True)
class _Way:
    """One way to send everything."""

    points: int
    order: tuple[int, ...]
    """Positions of its sites among the legs: what decides between equals."""
    sites: frozenset[str]
    allocations: tuple[Allocation, ...]
    splits: int
    depth: int

    @property
    def rank(self) -> tuple[int, int, tuple[int, ...]]:
        return self.points, len(self.order), self.order


def plan(wanted: Mapping[str, int], stock: Stock, *, policy: RoutingPolicy, destination: Destination) -> Plan:
    """Cover ``wanted`` (variant → units) with the fewest points.

    Raises ``OutOfStock`` naming a variant that cannot be covered, or not within the parcels that the policy allows.
    """
    wanted = {variant: quantity for variant, quantity in sorted(wanted.items()) if quantity > 0}
    usable = {variant: _usable(variant, stock) for variant in wanted}
    _require(wanted, usable, stock)
    legs = sorted(
        (
            _leg(site, policy, destination)
            for site in stock.sites
            if any(site.location_id in have for have in usable.values())
        ),
        key=lambda leg: (leg.points, leg.site.position, leg.site.location_id),
    )
    search = _Search(wanted, usable, legs, policy, stock)
    search.run()
    if wanted and not search.best:
        raise search.shared_too_few() or _too_many_parcels(wanted, usable, policy)
    best = search.best[0] if search.best else _Way(0, (), frozenset(), (), 0, 0)
    allocations = tuple(replace(one, parts=stock.parts.get(one.variant_id)) for one in best.allocations)
    reasons = _reasons(stock, legs, search, policy, destination, wanted)
    return Plan(allocations, len(best.sites), best.points, reasons)


def _usable(variant_id: str, stock: Stock) -> dict[str, int]:
    barred = stock.restrictions.get(variant_id, frozenset())
    have = stock.units.get(variant_id, {})
    return {
        site.location_id: have[site.location_id]
        for site in stock.sites
        if have.get(site.location_id, 0) > 0 and not barred & site.cannot_ship
    }


def _require(wanted: Mapping[str, int], usable: Mapping[str, Mapping[str, int]], stock: Stock) -> None:
    for variant, quantity in wanted.items():
        available = sum(usable[variant].values())
        if available < quantity:
            kept_back = sum(stock.units.get(variant, {}).values()) > available
            words = "No place that may ship it has enough of it." if kept_back else "There is not enough of it left."
            raise OutOfStock(words, variant_id=variant, available=available)


def _too_many_parcels(
    wanted: Mapping[str, int], usable: Mapping[str, Mapping[str, int]], policy: RoutingPolicy
) -> OutOfStock:
    limit = policy.parcels_allowed
    most = {v: sum(sorted(usable[v].values(), reverse=True)[:limit]) for v in wanted}
    short = min(wanted, key=lambda v: (most[v] - wanted[v], v))
    words = "It cannot be sent in one parcel." if limit == 1 else f"It cannot be sent in {limit} parcels or fewer."
    return OutOfStock(words, variant_id=short, available=min(most[short], wanted[short]))


def _leg(site: Site, policy: RoutingPolicy, destination: Destination) -> _Leg:
    measured = site.point is not None and destination.point is not None
    if site.point is not None and destination.point is not None:
        km = distance_km(site.point, destination.point)
    elif site.country != destination.country:
        km = _KM_ABROAD
    else:
        km = _KM_SAME_REGION if site.region == destination.region else _KM_SAME_COUNTRY
    days = site.handling_days + 1 + km // policy.km_per_day
    late = destination.promised_days is not None and days > destination.promised_days
    rank = policy.preferred.index(site.code) if site.code in policy.preferred else len(policy.preferred)
    parts = {
        "parcel": policy.parcel,
        "handling": policy.money * site.handling_cost,
        "distance": policy.distance * km // 100,
        "days": policy.day * days,
        "late": policy.late if late else 0,
        "preference": policy.preference * rank,
    }
    return _Leg(site, km, measured, days, late, parts)


class _Search:
    """Depth-first over sets of sites in the order of their own points; keeps the best ways."""

    def __init__(
        self,
        wanted: Mapping[str, int],
        usable: Mapping[str, Mapping[str, int]],
        legs: Sequence[_Leg],
        policy: RoutingPolicy,
        stock: Stock,
    ) -> None:
        self._wanted, self._usable, self._legs, self._policy = wanted, usable, legs, policy
        self._shelves = Shelves(stock.parts, stock.shelves)
        self._order = serving_order(wanted, stock.parts) if stock.shelves else list(wanted)
        self._limit = policy.parcels_allowed
        self._later = self._capacities()
        self._steps = 0
        self.best: list[_Way] = []

    @property
    def complete(self) -> bool:
        """Whether every set was looked at or ruled out."""
        return self._steps < _STEPS

    def run(self) -> None:
        if self._wanted:
            self._visit(0, (), 0, dict(self._wanted))

    def _capacities(self) -> list[dict[str, int]]:
        """For each leg: the units of each variant that it and all later ones have."""
        sums = [dict.fromkeys(self._wanted, 0)]
        for leg in reversed(self._legs):
            place = leg.site.location_id
            sums.append({v: units + self._usable[v].get(place, 0) for v, units in sums[-1].items()})
        return sums[::-1]

    def _visit(self, start: int, chosen: tuple[int, ...], points: int, missing: Mapping[str, int]) -> None:
        if chosen and not any(missing.values()):
            self._keep(chosen)
            if len(self._wanted) == 1:  # whatever else were chosen would be left out again
                return
        if len(chosen) == self._limit:
            return
        for index in range(start, len(self._legs)):
            if self._steps >= _STEPS:
                return
            self._steps += 1
            leg = self._legs[index]
            if len(self.best) == KEPT and points + leg.points > self.best[-1].points:
                return
            if any(self._later[index][v] < units for v, units in missing.items()):
                return
            place = leg.site.location_id
            left = {v: max(0, units - self._usable[v].get(place, 0)) for v, units in missing.items()}
            self._visit(index + 1, (*chosen, index), points + leg.points, left)

    def _keep(self, chosen: tuple[int, ...]) -> None:
        way, _ = self._way(chosen)
        if way is not None and all(way.sites != other.sites for other in self.best):
            self.best = sorted([*self.best, way], key=lambda one: one.rank)[:KEPT]

    def shared_too_few(self) -> OutOfStock | None:
        """Why not even all places together have enough: several lines want the same parts."""
        _, short = self._way(tuple(range(len(self._legs))))
        words = "There is not enough of it left for everything in this order together."
        return OutOfStock(words, variant_id=short, available=0) if short else None

    def _way(self, chosen: tuple[int, ...]) -> tuple[_Way | None, str]:
        """Take every line from the fullest shelves of these sites; ``None`` and the first line that falls short."""
        places = [(self._legs[index].site.location_id, index) for index in chosen]
        shelves = self._shelves.copy()
        taken: list[Allocation] = []
        splits = depth = 0
        for variant in self._order:
            have = {p: shelves.room(variant, p, self._usable[variant].get(p, 0)) for p, _ in places}
            left = quantity = self._wanted[variant]
            for place, _ in sorted(places, key=lambda one: (-have[one[0]], one[1])):
                take = min(left, have[place])
                if take:
                    taken.append(Allocation(variant, place, take))
                    shelves.take(variant, place, take)
                    splits += left != quantity
                    depth += take * (self._policy.depth // have[place])
                    left -= take
            if left:
                return None, variant
        used = frozenset(one.location_id for one in taken)
        order = tuple(index for place, index in places if place in used)
        points = sum(self._legs[index].points for index in order) + self._policy.split_line * splits + depth
        ordered = tuple(sorted(taken, key=lambda a: (a.variant_id, a.location_id)))
        return _Way(points, order, used, ordered, splits, depth), ""


def _reasons(
    stock: Stock,
    legs: Sequence[_Leg],
    search: _Search,
    policy: RoutingPolicy,
    destination: Destination,
    wanted: Mapping[str, int],
) -> dict[str, Any]:
    codes = {site.location_id: site.code for site in stock.sites}
    return {
        "destination": {
            "country": destination.country,
            "region": destination.region,
            "promised_days": destination.promised_days,
        },
        "weights": policy.model_dump(mode="json"),
        "ways": [_way_facts(way, codes, policy) for way in search.best],
        "places": [_leg_facts(leg) for leg in legs],
        "kept_back": _kept_back(stock, wanted),
        "complete": search.complete,
        "words": _words(legs, search),
    }


def _way_facts(way: _Way, codes: Mapping[str, str], policy: RoutingPolicy) -> dict[str, Any]:
    return {
        "points": way.points,
        "parcels": len(way.sites),
        "split_line": policy.split_line * way.splits,
        "depth": way.depth,
        "units": [
            {"variant_id": a.variant_id, "location": codes[a.location_id], "quantity": a.quantity}
            for a in way.allocations
        ],
    }


def _leg_facts(leg: _Leg) -> dict[str, Any]:
    return {
        "location_id": leg.site.location_id,
        "location": leg.site.code,
        "km": leg.km,
        "measured": leg.measured,
        "days": leg.days,
        "late": leg.late,
        "points": dict(leg.parts),
    }


def _kept_back(stock: Stock, wanted: Mapping[str, int]) -> list[dict[str, Any]]:
    """Shelves that have a wanted item and may not ship it."""
    return [
        {"location": site.code, "variant_id": variant, "because": sorted(barred)}
        for variant in wanted
        for site in stock.sites
        if stock.units.get(variant, {}).get(site.location_id, 0) > 0
        and (barred := stock.restrictions.get(variant, frozenset()) & site.cannot_ship)
    ]


def _words(legs: Sequence[_Leg], search: _Search) -> list[str]:
    if not search.best:
        return []
    best, *others = search.best
    found = []
    for index in best.order:
        leg = legs[index]
        units = sum(a.quantity for a in best.allocations if a.location_id == leg.site.location_id)
        far = f"{leg.km} km" if leg.measured else f"about {leg.km} km (no coordinates)"
        late = ", later than promised" if leg.late else ""
        days = "1 day" if leg.days == 1 else f"{leg.days} days"
        found.append(f"{leg.site.code} sends {units}: {far}, {days}{late}.")
    for other in others:
        names = " and ".join(legs[index].site.code for index in other.order)
        found.append(f"{names} instead would cost {other.points - best.points} points more.")
    return found
