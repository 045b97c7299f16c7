"""An independent model of the benchmark's rules: plain Python over its own document, nothing of ours beneath it.

Written from the rules' description alone, with honest answers where the benchmark has known faults: each replaced line
takes its own variant's price, differences are whole cents, a cancelled order gives back what each method still holds,
sums are parsed, and the original method is the one that holds the money.
"""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Final, Self

from evals.tau2 import arithmetic
from evals.tau2.reasons import Reason
from evals.tau2.shapes import LISTS, TOOLS, Json, Outcome, in_cents, in_units

Row = dict[str, Any]
_PENDING: Final = "pending"
_DELIVERED: Final = "delivered"
_MODIFIED: Final = "pending (item modified)"
_REASONS: Final = ("no longer needed", "ordered by mistake")
_LONGEST: Final = 1_000
_LONGEST_SUMMARY: Final = 20_000
_NO_TEXT: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_ADDRESS: Final = ("address1", "address2", "city", "country", "state", "zip")


class Refused(Exception):
    """A call that the rules do not allow."""

    def __init__(self, reason: Reason, words: str) -> None:
        super().__init__(words)
        self.reason = reason


class Model:
    """The sixteen tools on a document of ``products``, ``users`` and ``orders``."""

    def __init__(self) -> None:
        self._db: Row = {"products": {}, "users": {}, "orders": {}}
        self._sold: Json = {}
        self._products: Row = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def reset(self, db: Json) -> None:
        """Start from ``db``, which stays untouched."""
        if db["products"] is not self._sold:
            self._sold, self._products = db["products"], in_cents(db["products"])
        self._db = {"products": self._products, "users": in_cents(db["users"]), "orders": in_cents(db["orders"])}

    @property
    def state(self) -> Row:
        """What it holds now, money in cents: to look at."""
        return self._db

    def export(self) -> Json:
        """The state in the benchmark's shape."""
        return {"products": self._sold, "users": in_units(self._db["users"]), "orders": in_units(self._db["orders"])}

    def close(self) -> None:
        """Nothing is held."""

    def call(self, name: str, arguments: Json) -> Outcome:
        """``(result, None)``, or the error and its reason. Never raises; a refusal changes nothing."""
        try:
            result = self._tool(name)(**_checked(name, arguments))
        except Refused as refused:
            return f"Error: {refused}", refused.reason.value
        return (result if isinstance(result, str) else json.dumps(in_units(result))), None

    def _tool(self, name: str) -> Callable[..., str | Row]:
        if not isinstance(name, str) or name not in TOOLS:
            raise Refused(Reason.MALFORMED, f"Tool '{name}' not found.")
        tool: Callable[..., str | Row] = getattr(self, f"_{name}")
        return tool

    def _find_user_id_by_email(self, email: str) -> str:
        return self._user_where(lambda user: user["email"].lower() == email.lower())

    def _find_user_id_by_name_zip(self, first_name: str, last_name: str, zip: str) -> str:  # noqa: A002 (the tool's)
        wanted = (first_name.lower(), last_name.lower(), zip)
        return self._user_where(
            lambda user: (
                wanted
                == (user["name"]["first_name"].lower(), user["name"]["last_name"].lower(), user["address"]["zip"])
            )
        )

    def _user_where(self, fits: Callable[[Row], bool]) -> str:
        for user_id, user in self._db["users"].items():
            if fits(user):
                return str(user_id)
        raise Refused(Reason.NOT_FOUND, "User not found")

    def _get_user_details(self, user_id: str) -> Row:
        return self._row("users", user_id)

    def _get_order_details(self, order_id: str) -> Row:
        return self._row("orders", order_id)

    def _get_product_details(self, product_id: str) -> Row:
        return self._row("products", product_id)

    def _row(self, table: str, key: str) -> Row:
        if key not in self._db[table]:
            raise Refused(Reason.NOT_FOUND, f"{table[:-1].capitalize()} not found")
        row: Row = self._db[table][key]
        return row

    def _get_item_details(self, item_id: str) -> Row:
        for product in self._db["products"].values():
            if item_id in product["variants"]:
                variant: Row = product["variants"][item_id]
                return variant
        raise Refused(Reason.NOT_FOUND, "Item not found")

    def _list_all_product_types(self) -> str:
        names = {product["name"]: product["product_id"] for product in self._db["products"].values()}
        return json.dumps(names, sort_keys=True)

    def _calculate(self, expression: str) -> str:
        try:
            return arithmetic.calculate(expression)
        except arithmetic.NoSum as error:
            raise Refused(Reason.MALFORMED, str(error)) from None

    def _transfer_to_human_agents(self, summary: str) -> str:  # noqa: ARG002 (nothing is done with it)
        return "Transfer successful"

    def _cancel_pending_order(self, order_id: str, reason: str) -> Row:
        order = self._row("orders", order_id)
        if order["status"] != _PENDING:
            raise Refused(Reason.WRONG_STATUS, "Non-pending order cannot be cancelled")
        if reason not in _REASONS:
            raise Refused(Reason.INVALID_REASON, "Invalid reason")
        for method_id, amount in self._gives_back(order):
            self._move(order, method_id, -amount)
        order |= {"status": "cancelled", "cancel_reason": reason}
        return order

    def _modify_pending_order_address(self, order_id: str, **address: str) -> Row:
        order = self._row("orders", order_id)
        _require_changeable(order)
        order["address"] = {field: address[field] for field in _ADDRESS}
        return order

    def _modify_user_address(self, user_id: str, **address: str) -> Row:
        user = self._row("users", user_id)
        user["address"] = {field: address[field] for field in _ADDRESS}
        return user

    def _modify_pending_order_payment(self, order_id: str, payment_method_id: str) -> Row:
        order = self._row("orders", order_id)
        _require_changeable(order)
        method = self._method(order, payment_method_id)
        if [entry["transaction_type"] for entry in order["payment_history"]] != ["payment"]:
            raise Refused(Reason.WRONG_STATUS, "There should be exactly one payment for a pending order")
        paid = order["payment_history"][0]
        if paid["payment_method_id"] == payment_method_id:
            raise Refused(Reason.SAME_ITEM, "The new payment method should be different from the current one")
        _require_cover(method, paid["amount"], "the order")
        self._move(order, payment_method_id, paid["amount"])
        self._move(order, paid["payment_method_id"], -paid["amount"])
        return order

    def _modify_pending_order_items(
        self, order_id: str, item_ids: list[str], new_item_ids: list[str], payment_method_id: str
    ) -> Row:
        order = self._row("orders", order_id)
        if order["status"] != _PENDING:
            raise Refused(Reason.WRONG_STATUS, "Non-pending order cannot be modified")
        pairs = self._pairs(order, item_ids, new_item_ids, must_differ=True)
        method = self._method(order, payment_method_id)
        difference = _difference(pairs)
        _require_cover(method, difference, "the new item")
        self._move(order, payment_method_id, difference)
        self._replace(pairs)
        order["status"] = _MODIFIED
        return order

    def _replace(self, pairs: list[tuple[Row, Row]]) -> None:
        for line, variant in pairs:
            line |= {key: copy.copy(variant[key]) for key in ("item_id", "price", "options")}

    def _return_delivered_order_items(self, order_id: str, item_ids: list[str], payment_method_id: str) -> Row:
        order = self._row("orders", order_id)
        if order["status"] != _DELIVERED:
            raise Refused(Reason.WRONG_STATUS, "Non-delivered order cannot be returned")
        method = self._method(order, payment_method_id)
        if method["source"] != "gift_card" and payment_method_id not in self._originals(order):
            raise Refused(Reason.NOT_OWNED_METHOD, "Payment method should be the original payment method")
        _require_lines(order, item_ids)
        order |= {
            "status": "return requested",
            "return_items": sorted(item_ids),
            "return_payment_method_id": payment_method_id,
        }
        return order

    def _exchange_delivered_order_items(
        self, order_id: str, item_ids: list[str], new_item_ids: list[str], payment_method_id: str
    ) -> Row:
        order = self._row("orders", order_id)
        if order["status"] != _DELIVERED:
            raise Refused(Reason.WRONG_STATUS, "Non-delivered order cannot be exchanged")
        difference = _difference(self._pairs(order, item_ids, new_item_ids, must_differ=False))
        _require_cover(self._method(order, payment_method_id), difference, "the price difference")
        order |= {
            "status": "exchange requested",
            "exchange_items": sorted(item_ids),
            "exchange_new_items": sorted(new_item_ids),
            "exchange_payment_method_id": payment_method_id,
            "exchange_price_difference": difference,
        }
        return order

    def _gives_back(self, order: Row) -> list[tuple[str, int]]:
        """What a cancelled order gives back, to whom."""
        return list(_held(order).items())

    def _originals(self, order: Row) -> set[str]:
        """The methods that the order was paid with."""
        return set(_held(order))

    def _pairs(
        self, order: Row, item_ids: list[str], new_item_ids: list[str], *, must_differ: bool
    ) -> list[tuple[Row, Row]]:
        """Each line that is given up, with the variant that takes its place."""
        lines = _require_lines(order, item_ids)
        if len(item_ids) != len(new_item_ids):
            raise Refused(Reason.COUNT_MISMATCH, "The number of items to be exchanged should match")
        return [
            (line, self._variant_for(line, new, must_differ=must_differ))
            for line, new in zip(lines, new_item_ids, strict=True)
        ]

    def _variant_for(self, line: Row, item_id: str, *, must_differ: bool) -> Row:
        if must_differ and line["item_id"] == item_id:
            raise Refused(Reason.SAME_ITEM, "The new item id should be different from the old item id")
        variant: Row | None = self._db["products"][line["product_id"]]["variants"].get(item_id)
        if variant is None:
            raise Refused(Reason.WRONG_PRODUCT, "Variant not found")
        if not variant["available"]:
            raise Refused(Reason.UNAVAILABLE, f"New item {item_id} not found or available")
        return variant

    def _method(self, order: Row, method_id: str) -> Row:
        methods: dict[str, Row] = self._db["users"][order["user_id"]]["payment_methods"]
        if method_id not in methods:
            raise Refused(Reason.NOT_OWNED_METHOD, "Payment method not found")
        return methods[method_id]

    def _move(self, order: Row, method_id: str, amount: int) -> None:
        """Take ``amount`` cents from a method, or give them back where it is not above zero."""
        kind = "payment" if amount > 0 else "refund"
        order["payment_history"].append(
            {"transaction_type": kind, "amount": abs(amount), "payment_method_id": method_id}
        )
        method = self._method(order, method_id)
        if method["source"] == "gift_card":
            method["balance"] -= amount


def _checked(name: str, arguments: Json) -> dict[str, Any]:
    """The arguments, every one there and of its kind."""
    if not isinstance(arguments, dict) or set(arguments) != set(TOOLS.get(name, ())):
        raise Refused(Reason.MALFORMED, f"Wrong arguments for {name}")
    for key, value in arguments.items():
        longest = _LONGEST_SUMMARY if key == "summary" else _LONGEST
        texts = value if isinstance(value, list) else [value]
        if isinstance(value, list) != (key in LISTS) or not all(_is_text(one, longest) for one in texts):
            raise Refused(Reason.MALFORMED, f"Wrong kind of {key}")
    return arguments


def _is_text(value: Json, longest: int) -> bool:
    """Whether it is a text that can be kept: no control characters, no halves of characters, and not endless."""
    return isinstance(value, str) and len(value) <= longest and not _NO_TEXT.search(value)


def _held(order: Row) -> dict[str, int]:
    """What each method still holds of the order, in the order of their first payments."""
    held: Counter[str] = Counter()
    for entry in order["payment_history"]:
        sign = 1 if entry["transaction_type"] == "payment" else -1
        held[entry["payment_method_id"]] += sign * entry["amount"]
    return {method_id: amount for method_id, amount in held.items() if amount > 0}


def _require_changeable(order: Row) -> None:
    if _PENDING not in order["status"]:
        raise Refused(Reason.WRONG_STATUS, "Non-pending order cannot be modified")


def _require_lines(order: Row, item_ids: Sequence[str]) -> list[Row]:
    """The order's line for each id: the second of an id is the second line that has it."""
    waiting: dict[str, Iterator[Row]] = {
        item_id: iter([line for line in order["items"] if line["item_id"] == item_id]) for item_id in item_ids
    }
    lines = [next(waiting[item_id], None) for item_id in item_ids]
    found = [line for line in lines if line is not None]
    if not found or len(found) != len(lines):
        raise Refused(Reason.COUNT_MISMATCH, "Some item not found")
    return found


def _difference(pairs: Sequence[tuple[Row, Row]]) -> int:
    return sum(variant["price"] - line["price"] for line, variant in pairs)


def _require_cover(method: Row, amount: int, what: str) -> None:
    if method["source"] == "gift_card" and method["balance"] < amount:
        raise Refused(Reason.INSUFFICIENT_BALANCE, f"Insufficient gift card balance to pay for {what}")
