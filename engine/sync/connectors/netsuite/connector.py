"""NetSuite as an ERP (``engine.sync.port.Erp``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from pydantic import BaseModel

from engine.sync.canonical import Expected, Invoice, Parcels, Payment, SalesOrder, StockLevel
from engine.sync.client import VendorClient
from engine.sync.connectors.netsuite import paying, purchasing, selling, stocking
from engine.sync.connectors.netsuite.account import Account
from engine.sync.connectors.netsuite.reading import RECORDS
from engine.sync.connectors.netsuite.records import eid
from engine.sync.models import Connection, System
from engine.sync.port import Billing, Capability, Goods


class NetSuite:
    """One account, for one run. What is looked up once (items, places, kits) is kept as long as this is."""

    system: ClassVar[System] = System.NETSUITE
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {
            Capability.SALES_ORDERS,
            Capability.FULFILMENTS,
            Capability.BILLING,
            Capability.PAYMENTS,
            Capability.PURCHASING,
            Capability.STOCK,
        }
    )

    def __init__(self, client: VendorClient, connection: Connection) -> None:
        self._client, self._account = client, Account(client, connection)

    @property
    def account(self) -> str:
        return self._account.number

    def found(self, kind: str, external_id: str) -> str | None:
        return self._account.records.found(kind, external_id)

    def items(self, skus: Iterable[str]) -> dict[str, str]:
        return {sku: item.id for sku, item in self._account.catalogue.items(skus).items()}

    def put_customer(self, external_id: str, body: BaseModel) -> str:
        return self._account.records.upsert("customer", external_id, body)

    def put_sales_order(self, external_id: str, body: BaseModel) -> str:
        return selling.put_order(self._account, external_id, body)

    def sales_order(self, *, id: str = "", external_id: str = "") -> SalesOrder | None:  # noqa: A002 (what it is)
        return selling.order(self._account, id or eid(external_id))

    def sales_orders(self, *, status: str, flag: tuple[str, bool] | None = None) -> Iterator[SalesOrder]:
        return selling.orders(self._account, status, flag)

    def flag(self, kind: str, id: str, fields: Mapping[str, Any]) -> None:  # noqa: A002 (what it is)
        self._account.records.change(kind, id, fields)

    def close_order(self, id: str) -> None:  # noqa: A002 (what it is)
        selling.close(self._account, "salesOrder", id)

    def fulfil(self, order_id: str, external_id: str, shipment: Parcels, *, location: str = "") -> str:
        return selling.fulfil(self._account, order_id, external_id, shipment, location)

    def bill(self, order_id: str, external_id: str, kind: Billing) -> Invoice:
        return selling.bill(self._account, order_id, external_id, kind)

    def invoice(self, *, id: str = "", external_id: str = "", order_id: str = "") -> Invoice | None:  # noqa: A002 (what it is)
        if id:
            return selling.bill_by_id(self._account, id)
        if external_id:
            return selling.bill_of(self._account, external_id)
        return selling.bill_of_order(self._account, order_id)

    def open_invoices(self) -> Iterator[Invoice]:
        return selling.open_invoices(self._account)

    def pay(self, invoice_id: str, external_id: str, amount: int, *, account: str = "", at: str = "") -> int:
        return paying.pay(self._account, invoice_id, external_id, amount, account, at)

    def payment(self, external_id: str) -> Payment | None:
        return paying.payment(self._account, external_id)

    def credit(self, invoice_id: str, external_id: str, amount: int, *, at: str = "") -> str:
        return paying.credit(self._account, invoice_id, external_id, amount, at)

    def expected(self, kinds: Iterable[Goods]) -> Iterator[Expected]:
        return purchasing.expected(self._account, kinds)

    def expected_one(self, kind: Goods, id: str) -> Expected | None:  # noqa: A002 (what it is)
        return purchasing.one(self._account, kind, id)

    def find_expected(self, number: str) -> tuple[Goods, str] | None:
        return purchasing.find(self._account, number)

    def receive(self, kind: Goods, id: str, external_id: str, lines: Mapping[int, int], *, at: str = "") -> str:  # noqa: A002 (what it is)
        return purchasing.receive(self._account, kind, id, external_id, lines, at)

    def unreceive(self, external_id: str) -> bool:
        return self._account.records.delete("itemReceipt", external_id)

    def close_lines(self, kind: Goods, id: str, lines: Iterable[int] | None = None) -> None:  # noqa: A002 (what it is)
        selling.close(self._account, RECORDS[kind], id, None if lines is None else set(lines))

    def stock(self) -> Iterator[StockLevel]:
        return stocking.levels(self._account)

    def places(self) -> dict[str, str]:
        return dict(self._account.catalogue.places())

    def kits(self) -> dict[str, list[tuple[str, int]]]:
        return {sku: list(members) for sku, members in self._account.catalogue.kits().items()}
