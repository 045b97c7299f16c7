"""Calls at random about a shop's customers: mostly what they could ask for, often a bit wrong, sometimes nonsense."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from evals.tau2.cases import Shop
from evals.tau2.shapes import TOOLS, Json

_SLIP: Final = 0.08
"""How often one argument is not what it should be."""
_NONSENSE: Final = 0.04
_REASONS: Final = ("no longer needed", "ordered by mistake")
_WRONG_REASONS: Final = ("changed my mind", "", "No longer needed", "no longer needed ")
_ODD: Final = (
    "",
    " ",
    "#W0000000",
    "#",
    "null",
    "0",
    "é" * 40,
    "a" * 5_000,
    "'; DROP TABLE orders; --",
    "{}",
    "\x00",
    "😀",
)
_NEVER: Final = ("a" * 5_000, "\x00", "\ud800")
_NO_TEXT: Final[tuple[Any, ...]] = (None, 0, 7, -1.5, True, [], {}, [""], {"id": "x"})
_ADDRESSES: Final[tuple[dict[str, str], ...]] = (
    {},
    {},
    {"address2": ""},
    {"country": "United States"},
    {"zip": "00501"},
    {"country": "usa"},
    {"city": "Austin", "state": "Texas", "zip": "78701-1234"},
    {"state": "tx"},
    {"address1": "12  Elm  St ", "address2": "c/o \u00c9lise \u674e"},
    {"city": "Toronto", "state": "Ontario", "zip": "M5V 2T6", "country": "Canada"},
    {"state": "Atlantis"},
    {"zip": "m5v"},
    {"city": "", "country": ""},
    {"address1": " ", "address2": "", "city": "", "state": "", "zip": ""},
)
"""How else an address may be said: in other words, in impossible ones, not at all."""
_SUMS: Final = (
    "{a} + {b}", "{a} - {b}", "({a} + {b}) * 2", "{a} / 3", "-{a}", "{a} * 0.1 + {b}", "{a}",
    "{a} +", "2 ** 8", "{a} // 2", "1 / 0", "abs({a})", "(", "{a} {b}", "",
)  # fmt: skip
_WEIGHTS: Final[Mapping[str, int]] = {
    "modify_pending_order_items": 8,
    "exchange_delivered_order_items": 8,
    "return_delivered_order_items": 7,
    "cancel_pending_order": 5,
    "modify_pending_order_payment": 6,
    "modify_pending_order_address": 3,
    "modify_user_address": 2,
    "get_order_details": 2,
    "get_user_details": 2,
}
"""The others weigh one."""


class Chance:
    """What can happen in ``shop``, by ``rng``."""

    def __init__(self, rng: random.Random, shop: Shop) -> None:
        self._rng = rng
        self._shop = shop
        self._users = list(shop.db["users"])
        self._orders = list(shop.db["orders"])
        self._products = list(shop.db["products"])

    def customers(self) -> list[str]:
        """One, or now and then two; seldom somebody who never bought."""
        return self._rng.sample(self._users, min(len(self._users), 2 if self._rng.random() < 0.2 else 1))

    def call(self, state: Json, users: Sequence[str]) -> tuple[str, Json]:
        """A tool's name and its arguments, fitting ``state`` more often than not."""
        user = state["users"][self._rng.choice(users)]
        name = self._name(state, user)
        arguments = self._arguments(name, state, user)
        if self._rng.random() < _NONSENSE:
            return name, self._nonsense(arguments)
        for key in arguments:
            if self._rng.random() < _SLIP and not ("address1" in arguments and key not in ("order_id", "user_id")):
                arguments[key] = self._slip(key, arguments[key], state)
        return name, arguments

    def _name(self, state: Json, user: Json) -> str:
        """A tool: most often one that an order of theirs is ready for."""
        names = [*TOOLS, "delete_order"]
        weights = [_WEIGHTS.get(name, 1) for name in names]
        for _ in range(3):
            name = self._rng.choices(names, weights)[0]
            if self._fitting(name, state, user):
                break
        return name

    def _arguments(self, name: str, state: Json, user: Json) -> dict[str, Any]:
        wanted = TOOLS.get(name, ("order_id",))
        order = self._order(name, state, user)
        made: dict[str, Any] = {}
        if "item_ids" in wanted:
            made["item_ids"] = self._lines(order)
        if "new_item_ids" in wanted:
            made["new_item_ids"] = [self._other(order, item_id) for item_id in made["item_ids"]]
        if "zip" in wanted and "address1" in wanted:
            made |= self._address()
        makers: dict[str, Callable[[], str]] = {
            "order_id": lambda: order["order_id"] if order else self._rng.choice(self._orders),
            "user_id": lambda: user["user_id"],
            "payment_method_id": lambda: self._method(name, order, user),
            "reason": lambda: self._rng.choice(_REASONS),
            "email": lambda: self._cased(user["email"]),
            "first_name": lambda: self._cased(user["name"]["first_name"]),
            "last_name": lambda: self._cased(user["name"]["last_name"]),
            "zip": lambda: user["address"]["zip"],
            "product_id": lambda: self._rng.choice(self._products),
            "item_id": lambda: self._some_items(1)[0],
            "expression": self._sum,
            "summary": lambda: "They want something that cannot be done here.",
        }  # fmt: skip
        return {key: made[key] if key in made else makers[key]() for key in wanted}

    def _order(self, name: str, state: Json, user: Json) -> Json:
        """One of theirs, most often one of the right status."""
        mine, fitting = self._fitting("", state, user), self._fitting(name, state, user)
        return self._rng.choice(fitting if fitting and self._rng.random() < 0.85 else mine) if mine else None

    def _fitting(self, name: str, state: Json, user: Json) -> list[Json]:
        """Their orders whose status the tool's name speaks of."""
        mine = [state["orders"][order_id] for order_id in user["orders"]]
        word = "pending" if "pending" in name else "delivered" if "delivered" in name else ""
        return [order for order in mine if word in order["status"]]

    def _method(self, name: str, order: Json, user: Json) -> str:
        """One of theirs; for a change of the payment most often one that did not pay."""
        mine: list[str] = list(user["payment_methods"]) or [""]
        paid = {entry["payment_method_id"] for entry in order["payment_history"]} if order else set()
        others = [method_id for method_id in mine if method_id not in paid]
        changes = name == "modify_pending_order_payment" and others and self._rng.random() < 0.85
        return self._rng.choice(others if changes else mine)

    def _lines(self, order: Json) -> list[str]:
        items: list[str] = [line["item_id"] for line in order["items"]] if order else self._some_items(1)
        return self._rng.sample(items, self._rng.randint(1, len(items)))

    def _other(self, order: Json, item_id: str) -> str:
        """A variant of the same product: more often one that is sold."""
        products = [line["product_id"] for line in (order["items"] if order else []) if line["item_id"] == item_id]
        variants = self._shop.db["products"][products[0] if products else self._rng.choice(self._products)]["variants"]
        every: list[str] = list(variants)
        sold = [key for key in every if variants[key]["available"]]
        return self._rng.choice(sold if sold and self._rng.random() < 0.9 else every)

    def _some_items(self, count: int) -> list[str]:
        variants = [key for product in self._shop.db["products"].values() for key in product["variants"]]
        return self._rng.sample(variants, count)

    def _address(self) -> dict[str, str]:
        found: dict[str, str] = dict(self._shop.db["users"][self._rng.choice(self._users)]["address"])
        return found | self._rng.choice(_ADDRESSES)

    def _sum(self) -> str:
        amounts = {key: f"{self._rng.randint(1, 99_999) / 100:.2f}" for key in "ab"}
        return self._rng.choice(_SUMS).format(**amounts)

    def _cased(self, text: str) -> str:
        return self._rng.choice((text, text, text.upper(), text.lower(), text.swapcase()))

    def _slip(self, key: str, value: Any, state: Json) -> Any:
        """Something a model could have said by mistake."""
        if key == "order_id":
            return self._rng.choice((self._rng.choice(self._orders), value.lower(), *self._rng.choices(_ODD, k=2)))
        if key == "reason":
            return self._rng.choice(_WRONG_REASONS)
        if isinstance(value, list):
            return self._other_list(value)
        if key == "payment_method_id":
            stranger = state["users"][self._rng.choice(list(state["users"]))]
            methods = [*stranger["payment_methods"], "gift_card_0000000", "original", value.upper()]
            return self._rng.choice(methods)
        return self._rng.choice((*_ODD, f" {value}", f"{value} "))

    def _other_list(self, value: list[str]) -> Any:
        shuffled = self._rng.sample(value, len(value))
        return self._rng.choice(
            (value[:-1], [*value, value[0]], [*value, *self._some_items(1)], shuffled, self._some_items(len(value)))
        )

    def _nonsense(self, arguments: dict[str, Any]) -> Json:
        """Arguments that are none."""
        key = self._rng.choice(list(arguments) or ["order_id"])
        return self._rng.choice(
            (
                {name: value for name, value in arguments.items() if name != key},
                arguments | {"comment": "please"},
                arguments | {key: self._rng.choice(_NO_TEXT)},
                arguments | {key: self._rng.choice(_NEVER)},
                self._rng.choice((None, [], "x", 3)),
            )
        )
