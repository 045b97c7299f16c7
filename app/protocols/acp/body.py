"""A request's body: read, and refused where it is none that could be kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson
from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from app.protocols.acp.errors import AcpError, Fault
from engine.kit import idempotency

_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000|\x00")
_LARGE: Final = re.compile(rb"[0-9]{16}|[0-9][eE]")
"""What may be a number of more than 64 bits."""
_LARGEST: Final = 2**63
_MEMBER: Final = re.compile(r"[a-z_]{1,40}")
_DEEPEST: Final = 64


async def raw_of(request: Request) -> bytes | Fault:
    """The body, or why there is none."""
    try:
        return await request.body()
    except HTTPException:
        return Fault(413, "payload_too_large", "The request is too large.", headers={"Connection": "close"})
    except ClientDisconnect:
        return Fault(400, "invalid_request", "The body did not arrive.")


def body_of(headers: Mapping[str, str], raw: bytes | Fault) -> Any:
    """The body's JSON; ``None`` for no body at all. Raises ``AcpError``."""
    if isinstance(raw, Fault):
        raise AcpError(raw.status, raw.code, raw.message, headers=raw.headers)
    if not raw:
        return None
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise AcpError(415, "unsupported_media_type", "Send JSON (Content-Type: application/json).")
    return json_of(raw)


def json_of(raw: bytes) -> Any:
    """What a body says. Raises ``AcpError`` for what we could not answer with, or could not keep."""
    if _NUL.search(raw):
        raise AcpError(400, "invalid_request", "Text cannot hold the character NUL.", param="$")
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise AcpError(400, "invalid_json", "The body is not JSON.", param="$") from None
    doubtful = raw.count(b"{") + raw.count(b"[") > _DEEPEST or _LARGE.search(raw)
    if doubtful and (place := _too_much(body)) is not None:
        raise AcpError(400, "invalid_json", "The body is nested too deeply, or holds too large a number.", param=place)
    return body


def _too_much(value: Any, place: str = "$", depth: int = 0) -> str | None:
    """Where there is something that we could not answer with as well: so deep we write no JSON, and whole numbers have
    64 bits. Names that are surely no schema's are not told.
    """
    if isinstance(value, dict | list):
        if depth >= _DEEPEST:
            return "$"
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        found = (_too_much(one, _under(place, name), depth + 1) for name, one in inner)
        return next((one for one in found if one is not None), None)
    return place if isinstance(value, int | float) and abs(value) >= _LARGEST else None


def _under(place: str, name: str | int) -> str:
    if isinstance(name, int):
        return f"{place}[{name}]"
    return f"{place}.{name}" if _MEMBER.fullmatch(name) else place


def hash_of(body: Any) -> str:
    """What the body means, for comparing. Raises ``AcpError``."""
    try:
        return idempotency.fingerprint(body)
    except (ValueError, RecursionError):
        raise AcpError(400, "invalid_json", "The body is nested too deeply, or holds no number.", param="$") from None
