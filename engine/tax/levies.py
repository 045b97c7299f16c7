"""Sales tax worked out: the rates of all places an address lies in, over the lines of one document. Pure.

Amounts are whole minor units; what lies between is an exact fraction and is rounded half up once, for each line or for
each rate of the document. The tax of a line is then split over its places by the largest remainder, so that places,
lines and document always agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final, Literal

from engine.tax.models import Level

Rounding = Literal["line", "document"]
_MILLION: Final = 1_000_000
_ZERO: Final = Fraction(0)


@dataclass(frozen=True, slots=True)
class Levy:
    """What one jurisdiction asks for."""

    name: str
    rate_ppm: int
    level: str = Level.REGION
    country: str = ""
    region: str = ""
    category_ppm: Mapping[str, Any] = field(default_factory=dict)
    thresholds: Mapping[str, Any] = field(default_factory=dict)
    taxes_shipping: bool = False
    shipping_as_goods: bool = False

    def ppm(self, category: str) -> int:
        return int(self.category_ppm.get(category, self.rate_ppm))


@dataclass(frozen=True, slots=True)
class Item:
    """Goods of one line after discount; ``amount`` has the tax in it where prices include it."""

    category: str
    amount: int
    quantity: int = 1


@dataclass(frozen=True, slots=True)
class Part:
    """What a jurisdiction gets of a line."""

    jurisdiction: str
    level: str
    rate_ppm: int
    amount: int

    def told(self) -> dict[str, Any]:
        return {
            "jurisdiction": self.jurisdiction,
            "level": str(self.level),
            "rate_ppm": self.rate_ppm,
            "amount": self.amount,
        }


@dataclass(frozen=True, slots=True)
class Taxed:
    """The tax of one line, and whose it is."""

    amount: int = 0
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Bill:
    """The taxes of a document: of its items in their order, and of its shipping."""

    items: tuple[Taxed, ...]
    shipping: Taxed

    @property
    def total(self) -> int:
        return sum(one.amount for one in self.items) + self.shipping.amount

    def by_jurisdiction(self) -> list[dict[str, Any]]:
        """What each gets of the whole, and ``of_shipping`` within it; the widest first."""
        return added_up([one.parts for one in (*self.items, self.shipping)], of_shipping=self.shipping.parts)


@dataclass(frozen=True, slots=True)
class _Exact:
    """Before rounding: what each levy that applies gets of a line."""

    shares: tuple[tuple[Levy, int, Fraction], ...]

    @property
    def total(self) -> Fraction:
        return sum((share for _, _, share in self.shares), _ZERO)

    @property
    def rate(self) -> int:
        return sum(ppm for _, ppm, _ in self.shares)


def work_out(
    levies: Sequence[Levy],
    items: Sequence[Item],
    *,
    shipping: int = 0,
    currency: str = "USD",
    included: bool = False,
    rounding: Rounding = "line",
) -> Bill:
    """The tax on (or, ``included``, within) each item and the shipping, in minor units of ``currency``."""
    exact = [_item(levies, item, currency, included=included) for item in items]
    exact.append(_shipping(levies, items, exact, shipping, included=included))
    totals = [half_up(one.total) for one in exact] if rounding == "line" else _by_document(exact)
    taxed = [_parts(one, total) for one, total in zip(exact, totals, strict=True)]
    return Bill(tuple(taxed[:-1]), taxed[-1])


def half_up(exact: Fraction) -> int:
    """The nearest whole number; a half goes up (amounts are never negative here)."""
    return (2 * exact.numerator + exact.denominator) // (2 * exact.denominator)


def without(levies: Sequence[Levy], category: str, unit_price: int) -> int:
    """A unit's price that includes tax, less the tax that would be in it."""
    rate = sum(levy.ppm(category) for levy in levies)
    return half_up(Fraction(unit_price * _MILLION, _MILLION + rate))


def added_up(lines: Iterable[Iterable[Part]], *, of_shipping: Iterable[Part] = ()) -> list[dict[str, Any]]:
    """Each jurisdiction once for each of its rates."""
    shipping = {(str(part.level), part.jurisdiction, part.rate_ppm): part.amount for part in of_shipping}
    sums: dict[tuple[str, str, int], int] = {}
    for parts in lines:
        for part in parts:
            key = (str(part.level), part.jurisdiction, part.rate_ppm)
            sums[key] = sums.get(key, 0) + part.amount
    order = list(Level)
    ranked = sorted(sums.items(), key=lambda one: (order.index(Level(one[0][0])), one[0][1], -one[0][2]))
    return [Part(*_named(key), amount).told() | {"of_shipping": shipping.get(key, 0)} for key, amount in ranked]


def _named(key: tuple[str, str, int]) -> tuple[str, str, int]:
    level, name, ppm = key
    return name, level, ppm


def _item(levies: Sequence[Levy], item: Item, currency: str, *, included: bool) -> _Exact:
    bases = [(levy, levy.ppm(item.category), _base(levy, item, currency)) for levy in levies]
    taxing = [(levy, ppm, base) for levy, ppm, base in bases if base or not item.amount]
    whole = _MILLION + (sum(ppm for _, ppm, _ in taxing) if included else 0)
    return _Exact(tuple((levy, ppm, Fraction(base * ppm, whole)) for levy, ppm, base in taxing))


def _base(levy: Levy, item: Item, currency: str) -> int:
    """How much of an item's amount is taxed: units below a threshold are free of it."""
    rule = levy.thresholds.get(item.category, {})
    threshold = rule.get(currency)
    if threshold is None:
        return item.amount
    free = int(threshold) * item.quantity
    if rule.get("taxes", "all") == "excess":
        return max(0, item.amount - free)
    return 0 if item.amount < free else item.amount


def _shipping(
    levies: Sequence[Levy], items: Sequence[Item], exact: Sequence[_Exact], amount: int, *, included: bool
) -> _Exact:
    goods = sum(item.amount for item in items)
    like_goods = [levy for levy in levies if levy.taxes_shipping and levy.shipping_as_goods and goods]
    plain = [levy for levy in levies if levy.taxes_shipping and levy not in like_goods]
    whole = _MILLION + (sum(levy.rate_ppm for levy in plain) if included else 0)
    shares = [(levy, levy.rate_ppm, Fraction(amount * levy.rate_ppm, whole)) for levy in plain]
    for levy in like_goods:
        rates = [(ppm, share) for one in exact for owner, ppm, share in one.shares if owner is levy]
        of_goods = sum((share for _, share in rates), _ZERO)
        shares.append((levy, max((ppm for ppm, _ in rates), default=0), of_goods * Fraction(amount, goods)))
    return _Exact(tuple(shares))


def _by_document(exact: Sequence[_Exact]) -> list[int]:
    """One rounding for each rate of the document (EN 16931: tax of a category = its base x its rate, rounded), spread
    over its lines by the largest remainder.
    """
    totals = [0] * len(exact)
    for rate in {one.rate for one in exact}:
        places = [place for place, one in enumerate(exact) if one.rate == rate]
        for place, amount in zip(places, _spread([exact[place].total for place in places]), strict=True):
            totals[place] = amount
    return totals


def _parts(exact: _Exact, total: int) -> Taxed:
    amounts = _spread([share for _, _, share in exact.shares], total)
    parts = zip(exact.shares, amounts, strict=True)
    return Taxed(total, tuple(Part(levy.name, levy.level, ppm, amount) for (levy, ppm, _), amount in parts))


def _spread(shares: Sequence[Fraction], total: int | None = None) -> list[int]:
    """Whole amounts near their exact shares that add up to the total: each is cut, and what is missing goes to those
    that lost most, the first of equals before the others.
    """
    whole = half_up(sum(shares, _ZERO)) if total is None else total
    cut = [share.numerator // share.denominator for share in shares]
    by_loss = sorted(range(len(shares)), key=lambda place: (cut[place] - shares[place], place))
    for place in by_loss[: whole - sum(cut)]:
        cut[place] += 1
    return cut
