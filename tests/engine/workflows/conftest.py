"""The emulated systems of a shop."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine.kit import clock
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from tests.contracts.connectors import bench
from tests.engine.workflows.pipeline_scene import Pipeline
from tests.engine.workflows.systems import Systems, opened


@pytest.fixture
def systems(runtime: Runtime, tenant: Tenant) -> Iterator[Systems]:
    with opened(runtime, tenant) as made:
        yield made


@pytest.fixture
def pipeline(runtime: Runtime, tenant: Tenant) -> Iterator[Pipeline]:
    """Shop and ERP, with time that a test moves."""
    with clock.own(bench.START) as hands:
        world = bench.new_world()
        made = Pipeline(runtime, tenant, world, hands)
        made.connect()
        yield made
        world.close()
