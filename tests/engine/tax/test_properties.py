"""What holds of every bill, whatever is bought where."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, Literal

from hypothesis import given
from hypothesis import strategies as st

from engine.orders import shares
from engine.tax.levies import Item, Levy, half_up, work_out
from engine.tax.models import Level

RATES = st.integers(0, 300_000)
CATEGORIES = ("standard", "clothing", "food")


@st.composite
def levies(draw: st.DrawFn) -> list[Levy]:
    found = []
    for place, level in enumerate(draw(st.lists(st.sampled_from(list(Level)), max_size=4))):
        special = draw(st.dictionaries(st.sampled_from(CATEGORIES), RATES, max_size=2))
        rule = {"USD": draw(st.integers(0, 20_000)), "taxes": draw(st.sampled_from(["all", "excess"]))}
        thresholds = {"clothing": rule} if draw(st.booleans()) else {}
        shipping, as_goods = draw(st.booleans()), draw(st.booleans())
        found.append(
            Levy(
                f"L{place}", draw(RATES), level, category_ppm=special, thresholds=thresholds,
                taxes_shipping=shipping, shipping_as_goods=as_goods,
            )
        )  # fmt: skip
    return found


ITEMS = st.lists(
    st.builds(Item, st.sampled_from(CATEGORIES), st.integers(0, 1_000_000), st.integers(1, 20)), min_size=1, max_size=8
)
Rounding = Literal["line", "document"]


@given(levies(), ITEMS, st.integers(0, 5_000), st.booleans(), st.sampled_from(["line", "document"]))
def test_places_lines_and_document_agree(
    rates: list[Levy], items: list[Item], shipping: int, included: bool, rounding: Rounding
) -> None:
    bill = work_out(rates, items, shipping=shipping, included=included, rounding=rounding)
    for one in (*bill.items, bill.shipping):
        assert sum(part.amount for part in one.parts) == one.amount
        assert all(part.amount >= 0 for part in one.parts)
    assert sum(row["amount"] for row in bill.by_jurisdiction()) == bill.total
    assert sum(row["of_shipping"] for row in bill.by_jurisdiction()) == bill.shipping.amount
    assert bill.total == sum(one.amount for one in bill.items) + bill.shipping.amount


@given(levies(), ITEMS, st.integers(0, 5_000), st.sampled_from(["line", "document"]))
def test_tax_within_a_price_is_never_more_than_it(
    rates: list[Levy], items: list[Item], shipping: int, rounding: Rounding
) -> None:
    bill = work_out(rates, items, shipping=shipping, included=True, rounding=rounding)
    assert all(0 <= one.amount <= item.amount for one, item in zip(bill.items, items, strict=True))
    assert 0 <= bill.shipping.amount <= shipping


@given(st.integers(0, 1_000_000), st.integers(0, 300_000))
def test_the_net_and_its_tax_make_the_price(gross: int, ppm: int) -> None:
    """The tax within a price is the tax on what is left of it, but for the rounding of that."""
    (tax,) = [one.amount for one in work_out([Levy("L", ppm)], [Item("standard", gross)], included=True).items]
    net = gross - tax
    assert abs(Fraction(net * ppm, 1_000_000) - tax) <= 1
    assert tax == half_up(Fraction(gross * ppm, 1_000_000 + ppm))


@given(levies(), ITEMS, st.sampled_from(["line", "document"]), st.booleans())
def test_the_cheapest_cent_is_never_lost(
    rates: list[Levy], items: list[Item], rounding: Rounding, included: bool
) -> None:
    """No line is further than a cent from its exact tax, and a document's total no further than half a cent a rate."""
    exact = [work_out(rates, [item], included=included) for item in items]
    bill = work_out(rates, items, included=included, rounding=rounding)
    for alone, one in zip(exact, bill.items, strict=True):
        assert abs(alone.items[0].amount - one.amount) <= 1


def line(draw: Any) -> Any:
    price, ordered, included = draw(st.integers(0, 5_000)), draw(st.integers(1, 12)), draw(st.booleans())
    discount = draw(st.integers(0, price * ordered))
    tax = draw(st.integers(0, price * ordered - discount if included else 9_999))
    return SimpleNamespace(unit_price=price, ordered=ordered, discount=discount, tax=tax, tax_included=included)


@given(st.data())
def test_units_stand_for_the_line_whatever_is_taken_in_which_order(data: st.DataObject) -> None:
    one = line(data.draw)
    cuts = sorted({0, one.ordered, *data.draw(st.lists(st.integers(0, one.ordered), max_size=4))})
    parts = [shares.worth(one, first, last) for first, last in pairwise(cuts)]
    assert sum(part.tax for part in parts) == one.tax
    assert sum(part.discount for part in parts) == one.discount
    paid = one.unit_price * one.ordered - one.discount + (0 if one.tax_included else one.tax)
    assert sum(part.total for part in parts) == paid
    assert all(part.net >= 0 and part.tax >= 0 for part in parts)
