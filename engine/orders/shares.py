"""What some units of a line stand for. Shipping takes a line's units from the front, canceling from the back, and a
line's discount and tax are spread over its units so that the shares of all of them add up to the whole, whatever was
taken in which order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from engine.orders.models import OrderLine


@dataclass(frozen=True, slots=True)
class Worth:
    """Money of some units, minor units: their price without tax, what was taken off it, and the tax on the rest.

    Where prices include tax, ``goods`` is the price less all tax that is in it; the discount stays as it was told.
    """

    goods: int
    discount: int
    tax: int

    @property
    def net(self) -> int:
        """What is paid for them, without tax."""
        return self.goods - self.discount

    @property
    def total(self) -> int:
        return self.net + self.tax

    def __add__(self, other: Worth) -> Worth:
        return Worth(self.goods + other.goods, self.discount + other.discount, self.tax + other.tax)


NOTHING = Worth(0, 0, 0)


def share(amount: int, units: int, first: int, last: int) -> int:
    """The part of ``amount`` that the units ``first`` (from 0) up to, not including, ``last`` of ``units`` bear."""
    return amount * last // units - amount * first // units


class Taxed(Protocol):
    """The part of an order line that its tax is spread by."""

    unit_price: int
    ordered: int
    discount: int
    tax_included: bool


def tax_share(line: Taxed, tax: int, first: int, last: int) -> int:
    """The part of a line's ``tax`` that some of its units bear: evenly, or, within the price, by what is paid for each,
    so that no unit bears more than that.
    """
    if not line.tax_included:
        return share(tax, line.ordered, first, last)
    whole = _paid(line, line.ordered)
    return share(tax, whole, _paid(line, first), _paid(line, last)) if whole else 0


def _paid(line: Taxed, units: int) -> int:
    return line.unit_price * units - share(line.discount, line.ordered, 0, units)


def worth(line: OrderLine, first: int, last: int) -> Worth:
    """What the units ``first`` up to, not including, ``last`` of a line stand for."""
    tax = tax_share(line, line.tax, first, last)
    return Worth(
        goods=line.unit_price * (last - first) - (tax if line.tax_included else 0),
        discount=share(line.discount, line.ordered, first, last),
        tax=tax,
    )


def kept(line: OrderLine) -> Worth:
    """What the units that were not canceled stand for."""
    return worth(line, 0, line.ordered - line.canceled)


def next_shipped(line: OrderLine, quantity: int) -> Worth:
    """What the next ``quantity`` units to be shipped stand for."""
    return worth(line, line.shipped, line.shipped + quantity)


def last_canceled(line: OrderLine, quantity: int) -> Worth:
    """What ``quantity`` more units to be canceled stand for."""
    left = line.ordered - line.canceled
    return worth(line, left - quantity, left)


def next_returned(line: OrderLine, quantity: int) -> Worth:
    """What the next ``quantity`` units to come back stand for."""
    return worth(line, line.returned, line.returned + quantity)
