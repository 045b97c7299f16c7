"""``check`` must be able to fail: each planted fault is found, in the tenant it was planted in and no other."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from engine.checkout.complete import complete
from engine.checks import RULES, run_checks
from engine.db import Addresses, open_engine
from tests.conftest import MakeTenant
from tests.engine.planted import books, checkout, delegation, fulfillment, money, orders, stock
from tests.shop import Shop, open_shop

MODULES = (books, checkout, delegation, fulfillment, money, orders, stock)
FAULTS = {name: fault for module in MODULES for name, fault in module.FAULTS.items()}
UNBREAKABLE = {
    "stock is never negative and never promised twice",
    "every unit of a line is at one place of its way",
}
"""Rules whose fault the database itself refuses."""


def test_every_rule_has_a_planted_fault() -> None:
    assert {rule.name for rule in RULES} - set(FAULTS) <= UNBREAKABLE


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_planted_in_the_second_tenant_is_found(
    shop: Shop, make_tenant: MakeTenant, addresses: Addresses, name: str
) -> None:
    second = open_shop(shop.runtime, make_tenant())
    for each in (shop, second):
        each.add("A")
        buyer = each.shopper()
        assert complete(each.runtime, buyer, each.approved(buyer, "A")).order is not None
        with each.uow() as session:
            from engine.kit import audit

            audit.seal(session, each.tenant.id)
    mine = {shop.tenant.slug, second.tenant.slug}
    assert [r for r in run_checks(shop.runtime) if r.tenant in mine and not r.ok] == []
    assert addresses.owner is not None
    owner = open_engine(addresses.owner)
    with owner.begin() as connection:
        connection.execute(text("SELECT set_config('app.tenant_id', :t, true)"), {"t": second.tenant.id})
        connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        for statement in FAULTS[name].split(";"):
            connection.execute(text(statement))
    owner.dispose()
    bad = [r for r in run_checks(shop.runtime) if r.tenant in mine and not r.ok]
    assert name in {r.name for r in bad}
    assert {r.tenant for r in bad} == {second.tenant.slug}
    assert all(r.detail and r.looked_at >= 0 for r in bad)
