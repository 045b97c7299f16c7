"""The gateways under contract. A new one adds its hands to ``bench.py`` and its name to ``GATEWAYS``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine.db import Addresses, Store
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from tests.contracts.gateways.bench import Bench, SandboxHands, StripeHands, stripe_hands
from tests.contracts.gateways.stripe_double import StripeDouble

GATEWAYS = ("sandbox", "stripe")


@pytest.fixture(scope="session")
def double() -> Iterator[StripeDouble]:
    """One server for the worker; every merchant has an account of their own there."""
    running = StripeDouble()
    yield running
    running.close()


@pytest.fixture
def stripe(store: Store, addresses: Addresses, double: StripeDouble, tenant: Tenant) -> StripeHands:
    double.faults.clear()
    return stripe_hands(store, addresses, double, tenant.id)


@pytest.fixture(params=GATEWAYS)
def bench(request: pytest.FixtureRequest, runtime: Runtime, tenant: Tenant) -> Bench:
    if request.param == "stripe":
        return Bench(request.getfixturevalue("stripe"))
    gateway = runtime.gateways["sandbox"]
    if not hasattr(gateway, "due_webhooks"):
        pytest.skip("the sandbox gateway does not speak the wider port yet")
    return Bench(SandboxHands(gateway, tenant.id))  # type: ignore[arg-type]
