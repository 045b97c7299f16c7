"""Which payment gives how much of a refund back, and which part of it is tax and unearned. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.kit.money import allocate


@dataclass(frozen=True, slots=True)
class Source:
    """A payment that can give money back."""

    payment_id: str
    refundable: int


@dataclass(frozen=True, slots=True)
class Share:
    """A payment's part of a refund, in minor units; ``tax`` and ``unearned`` are within ``amount``."""

    payment_id: str
    amount: int
    tax: int
    unearned: int


def spread(sources: Sequence[Source], *, amount: int, tax: int, unearned: int) -> list[Share]:
    """Take from the sources in their order until the amount is reached; fewer shares add up to less than asked when
    there is not enough. Tax and unearned follow the amounts, to the minor unit.
    """
    amounts, left = [], amount
    for source in sources:
        part = min(left, max(0, source.refundable))
        amounts.append(part)
        left -= part
    taxes = allocate(min(tax, amount - left), amounts)
    nets = [part - taxed for part, taxed in zip(amounts, taxes, strict=True)]
    unearneds = allocate(min(unearned, sum(nets)), nets)
    return [
        Share(source.payment_id, part, taxed, early)
        for source, part, taxed, early in zip(sources, amounts, taxes, unearneds, strict=True)
        if part
    ]
