"""A merchant's world for each test, connected to as a shop would connect."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from engine.kit import clock
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.sync.models import System
from engine.sync.sandbox import World
from engine.sync.sandbox.faults import Rule
from engine.sync.sandbox.merchants import Merchant
from tests.contracts.connectors import bench, scenes

Open = Callable[..., Any]


@pytest.fixture(autouse=True)
def hands() -> Iterator[clock.OwnClock]:
    """The process's own time, held where the world's begins: what is dated is the same every time."""
    with clock.own(bench.START) as made:
        yield made


@pytest.fixture
def world(hands: clock.OwnClock) -> Iterator[World]:
    made = bench.new_world()
    yield made
    made.close()


@pytest.fixture
def merchant(world: World) -> Merchant:
    return world.merchants[0]


@pytest.fixture
def open_live(runtime: Runtime, tenant: Tenant, world: World, hands: clock.OwnClock) -> Open:
    """The connector of a system, with the emulated vendors at the other end."""
    made: dict[System, str] = {}

    def open_(system: System, **more: Any) -> Any:
        if system not in made:
            made[system] = bench.connect(runtime, tenant.id, system, world.merchants[0].credentials)
        return scenes.opened(runtime, tenant.id, made[system], bench.line_to(world), hands, **more)

    return open_


@pytest.fixture
def put(world: World) -> Callable[..., Rule]:
    """Put a fault rule in force."""

    def put_rule(system: str, kind: str, **fields: Any) -> Rule:
        rule = Rule.model_validate({"id": f"{system}-{kind}", "system": system, "kind": kind} | fields)
        world.ground.faults.put(rule)
        return rule

    return put_rule
