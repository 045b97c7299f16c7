"""Addresses of the hosted card: signed, so that nobody finds one by trying, and good for as long as the card is."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime
from typing import Final

from engine.kit import clock
from engine.kit.envelope import derive
from engine.kit.errors import NotFound
from engine.runtime import Runtime

_OVER: Final = "This page is not valid any more. Ask your assistant for a fresh one."
_GRACE: Final = 86_400
"""Seconds for which the page goes on saying how it ended."""


def path_of(runtime: Runtime, tenant_id: str, consent_id: str, expires_at: datetime) -> str:
    """Where a human decides on the card."""
    body = f"{tenant_id}.{int(expires_at.timestamp()) + _GRACE}"
    return f"/confirm/{consent_id}?t={body}.{_sign(runtime.secret_key, consent_id, body)}"


def tenant_of(runtime: Runtime, consent_id: str, ticket: str) -> str:
    """Whose card the address is of. Raises ``NotFound`` for one that is forged or too old."""
    body, _, signature = ticket.rpartition(".")
    if not hmac.compare_digest(signature.encode(), _sign(runtime.secret_key, consent_id, body).encode()):
        raise NotFound(_OVER)
    tenant_id, _, until = body.partition(".")
    if int(until) < clock.now().timestamp():
        raise NotFound(_OVER)
    return tenant_id


def _sign(secret_key: bytes, consent_id: str, body: str) -> str:
    digest = hmac.new(derive(secret_key, "hosted-card"), f"{consent_id}.{body}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
