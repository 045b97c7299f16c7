"""``Merchant-Signature``: proof that an event is the shop's, and fresh (Agentic Commerce Protocol, webhooks)."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

HEADER: Final = "Merchant-Signature"


def sign(secret: str, body: bytes, *, at: int) -> str:
    """``t=<unix seconds>,v1=<64 hex>``: HMAC-SHA256 over ``t``, a dot and the body as it is sent."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"
