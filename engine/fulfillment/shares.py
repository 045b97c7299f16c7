"""What units of an order stand for in money. Everything is worked out from how far the order got, before and after:
the differences add up, so that all parcels together make the order exactly, whatever the order they leave in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from engine.orders.shares import share, tax_share


class Line(Protocol):
    """The money of an order line and how far its units got."""

    unit_price: int
    unit_cost: int
    ordered: int
    released: int
    shipped: int
    discount: int
    tax: int
    tax_included: bool
    digital: bool


@dataclass(frozen=True, slots=True)
class Earned:
    """Price before discount and discount of units, without tax, in minor units of the order's currency; their cost in
    those of the home currency.
    """

    goods: int
    discount: int
    cost: int

    def __sub__(self, other: Earned) -> Earned:
        return Earned(self.goods - other.goods, self.discount - other.discount, self.cost - other.cost)


@dataclass(frozen=True, slots=True)
class Owed:
    """What units cost the shopper; ``tax`` is part of ``amount``."""

    amount: int
    tax: int


def shipped(lines: Iterable[Line]) -> Earned:
    """What the units that have left stand for."""
    rows = [
        (
            _goods(line, line.shipped),
            share(line.discount, line.ordered, 0, line.shipped),
            line.unit_cost * line.shipped,
        )
        for line in lines
    ]
    goods, discount, cost = (sum(column) for column in zip(*rows, strict=True)) if rows else (0, 0, 0)
    return Earned(goods, discount, cost)


def released(lines: Iterable[Line], *, shipping: int, shipping_tax: int) -> Owed:
    """What the released units cost, with tax; shipping is owed with the first of them that has a parcel."""
    rows = list(lines)
    tax = sum(tax_share(line, line.tax, 0, line.released) for line in rows)
    net = sum(_goods(line, line.released) - share(line.discount, line.ordered, 0, line.released) for line in rows)
    if any(line.released for line in [line for line in rows if not line.digital] or rows):
        tax, net = tax + shipping_tax, net + shipping
    return Owed(net + tax, tax)


def _goods(line: Line, units: int) -> int:
    """The price of its first units, without the tax in it."""
    tax = tax_share(line, line.tax, 0, units) if line.tax_included else 0
    return line.unit_price * units - tax
