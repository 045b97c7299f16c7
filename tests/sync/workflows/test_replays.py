"""A replay of the version that is live differs in nothing from what live did, and leaves all of that as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pytest
from pydantic import BaseModel
from sqlalchemy import select

from engine.kit import clock
from engine.kit.tenancy import Base
from engine.sync.canonical import Receipt, ReceiptLine
from engine.sync.models import System
from engine.sync.sandbox import World, emitting
from engine.sync.sandbox.presets import basket, read_goods
from engine.sync.sandbox.shopify.state import Order
from engine.workflows import (
    dcl_po_notification,
    dcl_po_receipt,
    dcl_tracking_update,
    inventory_bundles_sync,
    inventory_sync,
    netsuite_invoice,
    netsuite_payment,
    netsuite_to_dcl,
    pipeline,
    starting,
)
from engine.workflows import shopify_to_netsuite as w1
from engine.workflows.access import Access, Wiring
from engine.workflows.definition import Workflow
from engine.workflows.inventory_sync import StockSlot
from engine.workflows.models import RunStatus
from engine.workflows.netsuite_invoice import BillOrder
from engine.workflows.rehearsal import Rehearsal
from engine.workflows.settings import Billing, Location
from engine.workflows.shadow import Compared, replay
from tests.contracts.connectors import bench
from tests.contracts.connectors.calls_shopify import KIT, STOVE, TENT
from tests.shop import Shop
from tests.sync.workflows.pipes import Pipes
from tests.sync.workflows.test_billing import refunded

SLOT = StockSlot(slot="2026-11-26T08:00:00+00:00")


@dataclass
class Stage(Pipes):
    """Each run is after the one before it, as it is in life."""

    hands: clock.OwnClock = field(default_factory=lambda: clock.OwnClock(bench.START))

    def play(self, workflow: Workflow[Any], payload: BaseModel, **how: Any) -> Rehearsal:
        return super().play(workflow, payload, hands=self.hands, **how)

    def settle(self, **more: Any) -> None:
        """The shop sells from every place of the ERP, and says so."""
        shop = {one.name: str(one.id) for one in self.merchant.shop.state.locations.values()}
        rows = read_goods().locations
        places = tuple(Location(erp=self.place(row["code"]), storefront=shop[row["name"]]) for row in rows)
        self.rule(locations=places, default_location=self.place(), **more)
        said = {"actor": "t", "workflow": pipeline.SHARED, "is_on": False, "activate_it": True}
        with self.shop.uow() as session:
            pipeline.save(session, self.tenant_id, settings=self.settings.model_dump(mode="json"), **said)


@pytest.fixture
def pipes(world: World, shop: Shop) -> Iterator[Stage]:
    with clock.own(bench.START) as hands:
        made = Stage(shop, world, hands=hands)
        made.connect(System.SHOPIFY, System.NETSUITE, System.DCL)
        made.settle()
        yield made


def done(run: Rehearsal) -> Rehearsal:
    assert run.row().status == RunStatus.DONE, run.row().error
    return run


def taken(pipes: Stage, order: Order) -> Rehearsal:
    """What a letter of the platform makes of an order as it is now."""
    access = Access(pipes.runtime, pipes.tenant_id, pipes.settings, Wiring(transport=bench.line_to(pipes.world)))
    which = pipes.connected[System.SHOPIFY]
    payload = w1.payload_of(access, which, access.storefront(which).order(str(order.id)))
    assert payload is not None
    return done(pipes.play(w1.WORKFLOW, payload))


def polled(pipes: Stage, workflow: Workflow[Any]) -> Rehearsal:
    return done(pipes.play(workflow, pipes.poll(workflow)[-1]))


def bought(pipes: Stage) -> Order:
    return emitting.place_order(pipes.world, pipes.merchant, basket(pipes.merchant, read_goods(), 1))


def ordered(pipes: Stage) -> Rehearsal:
    return taken(pipes, bought(pipes))


def called_off(pipes: Stage) -> Rehearsal:
    order = bought(pipes)
    taken(pipes, order)
    emitting.cancel_order(pipes.world, pipes.merchant, order.name)
    return taken(pipes, order)


def handed_over(pipes: Stage) -> Rehearsal:
    ordered(pipes)
    return polled(pipes, netsuite_to_dcl.WORKFLOW)


def tracked(pipes: Stage) -> Rehearsal:
    handed_over(pipes)
    pipes.world.advance(timedelta(hours=3))
    return polled(pipes, dcl_tracking_update.WORKFLOW)


def sold_for_cash(pipes: Stage) -> Rehearsal:
    pipes.settle(billing=Billing.CASH_SALE)
    return tracked(pipes)


def announced(pipes: Stage) -> Rehearsal:
    lines = [(sku, 40) for sku in pipes.skus(2)]
    emitting.purchase(pipes.world, pipes.merchant, lines=lines, location="RNO")
    return polled(pipes, dcl_po_notification.WORKFLOW)


def announced_anew(pipes: Stage, fields: Mapping[str, Any] | None = None) -> Rehearsal:
    announced(pipes)
    (order,) = pipes.kind("purchaseOrder")[-1:]
    pipes.world.advance(timedelta(hours=1))
    more = fields or {"item": {"items": [{"line": 1, "quantity": 60}]}}
    pipes.erp.flag("purchaseOrder", str(order.id), more)
    return polled(pipes, dcl_po_notification.WORKFLOW)


def not_announced_anew(pipes: Stage) -> Rehearsal:
    return announced_anew(pipes, {"custbody_source": "web"})


def received(pipes: Stage) -> Rehearsal:
    number = announced(pipes).result["number"]
    emitting.receive(pipes.world, pipes.merchant, number, {1: 39, 2: 30})
    return polled(pipes, dcl_po_receipt.WORKFLOW)


def received_short(pipes: Stage) -> Rehearsal:
    pipes.settle(close_short=True)
    return received(pipes)


def received_too_much(pipes: Stage) -> Rehearsal:
    number = announced(pipes).result["number"]
    line = ReceiptLine(line=1, sku=pipes.skus()[0], quantity=43)
    head = {"source": "dcl", "account": pipes.merchant.house.account_number, "source_id": "R-9", "ref": "R-9"}
    receipt = Receipt(**head, at=bench.START, purchase_ref=number, lines=(line,))
    return done(pipes.play(dcl_po_receipt.WORKFLOW, dcl_po_receipt.Received(receipt=receipt)))


def invoiced(pipes: Stage) -> Rehearsal:
    order, erp_id = pipes.shipped()
    return done(pipes.play(netsuite_invoice.WORKFLOW, BillOrder(order_id=erp_id, reference=order.name)))


def paid(pipes: Stage) -> Rehearsal:
    invoiced(pipes)
    return polled(pipes, netsuite_payment.WORKFLOW)


def given_back(pipes: Stage) -> Rehearsal:
    paid(pipes)
    order = list(pipes.merchant.shop.state.orders.values())[-1]
    return done(pipes.play(netsuite_payment.WORKFLOW, refunded(pipes, order, "12.34")))


def told(pipes: Stage) -> Rehearsal:
    emitting.count_stock(pipes.world, pipes.merchant, sku=TENT, location="RNO", by=7)
    emitting.sell_over_counter(pipes.world, pipes.merchant, sku=STOVE, quantity=1)
    return done(pipes.play(inventory_sync.WORKFLOW, SLOT))


def told_of_bundles(pipes: Stage) -> Rehearsal:
    emitting.count_stock(pipes.world, pipes.merchant, sku=KIT, location="RNO", by=-3)
    return done(pipes.play(inventory_bundles_sync.WORKFLOW, SLOT))


LIVES = {
    ordered: 3,
    called_off: 1,
    handed_over: 2,
    tracked: 3,
    sold_for_cash: 4,
    announced: 2,
    announced_anew: 3,
    not_announced_anew: 0,
    received: 1,
    received_short: 2,
    received_too_much: 2,
    invoiced: 2,
    paid: 1,
    given_back: 1,
    told: 1,
    told_of_bundles: 1,
}
"""What a live run does → how many requests it sends that write."""


def unasked(_: httpx.Request) -> httpx.Response:
    raise AssertionError("A replay is answered out of the journal.")


def replayed(pipes: Stage, live: Rehearsal) -> list[Compared]:
    """Later, when everything is another than it was, and nobody may be asked."""
    emitting.count_stock(pipes.world, pipes.merchant, sku=TENT, location="RNO", by=5)
    pipes.hands.move(timedelta(hours=1))
    wiring, since = Wiring(transport=httpx.MockTransport(unasked)), clock.now() - timedelta(hours=6)
    workflow = live.workflow
    return list(replay(pipes.runtime, pipes.tenant_id, workflow.name, workflow.version, since=since, wiring=wiring))


def kept(pipes: Stage) -> dict[str, list[str]]:
    """Every row of the shop that is no shadow's own."""
    found = {}
    with pipes.shop.uow() as session:
        for table in [one for one in Base.metadata.sorted_tables if "tenant_id" in one.c]:
            rows = session.execute(select(table).where(table.c.tenant_id == pipes.tenant_id))
            said = (repr(dict(row)) for row in rows.mappings())
            found[table.name] = sorted(one for one in said if f"{pipes.tenant_id}:shadow:" not in one)
    return found


def wrote(live: Rehearsal) -> int:
    with live.runtime.unit_of_work(live.tenant_id) as session:
        return sum(not call.reads for call in starting.calls(session, live.tenant_id, live.row().id))


@pytest.mark.parametrize(("live", "writes"), LIVES.items())
def test_a_replay_of_what_is_live_differs_in_nothing_and_leaves_all_as_it_was(
    pipes: Stage, live: Callable[[Stage], Rehearsal], writes: int
) -> None:
    run = live(pipes)
    assert wrote(run) == writes
    before, there = kept(pipes), len(pipes.world.ground.journal.entries())
    compared = replayed(pipes, run)
    assert compared[-1].run_id == run.row().id
    assert {(one.status, one.was, one.same) for one in compared} == {("done", "done", True)}
    assert [one for one in compared if one.missing or one.extra] == []
    assert kept(pipes) == before
    assert len(pipes.world.ground.journal.entries()) == there


def test_a_version_that_does_one_thing_otherwise_differs_in_that_alone(
    pipes: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, before = ordered(pipes), kept(pipes)
    monkeypatch.setattr(w1, "TAG", "ELSEWHERE")
    (one,) = replayed(pipes, run)
    assert (one.same, one.status) == (False, "done")
    assert [len(requests) for requests in (one.missing, one.extra)] == [1, 1]
    assert ('"SENT_TO_NS"' in one.missing[0].request, '"ELSEWHERE"' in one.extra[0].request) == (True, True)
    assert kept(pipes) == before
