"""A stage in the tests' own database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest
from sqlalchemy.engine import make_url

from engine.db import Addresses
from engine.lookout import Lookout
from engine.runtime import Runtime
from evals.house import House, Stage, staged
from graph import checkpointer

T = TypeVar("T")
OnStage = Callable[[Callable[[Stage], Coroutine[Any, Any, T]]], T]


@pytest.fixture(scope="session")
def house(addresses: Addresses, runtime: Runtime) -> House:
    assert addresses.owner is not None
    checkpointer.setup(addresses.owner, make_url(addresses.runtime).username or "")
    return House(runtime, addresses)


@pytest.fixture
def on_stage(house: House, monkeypatch: pytest.MonkeyPatch) -> OnStage[Any]:
    """Play something on a stage of its own, for no shop of other tests."""
    monkeypatch.delenv("ICOMMERCE_MODEL", raising=False)
    monkeypatch.setattr(Lookout, "due", lambda *_, **__: [])

    def run(play: Callable[[Stage], Coroutine[Any, Any, T]]) -> T:
        async def go() -> T:
            async with staged(house) as stage:
                return await play(stage)

        return asyncio.run(go())

    return run
