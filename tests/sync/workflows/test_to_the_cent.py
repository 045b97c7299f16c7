"""From the order to the last cent: what was sold is what is invoiced is what was paid, and nobody has to look at it."""

from __future__ import annotations

import pytest

from engine.kit import clock
from engine.sync.canonical import OURS, Parcel, ParcelItem, Parcels
from engine.sync.models import System
from engine.sync.sandbox import emitting
from engine.sync.sandbox.presets import basket, read_goods
from engine.workflows import netsuite_invoice, netsuite_payment, shopify_to_netsuite
from engine.workflows.models import RunStatus
from engine.workflows.shopify_to_netsuite import TakeOrder
from tests.engine.fulfillment.conftest import Warehouse
from tests.sync.workflows.pipes import Pipes

CHARGES = {"tax": "SALES-TAX", "discount": "SHOP-DISCOUNT", "shipping": "SHIPPING"}


def taken(pipes: Pipes, payload: TakeOrder) -> str:
    """The ERP's order of it, all of whose goods left."""
    pipes.rule(charge_items=CHARGES, default_location=pipes.place(), erp_defaults={"subsidiary": {"id": "1"}})
    run = pipes.play(shopify_to_netsuite.WORKFLOW, payload)
    assert run.row().status == RunStatus.DONE, run.row().error
    order = pipes.kind("salesOrder")[-1]
    lines = [line for line in pipes.erp.sales_order(id=str(order.id)).lines if line.sku]
    items = tuple(ParcelItem(sku=line.sku, quantity=line.quantity) for line in lines)
    parcel = Parcel(ref="C", tracking_number="1Z1", items=items)
    left = Parcels(source="dcl", account="1", source_id="s", order_ref="x", parcels=(parcel,), shipped_at=clock.now())
    pipes.erp.fulfil(str(order.id), f"DCL-{order.id}", left)
    return str(order.id)


def booked(pipes: Pipes, total: int) -> None:
    """Everything that there is to be invoiced and paid is, and it is ``total``."""
    for workflow in (netsuite_invoice.WORKFLOW, netsuite_payment.WORKFLOW):
        for payload in pipes.poll(workflow):
            run = pipes.play(workflow, payload)
            assert run.row().status == RunStatus.DONE, run.row().error
    assert pipes.faults() == []
    assert [(one.status, one.external_id) for one in pipes.kind("invoice")] == [
        ("B", f"INV-{pipes.kind('salesOrder')[-1].id}")
    ]
    payment = pipes.kind("customerPayment")
    assert [int(one.fields["payment"] * 100) for one in payment] == [total]
    assert list(pipes.erp.open_invoices()) == []


@pytest.mark.parametrize("number", [0, 1, 2])
def test_an_order_of_a_platform_is_paid_to_the_cent(pipes: Pipes, number: int) -> None:
    order = emitting.place_order(pipes.world, pipes.merchant, basket(pipes.merchant, read_goods(), number))
    account = pipes.merchant.credentials.shop_domain
    who = {"connection_id": pipes.connected[System.SHOPIFY], "account": account, "source_ref": order.name}
    taken(pipes, TakeOrder(source_id=order.gid.rpartition("/")[2], **who))
    total = sum(one.amount.shop for one in order.transactions)

    booked(pipes, total)


def test_an_order_of_ours_is_paid_to_the_cent(pipes: Pipes) -> None:
    house, sku = Warehouse(pipes.shop), pipes.skus()[0]
    pipes.shop.add(sku, price=1999, stock={"EAST": 10})
    order_id = house.buy(**{sku: 3})
    row = house.order(order_id)
    taken(pipes, TakeOrder(connection_id=OURS, source_id=order_id, source_ref=row.number))

    booked(pipes, row.total)
