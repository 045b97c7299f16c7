"""The emulated systems of a shop."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from tests.engine.workflows.systems import Systems, opened


@pytest.fixture
def systems(runtime: Runtime, tenant: Tenant) -> Iterator[Systems]:
    with opened(runtime, tenant) as made:
        yield made
