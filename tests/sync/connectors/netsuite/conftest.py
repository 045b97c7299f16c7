"""An account of the sandbox, and the connector that has its address and keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from engine.kit import clock
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.sync import connectors
from engine.sync.canonical import Parcel, ParcelItem, Parcels
from engine.sync.connectors.netsuite.connector import NetSuite
from engine.sync.connectors.netsuite.wire import CustomerBody, SalesOrderBody
from engine.sync.models import Call, Connection, System
from engine.sync.sandbox import World, WorldTransport
from engine.sync.sandbox.faults import Rule
from engine.sync.sandbox.journal import Entry
from engine.sync.sandbox.merchants import Merchant
from engine.sync.sandbox.netsuite.state import Record
from tests.engine.sync.scene import MANY, connect

START = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
HOST = "https://sandbox.example.com"


@dataclass
class Books:
    """The account from both sides: the connector's and the vendor's own."""

    runtime: Runtime
    tenant: Tenant
    world: World
    connection: Connection
    transport: WorldTransport
    slept: list[float] = field(default_factory=list)

    @property
    def merchant(self) -> Merchant:
        return self.world.merchants[0]

    def open(self, **more: Any) -> NetSuite:
        """A connector for another run."""
        usual = {"transport": self.transport, "sleep": self.slept.append, "patience": 0.0}
        made = connectors.erp(self.runtime, self.tenant.id, self.connection.id, **(usual | more))
        assert isinstance(made, NetSuite)
        return made

    def kind(self, name: str) -> list[Record]:
        return list(self.merchant.account.kind(name).values())

    def asked(self, operation: str = "") -> list[Entry]:
        found = self.world.ground.journal.entries(system="netsuite")
        return [one for one in found if not operation or one.operation == operation]

    def calls(self) -> list[Call]:
        with self.runtime.unit_of_work(self.tenant.id) as session:
            rows = session.query(Call).filter(Call.connection_id == self.connection.id).order_by(Call.id)
            return list(rows)

    def put(self, kind: str, **fields: Any) -> None:
        """A fault that strikes once."""
        rule = Rule.model_validate({"id": kind, "system": "netsuite", "kind": kind} | fields)
        self.world.ground.faults.put(rule)

    def skus(self, number: int = 1, *, least: int = 10) -> list[str]:
        """Goods that lie in Reno."""
        found = [item.number for item in self.merchant.house.items.values() if item.on_hand >= least]
        return found[:number]

    def on_hand(self, sku: str, place: str = "RNO") -> int:
        account = self.merchant.account
        item = next(one.id for one in self.kind("inventoryItem") if one.fields["itemId"] == sku)
        return int(account.balance(item, account.external[("location", place)]).on_hand)

    def order(self, erp: NetSuite, *lines: tuple[str, int, str], external_id: str = "SHOP-1", **fields: Any) -> str:
        """A sales order of SKUs, quantities and rates; its id."""
        sold = lines or ((self.skus()[0], 3, "20.00"),)
        ids = erp.items(sku for sku, _, _ in sold)
        customer = erp.put_customer("SHOP-maya", CustomerBody.model_validate(MAYA))
        rows = [{"item": {"id": ids[sku]}, "quantity": number, "rate": rate} for sku, number, rate in sold]
        body = {
            "entity": {"id": customer},
            "location": {"externalId": "RNO"},
            "currency": {"id": "1"},
            "item": {"items": rows},
        }
        return erp.put_sales_order(external_id, SalesOrderBody.model_validate(body | fields))


MAYA = {"subsidiary": {"id": "1"}, "firstName": "Maya", "lastName": "Lindqvist", "email": "maya@example.com"}


def left(*items: tuple[str, int], number: str = "1Z1", order: str = "SO1") -> Parcels:
    """One carton that left."""
    inside = tuple(ParcelItem(sku=sku, quantity=count) for sku, count in items)
    parcel = Parcel(ref=f"C-{number}", tracking_number=number, carrier="UPS", items=inside)
    return Parcels(source="dcl", account="1", source_id=number, order_ref=order, parcels=(parcel,), shipped_at=START)


@pytest.fixture
def world() -> Iterator[World]:
    with clock.stopped():
        made = World.preset("summit", at=START)
        yield made
        made.close()


def settings_of(merchant: Merchant, **more: Any) -> dict[str, Any]:
    who = merchant.credentials
    return {
        "account": who.netsuite_account,
        "client_id": who.netsuite_client_id,
        "certificate_id": who.netsuite_certificate_id,
        "currency": "USD",
        "currencies": {"USD": "1", "GBP": "2"},
    } | more


Opened = Callable[..., Books]


@pytest.fixture
def opened(runtime: Runtime, tenant: Tenant, world: World) -> Opened:
    """A connection with secrets of a test's choice."""

    def open_books(secrets: dict[str, str] | None = None, **settings: Any) -> Books:
        who = world.merchants[0].credentials
        scene = connect(
            runtime,
            tenant,
            system=System.NETSUITE,
            base_url=f"{HOST}/netsuite/{who.netsuite_account}/services/rest",
            secrets=secrets or {"private_key": who.netsuite_private_key_pem.strip()},
            settings=settings_of(world.merchants[0], **settings),
            limit=MANY,
        )
        return Books(runtime, tenant, world, scene.connection, WorldTransport(world, wait=lambda _: None))

    return open_books


@pytest.fixture
def books(opened: Opened) -> Books:
    return opened()


@pytest.fixture
def erp(books: Books) -> NetSuite:
    return books.open()
