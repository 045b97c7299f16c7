"""News of conversations, from one listening connection to all who wait."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from types import TracebackType
from typing import Self

import psycopg

from engine.kit.bells import CHANNEL


class Listener:
    """Rings a thread's bell whenever its log grows. ``async with`` it."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._bells: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._task: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._hear())
        await asyncio.wait_for(self._ready.wait(), 30)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def bell(self, tenant_id: str, thread_id: str) -> asyncio.Event:
        return self._bells[f"{tenant_id}:{thread_id}"]

    async def _hear(self) -> None:
        async with await psycopg.AsyncConnection.connect(self._dsn, autocommit=True) as connection:
            await connection.execute(f"LISTEN {CHANNEL}")
            self._ready.set()
            async for notice in connection.notifies():
                if notice.payload in self._bells:
                    self._bells[notice.payload].set()
