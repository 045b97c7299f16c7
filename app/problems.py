"""The one map from what went wrong to what a client is told: RFC 9457 problems, which never echo input."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import psycopg
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from engine.conversations.masking import mask_cards
from engine.kit.errors import DomainError, Kind

log = structlog.get_logger(__name__)
Dialect = tuple[re.Pattern[str], Callable[[Request, int, str, str, Mapping[str, str]], Response]]
"""Which addresses speak a protocol of their own, and how an error reads in it: ``app.state.dialects``."""
STATUS: Final[Mapping[Kind, int]] = {
    Kind.INVALID: 400,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.NOT_FOUND: 404,
    Kind.CONFLICT: 409,
    Kind.UNPROCESSABLE: 422,
    Kind.RATE_LIMITED: 429,
    Kind.UNAVAILABLE: 503,
}
_CODES: Final[Mapping[int, tuple[str, str]]] = {
    400: ("invalid_request", "The request could not be understood."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not take that method."),
    413: ("payload_too_large", "The request is too large."),
    415: ("unsupported_media_type", "Send JSON (Content-Type: application/json)."),
}
_RETRY_SECONDS: Final = 2
_DETAIL_LIMIT: Final = 500
_PROBLEM: Final = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "trace_id"],
    "properties": {name: {"type": "string"} for name in ("type", "title", "detail", "code", "trace_id", "param")}
    | {"status": {"type": "integer"}},
}
_DESCRIBED: Final = {
    "description": "A problem (RFC 9457).",
    "content": {"application/problem+json": {"schema": _PROBLEM}},
}
_OUR_WORDS: Final = frozenset({"value_error", "assertion_error"})


def problem(
    request: Request,
    status: int,
    code: str,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    param: str | None = None,
    more: Mapping[str, Any] | None = None,
) -> Response:
    """``{type, title, status, detail, code, trace_id, param?}`` as ``application/problem+json``, and ``more`` facts;
    under a protocol's addresses in that protocol's words.
    """
    dialects: Sequence[Dialect] = getattr(request.app.state, "dialects", ())
    for pattern, speak in dialects:
        if any(pattern.match(path) for path in (request.scope["path"], _meant(request.scope["path"]))):
            return speak(request, status, code, detail, headers or {})
    body: dict[str, Any] = {
        "type": f"urn:icommerce:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": mask_cards(detail)[:_DETAIL_LIMIT],
        "code": code,
        "trace_id": getattr(request.state, "request_id", ""),
    }
    if param:
        body["param"] = param
    body |= more or {}
    return JSONResponse(body, status, headers=dict(headers or {}), media_type="application/problem+json")


def _meant(path: str) -> str:
    """An address that is not quite one as it was meant: without doubled slashes, and without dots for parts."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in {"", "."}:
            parts.append(part)
    return "/" + "/".join(parts)


def install(app: FastAPI) -> None:
    """Make every error of ``app`` a problem."""
    app.add_exception_handler(DomainError, _domain)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    for unreachable in (OperationalError, InterfaceError, PoolTimeout, psycopg.OperationalError):
        app.add_exception_handler(unreachable, _store_down)
    app.add_exception_handler(DBAPIError, _store_refused)


def describe(app: FastAPI) -> None:
    """Let the API's description say what errors look like here: problems, and 400 instead of 422. What says itself how
    its errors look is a protocol's.
    """
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = plain()
            for path in schema["paths"].values():
                for operation in path.values():
                    operation["responses"].pop("422", None)
                    operation["responses"].setdefault("default", _DESCRIBED)
            for name in ("HTTPValidationError", "ValidationError"):
                schema.get("components", {}).get("schemas", {}).pop(name, None)
        return plain()

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's own way to extend the description


async def _domain(request: Request, error: Exception) -> Response:
    assert isinstance(error, DomainError)
    headers = {}
    if error.kind == Kind.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = "Bearer"
    wait = error.retry_after_seconds or (_RETRY_SECONDS if error.retryable else None)
    if wait:
        headers["Retry-After"] = str(wait)
    param = getattr(error, "param", None)
    more: Mapping[str, Any] | None = getattr(error, "more", None)
    return problem(request, STATUS[error.kind], error.code, error.message, headers=headers, param=param, more=more)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = place(first)
    return problem(request, 400, "invalid_request", f"{where}: {_words(first)}", param=where)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code, detail = _CODES.get(error.status_code, ("error", HTTPStatus(error.status_code).phrase + "."))
    return problem(request, error.status_code, code, detail, headers=error.headers)


async def _store_down(request: Request, error: Exception) -> Response:
    log.warning("store unreachable", error=type(error).__name__)
    wait = {"Retry-After": str(_RETRY_SECONDS)}
    return problem(request, 503, "service_unavailable", "The shop is busy. Please try again.", headers=wait)


async def _store_refused(request: Request, error: Exception) -> Response:
    """A statement the database would not run; its text and values stay out of answer and log."""
    log.error("statement refused", error=type(getattr(error, "orig", error)).__name__)
    return problem(request, 500, "internal_error", "Something went wrong on our side.")


def place(error: Mapping[str, Any]) -> str:
    """Where in the request a fault is; a name that the caller made up is left out."""
    loc: Sequence[Any] = error["loc"]
    known = loc[:-1] if error["type"] == "extra_forbidden" else loc
    if error["type"] == "json_invalid":
        known = loc[:1]
    if loc[-1:] == ("[key]",):
        known = loc[:-2]
    return ".".join(str(part) for part in known[:6]) or "body"


def _words(error: Mapping[str, Any]) -> str:
    if error["type"] == "json_invalid":
        return "this is not JSON."
    if error["type"] == "union_tag_invalid":
        return f"{error['ctx']['discriminator']} is one of {error['ctx']['expected_tags']}."
    if error["type"] in _OUR_WORDS:
        return str(error["msg"]).removeprefix("Value error, ")
    return str(error["msg"])
