"""The official JSON Schemas, as packaged: what every answer of the protocol is held to."""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

SPEC = Path(__file__).resolve().parents[3] / "app" / "protocols" / "acp" / "spec" / "2026-04-17"
CHECKOUT = "schema.agentic_checkout.json"
ADDED = ("items_base_amount", "fulfillment", "tax", "fee", "gift_wrap", "tip")
TAKEN = ("items_discount", "discount", "store_credit")
_formats = FormatChecker(formats=())


@_formats.checks("date-time", raises=ValueError)
def _date_time(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@_formats.checks("uri")
def _uri(value: object) -> bool:
    return not isinstance(value, str) or (bool(urlsplit(value).scheme) and " " not in value)


@_formats.checks("email")
def _email(value: object) -> bool:
    return not isinstance(value, str) or "@" in value


@cache
def example(name: str) -> Any:
    """An official example file."""
    return json.loads((SPEC / "examples" / name).read_text())


@cache
def _files() -> dict[str, Any]:
    return {path.name: json.loads(path.read_text()) for path in (SPEC / "json-schema").glob("*.json")}


@cache
def _registry() -> Registry[Any]:
    found: Registry[Any] = Registry()
    for name, schema in _files().items():
        plain = {key: value for key, value in schema.items() if key != "$id"}
        resource = Resource.from_contents(plain)
        found = found.with_resource(f"urn:acp:{name}", resource).with_resource(name, resource)
    return found


@cache
def _validator(name: str, file: str) -> Draft202012Validator:
    assert name in _files()[file]["$defs"], f"{file} has no {name}"
    schema = {"$ref": f"{file}#/$defs/{name}"}
    return Draft202012Validator(schema, registry=_registry(), format_checker=_formats)


def faults(name: str, body: Any, *, file: str = CHECKOUT) -> list[str]:
    """What the official schema ``name`` has against ``body``."""
    found = _validator(name, file).iter_errors(body)
    return [f"{error.json_path}: {error.message}" for error in found]


def valid(name: str, body: Any, *, file: str = CHECKOUT) -> None:
    """Assert that ``body`` is what the official schema ``name`` of ``file`` describes."""
    found = faults(name, body, file=file)
    assert not found, (name, found, json.dumps(body, indent=1)[:4000])


def no_nulls(body: Any, path: str = "$") -> None:
    """Assert that nothing in an answer is null."""
    assert body is not None, path
    inner = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for name, value in inner:
        no_nulls(value, f"{path}.{name}")


def amounts(totals: list[dict[str, Any]]) -> dict[str, int]:
    """Totals by type: no type twice."""
    found = {row["type"]: row["amount"] for row in totals}
    assert len(found) == len(totals), totals
    return found


def adds_up(body: dict[str, Any]) -> None:
    """Assert the arithmetic of a session or cart: lines, subtotal, total, allocations of discounts."""
    lines = [amounts(line["totals"]) for line in body["line_items"]]
    for line, found in zip(body["line_items"], lines, strict=True):
        assert found["items_base_amount"] == line["unit_amount"] * line["quantity"], line
        assert found["subtotal"] == found["items_base_amount"] - found.get("items_discount", 0), line
        assert found["total"] == found["subtotal"] + found.get("tax", 0), line
    session = amounts(body["totals"])
    assert session["items_base_amount"] == sum(found["items_base_amount"] for found in lines)
    assert session.get("items_discount", 0) == sum(found.get("items_discount", 0) for found in lines)
    assert session["subtotal"] == session["items_base_amount"] - session.get("items_discount", 0)
    more = sum(session.get(name, 0) for name in ADDED) - sum(session.get(name, 0) for name in TAKEN)
    assert session["total"] == more, body["totals"]
    assert all(amount >= 0 for amount in session.values()), session
    for row in body["totals"]:
        if "breakdown" in row:
            assert sum(part["amount"] for part in row["breakdown"]) == row["amount"], row
    for one in body.get("discounts", {}).get("applied", []):
        if "allocations" in one:
            assert sum(part["amount"] for part in one["allocations"]) == one["amount"], one
