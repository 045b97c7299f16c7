"""Token-based authentication (TBA): every request is signed by OAuth 1.0a with HMAC-SHA256 (RFC 5849, section 3.4).

The vendor takes no new integrations of this kind from release 2027.1; machine to machine comes first.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote, urlsplit


def header(
    *,
    account: str,
    keys: Mapping[str, str],
    method: str,
    url: str,
    params: Mapping[str, str],
    at: datetime,
    nonce: str = "",
) -> str:
    """The ``Authorization`` of one request. ``keys`` has consumer_key, consumer_secret, token_id and token_secret."""
    told = {
        "oauth_consumer_key": keys["consumer_key"],
        "oauth_token": keys["token_id"],
        "oauth_signature_method": "HMAC-SHA256",
        "oauth_timestamp": str(int(at.timestamp())),
        "oauth_nonce": nonce or secrets.token_hex(16),
        "oauth_version": "1.0",
    }
    base = base_string(method, url, {**params, **told})
    key = f"{escaped(keys['consumer_secret'])}&{escaped(keys['token_secret'])}"
    mac = hmac.new(key.encode(), base.encode(), hashlib.sha256).digest()
    said = {"realm": account, **told, "oauth_signature": base64.b64encode(mac).decode()}
    return "OAuth " + ", ".join(f'{name}="{escaped(value)}"' for name, value in said.items())


def base_string(method: str, url: str, pairs: Mapping[str, str]) -> str:
    """What is signed: the method, the address without its query, and every parameter, sorted after it was escaped."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    where = host if parts.port in {None, usual} else f"{host}:{parts.port}"
    address = f"{parts.scheme.lower()}://{where}{parts.path}"
    sorted_pairs = sorted((escaped(name), escaped(value)) for name, value in pairs.items())
    joined = "&".join(f"{name}={value}" for name, value in sorted_pairs)
    return "&".join((method.upper(), escaped(address), escaped(joined)))


def escaped(text: str) -> str:
    """By RFC 5849, section 3.6: everything but letters, digits and ``-._~``."""
    return quote(text, safe="-._~")
