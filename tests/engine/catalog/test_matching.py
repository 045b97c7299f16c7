from __future__ import annotations

import pytest

from engine.catalog.matching import match_categories, match_option, match_values, named_categories
from engine.catalog.ranking import Candidate, in_sort

COLORS = ["slate blue", "moss green", "orange"]
CATEGORIES = [
    "tents",
    "tent accessories",
    "rain jackets",
    "down jackets",
    "knives",
    "torches",
    "first aid kits",
    "batteries",
    "axes",
    "camp stoves",
    "shorts",
]


@pytest.mark.parametrize(
    ("wanted", "offered", "expected"),
    [
        ("Orange", COLORS, ["orange"]),
        ("blue", COLORS, ["slate blue"]),
        ("blue", ["deep blue", "slate blue", "red"], ["deep blue", "slate blue"]),
        ("organe", COLORS, ["orange"]),
        ("purple", COLORS, []),
        ("gray", ["grey", "green"], ["grey"]),
        ("L", ["small", "medium", "large"], ["large"]),
        ("large", ["S", "M", "L", "XL"], ["L"]),
        ("extra large", ["S", "M", "L", "XL"], ["XL"]),
        ("men's medium", ["S", "M", "L"], ["M"]),
        ("M", ["S/M", "L/XL"], ["S/M"]),
        ("r", ["regular", "wide"], ["regular"]),
        ("L", ["regular", "long"], ["long"]),
        ("10", ["9", "10", "10.5"], ["10"]),
        ("size 10", ["9", "10", "10.5"], ["10"]),
        ("11", ["9", "10"], []),
        ("", COLORS, []),
    ],
)
def test_a_value_is_matched_as_a_person_means_it(wanted: str, offered: list[str], expected: list[str]) -> None:
    assert match_values(wanted, offered) == expected


def test_an_option_is_found_by_its_name_or_by_its_value_alone() -> None:
    options = {"size": ["S", "M"], "color": COLORS}
    assert match_option("Colour", "blue", options) == ("color", ["slate blue"])
    assert match_option("shade", "orange", options) == ("color", ["orange"])
    assert match_option("color", "M", options) is None
    assert match_option("shade", "plaid", options) is None


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("tents", ["tents"]),
        ("Tent", ["tents"]),
        ("jackets", ["rain jackets", "down jackets"]),
        ("rain jacket", ["rain jackets"]),
        ("knife", ["knives"]),
        ("battery", ["batteries"]),
        ("first-aid kit", ["first aid kits"]),
        ("tnets", ["tents"]),
        ("axe", ["axes"]),
        ("stove", ["camp stoves"]),
        ("shirt", []),
        ("spaceships", []),
        ("", []),
    ],
)
def test_a_category_is_matched_by_close_names(wanted: str, expected: list[str]) -> None:
    assert match_categories(wanted, CATEGORIES) == expected


@pytest.mark.parametrize(
    ("question", "about"),
    [
        ("2 person tent", {"tents"}),
        ("a tent for two people", {"tents"}),
        ("rain jacket", {"rain jackets"}),
        ("warm jacket under 100", {"rain jackets", "down jackets"}),
        ("tent stakes", set()),
        ("something to cook on", set()),
        ("", set()),
    ],
)
def test_the_head_noun_names_the_kind(question: str, about: set[str]) -> None:
    shelves = ["tents", "tent accessories", "rain jackets", "down jackets", "sleeping bags"]
    assert named_categories(question, shelves) == about


def test_the_cheapest_tent_is_a_tent() -> None:
    footprint = Candidate("f", 0.7, 0.6, 3995, 46, 1, "tent accessories")
    small = Candidate("s", 0.75, 0.7, 24900, 45, 2, "tents")
    large = Candidate("l", 0.7, 0.65, 47900, 41, 3, "tents")
    found = [large, small, footprint]
    assert in_sort(found, "price_low", frozenset({"tents"})) == [small, large]
    assert in_sort(found, "price_low") == [footprint, small, large]
