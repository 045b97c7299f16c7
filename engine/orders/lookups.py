"""How often somebody may look at an order that is not theirs, by its number and e-mail."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Final

from engine.kit import limits
from engine.runtime import Runtime

_HOUR: Final = timedelta(hours=1)
_PER_ASKER: Final = 5
_PER_ORDER: Final = 10


def limit(runtime: Runtime, tenant_id: str, *, who: str, number: str) -> None:
    """Count one look, in a transaction of its own, so that a miss counts too. Raises ``RateLimited``."""
    with runtime.store.without_tenant() as session:
        for what, most in ((f"who|{who}", _PER_ASKER), (f"number|{spelled(number)}", _PER_ORDER)):
            bucket = hashlib.sha256(f"{tenant_id}|{what}".encode()).hexdigest()
            limits.hit(session, f"order-lookup:{bucket}", limit=most, window=_HOUR)


def spelled(number: str) -> str:
    """An order number as it is kept."""
    return number.strip().lstrip("#").upper()
