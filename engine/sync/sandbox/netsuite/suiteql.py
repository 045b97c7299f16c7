"""SuiteQL, honestly small: a fixed catalogue of query shapes. Whatever is not in it is refused, not guessed at.

A query is ``SELECT columns FROM shape [WHERE conditions joined by AND] [ORDER BY columns]``. The shapes are the keys of
``tables.CATALOGUE``; the columns of a shape are those of the rows it reads.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from engine.sync.sandbox.netsuite.errors import refuse
from engine.sync.sandbox.netsuite.state import AccountState
from engine.sync.sandbox.netsuite.tables import CATALOGUE, COLUMNS, LINKS, Fixed, Row
from engine.sync.sandbox.wire import Json

_QUERY: Final = re.compile(
    r"^\s*select\s+(?P<columns>.+?)\s+from\s+(?P<source>.+?)"
    r"(?:\s+where\s+(?P<where>.+?))?(?:\s+order\s+by\s+(?P<order>[\w.,\s]+))?\s*;?\s*$",
    re.IGNORECASE | re.DOTALL,
)
_COLUMN: Final = re.compile(
    r"^(?:builtin\.df\(\s*)?(?P<name>[\w.]+)(?P<shown>\s*\))?(?:\s+(?:as\s+)?(?P<alias>\w+))?$", re.IGNORECASE
)
_JOIN: Final = re.compile(
    r"^(?P<left>\w+)(?:\s+(?:as\s+)?(?P<a>\w+))?\s+(?:inner\s+)?join\s+(?P<right>\w+)(?:\s+(?:as\s+)?(?P<b>\w+))?\s+on\s+(?P<x>[\w.]+)\s*=\s*(?P<y>[\w.]+)$",
    re.IGNORECASE,
)
_TABLE: Final = re.compile(r"^(?P<table>\w+)(?:\s+(?:as\s+)?(?P<alias>\w+))?$", re.IGNORECASE)
_TERM: Final = re.compile(
    r"^(?P<name>[\w.]+)\s*(?:(?P<null>is\s+(?:not\s+)?null)|(?P<not>not\s+)?in\s*\((?P<many>.*)\)|(?P<sign><=|>=|<>|!=|=|<|>)\s*(?P<one>.+))$",
    re.IGNORECASE | re.DOTALL,
)
_LITERAL: Final = re.compile(r"^'((?:[^']|'')*)'$|^(-?\d+(?:\.\d+)?)$")
_TIME: Final = re.compile(r"^to_(?:date|timestamp)\(\s*('(?:[^']|'')*')\s*,\s*'[^']*'\s*\)$", re.IGNORECASE)
_AND: Final = re.compile(r"\s+and\s+", re.IGNORECASE)
_WORDS: Final = re.compile(r"'(?:[^']|'')*'")


Term = tuple[Callable[[Row], bool], str, list[Any] | None]


@dataclass(frozen=True)
class Query:
    source: str
    columns: list[tuple[str, str, bool]]
    tests: list[Callable[[Row], bool]]
    fixed: Fixed
    order: list[tuple[str, bool]]


def run(state: AccountState, text: Any) -> list[Json]:
    """The rows of a query: values as text, nulls left out, names in lower case. Raises ``Refused``."""
    if not isinstance(text, str):
        raise refuse("The query 'q' is missing.", "INVALID_PARAMETER", "q")
    query = read(text)
    rows = [row for row in CATALOGUE[query.source](state, query.fixed) if all(test(row) for test in query.tests)]
    for name, down in reversed(query.order):
        rows.sort(key=lambda row: _sortable(row.get(name)), reverse=down)
    return [_told(row, query.columns) for row in rows]


def read(text: str) -> Query:
    """A query of the catalogue. Raises ``Refused`` for any other."""
    found = _QUERY.match(text)
    if found is None:
        raise _unknown("it is not SELECT … FROM … WHERE … ORDER BY …")
    source, aliases = _source(" ".join(found["source"].split()))
    columns = COLUMNS[source]
    chosen = [_column(part, aliases, columns) for part in _split(found["columns"])]
    terms = [_test(part, aliases, columns) for part in _conjunction(found["where"] or "")]
    order = [_order(part, aliases, columns) for part in (found["order"] or "").split(",") if part.strip()]
    fixed = {name: frozenset(map(str, values)) for _, name, values in terms if values is not None}
    return Query(source, chosen, [test for test, _, _ in terms], fixed, order)


def _unknown(why: str) -> Exception:
    known = "; ".join(sorted(CATALOGUE))
    return refuse(
        f"The sandbox has a fixed catalogue of query shapes, and this is none of them: {why}. Known: {known}.",
        "INVALID_PARAMETER",
        "q",
    )


def _source(text: str) -> tuple[str, dict[str, str]]:
    """The shape, and what each alias stands before its columns for."""
    joined = _JOIN.match(text)
    if joined:
        source = f"{joined['left']} join {joined['right']}".lower()
        aliases = {
            (joined["a"] or joined["left"]).lower(): "",
            (joined["b"] or joined["right"]).lower(): f"{joined['right'].lower()}.",
        }
        linked = {_qualified(joined[side], aliases) for side in ("x", "y")}
        if source in CATALOGUE and linked == LINKS[source]:
            return source, aliases
        raise _unknown(f"FROM {text}")
    plain = _TABLE.match(text)
    if plain is None or plain["table"].lower() not in CATALOGUE:
        raise _unknown(f"FROM {text}")
    return plain["table"].lower(), {(plain["alias"] or plain["table"]).lower(): ""}


def _qualified(name: str, aliases: dict[str, str]) -> str:
    head, _, tail = name.lower().rpartition(".")
    return aliases.get(head, "") + tail if head else tail


def _known(name: str, aliases: dict[str, str], columns: frozenset[str]) -> str:
    full = _qualified(name, aliases)
    if full in columns or full.rpartition(".")[2].startswith("cust"):
        return full
    raise _unknown(f"there is no column {name}")


def _column(text: str, aliases: dict[str, str], columns: frozenset[str]) -> tuple[str, str, bool]:
    found = _COLUMN.match(text.strip())
    shown = text.strip().lower().startswith("builtin.df")
    if found is None or bool(found["shown"]) is not shown:
        raise _unknown(f"column {text.strip()}")
    name = _known(found["name"], aliases, columns)
    return name, (found["alias"] or found["name"].rpartition(".")[2]).lower(), shown


def _split(text: str) -> list[str]:
    return [part for part in re.split(r",(?![^(]*\))", text) if part.strip()]


def _conjunction(text: str) -> list[str]:
    """The conditions between the ANDs; what stands in quotes is not looked into."""
    if not text.strip():
        return []
    kept = _WORDS.findall(text)
    places = iter(range(len(kept)))
    hidden = _WORDS.sub(lambda _: f"\x00{next(places)}\x00", text)
    if re.search(r"\bor\b", hidden, re.IGNORECASE):
        raise _unknown("OR")
    back = re.compile("\x00(\\d+)\x00")
    return [back.sub(lambda mark: kept[int(mark[1])], part).strip() for part in _AND.split(hidden)]


def _order(text: str, aliases: dict[str, str], columns: frozenset[str]) -> tuple[str, bool]:
    name, _, way = text.strip().partition(" ")
    return _known(name, aliases, columns), way.strip().lower() == "desc"


def _test(text: str, aliases: dict[str, str], columns: frozenset[str]) -> Term:
    """A condition: its test, its column, and the values that it holds the column to, where it does."""
    found = _TERM.match(text)
    if found is None:
        raise _unknown(f"condition {text}")
    name = _known(found["name"], aliases, columns)
    if found["null"]:
        wanted = "not" not in found["null"].lower()
        return (lambda row: (row.get(name) is None) is wanted), name, None
    if found["many"] is not None:
        values = [_literal(part) for part in re.findall(r"'(?:[^']|'')*'|[^,]+", found["many"]) if part.strip()]
        among = not found["not"]
        test = lambda row: any(_equal(name, row.get(name), one) for one in values) is among  # noqa: E731 (as below)
        return test, name, values if among else None
    value = _literal(found["one"])
    return _compared(name, found["sign"], value), name, [value] if found["sign"] == "=" else None


def _literal(text: str) -> Any:
    timed = _TIME.match(text.strip())
    text = timed[1] if timed else text.strip()
    found = _LITERAL.match(text)
    if found is None:
        raise _unknown(f"value {text}")
    return Decimal(found[2]) if found[2] is not None else found[1].replace("''", "'")


def _compared(name: str, sign: str, value: Any) -> Callable[[Row], bool]:
    if sign == "=":
        return lambda row: _equal(name, row.get(name), value)
    if sign in {"<>", "!="}:
        return lambda row: row.get(name) is not None and not _equal(name, row.get(name), value)

    def test(row: Row) -> bool:
        found = row.get(name)
        if found is None:
            return False
        left, right = _comparable(found, value)
        return bool({"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[sign])

    return test


def _comparable(found: Any, value: Any) -> tuple[Any, Any]:
    if isinstance(value, Decimal) or isinstance(found, Decimal | int):
        return Decimal(str(found)), Decimal(str(value))
    return str(found), str(value)


def _equal(name: str, found: Any, value: Any) -> bool:
    """A status is asked for as a letter or as ``SalesOrd:B``: both are understood."""
    if found is None:
        return False
    if name == "status":
        told, asked = str(found), str(value)
        short = ":" not in told or ":" not in asked
        return told.rpartition(":")[2] == asked.rpartition(":")[2] if short else told == asked
    left, right = (
        _comparable(found, value) if isinstance(found, Decimal | int) and _numeric(value) else (str(found), str(value))
    )
    return bool(left == right)


def _numeric(value: Any) -> bool:
    return isinstance(value, Decimal) or re.fullmatch(r"-?\d+(\.\d+)?", str(value)) is not None


def _sortable(value: Any) -> tuple[int, Any]:
    if isinstance(value, Decimal | int):
        return 0, value
    return (2, "") if value is None else (1, str(value))


def _told(row: Row, columns: list[tuple[str, str, bool]]) -> Json:
    said: Json = {"links": []}
    for name, alias, shown in columns:
        value = row.get(f"df:{name}", row.get(name)) if shown else row.get(name)
        if value is not None:
            said[alias] = _text(value)
    return said


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "T" if value else "F"
    return format(value.normalize(), "f") if isinstance(value, Decimal) else str(value)
