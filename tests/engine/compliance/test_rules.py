"""What may be sold where: the usual rules, a shop's own, and what a checkout says of them."""

from __future__ import annotations

import pytest

from engine.checkout import service
from engine.compliance.policy import DEFAULTS, CompliancePolicy, Rule
from engine.compliance.service import Item, Place, findings, ground_only, notices, problems
from tests.engine.orders.desk import Desk, limit
from tests.shop import ADDRESS, Shop

HOME = Place("US", "US", "WA")


@pytest.mark.parametrize(
    ("tag", "place", "code"),
    [
        ("lithium_battery", HOME, None),
        ("lithium_battery", Place("US", "US", "AK"), "lithium_by_air"),
        ("lithium_battery", Place("US", "CA", "BC"), "lithium_by_air"),
        ("flammable", Place("US", "US", "HI"), "flammable_by_air"),
        ("domestic_only", Place("US", "US", "AK"), None),
        ("domestic_only", Place("US", "DE"), "domestic_only"),
        ("blade", Place("US", "DE"), None),
        ("blade", Place("US", "GB"), "blade_by_post"),
        ("blade", Place("GB", "GB"), "blade_by_post"),
        ("oversize", Place("US", "US", "WA", po_box=True), "oversize_po_box"),
        ("oversize", HOME, None),
        ("anything", Place("US", "KP"), "embargoed"),
        ("anything", Place("CU", "CU"), None),
    ],
)
def test_usual_rules(tag: str, place: Place, code: str | None) -> None:
    assert [found.code for found in findings([Item("It", [tag])], place)] == ([code] if code else [])


def test_a_shop_adds_replaces_and_turns_off() -> None:
    policy = CompliancePolicy(
        off=("blade_by_post",),
        rules=(
            Rule(code="lithium_by_air", tag="lithium_battery", effect="refuse", regions=("US-AK",), reason="stays here",
                 instead="Take the version without a battery."),
            Rule(code="no_magnets", tag="magnet", effect="refuse", reason="is not sent by anybody"),
        ),
    )  # fmt: skip
    assert findings([Item("Knife", ["blade"])], Place("US", "GB"), policy) == []
    assert findings([Item("Torch", ["lithium_battery"])], Place("US", "CA", "BC"), policy) == []
    words = problems([Item("Torch", ["lithium_battery"]), Item("Magnet", ["magnet"])], Place("US", "US", "AK"), policy)
    assert words == ["Torch stays here. Take the version without a battery.", "Magnet is not sent by anybody."]
    assert len({rule.code for rule in DEFAULTS}) == len(DEFAULTS)


def test_notices_are_said_once_and_of_two_ages_the_higher() -> None:
    wine, beer, knife = Item("Wine", ["age_21"]), Item("Beer", ["age_18"]), Item("Knife", ["blade"])
    assert notices([wine, beer, knife], HOME) == ["An adult of 21 or older must sign for this delivery."]
    assert notices([beer, knife], HOME) == ["An adult of 18 or older must sign for this delivery."]
    (warning,) = notices([Item("Pan", ["prop_65"])], Place("US", "US", "CA"))
    assert "P65Warnings.ca.gov" in warning
    assert notices([Item("Pan", ["prop_65"])], HOME) == []


def test_what_may_not_fly() -> None:
    assert ground_only([Item("Torch", ["lithium_battery"])], HOME)
    assert not ground_only([Item("Knife", ["blade"])], HOME)


def test_no_more_of_a_kind_than_one_order_may_hold() -> None:
    policy = CompliancePolicy(max_per_order={"flammable": 2})
    items = [Item("Gas", ["flammable"], 2), Item("Fuel", ["flammable"], 1)]
    (found,) = findings(items, HOME, policy)
    assert (found.code, found.reason) == ("too_many", "One order may hold 2 of Gas, Fuel together; this one has 3.")
    assert found.instead == "Take out 1."
    assert findings(items[:1], HOME, policy) == []


def test_a_checkout_says_why_and_what_to_do(shop: Shop) -> None:
    limit(Desk(shop, shop.shopper(), ""), CompliancePolicy, max_per_order={"age_21": 1})
    shop.add("A", restrictions=["age_21"])
    buyer = shop.shopper()
    shop.fill(buyer, "A", 2)
    with shop.uow() as session:
        view = service.update(session, buyer, service.Details(email="a@example.com", **ADDRESS))
    assert view.problems == ["One order may hold 1 of Thing A together; this one has 2. Take out 1."]
    assert view.notices == ["An adult of 21 or older must sign for this delivery."]
