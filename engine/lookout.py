"""What there is to do in all shops, for all loops of a process: one trip a second, however many shops and loops.

A loop says once what it looks for (``watch``) and asks then in which shops that is (``due``). What it is told is at
most a second old, and fresher while there is something to do for it: then it goes on at its own pace.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, Any, Final

from engine import due
from engine.kit import clock

if TYPE_CHECKING:
    from engine.db import Store
    from engine.kit.direct import Statement

QUIET_SECONDS: Final = 1.0
BUSY_SECONDS: Final = 0.25
NOBODYS: Final = ""
"""A look is bound to no shop until it binds each in turn."""
Errand = Hashable
Conditions = tuple[str, ...]


class Lookout:
    """One in a process; its loops share it. ``quiet_seconds``: how old an answer may be."""

    def __init__(
        self,
        store: Store,
        *,
        quiet_seconds: float = QUIET_SECONDS,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._quiet_seconds, self._seconds = store, quiet_seconds, seconds
        self._lock = threading.Lock()
        self._watched: dict[Errand, Conditions] = {}
        self._values: dict[str, Any] = {}
        self._statement: Statement | None = None
        self._seen: dict[Errand, list[tuple[str, str]]] = {}
        self._looked_at = float("-inf")

    def watch(self, errands: Mapping[Errand, Conditions], **values: Any) -> None:
        """Look for these too, from the next look on. ``values`` are what the conditions name, beside ``tenant`` and
        ``now``.
        """
        with self._lock:
            self._watched |= errands
            self._values |= values
            self._changed()

    def forget(self, errand: Errand) -> None:
        """Nobody looks for it any more."""
        with self._lock:
            self._watched.pop(errand, None)
            self._changed()

    def due(self, errand: Errand, *, suspended: bool = False) -> list[str]:
        """Shops in which it waits, in no order; ``suspended``: those too that are closed for now."""
        with self._lock:
            fresh_for = min(BUSY_SECONDS if self._seen.get(errand) else QUIET_SECONDS, self._quiet_seconds)
            if self._seconds() - self._looked_at >= fresh_for:
                self._look()
            found = [shop for shop, status in self._seen.get(errand, ()) if suspended or status == "active"]
        random.shuffle(found)
        return found

    def _changed(self) -> None:
        self._statement = due.look_around(self._watched.values()) if self._watched else None
        self._seen, self._looked_at = {}, float("-inf")

    def _look(self) -> None:
        if self._statement is None:
            return
        (rows,) = self._store.ask(NOBODYS, (self._statement, self._values | {"now": clock.now()}))
        self._seen = {
            errand: [(row["shop"], row["status"]) for row in rows if row[f"due_{place}"]]
            for place, errand in enumerate(self._watched)
        }
        self._looked_at = self._seconds()
