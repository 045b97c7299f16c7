"""At which tax rates what is due for an order moves: by the very rates of the lines that a change, a return or a claim
is about, to the cent. Pure; amounts are signed as an adjustment's are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.kit.money import allocate


@dataclass(frozen=True, slots=True)
class Piece:
    """An amount that was taxed at one rate."""

    rate_ppm: int
    net: int
    tax: int

    def told(self) -> dict[str, int]:
        return {"rate_ppm": self.rate_ppm, "net": self.net, "tax": self.tax}

    def __neg__(self) -> Piece:
        return Piece(self.rate_ppm, -self.net, -self.tax)


def read(rows: Iterable[Mapping[str, int]]) -> list[Piece]:
    """Pieces as they are kept."""
    return [Piece(row["rate_ppm"], row["net"], row["tax"]) for row in rows]


def added_up(pieces: Iterable[Piece]) -> list[Piece]:
    """Each rate once, the highest first; nothing of a rate where nothing is left."""
    sums: dict[int, tuple[int, int]] = {}
    for one in pieces:
        net, tax = sums.get(one.rate_ppm, (0, 0))
        sums[one.rate_ppm] = (net + one.net, tax + one.tax)
    return [Piece(rate, net, tax) for rate, (net, tax) in sorted(sums.items(), reverse=True) if net or tax]


def moved(before: Sequence[Piece], after: Sequence[Piece]) -> list[Piece]:
    """From the one to the other."""
    return added_up([*after, *(-one for one in before)])


def fitted(pieces: Iterable[Piece], net: int, tax: int) -> list[Piece]:
    """The pieces, made to come to an amount that was bounded elsewhere: what is over or short is spread by weight."""
    known = added_up(pieces)
    if not known:
        return []
    nets = _spread(net - sum(one.net for one in known), [abs(one.net) for one in known])
    taxes = _spread(tax - sum(one.tax for one in known), [abs(one.tax) for one in known])
    rows = zip(known, nets, taxes, strict=True)
    return added_up(Piece(one.rate_ppm, one.net + more, one.tax + more_tax) for one, more, more_tax in rows)


def weighed(net: int, tax: int, by: Iterable[Piece]) -> list[Piece]:
    """An amount spread over rates by what the pieces weigh."""
    weights = added_up(by)
    nets, taxes = _spread(net, [abs(one.net) for one in weights]), _spread(tax, [abs(one.tax) for one in weights])
    rows = zip(weights, nets, taxes, strict=True)
    return added_up(Piece(one.rate_ppm, part, part_tax) for one, part, part_tax in rows)


def _spread(amount: int, weights: Sequence[int]) -> list[int]:
    """Where nothing weighs anything, the first bears it."""
    if not weights:
        return []
    sign = -1 if amount < 0 else 1
    if not any(weights):
        return [amount, *(0 for _ in weights[1:])]
    return [sign * part for part in allocate(abs(amount), list(weights))]
