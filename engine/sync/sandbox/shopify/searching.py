"""Search strings (``updated_at:>=2026-11-01 tag:'SENT'``) and pages of a connection."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias, TypeVar

from engine.sync.sandbox.shopify.mistakes import TopLevel
from engine.sync.sandbox.wire import Json

T = TypeVar("T")
Reader: TypeAlias = Callable[[Any], Any]
MOST: Final = 250
_TERM: Final = re.compile(r"""(-?)(\w+):(>=|<=|>|<)?('[^']*'|"[^"]*"|\S+)""")
_LEFT: Final = re.compile(r"\bAND\b")


def matches(query: str | None, fields: dict[str, Reader]) -> Callable[[Any], bool]:
    """A filter of the search string. Raises ``TopLevel`` where it asks for what is not emulated."""
    if not query or not query.strip():
        return lambda _: True
    ways = [_all_of(part, fields) for part in re.split(r"\s+OR\s+", query.strip())]
    return lambda one: any(way(one) for way in ways)


def _all_of(text: str, fields: dict[str, Reader]) -> Callable[[Any], bool]:
    left = _LEFT.sub(" ", _TERM.sub(" ", text)).strip()
    if left:
        raise TopLevel(f"The sandbox does not search for {left!r}: only field:value terms.", "SANDBOX_UNSUPPORTED")
    tests = [_term(*found.groups(), fields=fields) for found in _TERM.finditer(text)]
    return lambda one: all(test(one) for test in tests)


def _term(minus: str, name: str, sign: str | None, value: str, *, fields: dict[str, Reader]) -> Callable[[Any], bool]:
    reader = fields.get(name)
    if reader is None:
        raise TopLevel(f"The sandbox does not search by {name!r}.", "SANDBOX_UNSUPPORTED")
    wanted = value.strip("'\"")
    return lambda one: _fits(reader(one), sign, wanted) is not bool(minus)


def _fits(found: Any, sign: str | None, wanted: str) -> bool:
    if isinstance(found, list):
        return any(_fits(one, sign, wanted) for one in found)
    if found is None:
        return False
    if isinstance(found, datetime):
        return _compare(found, sign or "=", _time(wanted))
    if isinstance(found, int) and not isinstance(found, bool):
        return _compare(found, sign or "=", int(wanted.rpartition("/")[2]))
    text = str(found).lower()
    asked = wanted.lower()
    return text.startswith(asked[:-1]) if asked.endswith("*") else text == asked


def _compare(found: Any, sign: str, wanted: Any) -> bool:
    match sign:
        case ">=":
            return bool(found >= wanted)
        case "<=":
            return bool(found <= wanted)
        case ">":
            return bool(found > wanted)
        case "<":
            return bool(found < wanted)
    return bool(found == wanted)


def _time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise TopLevel(f"{text!r} is no time.", "BAD_REQUEST") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def connection(found: Sequence[T], key: Callable[[T], Any], args: Json, *, halved: bool = False) -> Json:
    """A page of ``found``, sorted by ``key``, as ``first``/``after`` or ``last``/``before`` ask for it.

    A cursor names a place in the order, so that what moves between two pages is neither lost nor seen at its old
    place. Raises ``TopLevel`` without a size or with one above 250.
    """
    size = args.get("first") if args.get("first") is not None else args.get("last")
    if size is None:
        raise TopLevel("you must provide one of first or last", "BAD_REQUEST")
    if not 0 <= size <= MOST:
        raise TopLevel(f"size must be between 0 and {MOST}", "BAD_REQUEST")
    size = max(size // 2, 1) if halved else size
    rows = sorted(found, key=lambda one: _place(key, one), reverse=bool(args.get("reverse")))
    rows, before, after = _between(rows, key, args)
    backward = args.get("first") is None
    page = (rows[-size:] if size else []) if backward else rows[:size]
    more = len(rows) > len(page)
    return _paged(page, key, has_next=after if backward else more, has_previous=more if backward else before)


def _between(rows: list[T], key: Callable[[T], Any], args: Json) -> tuple[list[T], bool, bool]:
    whole = len(rows)
    sign = -1 if args.get("reverse") else 1
    if args.get("after"):
        at = _read_cursor(args["after"])
        rows = [one for one in rows if _beyond(_cursor_place(key, one), at, sign)]
    before = len(rows) < whole
    left = len(rows)
    if args.get("before"):
        at = _read_cursor(args["before"])
        rows = [one for one in rows if _beyond(at, _cursor_place(key, one), sign)]
    return rows, before, len(rows) < left


def _beyond(one: list[Any], other: list[Any], sign: int) -> bool:
    return one > other if sign > 0 else one < other


def _place(key: Callable[[T], Any], one: T) -> tuple[Any, int]:
    return key(one), getattr(one, "id", 0)


def _cursor_place(key: Callable[[T], Any], one: T) -> list[Any]:
    value = key(one)
    return [value.isoformat() if isinstance(value, datetime) else value, getattr(one, "id", 0)]


def _cursor(key: Callable[[T], Any], one: T) -> str:
    return base64.urlsafe_b64encode(json.dumps(_cursor_place(key, one)).encode()).decode()


def _read_cursor(text: str) -> list[Any]:
    try:
        return list(json.loads(base64.urlsafe_b64decode(text)))
    except ValueError as error:
        raise TopLevel("Invalid cursor for current pagination sort.", "BAD_REQUEST") from error


def _paged(page: Sequence[T], key: Callable[[T], Any], *, has_next: bool, has_previous: bool) -> Json:
    edges = [{"cursor": _cursor(key, one), "node": one} for one in page]
    return {
        "edges": edges,
        "nodes": list(page),
        "pageInfo": {
            "hasNextPage": has_next,
            "hasPreviousPage": has_previous,
            "startCursor": edges[0]["cursor"] if edges else None,
            "endCursor": edges[-1]["cursor"] if edges else None,
        },
    }
