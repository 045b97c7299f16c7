"""How the protocol's operations describe themselves: by the official schemas, under the shop's own API description."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

SPEC: Final = Path(__file__).with_name("spec") / "2026-04-17"
CHECKOUT: Final = "schema.agentic_checkout.json"
_Row = tuple[str, bool, dict[str, Any]]
_HEADERS: Final[tuple[_Row, ...]] = (
    ("API-Version", True, {"type": "string", "enum": ["2026-04-17", "2026-01-30"]}),
    ("Request-Id", False, {"type": "string", "maxLength": 255}),
)
_KEY: Final[_Row] = ("Idempotency-Key", True, {"type": "string", "minLength": 1, "maxLength": 255})


@cache
def schema(name: str, file: str = CHECKOUT) -> dict[str, Any]:
    """An official schema, self-contained: what it refers to lies beside it."""
    return dict(_inlined(_defs(file)[name], file))


def described(
    request: str | None,
    answer: str,
    *,
    status: int = 200,
    body_needed: bool = True,
    file: str = CHECKOUT,
    keyed: bool = False,
) -> dict[str, Any]:
    """What a route of the protocol says of itself: keyword arguments of ``router.post`` and its like."""
    headers = [*_HEADERS, _KEY] if keyed or request else list(_HEADERS)
    extra: dict[str, Any] = {"parameters": [_header(*one) for one in headers]}
    if request:
        content = {"application/json": {"schema": schema(request, file)}}
        extra["requestBody"] = {"required": body_needed, "content": content}
    error = {"description": "A flat error.", "content": {"application/json": {"schema": schema("Error")}}}
    good = {"description": "As asked.", "content": {"application/json": {"schema": schema(answer, file)}}}
    return {"status_code": status, "openapi_extra": extra, "responses": {status: good, "default": error}}


def _header(name: str, required: bool, kind: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": required, "schema": kind}


@cache
def _defs(file: str) -> dict[str, Any]:
    return dict(json.loads((SPEC / "json-schema" / file).read_text())["$defs"])


def _inlined(part: Any, file: str) -> Any:
    if isinstance(part, dict):
        if "$ref" in part:
            rest = {key: value for key, value in part.items() if key != "$ref"}
            other, _, name = part["$ref"].partition("#/$defs/")
            return {**_inlined(_defs(other or file)[name], other or file), **rest}
        return {key: _inlined(value, file) for key, value in part.items() if key != "example"}
    return [_inlined(one, file) for one in part] if isinstance(part, list) else part
