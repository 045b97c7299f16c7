"""What an account holds: records, stock, keys. Amounts are decimals, as the REST services speak them."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final

from engine.sync.sandbox.wire import Json

ZERO: Final = Decimal(0)


@dataclass
class Line:
    """A line of a transaction. ``done`` is what was fulfilled or received, ``arrived`` what a transfer order's other
    end received, ``order_line`` the line it was made from. A ``charge`` is nothing that lies on a shelf.
    """

    number: int
    fields: Json
    quantity: Decimal = ZERO
    done: Decimal = ZERO
    billed: Decimal = ZERO
    arrived: Decimal = ZERO
    committed: Decimal = ZERO
    closed: bool = False
    order_line: int | None = None
    charge: bool = False

    @property
    def item(self) -> int:
        return int(self.fields["item"]["id"])

    @property
    def location(self) -> int | None:
        found = self.fields.get("location")
        return int(found["id"]) if found else None

    @property
    def left(self) -> Decimal:
        return ZERO if self.closed or self.charge else max(self.quantity - self.done, ZERO)

    @property
    def billable(self) -> Decimal:
        """What left and is not billed; of a charge, what is not billed."""
        if self.charge:
            return ZERO if self.closed else self.quantity - self.billed
        return self.done - self.billed

    @property
    def amount(self) -> Decimal:
        return Decimal(self.fields.get("amount") or ZERO)


@dataclass
class Record:
    kind: str
    id: int
    fields: Json
    created_at: datetime
    modified_at: datetime
    lines: list[Line] = field(default_factory=list)
    sublists: dict[str, list[Json]] = field(default_factory=dict)
    external_id: str | None = None
    status: str = ""
    parent: Record | None = None

    def line(self, number: int) -> Line | None:
        return next((one for one in self.lines if one.number == number), None)

    def ref(self) -> Json:
        name = (
            self.fields.get("tranId")
            or self.fields.get("itemId")
            or self.fields.get("name")
            or self.fields.get("entityId")
        )
        return {"id": str(self.id), "refName": str(name or self.id)}


@dataclass
class Balance:
    on_hand: Decimal = ZERO
    committed: Decimal = ZERO

    @property
    def available(self) -> Decimal:
        return self.on_hand - self.committed


@dataclass
class Keys:
    """Whom the account lets in: certificates by their ids for a client, and one set of tokens."""

    client_id: str = ""
    certificates: dict[str, str] = field(default_factory=dict)
    consumer_key: str = ""
    consumer_secret: str = ""
    token_id: str = ""
    token_secret: str = ""


@dataclass
class AccountState:
    account: str
    keys: Keys
    rng: random.Random
    concurrency: int = 5
    prefixed_status: bool = True
    approves_orders: bool = False
    allow_overage: bool = False
    custom_fields: frozenset[str] = frozenset()
    lists: dict[str, dict[int, str]] = field(default_factory=dict)
    records: dict[str, dict[int, Record]] = field(default_factory=dict)
    external: dict[tuple[str, str], int] = field(default_factory=dict)
    balances: dict[tuple[int, int], Balance] = field(default_factory=dict)
    bearers: dict[str, datetime] = field(default_factory=dict)
    nonces: set[str] = field(default_factory=set)
    jobs: dict[str, Json] = field(default_factory=dict)
    job_keys: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    next_id: int = 1

    def kind(self, name: str) -> dict[int, Record]:
        return self.records.setdefault(name, {})

    def balance(self, item: int, location: int) -> Balance:
        return self.balances.setdefault((item, location), Balance())

    def take_id(self) -> int:
        self.next_id += 1
        return self.next_id - 1

    def take_number(self, prefix: str) -> str:
        self.numbers[prefix] = self.numbers.get(prefix, 1000) + 1
        return f"{prefix}{self.numbers[prefix]}"

    def item(self, number: int) -> Record | None:
        kinds = ("inventoryItem", "kitItem", "otherChargeSaleItem")
        return next((self.kind(one)[number] for one in kinds if number in self.kind(one)), None)

    def is_charge(self, item: int) -> bool:
        return item in self.kind("otherChargeSaleItem")
