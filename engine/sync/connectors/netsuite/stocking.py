"""How much of everything is where."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_FLOOR, Decimal
from typing import Final

from engine.sync.canonical import StockLevel
from engine.sync.connectors.netsuite import suiteql
from engine.sync.connectors.netsuite.account import Account

_BALANCES: Final = (
    "SELECT b.item, b.location, b.quantityonhand, b.quantityavailable, i.itemid "
    "FROM inventorybalance b INNER JOIN item i ON i.id = b.item WHERE i.isinactive = 'F' ORDER BY b.item, b.location"
)


def levels(account: Account) -> Iterator[StockLevel]:
    """All of one moment. A place that keeps bins or lots has a row for each: they are added up."""
    found: dict[tuple[str, str], list[Decimal]] = {}
    skus: dict[str, str] = {}
    for row in account.queries.rows(_BALANCES, whole=True, goods=True):
        sums = found.setdefault((row["item"], row.get("location", "")), [Decimal(0), Decimal(0)])
        sums[0] += suiteql.units(row.get("quantityavailable"))
        sums[1] += suiteql.units(row.get("quantityonhand"))
        skus[row["item"]] = row.get("itemid", "")
    for (item, location), (available, on_hand) in found.items():
        yield StockLevel(
            sku=skus[item], item_id=item, location=location, available=_whole(available), on_hand=_whole(on_hand)
        )


def _whole(number: Decimal) -> int:
    """Whole units that are there; a part of one is none."""
    return int(number.to_integral_value(ROUND_FLOOR))
