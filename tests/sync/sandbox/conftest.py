"""A held world with one merchant, and clients that have nothing but addresses and credentials."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from engine.kit import clock
from engine.sync.sandbox import World, WorldTransport
from engine.sync.sandbox.faults import Rule
from engine.sync.sandbox.merchants import Merchant

START = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def world() -> Iterator[World]:
    """Summit's goods, nothing sold, the time held at ``START`` and the process's own clock with it."""
    with clock.stopped():
        made = World.preset("summit", at=START)
        yield made
        made.close()


@pytest.fixture
def merchant(world: World) -> Merchant:
    return world.merchants[0]


@pytest.fixture
def client(world: World) -> Iterator[httpx.Client]:
    """A client in the same process: no sleeping, waits are counted instead."""
    with httpx.Client(transport=WorldTransport(world, wait=lambda _: None), base_url="http://sandbox") as made:
        yield made


@pytest.fixture
def put(world: World) -> Callable[..., Rule]:
    """Put a fault rule in force."""

    def put_rule(system: str, kind: str, **fields: Any) -> Rule:
        rule = Rule.model_validate({"id": f"{system}-{kind}", "system": system, "kind": kind} | fields)
        world.ground.faults.put(rule)
        return rule

    return put_rule


class Told:
    """A receiver of webhooks: keeps what it got, and answers as it is told."""

    def __init__(self) -> None:
        self.got: list[httpx.Request] = []
        self.status: int | Exception = 200

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.got.append(request)
        if isinstance(self.status, Exception):
            raise self.status
        return httpx.Response(self.status)


@pytest.fixture
def receiver(world: World) -> Iterator[Told]:
    told = Told()
    with httpx.Client(transport=httpx.MockTransport(told)) as posting:
        world.hooks.use(posting)
        yield told
