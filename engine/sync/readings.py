"""What systems said of their stock, the last of each: kept whenever stock is read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from engine.kit import clock
from engine.sync.work_models import Reading

_AT_ONCE: Final = 1_000


class Level(Protocol):
    """Units of an item at a place of a system, as the canonical ``StockLevel`` has them."""

    @property
    def sku(self) -> str: ...
    @property
    def location(self) -> str: ...
    @property
    def available(self) -> int: ...
    @property
    def on_hand(self) -> int | None: ...


def keep(session: Session, tenant_id: str, connection_id: str, levels: Iterable[Level], *, whole: bool = False) -> int:
    """Remember what was read just now; how many levels. ``whole``: it is all that the system has, and what it does not
    name any more is forgotten. An older reading that comes late does not take a newer one's place.
    """
    now = clock.now()
    found = {(level.sku, level.location): _row(tenant_id, connection_id, level, now) for level in levels}
    rows = list(found.values())
    for first in range(0, len(rows), _AT_ONCE):
        _write(session, rows[first : first + _AT_ONCE])
    if whole:
        its = (Reading.tenant_id == tenant_id, Reading.connection_id == connection_id, Reading.read_at < now)
        session.execute(delete(Reading).where(*its))
    return len(rows)


def _row(tenant_id: str, connection_id: str, level: Level, now: datetime) -> dict[str, Any]:
    return {
        "tenant_id": tenant_id,
        "sku": level.sku,
        "connection_id": connection_id,
        "location": level.location,
        "available": level.available,
        "on_hand": level.on_hand,
        "read_at": now,
    }


def _write(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    new = insert(Reading).values(list(rows))
    session.execute(
        new.on_conflict_do_update(
            index_elements=["tenant_id", "sku", "connection_id", "location"],
            set_={name: new.excluded[name] for name in ("available", "on_hand", "read_at")},
            where=Reading.read_at <= new.excluded.read_at,
        )
    )
