"""Links: unique both ways, whoever comes first."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from engine.sync import xref
from engine.sync.models import System, Xref


def link(runtime, tenant, external_id: str, internal_id: str, **more) -> Xref:
    usual = {"system": System.NETSUITE, "kind": "salesOrder", "internal_kind": "order"}
    with runtime.unit_of_work(tenant.id) as session:
        return xref.link(
            session, tenant_id=tenant.id, external_id=external_id, internal_id=internal_id, **(usual | more)
        )


def test_linked_again_it_keeps_the_newest(runtime, tenant) -> None:
    first = link(runtime, tenant, "77", "ord_1", version="1", hash="a")
    again = link(runtime, tenant, "77", "ord_1", version="2", hash="b")

    assert (again.version, again.hash, again.linked_at) == ("2", "b", first.linked_at)
    assert again.updated_at > first.updated_at
    with runtime.unit_of_work(tenant.id) as session:
        assert session.query(Xref).count() == 1


@pytest.mark.parametrize(("external_id", "internal_id"), [("77", "ord_2"), ("78", "ord_1")])
def test_neither_side_is_linked_twice(runtime, tenant, external_id, internal_id) -> None:
    link(runtime, tenant, "77", "ord_1")

    with pytest.raises(xref.LinkedElsewhere):
        link(runtime, tenant, external_id, internal_id)
    with runtime.unit_of_work(tenant.id) as session:
        assert [(row.external_id, row.internal_id) for row in session.query(Xref)] == [("77", "ord_1")]


def test_other_kinds_systems_accounts_and_shops_are_others(runtime, tenant, make_tenant) -> None:
    link(runtime, tenant, "77", "ord_1")
    link(runtime, tenant, "77", "ord_1", kind="invoice")
    link(runtime, tenant, "77", "ord_1", system=System.SHOPIFY, kind="order")
    link(runtime, tenant, "77", "ord_2", account="eu")
    link(runtime, make_tenant(), "77", "ord_3")
    with runtime.unit_of_work(tenant.id) as session:
        ids = {"tenant_id": tenant.id, "system": System.NETSUITE, "kind": "salesOrder"}
        assert xref.find(session, **ids, external_id="77").internal_id == "ord_1"
        assert xref.find(session, **ids, external_id="77", account="eu").internal_id == "ord_2"
        assert xref.find(session, **ids, external_id="78") is None
        assert xref.find_external(session, **ids, internal_kind="order", internal_id="ord_1").external_id == "77"
        assert xref.find_external(session, **ids, internal_kind="order", internal_id="ord_3") is None
        known = xref.lineage(session, tenant_id=tenant.id, internal_kind="order", internal_id="ord_1")
    assert [(row.system, row.kind) for row in known] == [
        ("netsuite", "salesOrder"), ("netsuite", "invoice"), ("shopify", "order"),
    ]  # fmt: skip


def test_of_eight_who_link_one_thing_to_eight_one_wins(runtime, tenant) -> None:
    def attempt(number: int) -> bool:
        try:
            link(runtime, tenant, "77", f"ord_{number}")
        except xref.LinkedElsewhere:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(attempt, range(8))).count(True) == 1
