"""The one map from what went wrong to the protocol's flat error. Nothing of the input is ever in one."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg
import structlog
from pydantic import ValidationError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from engine.kit.errors import DomainError, Kind

log = structlog.get_logger(__name__)
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
RETRY_SECONDS: Final = 2
PREFIXES: Final = re.compile(
    r"/(?:checkout_sessions|carts|orders|agentic_commerce|delegate_payment|delegate_authentication|acp)(?:/|$)"
    r"|/\.well-known/acp\.json$"
)
"""Everything under these answers in the protocol's words, also where there is nothing."""
_DOWN: Final = (OperationalError, InterfaceError, PoolTimeout, psycopg.OperationalError)


class AcpError(DomainError):
    """A refusal with the protocol's own code. ``param`` is a JSONPath, or the name of a header."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        supported_versions: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.said_code = code
        self.param = param
        self.supported_versions = supported_versions
        self.headers = dict(headers or {})


@dataclass(frozen=True, slots=True)
class Fault:
    """What went wrong, before it is put in a dialect's words."""

    status: int
    code: str
    message: str
    param: str | None = None
    supported_versions: Sequence[str] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    lasting: bool = True
    """Whether the same request would be refused again: only then the refusal is kept under its key."""


Speak = Callable[[Fault], dict[str, Any]]


def flat(fault: Fault) -> dict[str, Any]:
    """``{type, code, message, param?, supported_versions?}`` of the checkout's schema."""
    body: dict[str, Any] = {"type": type_of(fault), "code": fault.code, "message": fault.message}
    if fault.param:
        body["param"] = fault.param
    if fault.supported_versions:
        body["supported_versions"] = list(fault.supported_versions)
    return body


def type_of(fault: Fault) -> str:
    """The schema's three types: there is none for who is asking or how often."""
    if fault.status == 503:
        return "service_unavailable"
    return "processing_error" if fault.status >= 500 else "invalid_request"


def fault_of(error: Exception) -> Fault:
    """What an exception is to the caller; what is not theirs to know is one sentence."""
    if isinstance(error, AcpError):
        lasting = error.status not in {401, 429} and "Retry-After" not in error.headers
        known = (error.said_code, error.message, error.param, error.supported_versions, error.headers)
        return Fault(error.status, *known, lasting=lasting)
    if isinstance(error, DomainError):
        return _of_domain(error)
    if isinstance(error, ValidationError):
        return _of_schema(error)
    if isinstance(error, _DOWN):
        log.warning("store unreachable", error=type(error).__name__)
        wait = {"Retry-After": str(RETRY_SECONDS)}
        return Fault(503, "service_unavailable", "The shop is busy. Please try again.", headers=wait, lasting=False)
    stack = traceback.format_tb(error.__traceback__)[-8:]  # where, and no value of it
    log.error("unhandled", error=type(error).__name__, stack="".join(stack))
    return Fault(500, "internal_error", "Something went wrong on our side.", lasting=False)


def path_of(loc: Sequence[Any], *, under: str = "$") -> str:
    """A place in a body as JSONPath: names and numbers of our own schema, never what a caller made up."""
    return under + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc[:8])


def _of_domain(error: DomainError) -> Fault:
    headers = {}
    if error.kind == Kind.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = "Bearer"
    wait = error.retry_after_seconds or (RETRY_SECONDS if error.retryable else None)
    if wait:
        headers["Retry-After"] = str(wait)
    code = "not_found" if error.kind == Kind.NOT_FOUND else error.code
    lasting = not error.retryable and error.kind not in {Kind.UNAUTHENTICATED, Kind.RATE_LIMITED, Kind.UNAVAILABLE}
    param = getattr(error, "param", None)
    return Fault(STATUS[error.kind], code, error.message, param, headers=headers, lasting=lasting)


def _of_schema(error: ValidationError) -> Fault:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    loc = tuple(first["loc"])
    if first["type"] == "extra_forbidden":
        loc, words = loc[:-1], "There is a member here that the schema does not know."
    elif first["type"] in {"value_error", "assertion_error"}:
        words = str(first["msg"]).removeprefix("Value error, ")
    else:
        words = str(first["msg"])
    code = "missing" if first["type"] == "missing" else "invalid_request"
    if "metadata" in loc:  # its names are the caller's
        loc = loc[: loc.index("metadata") + 1]
    return Fault(400, code, f"{words.rstrip('.')}.", path_of([part for part in loc if part != "[key]"]))
