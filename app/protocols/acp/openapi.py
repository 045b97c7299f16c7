"""How the protocol's operations describe themselves: by the official schemas, under the shop's own API description.

Where we take more than a schema says (a quantity, a null that clears), or its own answer could not be valid under it,
the description says what is true.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer

SPEC: Final = Path(__file__).with_name("spec") / "2026-04-17"
CHECKOUT: Final = "schema.agentic_checkout.json"
CART: Final = "schema.cart.json"
PAYMENT: Final = "schema.delegate_payment.json"
AUTHENTICATION: Final = "schema.delegate_authentication.json"
BEARER: Final = HTTPBearer(scheme_name="agentKey", description="A key of the shop: `icommerce keys create`.")
"""For the description alone: the kernel reads the header itself."""
Header = tuple[str, bool, dict[str, Any]]
_HEADERS: Final[tuple[Header, ...]] = (
    ("API-Version", True, {"type": "string", "enum": ["2026-04-17", "2026-01-30"]}),
    ("Request-Id", False, {"type": "string"}),
)
_KEY: Final[Header] = ("Idempotency-Key", True, {"type": "string", "minLength": 1, "maxLength": 255})
_ID: Final = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,60}$"}
WORDS: Final = {CHECKOUT: "checkout", CART: "cart", PAYMENT: "payment", AUTHENTICATION: "authentication"}
RETRIEVED: Final = "DelegateAuthenticationSessionWithResult"
_WANTED: Final = "ItemWanted"
_WITH_ITEMS: Final = (
    (CHECKOUT, "CheckoutSessionCreateRequest"),
    (CHECKOUT, "CheckoutSessionUpdateRequest"),
    (CART, "CartCreateRequest"),
    (CART, "CartUpdateRequest"),
)
_QUANTITY: Final = {
    "type": "integer",
    "minimum": 1,
    "maximum": 9_999,
    "description": "How many; 1 when it is left out. The released schema has no word for it.",
}


class DescribedRoute(APIRoute):
    """A route whose description names the parameters of its path; its endpoint does not."""

    def __init__(
        self, path: str, endpoint: Callable[..., Any], *, openapi_extra: dict[str, Any] | None = None, **more: Any
    ) -> None:
        super().__init__(path, endpoint, openapi_extra=_with_ids(path, openapi_extra or {}), **more)


def describe(app: FastAPI) -> None:
    """Put the official schemas beside the operations that name them."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        said = plain()
        known = said.setdefault("components", {}).setdefault("schemas", {})
        if _name(CHECKOUT, "Error") not in known:
            known.update(components())
        return said

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's own way to extend the description


@cache
def schema(name: str, file: str = CHECKOUT) -> dict[str, Any]:
    """One of the schemas, self-contained: what it refers to lies in its place."""
    return dict(_inlined(components()[_name(file, name)]))


@cache
def components() -> dict[str, Any]:
    """The official schemas by the names they have in the description, and what is true beyond them."""
    found = {
        _name(file, name): _here(part, file)
        for file in WORDS
        for name, part in json.loads((SPEC / "json-schema" / file).read_text())["$defs"].items()
    }
    _widen(found)
    return found


def described(
    request: str | None,
    answer: str,
    *,
    status: int = 200,
    body_needed: bool = True,
    file: str = CHECKOUT,
    keyed: bool = False,
    more: tuple[Header, ...] = (),
) -> dict[str, Any]:
    """What a route of the protocol says of itself: keyword arguments of ``router.post`` and its like. ``more`` are
    headers of its own.
    """
    key = (_KEY[0], file != AUTHENTICATION, _KEY[2])
    headers = [*_HEADERS, *([key] if keyed or request else []), *more]
    extra: dict[str, Any] = {"parameters": [_parameter("header", *one) for one in headers]}
    if request:
        extra["requestBody"] = {"required": body_needed, "content": _json(_ref(file, request))}
    good = {"description": "As asked.", "content": _json(_ref(file, answer))}
    error = {"description": "A flat error.", "content": _json(*_errors(file))}
    return {"status_code": status, "openapi_extra": extra, "responses": {status: good, "default": error}}


def _json(*schemas: dict[str, str]) -> dict[str, Any]:
    return {"application/json": {"schema": {"anyOf": list(schemas)} if len(schemas) > 1 else schemas[0]}}


def _errors(file: str) -> list[dict[str, str]]:
    """The payment provider's side has a closed list of codes, and none for what goes wrong at the door."""
    own = [_ref(file, "Error")] if file in {PAYMENT, AUTHENTICATION} else []
    return [*own, _ref(CHECKOUT, "Error")]


def _widen(found: dict[str, Any]) -> None:
    """A quantity, which the released requests cannot say; nulls that clear; reasons and interventions that nobody
    foresaw; and the result of an authentication, to which its own schema is closed.
    """
    item = found[_name(CHECKOUT, "Item")]
    found[_name(CHECKOUT, _WANTED)] = item | {"properties": item["properties"] | {"quantity": _QUANTITY}}
    for file, name in _WITH_ITEMS:
        found[_name(file, name)]["properties"]["line_items"]["items"] = _ref(CHECKOUT, _WANTED)
    members = found[_name(CHECKOUT, "CheckoutSessionUpdateRequest")]["properties"]
    for clearable in ("buyer", "fulfillment_details", "selected_fulfillment_options"):
        members[clearable] = {"anyOf": [members[clearable], {"type": "null", "description": "Cleared."}]}
    for name in ("IntentTrace", "InterventionCapabilities"):
        for member in found[_name(CHECKOUT, name)]["properties"].values():
            member.get("items", member).pop("enum", None)
    base = found[_name(AUTHENTICATION, "DelegateAuthenticationSessionBase")]
    result = {"authentication_result": _ref(AUTHENTICATION, "AuthenticationResult")}
    found[_name(AUTHENTICATION, RETRIEVED)] = base | {"properties": base["properties"] | result}


def _inlined(part: Any) -> Any:
    if isinstance(part, dict):
        rest = {key: _inlined(value) for key, value in part.items() if key != "$ref"}
        return _inlined(components()[part["$ref"].rpartition("/")[2]]) | rest if "$ref" in part else rest
    return [_inlined(one) for one in part] if isinstance(part, list) else part


def _name(file: str, name: str) -> str:
    return f"acp.{WORDS[file]}.{name}"


def _ref(file: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{_name(file, name)}"}


def _here(part: Any, file: str) -> Any:
    """A schema whose references lead to our names. Examples are left out: half of the official ones are not valid."""
    if isinstance(part, dict):
        rest = {key: _here(value, file) for key, value in part.items() if key not in {"$ref", "example", "examples"}}
        if "$ref" not in part:
            return rest
        other, _, name = part["$ref"].partition("#/$defs/")
        return _ref(other or file, name) | rest
    return [_here(one, file) for one in part] if isinstance(part, list) else part


def _with_ids(path: str, extra: dict[str, Any]) -> dict[str, Any]:
    known = list(extra.get("parameters", ()))
    names = {one["name"] for one in known}
    ids = [_parameter("path", name, True, _ID) for name in re.findall(r"{(\w+)}", path) if name not in names]
    return extra | {"parameters": ids + known} if ids else extra


def _parameter(place: str, name: str, required: bool, kind: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": place, "required": required, "schema": kind}
