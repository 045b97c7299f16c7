"""What units that come back stand for. Pure, minor units, exact to the cent.

Every amount is the difference between what all units returned so far stand for and what they were given: whatever
comes back in which order, and whichever return is given up in between, all of it together is what was paid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from engine.kit.money import allocate
from engine.orders.models import OrderLine
from engine.orders.shares import NOTHING, Worth, kept, share, worth


@dataclass(frozen=True, slots=True)
class Part:
    """A component of a bundle: ``per_unit`` of it in each unit, ``price`` a piece in the list when it was sold."""

    variant_id: str
    per_unit: int
    price: int
    share: int = 0
    """What all its pieces bear of the bundle's price, as it was kept when that was sold."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What of a line came back or is to: whole units, single parts of a bundle, and what they were given."""

    whole: int = 0
    parts: Mapping[str, int] = field(default_factory=dict)
    worth: Worth = NOTHING
    gone: int = 0
    """Units that are spoken for elsewhere: replaced under warranty, or about to be made good."""
    log: tuple[tuple[datetime | None, str | None, int], ...] = ()
    """(when it was agreed to, or none for long ago, part, units)"""
    gone_parts: Mapping[str, int] = field(default_factory=dict)
    """The same as ``gone`` of single parts of a bundle."""

    def plus(self, units: int, part: str | None, given: Worth, *, at: datetime | None = None) -> Taken:
        """With ``units`` more, of the whole or of one part, as agreed to ``at`` a moment."""
        log = (*self.log, (at, part, units))
        if part is None:
            return replace(self, whole=self.whole + units, worth=self.worth + given, log=log)
        parts = dict(self.parts) | {part: self.parts.get(part, 0) + units}
        return replace(self, parts=parts, worth=self.worth + given, log=log)

    def without(self, units: int, part: str | None) -> Taken:
        """With ``units`` of the whole, or of one part, spoken for elsewhere."""
        if part is None:
            return replace(self, gone=self.gone + units)
        return replace(self, gone_parts=dict(self.gone_parts) | {part: self.gone_parts.get(part, 0) + units})

    def away(self, part: str) -> int:
        """How many of one part are not there, other than with their whole."""
        return self.parts.get(part, 0) + self.gone_parts.get(part, 0)

    def until(self, moment: datetime) -> Taken:
        """What of it was agreed to by then, in units alone; what is spoken for elsewhere counts as old."""
        found = Taken(gone=self.gone, gone_parts=self.gone_parts)
        for at, part, units in self.log:
            if at is None or at <= moment:
                found = found.plus(units, part, NOTHING, at=at)
        return found


def units_left(line: OrderLine, parts: Sequence[Part], taken: Taken, part: str | None = None) -> int:
    """How many units that arrived can still come back, whole or of one part."""
    if part is not None:
        per_unit = next((one.per_unit for one in parts if one.variant_id == part), 0)
        return (line.delivered - taken.whole - taken.gone) * per_unit - taken.away(part)
    broken = max((-(-taken.away(one.variant_id) // one.per_unit) for one in parts), default=0)
    return line.delivered - taken.whole - taken.gone - broken


def whole_units(parts: Sequence[Part], taken: Taken) -> int:
    """Units of which everything came back, at once or part by part."""
    return taken.whole + min((taken.parts.get(one.variant_id, 0) // one.per_unit for one in parts), default=0)


def next_worth(line: OrderLine, parts: Sequence[Part], taken: Taken, units: int, part: str | None = None) -> Worth:
    """What ``units`` more stand for, after ``taken``."""
    after = taken.plus(units, part, NOTHING)
    target, before = _target(line, parts, after), taken.worth
    goods = max(0, target.goods - before.goods)
    discount = min(goods, max(0, target.discount - before.discount))
    return Worth(goods, discount, max(0, target.tax - before.tax))


def weights_of(parts: Sequence[Part]) -> list[int]:
    """What a bundle's amounts are split by: the shares of the purchase, or where it kept none the list prices."""
    shares = [one.share for one in parts]
    return shares if any(shares) else [one.price * one.per_unit for one in parts]


def some_of(amount: int, quantity: int, done: int, units: int) -> int:
    """The part of a return line's ``amount`` that ``units`` more of its units bear, after ``done``."""
    return share(amount, quantity, done, done + units)


def spread(amount: int, weights: Sequence[int]) -> list[int]:
    """``amount`` by largest remainder; evenly where all weigh nothing."""
    return allocate(amount, weights if any(weights) else [1 for _ in weights])


def _target(line: OrderLine, parts: Sequence[Part], taken: Taken) -> Worth:
    if not any(taken.parts.values()):
        return worth(line, 0, taken.whole)
    whole, units = kept(line), line.ordered - line.canceled
    split = [spread(amount, weights_of(parts)) for amount in (whole.goods, whole.discount, whole.tax)]
    sums = [
        sum(
            share(amount, units * one.per_unit, 0, taken.whole * one.per_unit + taken.parts.get(one.variant_id, 0))
            for amount, one in zip(amounts, parts, strict=True)
        )
        for amounts in split
    ]
    return Worth(*sums)
