"""What left, in lines of the order that it left for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from engine.sync.errors import FieldFault, Rejected

Kits = Mapping[str, Sequence[tuple[str, int]]]


class OpenLine(NamedTuple):
    """What of a line has not left."""

    line: int
    sku: str
    left: int


def allocate(lines: Sequence[OpenLine], counts: Mapping[str, int], kits: Kits) -> dict[int, int]:
    """Line → how many of it left: each SKU goes to its own lines in their order, what is over to kits that it is a
    part of. Raises ``Rejected`` for what is on no line, or is more than is open.
    """
    over = {sku: number for sku, number in counts.items() if number}
    found: dict[int, int] = {}
    for line in lines:
        if taken := min(over.get(line.sku, 0), line.left):
            found[line.line] = taken
            over[line.sku] -= taken
    for line in lines:
        members = kits.get(line.sku)
        if members and (taken := _kits_of(members, over, line.left - found.get(line.line, 0))):
            found[line.line] = found.get(line.line, 0) + taken
            for sku, each in members:
                over[sku] -= each * taken
    faults = [
        FieldFault(f"items.{sku}", f"{number} more than the order has open") for sku, number in over.items() if number
    ]
    if faults:
        raise Rejected("More left than the order has open.", fields=faults)
    return found


def _kits_of(members: Sequence[tuple[str, int]], there: Mapping[str, int], most: int) -> int:
    """How many whole kits what is there makes."""
    return min([most, *(there.get(sku, 0) // each for sku, each in members)])
