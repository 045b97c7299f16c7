"""A shop in a held world, and the connector that speaks to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from engine.kit import clock
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.sync.connectors.shopify.connector import ShopifyStorefront
from engine.sync.models import System
from engine.sync.sandbox import World
from engine.sync.sandbox.faults import Rule
from engine.sync.sandbox.merchants import Merchant
from tests.contracts.connectors import bench, scenes


@pytest.fixture(autouse=True)
def hands() -> Iterator[clock.OwnClock]:
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
def connection_id(runtime: Runtime, tenant: Tenant, merchant: Merchant) -> str:
    return bench.connect(runtime, tenant.id, System.SHOPIFY, merchant.credentials)


@pytest.fixture
def shop(
    runtime: Runtime, tenant: Tenant, world: World, hands: clock.OwnClock, connection_id: str
) -> ShopifyStorefront:
    made = scenes.opened(runtime, tenant.id, connection_id, bench.line_to(world), hands, patience=0.0)
    assert isinstance(made, ShopifyStorefront)
    return made


@pytest.fixture
def put(world: World) -> Callable[..., Rule]:
    def put_rule(kind: str, **fields: Any) -> Rule:
        rule = Rule.model_validate({"id": kind, "system": "shopify", "kind": kind} | fields)
        world.ground.faults.put(rule)
        return rule

    return put_rule
