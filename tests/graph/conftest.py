"""A conversation in a small stocked shop, with a scripted model and a real runner."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from engine.conversations import service
from engine.conversations.models import Run
from engine.conversations.schemas import RunInput, RunView, Snapshot
from engine.db import Addresses
from engine.kit.identity import Identity
from engine.lookout import Lookout
from graph import checkpointer
from graph.runner import Runner
from tests.llm_server import LlmServer
from tests.scripted import MODEL, Script, install
from tests.shop import Shop


@pytest.fixture(scope="session")
def graph_dsn(addresses: Addresses) -> str:
    """The runtime role's address of a database that has the saver's tables."""
    assert addresses.owner is not None
    checkpointer.setup(addresses.owner, make_url(addresses.runtime).username or "")
    return addresses.runtime


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    monkeypatch.setenv("ICOMMERCE_MODEL", MODEL)
    monkeypatch.setattr("icommerce_agents.models.RETRIES", 0)
    made = Script()
    install(made)
    yield made
    assert not made.answers, f"the script has answers left: {made.answers}"


@pytest.fixture
def llm(monkeypatch: pytest.MonkeyPatch) -> Iterator[LlmServer]:
    """The model of everybody, behind real HTTP."""
    with LlmServer() as server:
        for name, value in server.env().items():
            monkeypatch.setenv(name, value)
        yield server
    assert not server.answers, f"the script has answers left: {server.answers}"


@dataclass
class Talk:
    """One shopper's conversation."""

    shop: Shop
    identity: Identity
    thread_id: str
    runner: Runner | None = None

    def submit(self, **given: Any) -> Run:
        with self.shop.uow() as session:
            return service.submit(session, self.identity, self.thread_id, RunInput.model_validate(given))

    async def turn(self, **given: Any) -> RunView:
        run = await asyncio.to_thread(self.submit, **given)
        return await self.wait(run.id)

    async def wait(self, run_id: str) -> RunView:
        assert self.runner is not None
        self.runner.wake(self.shop.tenant.id, self.thread_id)
        for _ in range(10_000):
            view = await asyncio.to_thread(self.run, run_id)
            if view.status != "running":
                return view
            await asyncio.sleep(0.01)
        raise AssertionError(f"run still {view.status}")

    async def say(self, message: str) -> RunView:
        return await self.turn(message=message)

    async def press(self, name: str, **args: Any) -> RunView:
        return await self.turn(action={"name": name, "args": args})

    async def decide(self, card: str, *, approved: bool = True) -> RunView:
        entry = {"interruptId": card, "status": "resolved", "payload": {"approved": approved}}
        return await self.turn(resume=[entry])

    def run(self, run_id: str) -> RunView:
        with self.shop.uow() as session:
            return service.run_view(session, self.identity, self.thread_id, run_id)

    def snapshot(self) -> Snapshot:
        with self.shop.uow() as session:
            return service.snapshot(session, self.identity, self.thread_id)

    def events(self, identity: Identity | None = None) -> list[dict[str, Any]]:
        with self.shop.uow() as session:
            rows = service.events_after(session, identity or self.identity, self.thread_id, 0, limit=5000)
            return [payload for _seq, payload in rows]

    def types(self) -> list[str]:
        return [event["type"] for event in self.events()]

    def texts(self, role: str = "assistant") -> list[str]:
        return [m.content.strip() for m in self.snapshot().messages if m.role == role]

    def cards(self, kind: str) -> list[dict[str, Any]]:
        return [m.data or {} for m in self.snapshot().messages if m.activity_type == kind]


def begin(shop: Shop) -> Talk:
    """A conversation of a new shopper."""
    identity = shop.shopper()
    with shop.uow() as session:
        thread = service.create_thread(session, identity)
    return Talk(shop, identity, thread.id)


@pytest.fixture
def talk(shop: Shop, script: Script) -> Talk:
    return begin(shop)


@pytest.fixture
def distant(shop: Shop, llm: LlmServer) -> Talk:
    """A conversation whose model is reached over HTTP."""
    return begin(shop)


Running = Callable[..., Any]


@pytest.fixture
def running(graph_dsn: str, monkeypatch: pytest.MonkeyPatch) -> Running:
    """``async with running(talk)``: a runner of its own on this event loop, for the shops of these talks alone: what
    other tests left unfinished would be taken up with this one's script.
    """

    @asynccontextmanager
    async def run(*talks: Talk, **options: Any) -> AsyncIterator[Runner]:
        shops = [talk.shop.tenant.id for talk in talks]
        lookout = Lookout(talks[0].shop.runtime.store, quiet_seconds=0.0)
        everywhere = lookout.due
        monkeypatch.setattr(lookout, "due", lambda errand: [shop for shop in everywhere(errand) if shop in shops])
        runner = Runner(talks[0].shop.runtime, graph_dsn, lookout=lookout, **options)
        await runner.start()
        for talk in talks:
            talk.runner = runner
        try:
            yield runner
        finally:
            await runner.stop()

    return run
