"""Which way each line of an order goes: the order's own, unless the line has none of that or another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, Final

from engine.orders.models import Order, OrderLine
from engine.shipping import digital

DIGITAL: Final[Mapping[str, Any]] = asdict(digital.OPTION)


def way_of(order: Order, line: OrderLine) -> Mapping[str, Any]:
    """The option by which a line goes, as orders keep it."""
    if line.digital:
        return DIGITAL
    return line.way if line.way is not None else order.fulfillment


def goes_apart(lines: Iterable[OrderLine]) -> bool:
    """Whether some lines with a parcel go another way than the order's own."""
    return any(line.way is not None for line in lines)
