"""What some units of a line stand for. Shipping takes a line's units from the front, canceling from the back, and a
line's discount and tax are spread over its units so that the shares of all of them add up to the whole, whatever was
taken in which order.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.orders.models import OrderLine


@dataclass(frozen=True, slots=True)
class Worth:
    """Money of some units, minor units: their price, what was taken off it, and the tax on the rest."""

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


def worth(line: OrderLine, first: int, last: int) -> Worth:
    """What the units ``first`` up to, not including, ``last`` of a line stand for."""
    return Worth(
        goods=line.unit_price * (last - first),
        discount=share(line.discount, line.ordered, first, last),
        tax=share(line.tax, line.ordered, first, last),
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
