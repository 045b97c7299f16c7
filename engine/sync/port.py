"""What a connector can do, in canonical words. A workflow knows these and no system.

Whatever writes may be called again after a crash: each docstring says what makes that safe. Errors are
``engine.sync.errors``. Nothing here is called within a database transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

from pydantic import BaseModel

from engine.sync.canonical import (
    Expected,
    Invoice,
    OrderCreated,
    Parcels,
    Payment,
    Product,
    Receipt,
    Refused,
    SalesOrder,
    Settlement,
    StockLevel,
    Taken,
    WarehouseOrder,
    WarehouseState,
)
from engine.sync.errors import Rejected
from engine.sync.models import System

Billing = Literal["invoice", "cash_sale"]
Goods = Literal["purchase", "transfer"]


class Capability(StrEnum):
    """What a connector declares. What it does not declare raises ``NotSupported``."""

    ORDERS = "orders"  # reads an order, and orders since a moment
    WEBHOOKS = "webhooks"  # verifies and reads what the system sends by itself
    SUBSCRIPTIONS = "subscriptions"  # asks the system to send it
    TAGS = "tags"
    SHIPMENTS = "shipments"  # tells a storefront what left
    STOCK = "stock"  # reads stock
    SET_STOCK = "set_stock"
    BUNDLES = "bundles"
    PRODUCTS = "products"
    SETTLEMENTS = "settlements"
    SALES_ORDERS = "sales_orders"
    FULFILMENTS = "fulfilments"
    BILLING = "billing"
    PAYMENTS = "payments"
    PURCHASING = "purchasing"
    SUBMIT = "submit"
    ANNOUNCE = "announce"
    RECEIPTS = "receipts"


class Told(NamedTuple):
    """Which delivery this is, and what of."""

    delivery_id: str
    topic: str


class Unread(NamedTuple):
    """A thing of a list that cannot be read: what it is called there, when it changed where it says so, and why."""

    source_id: str
    changed_at: str
    error: Rejected


Unreadable = Callable[[Unread], None]
"""Takes what a list holds that cannot be read; the others go on. A list that is given none stops there."""
Said = OrderCreated | Settlement | Product


class StockChange(NamedTuple):
    """``expected``: what the caller believes is there (compare and swap); ``None`` sets whatever is there."""

    item_id: str
    location: str
    quantity: int
    expected: int | None


class Connector(Protocol):
    """``system`` and ``capabilities`` are of the class; ``account`` is of the connection."""

    system: ClassVar[System]
    capabilities: ClassVar[frozenset[Capability]]

    @property
    def account(self) -> str: ...


class Hooks(Protocol):
    """How a system's own letters are read. Of the class: nothing is asked of the system for it."""

    hook_secret: ClassVar[str]
    """The secret that signs them (``engine.sync.secrets.NEEDED``)."""

    @classmethod
    def verify(cls, headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> bool:
        """Whether one of ``secrets`` signed these very bytes. Header names are in lower case. In constant time."""

    @classmethod
    def delivery(cls, headers: Mapping[str, str]) -> Told | None:
        """The letter's id, the same whenever it is sent again, and its topic; ``None`` where it is none."""


class Storefront(Connector, Hooks, Protocol):
    """Where orders come from."""

    def order(self, source_id: str) -> OrderCreated:
        """The order as it is now, payments included. Raises ``Rejected`` where there is none."""

    def orders_since(self, at: datetime, *, unread: Unreadable | None = None) -> Iterator[OrderCreated]:
        """Orders that changed at ``at`` or later, oldest change first, page by page; canceled and test ones too."""

    def read(self, topic: str, body: bytes) -> list[Said]:
        """What a letter says, all of it; nothing for a topic that says nothing to us. Raises ``Rejected`` for a body
        that is not what the topic promises. An order of a letter may be stale and has no payments: read it anew
        before work.
        """

    def settlements(self, source_id: str) -> list[Settlement]:
        """Money that came and went for an order, in the order in which it did."""

    def tag(self, source_id: str, tags: Iterable[str]) -> None:
        """Add tags to an order; the ones it has stay. Tags are a set: adding twice is adding once."""

    def ship(self, source_id: str, shipment: Parcels) -> list[str]:
        """Tell the platform what left, one fulfillment for each tracking number (cartons may share one); their ids. It
        reads first: a number that is there is done. Raises ``Rejected`` for more of a thing than is open.
        """

    def stock(self, skus: Iterable[str] | None = None) -> Iterator[StockLevel]:
        """Levels at every place of these SKUs, of all without them. Things that the platform does not track are left
        out.
        """

    def set_stock(self, changes: Sequence[StockChange], *, key: str, reference: str = "") -> None:
        """Set quantities, all or none of a request; at most ``set_stock_most`` of them. ``key`` is the idempotency
        key: the same one for the same changes is done once. Raises ``Conflict`` where one ``expected`` was stale.
        """

    set_stock_most: ClassVar[int]

    def native_bundles(self) -> set[str]:
        """SKUs whose stock the platform derives from components."""

    def products_since(self, at: datetime | None, *, unread: Unreadable | None = None) -> Iterator[Product]:
        """Products that changed at ``at`` or later, all of them without it."""

    def products(self, source_ids: Iterable[str], *, unread: Unreadable | None = None) -> list[Product]:
        """These products as they are now; the ones that are gone are left out."""

    def listen(self, address: str, topics: Iterable[str]) -> list[str]:
        """Have the platform send these topics to an address; the ids of the subscriptions. It looks first: done twice
        is done once.
        """


class Erp(Connector, Protocol):
    """Where the books are. Everything that is written has an external id that is the business key; one external id is
    one record, so writing again is writing once. ``found`` is the probe after an unknown outcome.
    """

    def found(self, kind: str, external_id: str) -> str | None:
        """The id of the record of a kind (``salesOrder``, ``itemFulfillment``, …) that has this external id."""

    def items(self, skus: Iterable[str]) -> dict[str, str]:
        """SKU → item id, of the ones that are known."""

    def put_customer(self, external_id: str, body: BaseModel) -> str:
        """Make or change the customer of this external id (an upsert); the id. ``body`` is the connector's own wire
        model.
        """

    def put_sales_order(self, external_id: str, body: BaseModel) -> str:
        """Make or change the sales order of this external id, its lines anew (an upsert); the id."""

    def sales_order(self, *, id: str = "", external_id: str = "") -> SalesOrder | None:  # noqa: A002 (what it is)
        """By one of the two."""

    def sales_orders(self, *, status: str, flag: tuple[str, bool] | None = None) -> Iterator[SalesOrder]:
        """Orders of a status letter, with a custom field that is set or not; lines may be left out."""

    def flag(self, kind: str, id: str, fields: Mapping[str, Any]) -> None:  # noqa: A002 (what it is)
        """Set custom fields of a record. Setting the same again changes nothing."""

    def close_order(self, id: str) -> None:  # noqa: A002 (what it is)
        """Close every line that is open; a closed order stays closed."""

    def fulfil(self, order_id: str, external_id: str, shipment: Parcels, *, location: str = "") -> str:
        """Book what left, and nothing else of the order; the item fulfilment's id. Once by the external id."""

    def bill(self, order_id: str, external_id: str, kind: Billing) -> Invoice:
        """Invoice what left, or sell it for cash. Once by the external id."""

    def invoice(self, *, id: str = "", external_id: str = "", order_id: str = "") -> Invoice | None:  # noqa: A002 (what it is)
        """By one of the three."""

    def open_invoices(self) -> Iterator[Invoice]:
        """Invoices of which something remains to be paid."""

    def pay(self, invoice_id: str, external_id: str, amount: int, *, account: str = "", at: str = "") -> int:
        """Book a payment and apply it to an invoice, as far as that is open; what remains of the invoice, in minor
        units. Money above it stays unapplied. ``account`` is where it lies, undeposited without one; ``at`` its day.
        Once by the external id.
        """

    def payment(self, external_id: str) -> Payment | None:
        """A payment that was booked."""

    def credit(self, invoice_id: str, external_id: str, amount: int, *, at: str = "") -> str:
        """Credit the customer of an invoice; the memo's id. Once by the external id."""

    def expected(self, kinds: Iterable[Goods]) -> Iterator[Expected]:
        """Purchases and transfers that wait to be received, ``announced`` or not. What the record alone says (when
        they come, what a unit costs) may be left out.
        """

    def expected_one(self, kind: Goods, id: str) -> Expected | None:  # noqa: A002 (what it is)
        """A purchase or a transfer as it is now, whatever its status."""

    def find_expected(self, number: str) -> tuple[Goods, str] | None:
        """Kind and id of the purchase or transfer that people call so."""

    def receive(self, kind: Goods, id: str, external_id: str, lines: Mapping[int, int], *, at: str = "") -> str:  # noqa: A002 (what it is)
        """Book goods in: line → quantity, and nothing of the other lines; the receipt's id. Once by the external id."""

    def unreceive(self, external_id: str) -> bool:
        """Take a receipt back with its stock. ``False`` where there is none (any more)."""

    def close_lines(self, kind: Goods, id: str, lines: Iterable[int] | None = None) -> None:  # noqa: A002 (what it is)
        """Close lines that nothing more will come of, all open ones without them. Closing again changes nothing."""

    def stock(self) -> Iterator[StockLevel]:
        """Every item at every place; ``location`` is the ERP's id of it. Raises ``Conflict`` where it changed while it
        was read.
        """

    def places(self) -> dict[str, str]:
        """Location id → name."""

    def kits(self) -> dict[str, list[tuple[str, int]]]:
        """Kit's SKU → SKU and quantity of each member."""


class Warehouse(Connector, Protocol):
    """Who has the goods and sends them."""

    def submit(self, orders: Sequence[BaseModel]) -> dict[str, Taken | Refused]:
        """Hand orders over; order number → what became of it. Nothing makes this safe to repeat but a look before:
        ask ``orders(numbers=…)`` after an unknown outcome. A number that the warehouse has already is ``Taken``.
        """

    def orders(
        self,
        *,
        numbers: Sequence[str] = (),
        modified_from: datetime | None = None,
        state: WarehouseState | None = None,
        unread: Unreadable | None = None,
    ) -> Iterator[WarehouseOrder]:
        """How orders stand, by number or by when they changed."""

    def announce(self, expected: Expected) -> str:
        """Tell of goods that are to come; the warehouse's reference. The same number amends: told twice is told
        once.
        """

    def receipts(self, since: datetime, *, unread: Unreadable | None = None) -> Iterator[Receipt]:
        """What was counted in at ``since`` or later."""

    def items(self) -> Iterator[StockLevel]:
        """What is on the shelves."""
