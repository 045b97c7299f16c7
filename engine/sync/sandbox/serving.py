"""The world on real sockets of the loopback address: HTTP by uvicorn, mail by SMTP, and a hand that moves the time."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import uvicorn

from engine.sync.sandbox.application import app
from engine.sync.sandbox.world import World

HOST: Final = "127.0.0.1"
_BEAT_SECONDS: Final = 0.02
_START_SECONDS: Final = 30.0


@dataclass(frozen=True)
class Served:
    """Where a world is reached."""

    url: str
    smtp_host: str
    smtp_port: int

    def shopify(self, shop: str) -> str:
        return f"{self.url}/shopify/{shop}"

    def netsuite(self, account: str) -> str:
        return f"{self.url}/netsuite/{account}"

    @property
    def dcl(self) -> str:
        return f"{self.url}/dcl/api/v1"


@contextmanager
def serving(world: World, *, port: int = 0) -> Iterator[Served]:
    """Serve a world in a thread of this process while the block runs. Webhooks go out by themselves."""
    with socket.create_server((HOST, port)) as listening:
        thread = _Thread(world, listening)
        thread.start()
        try:
            yield thread.served()
        finally:
            thread.stop()


class _Thread(threading.Thread):
    def __init__(self, world: World, listening: socket.socket) -> None:
        super().__init__(name="sandbox", daemon=True)
        self._world = world
        self._socket = listening
        self._ready = threading.Event()
        self._smtp_port = 0
        config = uvicorn.Config(app(world, on_wire=True), log_config=None, access_log=False, lifespan="off")
        self._server = uvicorn.Server(config)

    def served(self) -> Served:
        if not self._ready.wait(_START_SECONDS):
            raise TimeoutError("the sandbox did not start")
        return Served(f"http://{HOST}:{self._socket.getsockname()[1]}", HOST, self._smtp_port)

    def stop(self) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        self.join()
        self._world.close()

    def run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        async with _mail(self._world) as self._smtp_port:
            beat = asyncio.create_task(self._beat())
            try:
                await self._server.serve(sockets=[self._socket])
            finally:
                beat.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await beat

    async def _beat(self) -> None:
        """Do what falls due, for as long as the world is served."""
        while True:
            if self._server.started:
                self._ready.set()
            await asyncio.to_thread(self._world.settle)
            await asyncio.sleep(_BEAT_SECONDS)


@contextlib.asynccontextmanager
async def _mail(world: World) -> AsyncIterator[int]:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await world.mail.serve(reader, writer)

    server = await asyncio.start_server(talk, HOST, 0, limit=16 * 1024 * 1024)
    async with server:
        yield server.sockets[0].getsockname()[1]
