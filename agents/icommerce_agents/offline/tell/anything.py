"""Any result in words, by the kinds of its fields: a message as it is, figures by their names, rows as a list."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from icommerce_agents.offline.dialogue import Json
from icommerce_agents.offline.tell.phrases import joined, listed, sentence

_MOST_ROWS: Final = 10
_SPOKEN: Final = ("words", "says", "summary", "explanation", "quote", "message", "text")
_NEVER: Final = frozenset({"note", "card", "digest", "version", "order_version", "next_cursor", "cursor", "consent_id"})
_NAMED: Final = ("title", "name", "number", "order_number", "label", "sku", "code", "job", "kind")
_ID: Final = re.compile(r"^[a-z]{2,5}_[0-9A-Za-z_-]{1,}$")
_TIME: Final = re.compile(r"^(\d{4}-\d\d-\d\d)T(\d\d:\d\d)\S*$")
_CODE: Final = re.compile(r"^[a-z]+(?:_[a-z]+)+$")


def told(value: Json) -> str:
    """The whole result: its own words first, then its figures, then its rows."""
    spoken = [sentence(str(value[key])) for key in _SPOKEN if isinstance(value.get(key), str) and value[key].strip()]
    facts = [fact for key, item in value.items() if key not in _SPOKEN and (fact := _fact(key, item))]
    rows = [row for key, item in value.items() for row in _rows(key, item)]
    head = joined(*spoken, sentence("; ".join(facts)) if facts else "")
    return "\n".join([part for part in [head, *rows] if part])


def row(item: Json) -> str:
    """One row on one line, its name first."""
    name = next((str(item[key]) for key in _NAMED if item.get(key)), "")
    rest = [fact for key, value in item.items() if str(value) != name and (fact := _fact(key, value, nested=True))]
    return f"{name}: {', '.join(rest)}" if name and rest else name or ", ".join(rest)


def _rows(key: str, item: Any) -> list[str]:
    if not isinstance(item, list) or not item or not isinstance(item[0], dict) or key in _NEVER:
        return []
    shown = [f"- {line}" for one in item[:_MOST_ROWS] if isinstance(one, dict) and (line := row(one))]
    return [*shown, f"- and {len(item) - _MOST_ROWS} more"] if len(item) > _MOST_ROWS else shown


def _fact(key: str, value: Any, *, nested: bool = False) -> str:
    if key in _NEVER or key.endswith("_id") or value in (None, "", [], {}) or value is False:
        return ""
    label = key.replace("_", " ").removesuffix(" at").strip()
    if isinstance(value, dict):
        inner = [fact for name, part in value.items() if (fact := _fact(name, part, nested=True))]
        return f"{label}: {', '.join(inner)}" if inner else ""
    if isinstance(value, list):
        return _many(label, value, nested=nested)
    shown = plainly(value)
    return "" if not shown else label if value is True else f"{label} {shown}"


def _many(label: str, value: Iterable[Any], *, nested: bool) -> str:
    items = list(value)
    if isinstance(items[0], dict):
        return listed(_short(item) for item in items[:5]) if nested else ""
    return f"{label}: {listed(plainly(item) for item in items[:8] if plainly(item))}"


def _short(item: Json) -> str:
    name = next((str(item[key]) for key in _NAMED if item.get(key)), "")
    count = item.get("quantity") or item.get("units")
    return f"{count} \u00d7 {name}" if count and name else name or row(item)


def plainly(value: Any) -> str:
    """A code as words, a time as a day and an hour, an id as nothing."""
    text = " ".join(str(value).split())
    if _ID.match(text):
        return ""
    if found := _TIME.match(text):
        return f"{found.group(1)} {found.group(2)}"
    return text.replace("_", " ") if _CODE.match(text) else text


def address(value: Json) -> str:
    """An address on one line."""
    keys = ("name", "line_one", "line_two", "city", "state", "postal_code", "country")
    return ", ".join(str(value[key]) for key in keys if value.get(key))
