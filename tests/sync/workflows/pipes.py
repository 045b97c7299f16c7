"""A shop that is connected to its emulated systems, and runs of its workflows in rehearsal."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from engine.kit import clock
from engine.runtime import Runtime
from engine.sync import connectors, exceptions, xref
from engine.sync.canonical import Buyer, OrderCreated, Parcel, ParcelItem, Parcels
from engine.sync.connectors.netsuite.connector import NetSuite
from engine.sync.connectors.netsuite.wire import CustomerBody, SalesOrderBody
from engine.sync.models import System, Xref
from engine.sync.sandbox import World, emitting
from engine.sync.sandbox.faults import Rule
from engine.sync.sandbox.merchants import Merchant
from engine.sync.sandbox.netsuite.state import Record
from engine.sync.sandbox.shopify.state import Order
from engine.sync.work_models import ExceptionRow, ExceptionStatus
from engine.workflows import lineage
from engine.workflows.access import Poll, Wiring
from engine.workflows.definition import Workflow
from engine.workflows.rehearsal import Rehearsal, rehearse
from engine.workflows.settings import Location, PipelineSettings
from tests.contracts.connectors import bench
from tests.shop import Shop

MAYA = {"subsidiary": {"id": "1"}, "firstName": "Maya", "lastName": "Lindqvist"}


@dataclass
class Pipes:
    """One shop. ``settings`` are what its pipeline goes by."""

    shop: Shop
    world: World
    settings: PipelineSettings = field(default_factory=PipelineSettings)
    connected: dict[System, str] = field(default_factory=dict)

    def connect(self, *systems: System) -> None:
        for system in systems:
            known = self.merchant.credentials
            self.connected[system] = bench.connect(self.runtime, self.tenant_id, system, known)

    @property
    def runtime(self) -> Runtime:
        return self.shop.runtime

    @property
    def tenant_id(self) -> str:
        return self.shop.tenant.id

    @property
    def merchant(self) -> Merchant:
        return self.world.merchants[0]

    @property
    def erp(self) -> NetSuite:
        made = connectors.erp(
            self.runtime, self.tenant_id, self.connected[System.NETSUITE], transport=bench.line_to(self.world)
        )
        assert isinstance(made, NetSuite)
        return made

    def place(self, code: str = "RNO") -> str:
        """The ERP's id of a place."""
        return str(self.merchant.account.external[("location", code)])

    def rule(self, **values: Any) -> None:
        self.settings = self.settings.model_copy(update=values)

    def warehouse_at(self, ours: str = "") -> None:
        """The warehouse is in Reno, which is ``ours`` here."""
        self.rule(locations=(Location(erp=self.place(), ours=ours, warehouse="dcl"),))

    def play(self, workflow: Workflow[Any], payload: BaseModel, **how: Any) -> Rehearsal:
        usual = {"transport": bench.line_to(self.world), "settings": self.settings}
        return rehearse(self.runtime, self.tenant_id, workflow, payload, **(usual | how))

    def poll(self, workflow: Workflow[Any], cursor: dict[str, Any] | None = None) -> list[Any]:
        wiring = Wiring(transport=bench.line_to(self.world), patience=600.0, sleep=lambda _: None)
        poll = Poll(self.runtime, self.tenant_id, self.settings, wiring, cursor={} if cursor is None else cursor)
        assert workflow.poll is not None
        return list(workflow.poll(poll))

    def put(self, system: str, kind: str, **fields: Any) -> Rule:
        rule = Rule.model_validate({"id": f"{system}-{kind}", "system": system, "kind": kind} | fields)
        self.world.ground.faults.put(rule)
        return rule

    def kind(self, name: str) -> list[Record]:
        return list(self.merchant.account.kind(name).values())

    def on_hand(self, sku: str, code: str = "RNO") -> int:
        item = next(one.id for one in self.kind("inventoryItem") if one.fields["itemId"] == sku)
        return int(self.merchant.account.balance(item, int(self.place(code))).on_hand)

    def queue(self) -> list[ExceptionRow]:
        with self.shop.uow() as session:
            page = exceptions.listed(session, self.tenant_id, status=ExceptionStatus.OPEN)
            return page.items

    def faults(self) -> list[tuple[str, str]]:
        """Fields and words of everything that a person has to look at."""
        return [(one["path"], one["message"]) for row in self.queue() for one in row.fields]

    def link(self, system: System, kind: str, external_id: str, account: str) -> Xref | None:
        with self.shop.uow() as session:
            found = {"system": system, "kind": kind, "external_id": external_id, "account": account}
            return xref.find(session, tenant_id=self.tenant_id, **found)

    def skus(self, number: int = 1) -> list[str]:
        return [one.number for one in self.merchant.house.items.values() if one.on_hand >= 10][:number]

    def sold(self, total: int = 6000, *, sku: str = "") -> Order:
        """An order of the shop of three pieces, paid."""
        sku = sku or self.skus()[0]
        variant = self.merchant.shop.state.variant_of_sku(sku)
        assert variant is not None
        amount = {"shopMoney": {"amount": major(total), "currencyCode": "USD"}}
        given = {
            "email": "maya@example.com",
            "lineItems": [{"variantId": variant.gid, "quantity": 3}],
            "transactions": [{"kind": "SALE", "status": "SUCCESS", "gateway": "bogus", "amountSet": amount}],
        }
        return emitting.place_order(self.world, self.merchant, given)

    def in_erp(self, order: OrderCreated, sku: str = "", amount: str = "60.00") -> str:
        """The ERP's order of it, of three pieces, linked as the first workflow does it."""
        erp, sku = self.erp, sku or self.skus()[0]
        customer = erp.put_customer("SHOP-maya", CustomerBody.model_validate(MAYA))
        line = {"item": {"id": erp.items([sku])[sku]}, "quantity": 3, "amount": amount}
        body = {
            "entity": {"id": customer},
            "location": {"id": self.place()},
            "otherRefNum": order.source_ref,
            "item": {"items": [line]},
        }
        made = erp.put_sales_order(f"SHOP-{order.source_id}", SalesOrderBody.model_validate(body))
        with self.shop.uow() as session:
            lineage.keep_sales_order(session, self.tenant_id, order, erp.account, made)
        return made

    def leaves(self, order_id: str, sku: str = "", *, units: int = 3) -> None:
        """All three pieces left, or some of them."""
        item = ParcelItem(sku=sku or self.skus()[0], quantity=units)
        parcel = Parcel(ref="C", tracking_number=f"1Z-{order_id}", items=(item,))
        left = Parcels(
            source="dcl", account="1", source_id="s", order_ref="x", parcels=(parcel,), shipped_at=clock.now()
        )
        self.erp.fulfil(order_id, f"DCL-{order_id}-{units}", left)

    def shipped(self, total: int = 6000) -> tuple[Order, str]:
        """An order that was sold, went to the ERP (60.00) and left; the shop's order, and the ERP's id."""
        order = self.sold(total)
        made = self.in_erp(document(order, self.merchant.credentials.shop_domain))
        self.leaves(made)
        return order, made


def document(order: Order, account: str) -> OrderCreated:
    """As much of a shop's order as links need."""
    return created("shopify", account, order.gid.rpartition("/")[2], order.name)


def created(source: str, account: str, source_id: str, ref: str, at: datetime | None = None) -> OrderCreated:
    when = at or clock.now()
    head = {"source": source, "account": account, "source_id": source_id, "source_ref": ref}
    rest = {"placed_at": when, "updated_at": when, "currency": "USD", "buyer": Buyer(), "lines": (), "total": 0}
    return OrderCreated.model_validate(head | rest)


def major(amount: int) -> str:
    return f"{amount // 100}.{amount % 100:02d}"
