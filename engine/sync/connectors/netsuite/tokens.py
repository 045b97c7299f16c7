"""Bearer tokens of the machine-to-machine flow (OAuth 2.0 client credentials): kept in memory, never stored.

The client proves who it is by a JWT (RFC 7523) that it signs with the certificate's private key: PS256 with an RSA key,
ES256 with one of the curve P-256 (RFC 7518).
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from engine.kit import clock
from engine.sync.errors import AuthExpired

PATH: Final = "/auth/oauth2/v1/token"
GRANT: Final = "client_credentials"
ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SCOPE: Final = "rest_webservices"
_ASSERTED_FOR: Final = timedelta(minutes=5)
_RENEWED_BEFORE: Final = timedelta(minutes=2)
_MOST_KEPT: Final = 1_000


@dataclass(frozen=True, slots=True)
class Bearer:
    """``ends_at`` is when it is worth nothing any more, by our own clock."""

    value: str = field(repr=False)
    ends_at: datetime


class Bearers:
    """The bearers of this process, by what they were given for. One at a time asks for a new one; the others wait."""

    def __init__(self) -> None:
        self._kept: dict[bytes, Bearer] = {}
        self._asking: dict[bytes, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: bytes, ask: Callable[[], Bearer]) -> str:
        """The bearer of ``key``, asked for anew shortly before it ends."""
        kept = self._good(key)
        if kept is not None:
            return kept
        with self._lock:
            asking = self._asking.setdefault(key, threading.Lock())
        with asking:
            kept = self._good(key)
            if kept is None:
                fresh = ask()
                self._keep(key, fresh)
                kept = fresh.value
        return kept

    def forget(self, key: bytes, value: str) -> bool:
        """It was refused. ``False`` where it was not kept any more: somebody has a newer one."""
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or kept.value != value:
                return False
            del self._kept[key]
            return True

    def _good(self, key: bytes) -> str | None:
        with self._lock:
            kept = self._kept.get(key)
        return kept.value if kept and kept.ends_at - _RENEWED_BEFORE > clock.now() else None

    def _keep(self, key: bytes, fresh: Bearer) -> None:
        with self._lock:
            if len(self._kept) >= _MOST_KEPT:
                oldest = min(self._kept, key=lambda one: self._kept[one].ends_at)
                del self._kept[oldest]
                self._asking.pop(oldest, None)
            self._kept[key] = fresh


BEARERS: Final = Bearers()


def assertion(*, client_id: str, certificate_id: str, private_key: str, audience: str, at: datetime) -> str:
    """A signed statement of who we are, good for five minutes at one address. Raises ``AuthExpired`` for a key that
    signs nothing here.
    """
    key = _read(private_key)
    algorithm = "PS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"
    issued = int(at.timestamp())
    head = {"typ": "JWT", "alg": algorithm, "kid": certificate_id}
    ends = issued + int(_ASSERTED_FOR.total_seconds())
    claims = {"iss": client_id, "scope": [SCOPE], "aud": audience, "iat": issued, "exp": ends}
    signed = f"{_packed(orjson.dumps(head))}.{_packed(orjson.dumps(claims))}"
    return f"{signed}.{_packed(_signature(key, signed.encode()))}"


def read_bearer(answer: Any, *, at: datetime) -> Bearer:
    """What the system gave, asked for at ``at``. Raises ``AuthExpired`` where it gave none."""
    told = answer if isinstance(answer, dict) else {}
    value, seconds = told.get("access_token"), str(told.get("expires_in", ""))
    if not isinstance(value, str) or not value or not seconds.isdigit():
        raise AuthExpired("The system gave no token.")
    return Bearer(value, at + timedelta(seconds=int(seconds)))


def _read(private_key: str) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(private_key.encode(), None)
    except (ValueError, TypeError):
        raise AuthExpired("The private key is no PEM that can be read.") from None
    if isinstance(key, rsa.RSAPrivateKey):
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise AuthExpired("The private key is neither RSA nor of the curve P-256.")


def _signature(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, signed: bytes) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        pad = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.DIGEST_LENGTH)
        return key.sign(signed, pad, hashes.SHA256())
    r, s = utils.decode_dss_signature(key.sign(signed, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _packed(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
