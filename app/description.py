"""``/openapi.json``: the API's description, made at the first request for it, and kept as the bytes of its answer."""

from __future__ import annotations

import hashlib
from threading import Lock
from typing import Final

import orjson
from fastapi import APIRouter, FastAPI, Request, Response

router: Final = APIRouter(include_in_schema=False)


class Description:
    """Making it costs a second of processor time, which must not stand still for everybody: it is done in the thread of
    whoever asks first.
    """

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._lock = Lock()
        self._made: tuple[bytes, str] | None = None

    def made(self) -> tuple[bytes, str]:
        """(JSON, ETag)."""
        with self._lock:
            if self._made is None:
                body = orjson.dumps(self._app.openapi())
                self._made = body, f'"{hashlib.sha256(body).hexdigest()[:16]}"'
            return self._made


@router.get("/openapi.json")
def description(request: Request) -> Response:
    """All operations, for people's and machines' tools."""
    told: Description = request.app.state.description
    body, tag = told.made()
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)
