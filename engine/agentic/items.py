"""Items as an agent names them, and the lines they make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from engine.agentic.errors import ItemUnknown
from engine.agentic.wishes import Item
from engine.checkout.facts import Facts
from engine.kit.errors import InvalidInput

MOST_LINES: Final = 200
MOST_UNITS: Final = 9_999


def lines_of(items: Sequence[Item]) -> list[dict[str, Any]]:
    """One line for each variant, in the order of their first mention; repeated ones add up.

    Raises ``InvalidInput`` for more lines or units than anybody buys at once.
    """
    units: dict[str, int] = {}
    for item in items:
        units[item.id] = units.get(item.id, 0) + item.quantity
    if len(units) > MOST_LINES:
        raise InvalidInput(f"At most {MOST_LINES} different items at once.", param="$.line_items")
    if any(quantity > MOST_UNITS for quantity in units.values()):
        raise InvalidInput(f"At most {MOST_UNITS} units of an item.", param="$.line_items")
    return [{"variant_id": variant_id, "quantity": quantity} for variant_id, quantity in units.items()]


def check(items: Sequence[Item], found: Facts) -> None:
    """Raises ``ItemUnknown`` for the first that this shop does not sell."""
    for number, item in enumerate(items):
        row = found.items.get(item.id)
        if row is None or not (row["sellable"] and row["status"] == "active"):
            raise ItemUnknown("There is no such item in this shop.", param=f"$.line_items[{number}].id")
