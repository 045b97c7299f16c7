"""Every benchmark's operation does what it says, so that its figures mean something."""

from __future__ import annotations

from random import Random

import pytest

from app.bench_operations import BENCHMARKS
from app.bench_scene import Scene, lift_limits
from app.boot import House
from engine.checks import check_tenant
from engine.db import Addresses
from engine.runtime import Runtime
from tests.shop import Shop


@pytest.fixture
def scene(addresses: Addresses, runtime: Runtime, shop: Shop) -> Scene:
    """Three items in plenty, in a shop of this test's own."""
    items = tuple(shop.add(sku, price=6000, stock={"EAST": 100, "WEST": 100}) for sku in ("A", "B", "C"))
    made = Scene(House(addresses, runtime), shop.tenant.id, items, Random(1))  # noqa: S311 (no secret)
    lift_limits(made)
    return made


@pytest.mark.parametrize("name", BENCHMARKS)
def test_an_operation_goes_through(scene: Scene, name: str) -> None:
    for _ in range(2):
        BENCHMARKS[name](scene)()
    faults = [one for one in check_tenant(scene.runtime, scene.tenant_id, "bench") if not one.ok]
    assert faults == [] or name == "money_floor"  # its rows alone are a sale's: it asks no gateway
