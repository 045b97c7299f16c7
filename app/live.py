"""News of every conversation, from one listening connection to all who wait."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

import psycopg
import structlog

from engine.db import libpq_url
from engine.kit.bells import CHANNEL

log = structlog.get_logger(__name__)
_RECONNECT_SECONDS: Final = 1.0
_PATIENCE_SECONDS: Final = 15.0
_POLL_SECONDS: Final = 1.0


class LiveEvents:
    """Rings a bell for whoever waits for a thread. Hearing nothing is safe: readers look for themselves too."""

    def __init__(self, url: str) -> None:
        self._url = libpq_url(url)
        self._bells: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._task: asyncio.Task[None] | None = None
        self._hearing = asyncio.Event()
        self.closed = False

    @property
    def patience_seconds(self) -> float:
        """How long a reader may rely on the bell alone."""
        return _PATIENCE_SECONDS if self._hearing.is_set() else _POLL_SECONDS

    @property
    def listeners(self) -> int:
        return sum(len(bells) for bells in self._bells.values())

    async def start(self) -> None:
        """Begin to listen; returns when it does."""
        self._task = asyncio.create_task(self._listen())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hearing.wait(), 5)

    async def stop(self) -> None:
        self.close()
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def close(self) -> None:
        """Let every reader end its stream."""
        self.closed = True
        for bells in self._bells.values():
            for bell in bells:
                bell.set()

    @contextlib.contextmanager
    def bell(self, tenant_id: str, *things: str) -> Iterator[asyncio.Event]:
        """An event that is set whenever the log of one of these threads grows, or a person's sessions end."""
        keys, bell = [f"{tenant_id}:{thing}" for thing in things], asyncio.Event()
        for key in keys:
            self._bells[key].add(bell)
        try:
            yield bell
        finally:
            for key in keys:
                self._bells[key].discard(bell)
                if not self._bells[key]:
                    del self._bells[key]

    async def _listen(self) -> None:
        while not self.closed:
            try:
                await self._hear()
            except psycopg.Error as error:
                log.warning("event channel lost", error=type(error).__name__)
            finally:
                self._hearing.clear()
            await asyncio.sleep(_RECONNECT_SECONDS)

    async def _hear(self) -> None:
        connection = await psycopg.AsyncConnection.connect(
            self._url, autocommit=True, connect_timeout=5, application_name="icommerce-events"
        )
        async with connection:
            await connection.execute(f"LISTEN {CHANNEL}")
            self._hearing.set()
            self._ring_all()
            async for notice in connection.notifies():
                for bell in self._bells.get(notice.payload, ()):
                    bell.set()

    def _ring_all(self) -> None:
        """After a gap nobody knows what was missed."""
        for bells in self._bells.values():
            for bell in bells:
                bell.set()
