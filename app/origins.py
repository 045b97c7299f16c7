"""Which pages are ours: the only ones that may frame the gateway's card form and hear of a card."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from engine.settings import Settings

ANY_HOST = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 (names to recognize, nothing is bound)
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def origin(host: str, port: int) -> str:
    """Where a browser on this machine reaches a server bound to ``host``."""
    name = "127.0.0.1" if host in ANY_HOST else host
    return f"http://{f'[{name}]' if ':' in name else name}:{port}"


def shop_origins(settings: Settings, merchant_host: str | None) -> list[str]:
    """Origins that a merchant's pages may have."""
    found = [f"http://{name}:{settings.port}" for name in _LOOPBACK]
    own = origin(settings.host, settings.port)
    if own not in found:
        found.append(own)
    if merchant_host:
        found += [f"https://{merchant_host}", f"http://{merchant_host}:{settings.port}"]
    return found


def known_origin(settings: Settings, merchant_host: str | None, wanted: str) -> str | None:
    """``wanted`` when it is one of the merchant's: named, or an address of this machine's own network."""
    if wanted in shop_origins(settings, merchant_host):
        return wanted
    if settings.host not in ANY_HOST:
        return None
    try:
        parts = urlsplit(wanted)
        ours = parts.scheme == "http" and _private(parts.hostname or "") and parts.port == settings.port
    except ValueError:
        return None
    return f"http://{parts.netloc}" if ours else None


def _private(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_private
    except ValueError:
        return False
