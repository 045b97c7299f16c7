"""The benchmark's documents: its calls' signatures, its money in whole cents, and what differs between two states."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

Json = Any
Outcome = tuple[Json, str | None]
"""What a call gave, and why it was refused."""

_ADDRESS: Final = ("address1", "address2", "city", "state", "country", "zip")
_CHANGE: Final = ("order_id", "item_ids", "new_item_ids", "payment_method_id")
READS: Final[Mapping[str, tuple[str, ...]]] = {
    "find_user_id_by_email": ("email",),
    "find_user_id_by_name_zip": ("first_name", "last_name", "zip"),
    "get_user_details": ("user_id",),
    "get_order_details": ("order_id",),
    "get_product_details": ("product_id",),
    "get_item_details": ("item_id",),
    "list_all_product_types": (),
    "calculate": ("expression",),
    "transfer_to_human_agents": ("summary",),
}
WRITES: Final[Mapping[str, tuple[str, ...]]] = {
    "cancel_pending_order": ("order_id", "reason"),
    "modify_pending_order_address": ("order_id", *_ADDRESS),
    "modify_pending_order_payment": ("order_id", "payment_method_id"),
    "modify_pending_order_items": _CHANGE,
    "modify_user_address": ("user_id", *_ADDRESS),
    "return_delivered_order_items": ("order_id", "item_ids", "payment_method_id"),
    "exchange_delivered_order_items": _CHANGE,
}
TOOLS: Final[Mapping[str, tuple[str, ...]]] = {**READS, **WRITES}
LISTS: Final = frozenset({"item_ids", "new_item_ids"})
MONEY: Final = frozenset({"amount", "price", "balance", "exchange_price_difference"})
TRANSFER: Final = "transfer_to_human_agents"


def cents(amount: float) -> int:
    """An amount of the benchmark in whole cents: its binary noise is far below half of one."""
    return round(amount * 100)


def in_cents(value: Json) -> Json:
    """A document with its money in cents and without what is ``null``."""
    if isinstance(value, dict):
        return {
            key: cents(one) if key in MONEY and isinstance(one, int | float) else in_cents(one)
            for key, one in value.items()
            if one is not None
        }
    return [in_cents(one) for one in value] if isinstance(value, list) else value


def in_units(value: Json) -> Json:
    """The same with its money as the benchmark writes it: numbers of at most two decimals."""
    if isinstance(value, dict):
        return {
            key: one / 100 if key in MONEY and isinstance(one, int) else in_units(one) for key, one in value.items()
        }
    return [in_units(one) for one in value] if isinstance(value, list) else value


def comparable(result: Json) -> Json:
    """A call's result as it is compared: the JSON in a text is read, money in cents, no nulls."""
    if isinstance(result, str):
        try:
            read = json.loads(result)
        except ValueError:
            return result
        return in_cents(read) if isinstance(read, dict | list) else result
    return in_cents(result)


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where two documents differ."""

    path: str
    expected: Json
    found: Json

    def __str__(self) -> str:
        return f"{self.path}: expected {_short(self.expected)}, found {_short(self.found)}"

    def as_json(self) -> dict[str, Json]:
        return {"path": self.path, "expected": self.expected, "found": self.found}


def differences(expected: Json, found: Json, path: str = "") -> Iterator[Difference]:
    """Every place where ``found`` is not ``expected``, deepest first named; ``None`` stands for nothing there."""
    if expected == found and type(expected) is type(found):
        return
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in [*expected, *(key for key in found if key not in expected)]:
            yield from differences(expected.get(key), found.get(key), f"{path}/{key}")
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for place, (one, other) in enumerate(zip(expected, found, strict=True)):
            yield from differences(one, other, f"{path}/{place}")
    else:
        yield Difference(path or "/", expected, found)


def _short(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return "nothing" if value is None else text if len(text) <= 200 else f"{text[:200]}…"
