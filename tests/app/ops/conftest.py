"""A shop with its systems, and a key of its operations."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.sync.models import System
from engine.workflows import registry
from tests.engine.operations.pipeline_scene import PLACE, Pipeline


@pytest.fixture
def pipeline(runtime: Runtime, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    monkeypatch.setitem(registry.WORKFLOWS, "shopifyToNetsuite", PLACE)
    made = Pipeline(runtime, tenant)
    made.connect(System.SHOPIFY, System.NETSUITE, System.DCL)
    return made


@pytest.fixture
def ops(tenant: Tenant, make_key: Callable[..., str]) -> str:
    return make_key(tenant, "ops")
