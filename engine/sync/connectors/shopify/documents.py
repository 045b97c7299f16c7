"""The connector's GraphQL documents, each with the sizes it is sent with and the points that it may cost. None asks for
more than a quarter of a shop's bucket: then there is soon room for it, whoever else drinks of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Final

_PART: Final = re.compile(r"^(query|mutation|fragment) (\w+)", re.MULTILINE)
_SPREAD: Final = re.compile(r"\.\.\.(\w+)")


@dataclass(frozen=True, slots=True)
class Operation:
    """``cost`` is the most that it may be charged for, with ``sizes``; ``root`` is its one field."""

    name: str
    root: str
    cost: int
    sizes: Mapping[str, Any] = field(default_factory=dict)
    reads: bool = True
    repeatable: bool = False
    """It writes, and is done once however often it is sent."""
    in_full: bool = False
    """The journal keeps all that is answered: it is about goods alone."""

    @property
    def text(self) -> str:
        """The operation and the fragments that it needs, and nothing else."""
        return _text(self.name)


ORDER: Final = Operation("Order", "order", 435, {"first": 40})
ORDERS: Final = Operation("Orders", "orders", 460, {"first": 4, "lines": 8})
SHIPPING_LINES: Final = Operation("ShippingLines", "order", 321, {"first": 40})
TRANSACTIONS: Final = Operation("Transactions", "order", 4)
PARCELS: Final = Operation("Parcels", "order", 374, {"first": 5, "lines": 50})
WAITING_LINES: Final = Operation("WaitingLines", "fulfillmentOrder", 101, {"first": 100})
STOCK: Final = Operation("Stock", "inventoryItems", 480, {"first": 30, "levels": 5}, in_full=True)
LEVELS: Final = Operation("Levels", "inventoryItem", 301, {"first": 100}, in_full=True)
BUNDLES: Final = Operation("Bundles", "productVariants", 250, {"first": 250}, in_full=True)
PRODUCTS: Final = Operation("Products", "products", 488, {"first": 4, "variants": 30})
VARIANTS: Final = Operation("Variants", "productVariants", 400, {"first": 100})
SHOP: Final = Operation("Shop", "shop", 1)
SUBSCRIPTIONS: Final = Operation("Subscriptions", "webhookSubscriptions", 100, {"first": 100})
SUBSCRIBE: Final = Operation("Subscribe", "webhookSubscriptionCreate", 11, reads=False)
TAG: Final = Operation("Tag", "tagsAdd", 11, reads=False, repeatable=True)
SHIP: Final = Operation("Ship", "fulfillmentCreate", 11, reads=False)
SET_STOCK: Final = Operation("SetStock", "inventorySetQuantities", 11, reads=False)
ALL: Final = (
    ORDER,
    ORDERS,
    SHIPPING_LINES,
    TRANSACTIONS,
    PARCELS,
    WAITING_LINES,
    STOCK,
    LEVELS,
    BUNDLES,
    PRODUCTS,
    VARIANTS,
    SHOP,
    SUBSCRIPTIONS,
    SUBSCRIBE,
    TAG,
    SHIP,
    SET_STOCK,
)


@cache
def parts() -> Mapping[str, str]:
    """Name → text, of operations and fragments."""
    text = resources.files(__package__).joinpath("documents.graphql").read_text()
    starts = [*_PART.finditer(text)]
    ends = [one.start() for one in starts[1:]] + [len(text)]
    return {found[2]: text[found.start() : end].strip() for found, end in zip(starts, ends, strict=True)}


@cache
def _text(name: str) -> str:
    known, wanted, found = parts(), [name], list[str]()
    while wanted:
        one = wanted.pop(0)
        if one not in found:
            found.append(one)
            wanted += _SPREAD.findall(known[one])
    return "\n\n".join(known[one] for one in found)
