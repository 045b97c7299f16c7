"""Leave to enter a way to pay, signed into the address of a gateway's page."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from engine.kit import clock
from engine.kit.envelope import derive
from engine.kit.errors import Unauthenticated

GRANT_LIFE: Final = timedelta(minutes=30)
_OVER: Final = "This card form is not valid any more. Please open it again."


@dataclass(frozen=True, slots=True)
class Grant:
    """Leave to enter a way to pay for one checkout session of one merchant."""

    merchant: str
    session_id: str


def issue_grant(secret_key: bytes, grant: Grant) -> str:
    """A signed, expiring grant to put into the page's address."""
    expires = int((clock.now() + GRANT_LIFE).timestamp())
    body = _b64(json.dumps([grant.merchant, grant.session_id, expires]).encode())
    return f"{body}.{_sign(secret_key, body)}"


def read_grant(secret_key: bytes, token: str) -> Grant:
    """The grant again. Raises ``Unauthenticated`` when it is forged or too old."""
    body, _, signature = token.partition(".")
    if not hmac.compare_digest(signature.encode(), _sign(secret_key, body).encode()):
        raise Unauthenticated(_OVER)
    merchant, session_id, expires = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    if datetime.fromtimestamp(expires, tz=clock.now().tzinfo) < clock.now():
        raise Unauthenticated(_OVER)
    return Grant(merchant, session_id)


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _sign(secret_key: bytes, body: str) -> str:
    return _b64(hmac.new(derive(secret_key, "card-entry"), body.encode(), hashlib.sha256).digest())
