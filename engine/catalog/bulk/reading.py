"""Files of products: CSV with a row per variant, JSON with an object per product; each becomes the same item.

What a file does not say stays as it is: a column that is missing, a key that is not there. In CSV an empty cell says
nothing either. Money is whole minor units, of the home currency or (``price:EUR``) of the one named.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from itertools import groupby, islice
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from engine.catalog.bulk.streams import Form, Opener, objects, table, unreadable
from engine.catalog.shop_file import LocationCode
from engine.catalog.shop_money import Currency, Minor
from engine.kit.errors import InvalidInput

MOST_ROWS: Final = 1_000
"""Of one product; no shop's has so many."""
_LISTS: Final = frozenset({"collections", "restrictions"})
_FACT_LISTS: Final = frozenset({"features", "materials", "compatibility", "constraints", "safety", "synonyms"})
_PLAIN: Final = frozenset(
    {"slug", "external_id", "title", "brand", "category", "description", "motif", "status", "tax_category"}
)
_NUMBERS: Final = frozenset({"price", "cost", "weight_g", "backorder_limit", "lead_days"})
_SIZES: Final = ("length_mm", "width_mm", "height_mm")
_VARIANT: Final = frozenset({"sku", "sellable", "stock_policy", "available_on", *_NUMBERS, *_SIZES})
_WORDS: Final = frozenset({"access_url", "instructions"})
"""Of what is digital: told as it stands."""
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
LISTED: Final = " | "
_DIGITS: Final = 18


class Extras(BaseModel):
    """What a file says of a variant that is not the variant's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prices: dict[Currency, Minor] = {}
    """Other currency → price that always holds."""
    stock: dict[LocationCode, Annotated[int, Field(strict=True, ge=0, le=10_000_000)]] = {}
    """Location code → units on hand."""


class Item(BaseModel):
    """One product of a file: where it stood, what it says, or why it cannot be read."""

    line: int
    said: dict[str, Any]
    variants: list[dict[str, Any]]
    problem: str = ""

    @property
    def key(self) -> str:
        names = (self.said.get(name) for name in ("slug", "external_id", "code", "title"))
        return str(next(filter(None, names), f"line {self.line}"))[:80]


def items_of(opener: Opener, form: Form) -> Iterator[Item]:
    """The products of a file, one after the other. Raises ``InvalidInput`` where it ends to be such a file."""
    with opener() as stream:
        if form != "csv":
            yield from (_item(number, one) for number, one in objects(stream, form, "products"))
            return
        rows = table(stream, _known)
        if not {"slug", "external_id"} & set(rows.fieldnames or ()):
            raise InvalidInput("A column slug or external_id names the product.", param="content")
        try:
            yield from _grouped(rows)
        except (csv.Error, UnicodeDecodeError) as error:
            raise unreadable(error, "a table") from None


def _item(number: int, one: Any) -> Item:
    variants = one.get("variants", []) if isinstance(one, dict) else None
    if not isinstance(variants, list) or not all(isinstance(row, dict) for row in variants):
        return Item(line=number, said={}, variants=[], problem="It is no product with variants.")
    said = {name: value for name, value in one.items() if name != "variants"}
    return Item(line=number, said=said, variants=variants)


def _grouped(table: csv.DictReader[str]) -> Iterator[Item]:
    numbered = ((table.line_num, row) for row in table)
    for _, rows in groupby(numbered, key=lambda one: one[1].get("slug") or one[1].get("external_id")):
        group = list(islice(rows, MOST_ROWS))
        line = group[0][0]
        if any(None in row or None in row.values() for _, row in group):
            words = "It has not as many cells as the first line."
            yield Item(line=line, said={"slug": group[0][1].get("slug")}, variants=[], problem=words)
            continue
        cells = [{name: cell_of(cell) for name, cell in row.items() if cell.strip()} for _, row in group]
        yield Item(line=line, said=_product(cells), variants=[_variant(row) for row in cells if row.get("sku")])


def _known(name: str) -> bool:
    plain = _PLAIN | _LISTS | _FACT_LISTS | _VARIANT | {"warranty_months", "care", "faqs", "dimensions"}
    return name in plain or name.partition(":")[0] in {"option", "price", "stock", "attribute", "unit", "digital"}


def cell_of(cell: str) -> str:
    """What stands in a cell; the quote that keeps a spreadsheet from reckoning is not part of it."""
    text = cell.strip()
    return text[1:] if text[:1] == "'" and text[1:2] in _FORMULA else text


def safe_cell(value: Any) -> str:
    """A cell that no spreadsheet takes for a formula; ``cell_of`` reads it back."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _number(text: str) -> int | str:
    return int(text) if text.isascii() and text.removeprefix("-").isdigit() and len(text) < _DIGITS else text


def _value(text: str) -> int | bool | str:
    return {"true": True, "false": False}.get(text.lower(), _number(text))


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(LISTED.strip()) if part.strip()]


def _product(rows: list[dict[str, str]]) -> dict[str, Any]:
    first = rows[0]
    said: dict[str, Any] = {name: first[name] for name in _PLAIN if name in first}
    said |= {name: _listed(first[name]) for name in _LISTS if name in first}
    if "warranty_months" in first:
        said["warranty_months"] = _number(first["warranty_months"])
    if facts := _facts(first):
        said["facts"] = facts
    options: dict[str, list[str]] = {}
    for row in rows:
        for name, cell in _named(row, "option").items():
            options.setdefault(name, [])
            options[name] += [cell] if cell not in options[name] else []
    return said | ({"options": options} if options else {})


def _facts(row: dict[str, str]) -> dict[str, Any]:
    facts: dict[str, Any] = {name: _listed(row[name]) for name in _FACT_LISTS if name in row}
    facts |= {"care": row["care"]} if "care" in row else {}
    for name in ("faqs", "dimensions"):
        if name in row:
            try:
                facts[name] = json.loads(row[name])
            except (ValueError, RecursionError):
                facts[name] = row[name]
    attributes = {name: _value(cell) for name, cell in _named(row, "attribute").items()}
    units = _named(row, "unit")
    return facts | ({"attributes": attributes} if attributes else {}) | ({"units": units} if units else {})


def _variant(row: dict[str, str]) -> dict[str, Any]:
    said: dict[str, Any] = {name: row[name] for name in ("sku", "stock_policy", "available_on") if name in row}
    said |= {name: _number(row[name]) for name in _NUMBERS if name in row}
    said |= {"sellable": _value(row["sellable"])} if "sellable" in row else {}
    if all(name in row for name in _SIZES):
        said["size_mm"] = [_number(row[name]) for name in _SIZES]
    for field, head in (("options", "option"), ("prices", "price"), ("stock", "stock")):
        found = _named(row, head)
        if found:
            said[field] = found if field == "options" else {name: _number(cell) for name, cell in found.items()}
    if given := _named(row, "digital"):
        said["digital"] = {name: cell if name in _WORDS else _value(cell) for name, cell in given.items()}
    return said


def _named(row: dict[str, str], head: str) -> dict[str, str]:
    return {name.partition(":")[2]: cell for name, cell in row.items() if name.startswith(f"{head}:")}
