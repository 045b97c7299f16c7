"""A connected shop."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine.kit import clock
from engine.sync.models import System
from engine.sync.sandbox import World
from tests.contracts.connectors import bench
from tests.shop import Shop
from tests.sync.workflows.pipes import Pipes


@pytest.fixture
def world() -> Iterator[World]:
    with clock.own(bench.START):
        made = bench.new_world()
        yield made
        made.close()


@pytest.fixture
def pipes(world: World, shop: Shop) -> Pipes:
    made = Pipes(shop, world)
    made.connect(System.SHOPIFY, System.NETSUITE, System.DCL)
    return made
