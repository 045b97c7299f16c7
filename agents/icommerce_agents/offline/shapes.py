"""What a result is, by the fields it has: for calls of tools that this request does not list (another agent's)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from icommerce_agents.offline.abilities import abilities

Json = dict[str, Any]


def ability_of(name: str, value: Json) -> str:
    """The name itself where it is an ability's, else the ability whose results look like this one."""
    if name in abilities() or not value:
        return name
    return next((ability for ability, fits in _SHAPES.items() if fits(value)), name)


def rows(value: Json, *keys: str) -> list[Json]:
    """The first list of objects among ``keys``, or of any field."""
    named = [value.get(key) for key in keys] or list(value.values())
    found = next((one for one in named if isinstance(one, list) and one and isinstance(one[0], dict)), [])
    return [row for row in found if isinstance(row, dict)]


def coded(value: Any) -> list[tuple[str, str]]:
    """Codes with their texts, however they are listed: a mapping, objects, or codes alone."""
    if isinstance(value, dict):
        return [(str(code), str(text)) for code, text in value.items()]
    found = []
    for one in value or ():
        code, text = (one.get("code"), one.get("text") or one.get("code")) if isinstance(one, dict) else (one, one)
        found.append((str(code), str(text).replace("_", " ")))
    return found


def _first(value: Json) -> Json:
    return next(iter(rows(value)), {})


def _has(value: Json, *keys: str) -> bool:
    return all(key in value for key in keys)


_SHAPES: Final[Mapping[str, Callable[[Json], bool]]] = {
    "request_confirmation": lambda value: _has(value, "card", "payment_method", "total"),
    "get_checkout": lambda value: _has(value, "missing", "problems"),
    "add_to_cart": lambda value: _has(value, "lines", "item_count", "added"),
    "view_cart": lambda value: _has(value, "lines", "item_count"),
    "compare_products": lambda value: _has(value, "items", "rows"),
    "search_products": lambda value: _has(_first(value), "price", "options") and "items" in value,
    "get_product": lambda value: _has(value, "variants", "price"),
    "list_categories": lambda value: "categories" in value,
    "get_shop_info": lambda value: _has(value, "name", "ships_to") or "returns_policy" in value,
    "list_payment_methods": lambda value: "methods" in value,
    "get_order": lambda value: _has(value, "number", "placed", "lines"),
    "list_orders": lambda value: _has(_first(value), "number", "placed"),
    "list_warranties": lambda value: "symptoms" in value or "faults" in value,
    "get_return_options": lambda value: _has(value, "reasons", "lines"),
}
