"""What a warehouse account holds."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from engine.sync.sandbox.shopify.cost import Bucket
from engine.sync.sandbox.wire import Json


@dataclass
class Item:
    number: str
    description: str
    on_hand: int = 0
    serialized: bool = False


@dataclass
class OrderLine:
    number: int
    item: str
    description: str
    quantity: int
    price: str
    shipped: int = 0

    @property
    def left(self) -> int:
        return self.quantity - self.shipped


@dataclass
class Order:
    number: str
    given: Json
    lines: list[OrderLine]
    received_at: datetime
    modified_at: datetime
    stage: str = "Received"
    cancelled: bool = False
    shipments: list[Json] = field(default_factory=list)

    @property
    def left(self) -> int:
        return sum(line.left for line in self.lines)

    @property
    def shipped(self) -> bool:
        return bool(self.shipments) and not self.left


@dataclass
class Expected:
    """Goods that were announced: an ASN by its purchase order's number."""

    number: str
    given: Json
    lines: list[Json]
    announced_at: datetime
    version: int = 1
    received: dict[int, int] = field(default_factory=dict)


@dataclass
class Pace:
    """How the warehouse works."""

    picks_after: timedelta = timedelta(minutes=30)
    ships_after: timedelta = timedelta(hours=2)
    receives_after: timedelta = timedelta(hours=24)
    carton_units: int = 10
    short_rate: float = 0.0


@dataclass
class Warehouse:
    username: str
    password: str
    account_number: str
    rng: random.Random
    bucket: Bucket
    pace: Pace = field(default_factory=Pace)
    items: dict[str, Item] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    rmas: dict[str, Json] = field(default_factory=dict)
    expected: dict[str, Expected] = field(default_factory=dict)
    receipts: list[Json] = field(default_factory=list)
    cartons: int = 0
