"""A shop with a platform, an ERP and a warehouse, all emulated: both sides of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import httpx

from engine.kit import clock
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.sync import connectors
from engine.sync.canonical import OrderCreated
from engine.sync.connectors.netsuite.wire import CustomerBody, SalesOrderBody
from engine.sync.models import System
from engine.sync.sandbox import World, emitting
from engine.sync.sandbox.dcl.state import Order as HouseOrder
from engine.sync.sandbox.faults import Rule
from engine.sync.sandbox.merchants import Merchant
from engine.sync.sandbox.netsuite.state import Record
from engine.sync.sandbox.presets import basket, read_goods
from engine.workflows import lineage
from engine.workflows.access import Poll, Wiring
from engine.workflows.definition import Workflow
from engine.workflows.rehearsal import Rehearsal, rehearse
from engine.workflows.settings import Carriage, Location, PipelineSettings
from tests.contracts.connectors import bench

ADDRESS: Final = {
    "addressee": "Maya Lindqvist",
    "addr1": "2719 Quivas Street",
    "city": "Denver",
    "state": "CO",
    "zip": "80211",
    "country": "US",
}
GROUND: Final = "10"
"""The ERP's ship method."""


@dataclass
class Systems:
    runtime: Runtime
    tenant: Tenant
    world: World
    hands: clock.OwnClock
    ids: dict[System, str] = field(default_factory=dict)
    cursor: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for system in (System.SHOPIFY, System.NETSUITE, System.DCL):
            self.ids[system] = bench.connect(self.runtime, self.tenant.id, system, self.merchant.credentials)
        place = self.merchant.account.external[("location", "RNO")]
        self.settings = PipelineSettings(
            carriages={GROUND: Carriage(carrier="UPS", service="Ground")},
            locations=(Location(erp=str(place), ours="EAST", warehouse="RNO"),),
        )

    @property
    def merchant(self) -> Merchant:
        return self.world.merchants[0]

    @property
    def line(self) -> httpx.BaseTransport:
        return bench.line_to(self.world)

    def wait(self, seconds: float) -> None:
        self.hands.move(timedelta(seconds=seconds))

    @property
    def how(self) -> dict[str, Any]:
        return {"transport": self.line, "patience": 600.0, "sleep": self.wait}

    @property
    def erp(self) -> Any:
        return connectors.erp(self.runtime, self.tenant.id, self.ids[System.NETSUITE], **self.how)

    @property
    def front(self) -> Any:
        return connectors.storefront(self.runtime, self.tenant.id, self.ids[System.SHOPIFY], **self.how)

    def rehearse(self, workflow: Workflow[Any], payload: Any, **more: Any) -> Rehearsal:
        usual = {"transport": self.line, "settings": self.settings, "hands": self.hands}
        return rehearse(self.runtime, self.tenant.id, workflow, payload, **(usual | more))

    def polled(self, workflow: Workflow[Any]) -> list[Any]:
        """What a poll yields now; its cursor is kept from one to the next."""
        wiring = Wiring(transport=self.line, patience=600.0, sleep=self.wait)
        poll = Poll(self.runtime, self.tenant.id, self.settings, wiring=wiring, cursor=self.cursor)
        assert workflow.poll is not None
        return list(workflow.poll(poll))

    def put(self, system: str, kind: str, **fields: Any) -> Rule:
        rule = Rule.model_validate({"id": f"{system}-{kind}", "system": system, "kind": kind} | fields)
        self.world.ground.faults.put(rule)
        return rule

    def sales_order(self, external_id: str, units: Mapping[str, int], **fields: Any) -> str:
        """An order in the ERP, to be sent from RNO; its id."""
        ids = self.erp.items(units)
        maya = {"subsidiary": {"id": "1"}, "firstName": "Maya", "lastName": "L", "email": "maya@example.com"}
        customer = self.erp.put_customer("CUS-1", CustomerBody.model_validate(maya))
        body = {
            "entity": {"id": customer},
            "location": {"externalId": "RNO"},
            "currency": {"id": "1"},
            "otherRefNum": "#1071",
            "email": "maya@example.com",
            "shipMethod": {"id": GROUND},
            "shippingAddress": ADDRESS,
            "item": {"items": [{"item": {"id": ids[sku]}, "quantity": n, "rate": "20.00"} for sku, n in units.items()]},
        }
        made: str = self.erp.put_sales_order(external_id, SalesOrderBody.model_validate(body | fields))
        return made

    def sold_on_platform(self, number: int = 0) -> tuple[OrderCreated, str]:
        """An order of the platform that the ERP has: the order, and the ERP's id of it."""
        placed = emitting.place_order(self.world, self.merchant, basket(self.merchant, read_goods(), number))
        order = self.front.order(str(placed.id))
        units: dict[str, int] = {}
        for line in order.lines:
            units[line.sku] = units.get(line.sku, 0) + line.quantity
        made = self.sales_order(f"SHOP-{order.account}-{order.source_id}", units, otherRefNum=order.source_ref)
        with self.runtime.unit_of_work(self.tenant.id) as session:
            lineage.keep_sales_order(session, self.tenant.id, order, self.erp.account, made)
        return order, made

    def record(self, kind: str, id: str) -> Record:  # noqa: A002 (what it is)
        return self.merchant.account.kind(kind)[int(id)]

    def records(self, kind: str) -> list[Record]:
        return list(self.merchant.account.kind(kind).values())

    def at_house(self) -> dict[str, HouseOrder]:
        return self.merchant.house.orders

    def later(self, **time: float) -> None:
        """The world goes on, and the process's clock with it."""
        self.world.advance(timedelta(**time))
        self.hands.move(timedelta(**time))


@contextmanager
def opened(runtime: Runtime, tenant: Tenant) -> Iterator[Systems]:
    with clock.own(bench.START) as hands:
        world = bench.new_world()
        try:
            yield Systems(runtime, tenant, world, hands)
        finally:
            world.close()
