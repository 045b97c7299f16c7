"""How fast one key may ask: a bucket of tokens per key, in this process."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Final

from engine.kit.errors import RateLimited

_MOST: Final = 10_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


@dataclass
class Pace:
    """``per_second`` requests of one caller, as many again at once."""

    per_second: float = 600
    _buckets: dict[str, _Bucket] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def step(self, caller: str) -> None:
        """One request. Raises ``RateLimited`` for one too many."""
        now = time.monotonic()
        with self._lock:
            bucket = self._buckets.get(caller)
            if bucket is None:
                if len(self._buckets) >= _MOST:
                    self._buckets.clear()
                bucket = self._buckets[caller] = _Bucket(self.per_second, now)
            bucket.tokens = min(self.per_second, bucket.tokens + (now - bucket.at) * self.per_second)
            bucket.at = now
            if bucket.tokens < 1:
                raise RateLimited("Too many requests. Please slow down.", retry_after_seconds=1)
            bucket.tokens -= 1
