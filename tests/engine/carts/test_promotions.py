"""What promotions take off a basket, worked out by hand; and what never happens, whatever they are."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.carts.models import Discount, DiscountKind, Stacking
from engine.carts.promotions import Applied, Discountable, Offered, work_out
from engine.kit import clock

TENT = Discountable("tents", 10000, "prd_tent", ("summer",), 1)
MUGS = Discountable("mugs", 3600, "prd_mug", (), 3)
LAMP = Discountable("lamps", 2501, "prd_lamp", ("summer", "light"), 1)


def offer(code: str | None = None, *, by_buyer: int = 0, returning: bool = False, **fields: Any) -> Offered:
    row = {"id": f"dsc_{code or fields['title']}", "code": code, "title": (code or "Auto").title(), "kind": "off",
           "percent_off": None, "amount_off": None, "minimum": 0, "amounts": {}, "category": None, "rules": {},
           "priority": 0, "stacking": "combinable", "first_order_only": False, "per_customer_limit": None,
           "usage_limit": None, "used": 0, "starts_at": None, "ends_at": None}  # fmt: skip
    return Offered(Discount(**(row | fields)), by_buyer, returning)


def off(offers: list[Offered], lines: list[Discountable], **more: Any) -> Applied:
    codes = [one.row.code for one in offers if one.row.code]
    return work_out(offers, codes, lines, "USD", home="USD", **more)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"percent_off": 10}, (1000, 360, 250)),  # 10 % of 161.01 is 16.10: 10.00 + 3.60 + 2.50
        ({"amount_off": 1000}, (621, 224, 155)),  # 621.08, 223.59, 155.33: the cent to the largest remainder, .59
        ({"amount_off": 99999}, (10000, 3600, 2501)),
        ({"percent_off": 50, "category": "mugs"}, (0, 1800, 0)),
        ({"percent_off": 10, "rules": {"products": ["prd_tent"]}}, (1000, 0, 0)),
        ({"percent_off": 20, "rules": {"collections": ["summer"]}}, (2000, 0, 500)),
        ({"percent_off": 20, "category": "mugs", "rules": {"collections": ["light"]}}, (0, 720, 500)),
        ({"kind": "buy_get", "rules": {"buy": 2, "get": 1}, "category": "mugs"}, (0, 1200, 0)),
        ({"kind": "buy_get", "rules": {"buy": 1, "get": 1}}, (0, 2400, 0)),  # 5 units: 2 sets, the two cheapest
        ({"kind": "buy_get", "rules": {"buy": 1, "get": 1, "most_sets": 1}}, (0, 1200, 0)),
        ({"kind": "buy_get", "category": "tents", "rules": {"buy": 1, "get": 2, "get_percent": 50,
                                                            "get_category": "mugs"}}, (0, 1200, 0)),
    ],
)  # fmt: skip
def test_what_one_promotion_takes_off(fields: dict[str, Any], expected: tuple[int, ...]) -> None:
    done = off([offer("ONE", **fields)], [TENT, MUGS, LAMP])
    assert (done.per_line, done.problems) == (expected, ())
    assert [one.amount for one in done.taken] == [sum(expected)]


@pytest.mark.parametrize(
    ("offered", "problem"),
    [
        (offer("ONE", percent_off=10, minimum=20000), "ONE needs goods worth $200.00."),
        (offer("ONE", percent_off=10, category="boats"), "ONE is for boats only."),
        (offer("ONE", percent_off=10, rules={"products": ["prd_x"]}), "ONE is for other items only."),
        (offer("ONE", percent_off=10, category="mugs", rules={"minimum_quantity": 4}),
         "ONE needs 4 of what it is for."),
        (offer("ONE", percent_off=10, usage_limit=3, used=3), "ONE has been used up."),
        (offer("ONE", percent_off=10, ends_at=clock.now() - timedelta(1)), "ONE has expired."),
        (offer("ONE", percent_off=10, starts_at=clock.now() + timedelta(1)), "ONE is not a code of this shop."),
        (offer("ONE", percent_off=10, per_customer_limit=1, by_buyer=1), "ONE can be used once by each customer."),
        (offer("ONE", percent_off=10, per_customer_limit=2, by_buyer=2), "ONE can be used 2 times by each customer."),
        (offer("ONE", percent_off=10, first_order_only=True, returning=True), "ONE is for a first order."),
        (offer("ONE", kind="buy_get", category="mugs", rules={"buy": 3, "get": 1}),
         "ONE needs 3 bought and 1 more in the cart."),
    ],
)  # fmt: skip
def test_why_a_code_does_not_apply(offered: Offered, problem: str) -> None:
    done = off([offered], [TENT, MUGS, LAMP])
    assert (done.problems, done.per_line, done.taken) == ((problem,), (0, 0, 0), ())


def test_an_unknown_code_and_an_automatic_one_that_does_not_fit() -> None:
    done = work_out([offer(title="Boats", percent_off=10, category="boats")], ["NOPE"], [TENT], "USD", home="USD")
    assert (done.problems, done.per_line) == (("NOPE is not a code of this shop.",), (0,))


def test_priority_then_the_order_that_takes_most_off() -> None:
    ten, five = offer("TEN", percent_off=10), offer("FIVE", amount_off=500)
    assert off([five, ten], [TENT]).off == 1500  # 10.00, then 5.00
    first = offer("FIVE", amount_off=500, priority=1)
    assert off([first, ten], [TENT]).off == 1450  # 5.00, then 10 % of 95.00


def test_exclusive_or_all_the_others_whatever_is_better_for_the_buyer() -> None:
    ten, five = offer(title="Ten", percent_off=10), offer("FIVE", amount_off=500)
    alone = offer("ALONE", amount_off=1400, stacking=Stacking.EXCLUSIVE)
    done = off([ten, five, alone], [TENT])
    assert (done.off, [one.label for one in done.taken]) == (1500, ["Ten", "Five (FIVE)"])
    assert done.notices == ("ALONE cannot be combined with Ten, Five (FIVE), which take more off.",)
    better = offer("ALONE", amount_off=1600, stacking=Stacking.EXCLUSIVE)
    done = off([ten, five, better], [TENT])
    assert (done.off, done.notices) == (1600, ("FIVE takes nothing off beside Alone (ALONE).",))


def test_free_shipping_is_weighed_too() -> None:
    free = offer("SHIP", kind=DiscountKind.FREE_SHIPPING, stacking=Stacking.EXCLUSIVE)
    five = offer(title="Five", amount_off=500)
    done = off([free, five], [TENT], shipping=lambda _goods: 595)
    assert (done.off, done.shipping_off(595), [one.shipping for one in done.taken]) == (0, 595, [595])
    done = off([free, five], [TENT], shipping=lambda _goods: 400)
    assert (done.off, done.shipping_off(400), len(done.notices)) == (500, 0, 1)
    capped = offer("SHIP", kind=DiscountKind.FREE_SHIPPING, rules={"shipping_up_to": 600})
    done = off([capped], [TENT], shipping=lambda _goods: 2500)
    assert (done.shipping_off(2500), done.shipping_off(600), done.taken) == (0, 600, ())
    assert done.notices == ("SHIP takes nothing off this order.",)


def test_nothing_is_converted() -> None:
    capped = offer("SHIP", kind=DiscountKind.FREE_SHIPPING, rules={"shipping_up_to": 600})
    said = offer("SAID", amount_off=500, amounts={"EUR": {"amount_off": 400}})
    done = work_out([capped, said], ["SHIP", "SAID"], [TENT], "EUR", home="USD")
    assert (done.problems, done.off) == (("SHIP cannot be used in EUR.",), 400)


LINES = st.lists(
    st.builds(
        lambda category, unit, quantity, tags: Discountable(category, unit * quantity, "prd_x", tags, quantity),
        st.sampled_from(["tents", "mugs"]), st.integers(0, 20000), st.integers(1, 9),
        st.sampled_from([(), ("summer",)]),
    ),
    min_size=1, max_size=6,
)  # fmt: skip
SCOPE = st.fixed_dictionaries({}, optional={"collections": st.just(["summer"])})
OFFERS = st.lists(
    st.one_of(
        st.builds(lambda p, s, r, n: {"percent_off": p, "stacking": s, "rules": r, "priority": n},
                  st.integers(1, 100), st.sampled_from(list(Stacking)), SCOPE, st.integers(0, 3)),
        st.builds(lambda a, s, m: {"amount_off": a, "stacking": s, "minimum": m},
                  st.integers(1, 50000), st.sampled_from(list(Stacking)), st.integers(0, 20000)),
        st.builds(lambda b, g, p: {"kind": "buy_get", "rules": {"buy": b, "get": g, "get_percent": p}},
                  st.integers(1, 3), st.integers(1, 3), st.integers(1, 100)),
        st.builds(lambda b, g: {"kind": "buy_get", "category": "tents",
                                "rules": {"buy": b, "get": g, "get_category": "mugs"}},
                  st.integers(1, 3), st.integers(1, 3)),
    ),
    max_size=5,
)  # fmt: skip


@given(LINES, OFFERS)
def test_every_cent_has_a_reason_and_no_line_goes_below_nothing(
    lines: list[Discountable], rows: list[dict[str, Any]]
) -> None:
    offers = [offer(f"C{number}", **row) for number, row in enumerate(rows)]
    done = off(offers, lines)
    assert all(0 <= part <= line.base for part, line in zip(done.per_line, lines, strict=True))
    assert sum(one.amount for one in done.taken) == done.off
    for one in offers:  # nothing alone is better than what was chosen, if it is exclusive
        if one.row.stacking == Stacking.EXCLUSIVE:
            assert off([one], lines).off <= done.off
