"""Routing: covers or refuses, never promises more than there is, and finds the cheapest way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from engine.fulfillment import release, routing
from engine.fulfillment.geography import Point, distance_km, middle_of
from engine.fulfillment.policies import RoutingPolicy
from engine.fulfillment.routing import Destination, Site, Stock, plan
from engine.inventory.errors import OutOfStock
from engine.inventory.items import Part
from engine.orders import service as orders
from tests.engine.orders.desk import buy
from tests.shop import Shop

WA = Destination.of({"country": "US", "state": "WA"})
EAST = Site("loc_e", "EAST", "US", "OH", 0, Point(40.4, -82.9))
WEST = Site("loc_w", "WEST", "US", "WA", 1, Point(47.8, -120.7))
PLAIN = RoutingPolicy()


def units(found: routing.Plan) -> dict[tuple[str, str], int]:
    return {(a.variant_id, a.location_id): a.quantity for a in found.allocations}


def test_distances_are_great_circles() -> None:
    assert distance_km(Point(0, 0), Point(0, 0)) == 0
    assert distance_km(Point(0, 0), Point(0, 180)) == 20015
    assert distance_km(Point(52.52, 13.405), Point(48.8566, 2.3522)) == 877
    assert middle_of("us", "wa") == Point(47.8, -120.7)
    assert middle_of("DE", "BE") == Point(51.2, 10.5)
    assert middle_of("XX", "") is None


def test_the_near_place_sends_when_it_can() -> None:
    found = plan({"a": 2}, Stock([EAST, WEST], {"a": {"loc_e": 9, "loc_w": 9}}), policy=PLAIN, destination=WA)
    assert units(found) == {("a", "loc_w"): 2}
    assert found.reasons["words"] == [
        "WEST sends 2: 0 km, 1 day.",
        "EAST instead would cost 489 points more.",
    ]
    assert [way["units"] for way in found.reasons["ways"]][1] == [
        {"variant_id": "a", "location": "EAST", "quantity": 2}
    ]


def test_one_far_parcel_beats_two_when_splitting_costs_more() -> None:
    stock = Stock([EAST, WEST], {"a": {"loc_e": 9, "loc_w": 9}, "b": {"loc_e": 9}})
    assert units(plan({"a": 1, "b": 1}, stock, policy=PLAIN, destination=WA)) == {
        ("a", "loc_e"): 1,
        ("b", "loc_e"): 1,
    }
    found = plan({"a": 1, "b": 1}, stock, policy=RoutingPolicy(parcel=0, depth=500, day=0), destination=WA)
    assert found.parcels == 1


def test_a_line_is_split_only_when_it_must_be() -> None:
    stock = Stock([EAST, WEST], {"a": {"loc_e": 3, "loc_w": 2}})
    found = plan({"a": 4}, stock, policy=PLAIN, destination=WA)
    assert units(found) == {("a", "loc_e"): 3, ("a", "loc_w"): 1}
    with pytest.raises(OutOfStock, match="one parcel") as refused:
        plan({"a": 4}, stock, policy=RoutingPolicy(split_allowed=False), destination=WA)
    assert (refused.value.variant_id, refused.value.available) == ("a", 3)


def test_what_may_not_leave_a_place_does_not() -> None:
    barred = Site("loc_w", "WEST", "US", "WA", 1, WEST.point, cannot_ship=frozenset({"lithium_battery"}))
    stock = Stock([EAST, barred], {"a": {"loc_e": 5, "loc_w": 5}}, {"a": frozenset({"lithium_battery"})})
    found = plan({"a": 1}, stock, policy=PLAIN, destination=WA)
    assert units(found) == {("a", "loc_e"): 1}
    assert found.reasons["kept_back"] == [{"location": "WEST", "variant_id": "a", "because": ["lithium_battery"]}]
    with pytest.raises(OutOfStock, match="may ship it") as refused:
        plan({"a": 6}, stock, policy=PLAIN, destination=WA)
    assert refused.value.available == 5


def test_preference_handling_and_promise_weigh_in() -> None:
    stock = Stock([EAST, WEST], {"a": {"loc_e": 5, "loc_w": 5}})
    preferred = RoutingPolicy(preferred=("EAST",), preference=2_000)
    assert units(plan({"a": 1}, stock, policy=preferred, destination=WA)) == {("a", "loc_e"): 1}
    dear = Site("loc_w", "WEST", "US", "WA", 1, WEST.point, handling_cost=900)
    slow = Site("loc_w", "WEST", "US", "WA", 1, WEST.point, handling_days=5)
    soon = Destination.of({"country": "US", "state": "WA"}, {"max_days": 5})
    for other, where in ((dear, WA), (slow, soon)):
        found = plan({"a": 1}, Stock([EAST, other], stock.units), policy=PLAIN, destination=where)
        assert units(found) == {("a", "loc_e"): 1}
    late = found.reasons["places"][1]
    assert (late["location"], late["late"], late["points"]["late"]) == ("WEST", True, 1_000)


def test_without_coordinates_the_region_decides() -> None:
    here, there = Site("loc_h", "HERE", "US", "WA", 1), Site("loc_t", "THERE", "US", "OH", 0)
    abroad = Site("loc_a", "ABROAD", "CA", "BC", 2)
    stock = Stock([there, here, abroad], {"a": {"loc_h": 1, "loc_t": 1, "loc_a": 1}})
    found = plan({"a": 1}, stock, policy=PLAIN, destination=WA)
    assert units(found) == {("a", "loc_h"): 1}
    assert [(p["location"], p["km"], p["measured"]) for p in found.reasons["places"]] == [
        ("HERE", 100, False),
        ("THERE", 1_500, False),
        ("ABROAD", 6_000, False),
    ]


def test_a_bundle_keeps_what_it_is_made_of() -> None:
    made_of = (Part("x", 2), Part("y", 1))
    stock = Stock([EAST], {"set": {"loc_e": 3}}, parts={"set": made_of})
    [one] = plan({"set": 2}, stock, policy=PLAIN, destination=WA).allocations
    assert (one.quantity, one.parts) == (2, made_of)


def test_nothing_wanted_needs_no_place() -> None:
    found = plan({"a": 0}, Stock([EAST], {}), policy=PLAIN, destination=WA)
    assert (found.allocations, found.parcels, found.points) == ((), 0, 0)


def test_many_places_end_in_a_good_way_all_the_same() -> None:
    sites = [Site(f"loc_{n:02}", f"P{n}", "US", "WA", n, Point(n, n)) for n in range(60)]
    stock = Stock(sites, {v: {s.location_id: 1 for s in sites} for v in ("a", "b", "c")})
    policy = RoutingPolicy(max_parcels=20, parcel=0, depth=0)
    found = plan({"a": 12, "b": 9, "c": 1}, stock, policy=policy, destination=WA)
    assert sum(units(found).values()) == 22
    assert found == plan({"c": 1, "b": 9, "a": 12}, stock, policy=policy, destination=WA)


VARIANTS = ("a", "b")
CODES = ("W", "X", "Y", "Z")


@st.composite
def worlds(draw: st.DrawFn) -> tuple[dict[str, int], Stock, RoutingPolicy]:
    codes = CODES[: draw(st.integers(1, 4))]
    sites = [
        Site(
            f"loc_{code}",
            code,
            "US",
            draw(st.sampled_from(["WA", "OH"])),
            position,
            draw(st.none() | st.builds(Point, st.integers(25, 50), st.integers(-120, -70))),
            draw(st.integers(0, 4)),
            draw(st.integers(0, 600)),
            draw(st.sampled_from([frozenset(), frozenset({"blade"})])),
        )
        for position, code in enumerate(codes)
    ]
    shelf = st.dictionaries(st.sampled_from([s.location_id for s in sites]), st.integers(0, 4))
    stock = Stock(sites, {v: draw(shelf) for v in VARIANTS}, {"b": frozenset({"blade"})})
    weights = {
        name: draw(st.integers(0, 900))
        for name in ("parcel", "distance", "day", "late", "split_line", "depth", "preference")
    }
    policy = RoutingPolicy(
        **weights,
        max_parcels=draw(st.integers(1, 4)),
        split_allowed=draw(st.booleans()),
        preferred=tuple(draw(st.permutations(codes))[: draw(st.integers(0, 2))]),
    )
    return {v: draw(st.integers(0, 5)) for v in VARIANTS}, stock, policy


def every_way(wanted: Mapping[str, int], stock: Stock) -> Iterator[dict[tuple[str, str], int]]:
    """All ways to take the units, however silly."""
    shelves = []
    for variant, quantity in wanted.items():
        barred = stock.restrictions.get(variant, frozenset())
        places = [
            (s.location_id, 0 if barred & s.cannot_ship else stock.units[variant].get(s.location_id, 0))
            for s in stock.sites
        ]
        counts = product(*(range(have + 1) for _, have in places))
        shelves.append(
            [
                {(variant, place): n for (place, _), n in zip(places, some, strict=True) if n}
                for some in counts
                if sum(some) == quantity
            ]
        )
    for parts in product(*shelves):
        yield {key: n for part in parts for key, n in part.items()}


def points_of(way: Mapping[tuple[str, str], int], stock: Stock, policy: RoutingPolicy, destination: Destination) -> int:
    """What a way costs, computed from the policy's own words and nothing of the search."""
    used = {place for _, place in way}
    total = 0
    for site in stock.sites:
        if site.location_id not in used:
            continue
        if site.point and destination.point:
            km = distance_km(site.point, destination.point)
        else:
            km = 100 if site.region == destination.region else 1_500
        days = site.handling_days + 1 + km // policy.km_per_day
        rank = policy.preferred.index(site.code) if site.code in policy.preferred else len(policy.preferred)
        total += policy.parcel + site.handling_cost + policy.distance * km // 100 + policy.day * days
        total += policy.late * (days > (destination.promised_days or 99)) + policy.preference * rank
    for variant in {v for v, _ in way}:
        total += policy.split_line * (sum(v == variant for v, _ in way) - 1)
    return total + sum(n * (policy.depth // stock.units[v][place]) for (v, place), n in way.items())


@settings(max_examples=150, deadline=None)
@given(worlds())
def test_no_other_way_is_cheaper(world: tuple[dict[str, int], Stock, RoutingPolicy]) -> None:
    wanted, stock, policy = world
    destination = Destination.of({"country": "US", "state": "WA"}, {"max_days": 4})
    possible = [
        points_of(way, stock, policy, destination)
        for way in every_way(wanted, stock)
        if len({place for _, place in way}) <= policy.parcels_allowed
    ]
    if not possible:
        with pytest.raises(OutOfStock):
            plan(wanted, stock, policy=policy, destination=destination)
        return
    found = plan(wanted, stock, policy=policy, destination=destination)
    assert found.points == min(possible) == points_of(units(found), stock, policy, destination)
    for variant, quantity in wanted.items():
        assert sum(n for (v, _), n in units(found).items() if v == variant) == quantity
    assert all(n <= stock.units[v][place] for (v, place), n in units(found).items())
    assert found.reasons["complete"]


def test_the_same_question_gets_the_same_answer() -> None:
    stock = Stock([EAST, WEST], {"a": {"loc_w": 2, "loc_e": 2}, "b": {"loc_e": 1}})
    turned = Stock([WEST, EAST], {"b": {"loc_e": 1}, "a": {"loc_e": 2, "loc_w": 2}})
    one = plan({"a": 1, "b": 1}, stock, policy=PLAIN, destination=WA)
    assert one == plan({"b": 1, "a": 1}, turned, policy=PLAIN, destination=WA)


def test_a_look_at_the_routing_locks_nothing(shop: Shop) -> None:
    shop.add("A", price=5000)
    order_id = buy(shop, "A", 2).order_id
    tenant_id = shop.tenant.id
    with shop.uow() as busy:
        orders.lines_of(busy, orders.lock(busy, tenant_id, order_id))
        busy.execute(text("SELECT FROM app.reservations FOR UPDATE"))
        with shop.uow() as session:
            session.execute(text("SET LOCAL lock_timeout = '1s'"))
            told = release.explain(session, tenant_id, order_id)[-1]
    assert told["fulfillment_id"] is None
