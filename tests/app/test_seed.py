"""The demo shops: all of it, quickly, and every standing invariant holds from the first moment."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from engine.catalog.models import Product, Variant
from engine.catalog.shop_file import PastOrderStage, read_catalog
from engine.checks import check_tenant
from engine.demo.seed import TenantExists, demo_files, seed_tenant
from engine.finance import service as finance
from engine.finance.reconciliation import reconcile
from engine.kit.identity import Actor, Identity, Scope
from engine.kit.ids import new_id
from engine.kit.tenancy import Tenant
from engine.orders import queries
from engine.orders.models import Order, OrderLine
from engine.returns.models import Return
from engine.runtime import Runtime
from engine.warranties import registering
from engine.warranties.models import Warranty


@pytest.fixture(scope="module", params=[0, 1], ids=["summit-outdoor", "voltage-home"])
def seeded(request, store) -> tuple[Tenant, float, int]:
    """A freshly seeded shop, and how many orders its file has."""
    file = read_catalog(demo_files()[request.param])
    tenant_id = seed_tenant(store, file, demo=True, slug=f"seed-{new_id('tenant')[-12:]}")
    with store.without_tenant() as session:
        return session.get_one(Tenant, tenant_id), len(file.orders)


def test_it_is_large(seeded, store) -> None:
    tenant, _ = seeded
    with store.unit_of_work(tenant.id) as session:
        products = session.scalar(select(func.count()).select_from(Product))
        variants = session.scalar(select(func.count()).select_from(Variant))

    assert products >= 75
    assert variants >= 250


def test_every_standing_invariant_holds(seeded, runtime: Runtime) -> None:
    tenant, _ = seeded

    results = check_tenant(runtime, tenant.id, tenant.slug)

    assert len(results) >= 15
    assert [result for result in results if not result.ok] == []


def test_what_was_sold_is_in_the_bank_and_the_clearing_account_is_explained(seeded, runtime: Runtime) -> None:
    tenant, _ = seeded
    with runtime.unit_of_work(tenant.id) as session:
        [clearing] = reconcile(session, tenant.id).clearing
        held = finance.balances(session, tenant.id)

    assert (clearing.unexplained, clearing.differences) == (0, 0)
    assert clearing.booked == clearing.waiting == held["psp_clearing"]
    assert held["bank"] > held["gateway_fees"] > 0


def test_past_orders_are_in_every_stage(seeded, runtime: Runtime) -> None:
    tenant, count = seeded
    staff = Identity(tenant.id, Actor.API_KEY, "key_test", scopes=frozenset({Scope.STAFF}))
    with runtime.unit_of_work(tenant.id) as session:
        orders = queries.own_orders(session, staff, limit=200).items

    assert len(orders) == count
    assert {order.fulfillment_status for order in orders} == {
        "unfulfilled",
        "partially_shipped",
        "shipped",
        "delivered",
        "canceled",
        "partially_returned",
        "returned",
    }
    assert {order.payment_status for order in orders} == {"paid", "partially_refunded", "refunded"}
    assert {order.status for order in orders} == {"open", "closed", "canceled"}
    assert len(PastOrderStage) == 7


def test_what_was_sold_does_not_change_what_can_be_bought(seeded, runtime: Runtime) -> None:
    """Available units are the file's, to the unit."""
    from engine.inventory.models import Location, StockLevel

    tenant, _ = seeded
    folder = next(f for f in demo_files() if read_catalog(f).shop.name == tenant.name)
    wanted = {
        (variant.sku, code): units
        for product in read_catalog(folder).products
        for variant in product.variants
        for code, units in variant.stock.items()
        if units
    }
    with runtime.unit_of_work(tenant.id) as session:
        rows = session.execute(
            select(Variant.sku, Location.code, StockLevel.on_hand - StockLevel.reserved)
            .join(Variant, (Variant.tenant_id == StockLevel.tenant_id) & (Variant.id == StockLevel.variant_id))
            .join(Location, (Location.tenant_id == StockLevel.tenant_id) & (Location.id == StockLevel.location_id))
            .where(StockLevel.on_hand > StockLevel.reserved)
        ).all()

    assert {(sku, code): units for sku, code, units in rows} == wanted


def test_a_slug_is_taken_once(store, tenant: Tenant) -> None:
    file = read_catalog(demo_files()[0])

    with pytest.raises(TenantExists):
        seed_tenant(store, file, demo=False, slug=tenant.slug)


def test_what_arrived_is_promised_and_what_came_back_has_its_return(seeded, runtime: Runtime) -> None:
    """As the services would have left it: they find nothing to add."""
    tenant, _ = seeded
    with runtime.unit_of_work(tenant.id) as session:
        returned = select(OrderLine.order_id).where(OrderLine.returned > 0).distinct()
        orders_back = set(session.scalars(returned))
        rows = session.scalars(select(Return)).all()
        before = session.scalar(select(func.count()).select_from(Warranty)) or 0
        for order_id in session.scalars(select(Order.id)).all():
            assert registering.register(session, tenant.id, order_id) == []
        ended = session.scalars(select(Warranty.ended_at.is_not(None)).where(Warranty.status == "returned")).all()
        units = session.scalar(select(func.sum(OrderLine.delivered))) or 0

    assert before > units // 2
    assert {row.order_id for row in rows} == orders_back != set()
    assert {str(row.status) for row in rows} == {"closed"}
    assert ended
    assert all(ended)
    with runtime.unit_of_work(tenant.id) as session:
        shown = [queries.order_by_id(session, tenant.id, row.order_id) for row in rows]
    assert [view.changes[0].kind for view in shown] == ["return"] * len(rows)
