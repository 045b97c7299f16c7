"""Parcels of a sale in a foreign currency earn in it and cost in the shop's own; so does what comes back of them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.carts import service as carts
from engine.checkout.complete import complete
from engine.finance import reports, settlements
from engine.finance import service as finance
from engine.finance.reports import JournalFilter
from engine.fulfillment.exceptions import Remedy, remedy_lost
from engine.fulfillment.shipments import ship_now
from engine.kit import clock
from engine.orders.models import ShipmentStatus
from engine.payments.gateways.sandbox.gateway import SandboxGateway
from tests.currencies import price, sell_in
from tests.engine.fulfillment.conftest import Warehouse
from tests.engine.fulfillment.test_tracking import sign, tell


@pytest.fixture
def abroad(warehouse: Warehouse) -> str:
    """A paid order of two A at 46.00 euros, which cost 25.00 dollars each; its id."""
    shop = warehouse.shop
    sell_in(shop, "EUR")
    shop.add("A", price=5000, stock={"EAST": 10})
    price(shop, "A", 4600, "EUR")
    buyer = shop.shopper()
    with shop.uow() as session:
        carts.set_currency(session, buyer, "EUR")
    done = complete(shop.runtime, buyer, shop.approved(buyer, "A", 2))
    assert done.order is not None
    return done.order.id


def books(warehouse: Warehouse, currency: str) -> dict[str, int]:
    with warehouse.shop.uow() as session:
        sums = finance.balances(session, warehouse.tenant_id, currency=currency)
        return {account: amount for account, amount in sums.items() if amount}


def kinds(warehouse: Warehouse, order_id: str) -> list[tuple[str, str]]:
    with warehouse.shop.uow() as session:
        page = reports.journal(session, warehouse.tenant_id, JournalFilter(order_id=order_id))
        return sorted((entry.kind, entry.currency) for entry in page.items)


def test_a_parcel_posts_an_entry_in_each_currency(warehouse: Warehouse, abroad: str) -> None:
    [work] = warehouse.release(abroad)
    ship_now(warehouse.shop.runtime, warehouse.tenant_id, work)
    assert kinds(warehouse, abroad) == [("capture", "EUR"), ("shipment", "EUR"), ("shipment_cost", "USD")]
    assert books(warehouse, "EUR") == {
        "psp_clearing": 10890,
        "revenue": -9200,
        "shipping_revenue": -700,
        "tax_payable": -990,
    }
    assert books(warehouse, "USD") == {"cogs": 5000, "inventory": -5000}
    assert warehouse.broken() == []


def test_a_lost_parcel_is_taken_back_in_both_and_written_off_at_home(warehouse: Warehouse, abroad: str) -> None:
    [work] = warehouse.release(abroad)
    shipment = ship_now(warehouse.shop.runtime, warehouse.tenant_id, work)
    tell(warehouse, shipment, sign(ShipmentStatus.LOST))
    with warehouse.shop.uow() as session:
        remedy_lost(session, warehouse.tenant_id, shipment, remedy=Remedy.RESHIP, actor="key_1")
    assert books(warehouse, "EUR") == {"psp_clearing": 10890, "customer_deposits": -9900, "tax_payable": -990}
    assert books(warehouse, "USD") == {"inventory": -5000, "inventory_adjustments": 5000}
    assert ("shipment_cost_returned", "USD") in kinds(warehouse, abroad)
    assert warehouse.broken() == []


def test_the_gateway_pays_out_each_currency_by_itself(warehouse: Warehouse, abroad: str) -> None:
    assert abroad
    warehouse.buy(A=1)
    gateway = warehouse.shop.runtime.gateways["sandbox"]
    assert isinstance(gateway, SandboxGateway)
    gateway.pay_out(merchant=warehouse.tenant_id, before=clock.now() + timedelta(seconds=1))
    settlements.import_payouts(warehouse.shop.runtime, warehouse.tenant_id)
    for currency in ("EUR", "USD"):
        found = books(warehouse, currency)
        assert "psp_clearing" not in found
        assert found["bank"] + found["gateway_fees"] == {"EUR": 10890, "USD": 6155}[currency]
    assert warehouse.broken() == []
