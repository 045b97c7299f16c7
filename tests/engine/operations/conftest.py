"""A shop with orders on their way, and people of its operations."""

from __future__ import annotations

import pytest

from engine.kit.identity import Actor, Identity, Scope
from engine.kit.ids import new_id
from engine.kit.tenancy import Tenant
from tests.engine.fulfillment.conftest import Warehouse
from tests.shop import Shop


def person(tenant: Tenant, name: str | None, *scopes: Scope) -> Identity:
    """Somebody of the shop, with a key of their own."""
    held = frozenset(scopes or {Scope.OPS})
    return Identity(tenant.id, Actor.API_KEY, new_id("key"), scopes=held, person=name)


@pytest.fixture
def warehouse(shop: Shop) -> Warehouse:
    shop.add("A", stock={"EAST": 10, "WEST": 5})
    return Warehouse(shop)


@pytest.fixture
def ops(tenant: Tenant) -> Identity:
    return person(tenant, "noor")
