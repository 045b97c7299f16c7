"""What units that come back are worth: exact to the cent, whatever comes back in which order."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from engine.orders.models import OrderLine
from engine.orders.shares import NOTHING, Worth, kept
from engine.returns.models import ReturnLine
from engine.returns.settling import Owed, owed_for
from engine.returns.worth import Part, Taken, next_worth, spread, units_left, whole_units

PARTS = st.lists(st.builds(Part, st.uuids().map(str), st.integers(1, 3), st.integers(0, 900)), min_size=1, max_size=4)


@st.composite
def lines(draw: st.DrawFn) -> OrderLine:
    """A line that was delivered, some of it canceled before."""
    ordered, price = draw(st.integers(1, 9)), draw(st.integers(0, 3_000))
    canceled = draw(st.integers(0, ordered - 1))
    return OrderLine(
        ordered=ordered,
        canceled=canceled,
        delivered=ordered - canceled,
        unit_price=price,
        discount=draw(st.integers(0, price * ordered)),
        tax=draw(st.integers(0, price * ordered)),
    )


def back(line: OrderLine, parts: Sequence[Part], steps: Sequence[tuple[int, str | None]]) -> tuple[Taken, list[Worth]]:
    """One step after the other, each as far as units are left."""
    taken, found = Taken(), []
    for units, part in steps:
        take = min(units, units_left(line, parts, taken, part))
        if take > 0:
            worth = next_worth(line, parts, taken, take, part)
            taken = taken.plus(take, part, worth)
            found.append(worth)
    return taken, found


@given(lines(), st.lists(st.integers(1, 4), max_size=9))
def test_unit_by_unit_is_at_once_is_what_was_paid(line: OrderLine, steps: list[int]) -> None:
    everything = line.ordered - line.canceled
    at_once, _ = back(line, (), [(everything, None)])
    in_steps, _ = back(line, (), [*((step, None) for step in steps), (everything, None)])
    assert at_once.worth == in_steps.worth == kept(line)


@given(lines(), st.integers(1, 9), st.integers(1, 9))
def test_some_units_one_by_one_are_the_same_units_at_once(line: OrderLine, first: int, more: int) -> None:
    at_once, _ = back(line, (), [(first, None), (more, None)])
    one_by_one, _ = back(line, (), [(1, None)] * (first + more))
    assert at_once.whole == one_by_one.whole
    assert at_once.worth == one_by_one.worth


@given(lines(), PARTS, st.lists(st.tuples(st.integers(1, 6), st.integers(-1, 3)), max_size=12))
def test_a_bundle_part_by_part_is_what_was_paid(
    line: OrderLine, parts: list[Part], steps: list[tuple[int, int]]
) -> None:
    named = [(units, None if place < 0 else parts[place % len(parts)].variant_id) for units, place in steps]
    rest = [(10_000, part.variant_id) for part in parts]
    taken, found = back(line, parts, [*named, (10_000, None), *rest])
    assert whole_units(parts, taken) == line.ordered - line.canceled
    assert taken.worth == kept(line)
    assert all(one.net >= 0 and one.tax >= 0 for one in found)


@given(lines(), st.lists(st.tuples(st.integers(1, 3), st.booleans()), max_size=12))
def test_returns_that_come_to_nothing_leave_no_cent_behind(line: OrderLine, steps: list[tuple[int, bool]]) -> None:
    taken, given_up = Taken(), []
    for units, keeps in steps:
        take = min(units, units_left(line, (), taken))
        if take > 0:
            worth = next_worth(line, (), taken, take)
            assert worth.net >= 0
            taken = taken.plus(take, None, worth)
            if not keeps:
                given_up.append((take, worth))
    for units, worth in given_up:
        taken = Taken(taken.whole - units, {}, taken.worth + Worth(-worth.goods, -worth.discount, -worth.tax))
    left = units_left(line, (), taken)
    last = next_worth(line, (), taken, left) if left else NOTHING
    assert taken.worth + last == kept(line)


@given(lines(), st.integers(0, 500), st.integers(0, 100), st.lists(st.integers(1, 4), max_size=6), st.data())
def test_parcel_by_parcel_gives_back_what_was_quoted(
    line: OrderLine, shipping: int, shipping_tax: int, parcels: list[int], data: st.DataObject
) -> None:
    worth = kept(line)
    fee = data.draw(st.integers(0, worth.net))
    row = ReturnLine(
        quantity=line.ordered - line.canceled, settled=0, goods=worth.goods, discount=worth.discount, tax=worth.tax,
        shipping=shipping, shipping_tax=shipping_tax, fee=fee, withheld=0, withheld_tax=0,
    )  # fmt: skip
    got = Owed()
    for units in [*parcels, row.quantity]:
        take = min(units, row.quantity - row.settled)
        owed = owed_for(row, take)
        assert 0 <= owed.tax <= owed.amount
        got += owed
        row.settled += take
    assert got == Owed(worth.total + shipping + shipping_tax - fee, worth.tax + shipping_tax, fee)


@given(st.integers(0, 10_000), st.lists(st.integers(0, 5_000), min_size=1, max_size=8))
def test_a_spread_amount_adds_up_and_each_part_is_within_a_cent(amount: int, weights: list[int]) -> None:
    parts = spread(amount, weights)
    assert sum(parts) == amount
    whole = sum(weights)
    if whole:
        assert all(abs(part * whole - amount * weight) < whole for part, weight in zip(parts, weights, strict=True))
