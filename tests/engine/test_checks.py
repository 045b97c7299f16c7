"""``check`` must be able to fail: each planted fault is found, in the tenant it was planted in and no other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from engine.checkout.complete import complete
from engine.checks import RULES, check_tenant
from engine.checks.rule import CheckResult, prove
from engine.db import Addresses, Store, open_engine
from engine.kit import audit
from engine.runtime import Runtime
from tests.conftest import new_tenant
from tests.engine import planted
from tests.shop import Shop, open_shop

MODULES = [import_module(f"{planted.__name__}.{one.name}") for one in iter_modules(planted.__path__)]
FAULTS = {name: fault for module in MODULES for name, fault in module.FAULTS.items()}
UNBREAKABLE = {
    "stock is never negative and never promised twice",
    "every unit of a line is at one place of its way",
}
"""Rules whose fault the database itself refuses."""


def test_every_rule_has_a_planted_fault() -> None:
    assert {rule.name for rule in RULES} - set(FAULTS) <= UNBREAKABLE


@dataclass(frozen=True)
class Pair:
    """Two shops that each sold something, and the owner's way into their rows."""

    first: Shop
    second: Shop
    owner: Engine


@pytest.fixture(scope="module")
def pair(runtime: Runtime, store: Store, addresses: Addresses) -> Iterator[Pair]:
    shops = [open_shop(runtime, new_tenant(store)) for _ in range(2)]
    for shop in shops:
        sell(shop)
    assert addresses.owner is not None
    owner = open_engine(addresses.owner)
    yield Pair(*shops, owner)
    owner.dispose()


def sell(shop: Shop) -> None:
    shop.add("A")
    buyer = shop.shopper()
    assert complete(shop.runtime, buyer, shop.approved(buyer, "A")).order is not None
    with shop.uow() as session:
        audit.seal(session, shop.tenant.id)


def plant(session: Session, tenant_id: str, name: str) -> None:
    """Do the damage, in one tenant alone."""
    session.execute(text("SELECT set_config('app.tenant_id', :t, true)"), {"t": tenant_id})
    session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    for statement in FAULTS[name].split(";"):
        session.execute(text(statement))


def proved(session: Session, shop: Shop, name: str) -> CheckResult:
    session.execute(text("SELECT set_config('app.tenant_id', :t, true)"), {"t": shop.tenant.id})
    [rule] = [rule for rule in RULES if rule.name == name]
    return prove(session, shop.tenant.slug, rule)


def test_shops_that_sold_are_clean(pair: Pair) -> None:
    for shop in (pair.first, pair.second):
        assert [r for r in check_tenant(shop.runtime, shop.tenant.id, shop.tenant.slug) if not r.ok] == []


@pytest.mark.parametrize("name", sorted({rule.name for rule in RULES} & set(FAULTS)))
def test_a_fault_planted_in_the_second_tenant_is_found(pair: Pair, name: str) -> None:
    """Planted, looked for and taken back in one transaction."""
    with Session(pair.owner) as session:
        plant(session, pair.second.tenant.id, name)
        found = proved(session, pair.second, name)
        assert not found.ok
        assert found.detail
        assert proved(session, pair.first, name).ok
        session.rollback()


@pytest.mark.parametrize("name", sorted(set(FAULTS) - {rule.name for rule in RULES}))
def test_a_fault_that_is_looked_for_elsewhere_is_found(shop: Shop, addresses: Addresses, name: str) -> None:
    """The gateway's books and the audit's chain are read by connections of their own."""
    sell(shop)
    assert addresses.owner is not None
    owner = open_engine(addresses.owner)
    with Session(owner) as session:
        plant(session, shop.tenant.id, name)
        session.commit()
    owner.dispose()
    bad = [r for r in check_tenant(shop.runtime, shop.tenant.id, shop.tenant.slug) if not r.ok]
    assert name in {result.name for result in bad}
