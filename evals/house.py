"""The house that evals run in: an embedded PostgreSQL of its own, the engine, and the conversation's own runner."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy.engine import make_url

from engine.catalog.search import CatalogSearch
from engine.db import Addresses, Store, libpq_url, open_addresses
from engine.kit.tenancy import RUNTIME_ROLE
from engine.migrate import load_models, migrate
from engine.payments.gateway import Gateway
from engine.payments.gateways.sandbox.gateway import SandboxGateway
from engine.runtime import Runtime
from engine.settings import Settings
from evals import throwaway
from evals.listening import Listener
from graph import checkpointer
from graph.runner import CONCURRENCY, Runner

MoreGateways = Callable[[Addresses], Mapping[str, Gateway]]
"""Gateways beside the sandbox."""
_NEVER: Final = 1_000_000.0
"""Nothing is left behind here that a sweep should find."""


@dataclass(frozen=True, slots=True)
class House:
    """An engine on a migrated database."""

    runtime: Runtime
    addresses: Addresses

    @property
    def dsn(self) -> str:
        """The runtime role's address, as psycopg takes it."""
        return libpq_url(self.addresses.runtime)


@dataclass(frozen=True, slots=True)
class Stage:
    """A house with its runner at work: conversations can be held here."""

    house: House
    runner: Runner
    listener: Listener

    @property
    def runtime(self) -> Runtime:
        return self.house.runtime


@contextmanager
def temporary_house(more: MoreGateways = lambda _: {}) -> Iterator[House]:
    """A house in a temporary folder; nothing of it is left afterwards."""
    home = throwaway.make("icommerce-evals-")
    settings = Settings.from_env({"ICOMMERCE_HOME": str(home)})
    try:
        addresses = open_addresses(replace(settings, durable=False), start=True)
        migrate(addresses)
        assert addresses.owner is not None
        checkpointer.setup(libpq_url(addresses.owner), make_url(addresses.runtime).username or RUNTIME_ROLE)
        with opened(addresses, more) as house:
            yield house
    finally:
        throwaway.remove(home)


@contextmanager
def opened(addresses: Addresses, more: MoreGateways = lambda _: {}) -> Iterator[House]:
    """The engine on a database that is there. Search goes by words: no index is made for a shop of ten goods."""
    load_models()
    store = Store(addresses.runtime)
    gateway = SandboxGateway(addresses.sandbox, addresses.secret_key, page_url=lambda: "http://127.0.0.1:1")
    runtime = Runtime(
        store=store,
        gateways={"sandbox": gateway, **more(addresses)},
        search=CatalogSearch(),
        secret_key=addresses.secret_key,
        demo=True,
        psp_url=lambda: "http://127.0.0.1:1",
    )
    try:
        yield House(runtime, addresses)
    finally:
        store.close()
        gateway.close()


@asynccontextmanager
async def staged(house: House, *, concurrency: int = CONCURRENCY) -> AsyncIterator[Stage]:
    """The runner of production, on this event loop, and an ear for its events."""
    runner = Runner(house.runtime, house.dsn, concurrency=concurrency, sweep_seconds=_NEVER)
    async with Listener(house.dsn) as listener:
        await runner.start()
        try:
            yield Stage(house, runner, listener)
        finally:
            await runner.stop()
