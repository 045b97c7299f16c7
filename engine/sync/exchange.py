"""One request over the line, and what an answer, or none, means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import httpx
import orjson

from engine.kit.outward import USER_AGENT, AddressRefused
from engine.sync.dialects import Dialect, unsure
from engine.sync.errors import FieldFault, Rejected, SyncError, Transient
from engine.sync.masking import Mask
from engine.sync.models import Connection
from engine.sync.secrets import Credentials
from engine.sync.wire import Outgoing, Reply

_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_OWN: Final = {"User-Agent": USER_AGENT, "Accept": "application/json", "Accept-Encoding": "identity"}
_WORDS: Final = 300
_PATH: Final = 120


def exchange(
    line: httpx.BaseTransport,
    connection: Connection,
    dialect: Dialect,
    request: Outgoing,
    credentials: Credentials,
    headers: Mapping[str, str],
    *,
    seconds: float,
) -> Reply:
    """The system's answer, whatever it is. Raises ``Transient`` where nothing was sent, ``Rejected`` for an address
    that is not called, and ``Transient`` or ``UnknownOutcome`` where it may have been heard.
    """
    try:
        sent = _built(connection, dialect, request, credentials, headers, seconds)
        answer = line.handle_request(sent)
        try:
            answer.read()
        finally:
            answer.close()
    except AddressRefused as error:
        raise Rejected(error.message) from None
    except httpx.InvalidURL:
        raise Rejected("This is not an address.") from None
    except _NOT_SENT:
        raise Transient("The system cannot be reached.") from None
    except httpx.TimeoutException:
        raise unsure(request, "The system took too long.") from None
    except (httpx.TransportError, OSError):
        raise unsure(request, "The line to the system broke.") from None
    names = {name.lower(): value for name, value in answer.headers.items()}
    return Reply(answer.status_code, names, answer.content, _data(answer.content))


def meaning(dialect: Dialect, request: Outgoing, reply: Reply, mask: Mask) -> SyncError | None:
    """What an answer means; ``None`` where it went well. Its words hold nothing secret."""
    if reply.ok and reply.body and reply.data is None and "json" in reply.headers.get("content-type", ""):
        return unsure(request, "The system's answer broke off.", answer=reply.status)
    error = dialect.refused(request, reply)
    if error is not None:
        error.message = mask.words(error.message)[:_WORDS]
        error.args = (error.message,)
    if isinstance(error, Rejected):
        error.fields = tuple(FieldFault(one.path[:_PATH], mask.words(one.message)[:_WORDS]) for one in error.fields)
    return error


def _built(
    connection: Connection,
    dialect: Dialect,
    request: Outgoing,
    credentials: Credentials,
    headers: Mapping[str, str],
    seconds: float,
) -> httpx.Request:
    own = dict(_OWN)
    if request.body:
        own["Content-Type"] = "application/json"
    if request.idempotency_key and dialect.key_header:
        own[dialect.key_header] = request.idempotency_key
    path = dialect.address(request, credentials).lstrip("/")
    return httpx.Request(
        request.method,
        f"{connection.base_url}/{path}" if path else connection.base_url,
        params=dict(request.params) or None,
        headers=own | dict(request.headers) | dict(headers),
        content=request.body or None,
        extensions={"timeout": dict.fromkeys(("connect", "read", "write", "pool"), seconds)},
    )


def _data(content: bytes) -> Any:
    """The JSON of an answer, whatever it says it is; ``None`` where it is none."""
    try:
        return orjson.loads(content) if content else None
    except orjson.JSONDecodeError:
        return None
