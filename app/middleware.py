"""Around every request: its id, its size, the headers of every answer, one log line, and a net under it all."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import structlog
from fastapi import Request
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.metrics import REQUESTS, SECONDS
from app.problems import problem
from engine.conversations.masking import mask_numbers
from engine.kit import tracing

log = structlog.get_logger("icommerce.http")
BODY_LIMIT: Final = 256 * 1024
UPLOAD_LIMIT: Final = 3 * 1024 * 1024
"""Of a body that brings a file, in base64."""
UPLOADS: Final = re.compile(r"/v1/(?:claims|returns)/[^/]+/evidence")
FILES: Final = "/v1/staff/imports/files"
"""Where a whole file is the body: it is streamed, and the setting says how large it may be."""
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,80}")
_QUIET: Final = frozenset({"/healthz", "/readyz", "/metrics"})
HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(self), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Edge:
    """The outermost layer of an app. ``policy`` is its Content-Security-Policy."""

    def __init__(
        self, app: ASGIApp, *, policy: str, headers: dict[str, str] | None = None, file_limit: int = BODY_LIMIT
    ) -> None:
        self._app = app
        self._file_limit = file_limit
        told = HEADERS | {"Content-Security-Policy": policy} | (headers or {})
        told.setdefault("Cache-Control", "no-store")
        self._headers = [(name.lower().encode(), value.encode()) for name, value in told.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        trace_id = tracing.read(Headers(scope=scope).get("traceparent", "")) or tracing.of(request_id)
        with tracing.traced(trace_id), structlog.contextvars.bound_contextvars(request_id=request_id):
            await self._answer(scope, receive, send, request_id)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        started, status = time.perf_counter(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = list(message.get("headers", ()))
                names = {name.lower() for name, _ in given}
                more = [pair for pair in self._headers if pair[0] not in names]
                message["headers"] = [*given, *more, (b"x-request-id", request_id.encode())]
                _note(scope, status, time.perf_counter() - started)
            await send(message)

        try:
            await self._app(scope, _limited(scope, receive, self._file_limit), sending)
        except Exception:  # the net: nothing of it may reach the client
            log.exception("unhandled")
            if not status:
                request = Request(scope)
                words = "Something went wrong on our side."
                await problem(request, 500, "internal_error", words)(scope, receive, sending)


def content_policy(
    *,
    frames: Iterable[str] = (),
    scripts: Iterable[str] = (),
    connects: Iterable[str] = (),
    ancestors: str = "'none'",
    trusted_types: bool = True,
) -> str:
    """Everything from our own origin and what is named, nothing inline, frames only where named."""
    frame_src = " ".join(frames) or "'none'"
    script_src, connect_src = " ".join(["'self'", *scripts]), " ".join(["'self'", *connects])
    policy = (
        f"default-src 'self'; script-src {script_src}; style-src 'self'; img-src 'self' data:;"
        f" connect-src {connect_src};"
        f" worker-src 'self'; frame-src {frame_src}; object-src 'none'; base-uri 'none'; form-action 'self';"
        f" frame-ancestors {ancestors}"
    )
    if not trusted_types:
        return policy
    return f"{policy}; require-trusted-types-for 'script'; trusted-types lit-html icommerce-worker"


def _request_id(scope: Scope) -> str:
    headers = Headers(scope=scope)
    given = headers.get("x-request-id") or headers.get("request-id", "")
    good = _REQUEST_ID.fullmatch(given) and mask_numbers(given) == given
    return given if good else f"req_{secrets.token_hex(12)}"


def _limited(scope: Scope, receive: Receive, file_limit: int) -> Receive:
    """Reads at most ``BODY_LIMIT`` bytes of a body, more where files come. Raises 413 beyond."""
    path = str(scope.get("path", ""))
    limit = file_limit if path == FILES else UPLOAD_LIMIT if UPLOADS.fullmatch(path) else BODY_LIMIT
    declared = Headers(scope=scope).get("content-length", "")
    too_large = declared.isdigit() and (len(declared) > 9 or int(declared) > limit)
    taken = 0

    async def limited() -> Message:
        nonlocal taken
        if too_large:
            raise HTTPException(413, headers={"Connection": "close"})
        message = await receive()
        if message["type"] == "http.request":
            taken += len(message.get("body", b""))
            if taken > limit:
                raise HTTPException(413, headers={"Connection": "close"})
        return message

    return limited


_counted: Final = lru_cache(maxsize=4_000)(REQUESTS.labels)
_timed: Final = lru_cache(maxsize=1_000)(SECONDS.labels)


def _note(scope: Scope, status: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", None) or ("/static" if scope["path"].startswith("/static/") else "-")
    _counted(scope["method"], route, status).inc()
    _timed(route).observe(seconds)
    if route in _QUIET and status < 500:
        return
    log.info("request", method=scope["method"], route=route, status=status, ms=round(seconds * 1000, 1))
