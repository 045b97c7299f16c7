"""What a fault does to something said: cut it, bend a field of it, change its currency."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, Final

from engine.sync.sandbox.faults import Kind, Rule
from engine.sync.sandbox.wire import Json

_CURRENCY: Final = frozenset({"currency", "currencyCode", "currency_code", "presentment_currency"})


def bend(said: Any, rule: Rule) -> Any:
    """A changed copy of ``said``."""
    bent = copy.deepcopy(said)
    if rule.kind is Kind.CURRENCY_MISMATCH:
        _recolor(bent, str(rule.params.get("currency", "CAD")))
    else:
        _drift(bent, rule.params)
    return bent


def _recolor(said: Any, currency: str) -> None:
    for part in _dicts(said):
        for name in _CURRENCY & part.keys():
            old = part[name]
            part[name] = {"id": currency, "refName": currency} if isinstance(old, dict) else currency


def _drift(said: Any, params: Json) -> None:
    """``op`` add, remove or null at ``path``: names joined by dots, ``*`` for each of a list, ``**`` for anywhere."""
    *parents, name = str(params["path"]).split(".")
    for part in _at(said, parents):
        if isinstance(part, dict) and (params["op"] == "add" or name in part):
            _change(part, name, params)


def _change(part: Json, name: str, params: Json) -> None:
    match params["op"]:
        case "add":
            part[name] = params.get("value", "unheard of")
        case "remove":
            part.pop(name)
        case _:
            part[name] = None


def _at(said: Any, path: list[str]) -> Iterator[Any]:
    if not path:
        yield said
    elif path[0] == "**":
        yield from _dicts(said)
    elif path[0] == "*" and isinstance(said, list):
        for one in said:
            yield from _at(one, path[1:])
    elif isinstance(said, dict) and path[0] in said:
        yield from _at(said[path[0]], path[1:])


def _dicts(said: Any) -> Iterator[Json]:
    if isinstance(said, dict):
        yield said
        for value in list(said.values()):
            yield from _dicts(value)
    elif isinstance(said, list):
        for value in said:
            yield from _dicts(value)
