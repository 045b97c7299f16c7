"""Each request and its answer, for the record: masked on the writer's time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import orjson
from fastapi import Request, Response

from app.site import Site
from engine.agentic.requests import MASK, Entry, harmless, masked, outcome
from engine.conversations.masking import mask_numbers
from engine.kit import clock
from engine.kit.identity import Identity

WITH_BODY: Final = frozenset({"POST", "PUT"})
_SHORT: Final = 80
_KEPT_WAITING: Final = 16 * 1024
"""Bytes of a body that wait for the writer: with all that may wait, no more than some hundred megabytes."""


def note(
    site: Site, identity: Identity, request: Request, raw: bytes, response: Response, *, ms: int, told: bool = True
) -> None:
    """Remember one that came as far as being somebody's; of its bodies no more than a refusal if they are not to be
    ``told``.
    """
    route = request.scope.get("route")
    raw = raw if request.method in WITH_BODY else b""  # nobody has looked at what came with another
    operation = f"{request.method} {getattr(route, 'path_format', '')}"
    subject = next(iter(request.path_params.values()), "")
    remember(
        site,
        identity,
        operation=operation,
        subject_id=str(subject),
        headers=request.headers,
        answer=response.headers,
        raw=raw if told else b"",
        status=response.status_code,
        body=bytes(response.body) if told or response.status_code >= 400 else b"",
        ms=ms,
    )


def remember(
    site: Site,
    identity: Identity,
    *,
    operation: str,
    subject_id: str,
    headers: Mapping[str, str],
    answer: Mapping[str, str],
    raw: bytes,
    status: int,
    body: bytes,
    ms: int,
) -> None:
    """The same, whatever the binding."""
    at: datetime = clock.now()
    raw = raw if len(raw) <= _KEPT_WAITING else b""
    known = outcome(_object(body)) if len(body) > _KEPT_WAITING else None
    waiting = body if known is None else b""

    def draft() -> Entry:
        told = outcome(_object(waiting)) if known is None else known
        found = subject_id or str(told.get("id", "")) if status < 400 else subject_id
        return Entry(
            tenant_id=identity.tenant_id,
            at=at,
            caller_id=identity.id,
            key_id=identity.key_id or "",
            request_id=mask_numbers(_printable(answer.get("request-id", "")))[:255],
            operation=operation[:_SHORT],
            subject_id=_printable(found)[:60] if harmless(found) else MASK,
            version=_printable(headers.get("api-version", ""))[:10],
            status=status,
            replayed="idempotent-replayed" in answer,
            ms=ms,
            asked=masked(_object(raw)) if status < 400 else {},
            answered=told,
        )

    site.agent_log.note(draft)


def _printable(text: str) -> str:
    """Text that the store can hold: a path may spell anything."""
    return text if text.isprintable() else "".join(one for one in text if one.isprintable())


def _object(raw: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(raw) if raw else {}
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
