"""What an account has: items, places, kits. Looked up together and kept for the length of a run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from engine.sync.connectors.netsuite import suiteql
from engine.sync.connectors.netsuite.suiteql import Queries
from engine.sync.errors import FieldFault, Rejected

_ITEMS: Final = "SELECT id, itemid, itemtype, isinactive FROM item WHERE {named} ORDER BY id"
_PLACES: Final = "SELECT id, name FROM location WHERE isinactive = 'F' ORDER BY id"
_MEMBERS: Final = (
    "SELECT m.parentitem, m.item, m.quantity, i.itemid FROM itemmember m INNER JOIN item i ON i.id = m.item "
    "ORDER BY m.parentitem, m.item"
)
_GOODS: Final = frozenset({"InvtPart", "Assembly", "Kit", "NonInvtPart"})
"""Kinds of items that a parcel can hold; the others are charges, discounts, services and words."""


@dataclass(frozen=True, slots=True)
class Item:
    id: str
    sku: str
    goods: bool
    active: bool


@dataclass
class Catalogue:
    """Asks once for each thing: what the ERP has answered that it has not is remembered as well."""

    queries: Queries
    _by_sku: dict[str, Item | None] = field(default_factory=dict)
    _by_id: dict[str, Item | None] = field(default_factory=dict)
    _places: dict[str, str] | None = None
    _kits: dict[str, list[tuple[str, int]]] | None = None

    def items(self, skus: Iterable[str]) -> dict[str, Item]:
        """SKU → item, of those that are there and can be sold."""
        wanted = {sku for sku in skus if sku}
        missing = wanted - self._by_sku.keys()
        if missing:
            self._keep("itemid", missing)
            self._by_sku = dict.fromkeys(missing) | self._by_sku
        found = {sku: self._by_sku[sku] for sku in sorted(wanted)}
        return {sku: item for sku, item in found.items() if item is not None and item.active}

    def by_ids(self, ids: Iterable[str]) -> dict[str, Item]:
        """Item id → item, inactive ones too: orders of before have them."""
        wanted = {one for one in ids if one}
        missing = wanted - self._by_id.keys()
        if missing:
            self._keep("id", missing)
            self._by_id = dict.fromkeys(missing) | self._by_id
        found = {one: self._by_id[one] for one in sorted(wanted)}
        return {one: item for one, item in found.items() if item is not None}

    def places(self) -> dict[str, str]:
        """Location id → name."""
        if self._places is None:
            self._places = {row["id"]: row.get("name", "") for row in self.queries.rows(_PLACES, goods=True)}
        return self._places

    def place(self, told: str) -> str:
        """The id of a location that is told by its id or its name. Raises ``Rejected``."""
        places = self.places()
        if told in places:
            return told
        for number, name in places.items():
            if name == told:
                return number
        raise Rejected("The ERP has no such place.", fields=[FieldFault("location", f"{told[:40]} is no location")])

    def kits(self) -> dict[str, list[tuple[str, int]]]:
        """Kit's SKU → SKU and number of each member. Raises ``Rejected`` for a kit that holds parts of a unit."""
        if self._kits is None:
            rows = list(self.queries.rows(_MEMBERS, goods=True))
            parents = self.by_ids(row["parentitem"] for row in rows)
            found: dict[str, list[tuple[str, int]]] = {}
            for row in rows:
                kit, number = parents.get(row["parentitem"]), suiteql.units(row.get("quantity"))
                if kit is None:
                    continue
                if number <= 0 or number != number.to_integral_value():
                    raise Rejected("A kit holds parts of a unit.", fields=[FieldFault("quantity", kit.sku[:60])])
                found.setdefault(kit.sku, []).append((row.get("itemid", ""), int(number)))
            self._kits = found
        return self._kits

    def _keep(self, column: str, values: set[str]) -> None:
        for row in self.queries.named(_ITEMS, column, values, goods=True):
            item = Item(row["id"], row.get("itemid", ""), row.get("itemtype") in _GOODS, row.get("isinactive") != "T")
            self._by_id[item.id] = item
            known = self._by_sku.get(item.sku)
            if known is None or not known.active:
                self._by_sku[item.sku] = item
