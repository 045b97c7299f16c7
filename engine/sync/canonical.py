"""What systems tell each other, in words of no system. Connectors translate at the edge; workflows know nothing else.

Every amount is a whole number of minor units; its currency stands in the same document. Documents are frozen and go
through JSON without loss (``model_dump(mode="json")``, ``model_validate``), for a workflow's steps keep them so.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

OURS: Final = "icommerce"
"""``source`` of what our own engine sold; anything else is a ``System``."""
Minor = Annotated[int, Field(strict=True)]
Count = Annotated[int, Field(strict=True, ge=0)]


class Canonical(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Document(Canonical):
    """Where it comes from, what it is called there, and how it came."""

    source: str
    """A ``System``, or ``OURS``."""
    account: str
    """Which account there: a shop's domain, an ERP's account number."""
    source_id: str
    raw: Annotated[dict[str, Any], Field(repr=False)] = {}

    @property
    def key(self) -> str:
        """What it is called among all systems and accounts: ``shopify:summit.myshopify.com:5001``."""
        return f"{self.source}:{self.account}:{self.source_id}"


class Address(Canonical):
    """``region`` and ``country`` are codes (``CA``, ``US``) where the source knows some."""

    name: str = ""
    company: str = ""
    line_one: str = ""
    line_two: str = ""
    city: str = ""
    region: str = ""
    postal_code: str = ""
    country: str = ""
    phone: str = ""


class Buyer(Canonical):
    """``source_id`` is nothing for a guest."""

    source_id: str | None = None
    email: str = ""
    name: str = ""
    phone: str = ""


class OrderLine(Canonical):
    """``quantity`` is what is still wanted of it; ``unit_price`` is before the discount, ``discount`` and ``tax`` are
    of the whole line.
    """

    source_line_id: str
    sku: str
    """May be empty: a platform sells things without one."""
    title: str
    quantity: Count
    unit_price: Minor
    discount: Minor = 0
    tax: Minor = 0
    requires_shipping: bool = True
    gift_card: bool = False
    bundle_parent: str | None = None
    """SKU, or title where it has none, of the bundle that this line is a part of."""


class ShippingCharge(Canonical):
    """``price`` is before the discount."""

    code: str = ""
    title: str = ""
    price: Minor
    discount: Minor = 0
    tax: Minor = 0


class OrderPayment(Canonical):
    """Money that came."""

    id: str
    gateway: str = ""
    amount: Minor
    at: AwareDatetime


class OrderCreated(Document):
    """An order as it is now. ``total`` is what is to be paid for what is still wanted, taxes and shipping included."""

    source_ref: str
    """What people call it: ``#1071``."""
    placed_at: AwareDatetime
    updated_at: AwareDatetime
    currency: str
    test: bool = False
    canceled_at: AwareDatetime | None = None
    buyer: Buyer
    ship_to: Address | None = None
    bill_to: Address | None = None
    lines: tuple[OrderLine, ...]
    shipping: tuple[ShippingCharge, ...] = ()
    discount: Minor = 0
    """Of lines and shipping together."""
    tax: Minor = 0
    taxes_included: bool = False
    """Prices hold the tax: it is not added to them."""
    total: Minor
    payments: tuple[OrderPayment, ...] = ()
    refunded: Minor = 0
    """Money that went back so far, where the platform says."""
    tags: tuple[str, ...] = ()
    note: str = ""


class ParcelItem(Canonical):
    sku: str
    quantity: Annotated[int, Field(strict=True, ge=1)]
    serials: tuple[str, ...] = ()


class Parcel(Canonical):
    """``ref`` is the carton's name at whoever packed it."""

    ref: str
    tracking_number: str
    carrier: str = ""
    service: str = ""
    items: tuple[ParcelItem, ...]


class Parcels(Document):
    """One shipment of an order: what left together, in one or more cartons. ``source_id`` names the shipment."""

    order_ref: str
    parcels: tuple[Parcel, ...]
    shipped_at: AwareDatetime


class WarehouseState(StrEnum):
    OPEN = "open"
    """Taken; nothing left yet, or not all."""
    SHIPPED = "shipped"
    CANCELED = "canceled"


class WarehouseOrder(Document):
    """How an order stands at a warehouse. ``source_id`` and ``order_ref`` are the number that we gave it."""

    order_ref: str
    state: WarehouseState
    reference: str = ""
    """What we told it that the order is for: ``#1071``."""
    stage: str = ""
    """The warehouse's own word."""
    modified_at: AwareDatetime | None = None
    shipments: tuple[Parcels, ...] = ()


class Taken(Canonical):
    """A warehouse has an order."""

    order_ref: str


class Refused(Canonical):
    """It does not take it, and says why."""

    order_ref: str
    code: str
    message: str


class ReceiptLine(Canonical):
    """``line`` is the purchase's own, where the warehouse knows it."""

    line: int | None = None
    sku: str
    quantity: Count


class Receipt(Document):
    """Goods that a warehouse counted in."""

    ref: str
    purchase_ref: str
    at: AwareDatetime
    lines: tuple[ReceiptLine, ...]


class ExpectedLine(Canonical):
    line: int
    sku: str
    quantity: Count
    received: Count = 0
    closed: bool = False
    unit_cost: Minor | None = None
    """What a unit is bought for, where whoever told of it knows."""


class Expected(Document):
    """Goods that are to come: a purchase, or a transfer from another place."""

    kind: Literal["purchase", "transfer"]
    number: str
    """What people call it: ``PO12``."""
    vendor: str = ""
    location: str = ""
    """Where they are to come, by the source's own name of the place."""
    currency: str = ""
    expected_at: datetime | None = None
    changed_at: str
    """The source's mark of its state: another one is another announcement."""
    announced: bool = False
    """It is marked as told to the warehouse."""
    lines: tuple[ExpectedLine, ...]


class StockLevel(Canonical):
    """How much of a thing is somewhere. ``item_id`` and ``location`` are the system's own names."""

    sku: str
    item_id: str = ""
    location: str = ""
    available: int
    on_hand: int | None = None


class SalesOrderLine(Canonical):
    """A line as the ERP has it. ``sku`` is empty where it is a charge and no goods."""

    line: int
    item_id: str
    sku: str = ""
    quantity: Count
    shipped: Count = 0
    billed: Count = 0
    unit_price: Minor | None = None
    amount: Minor | None = None
    closed: bool = False
    location: str = ""
    source_line_id: str = ""


class SalesOrder(Document):
    """An order as the ERP has it. ``source_id`` is its id there."""

    external_id: str = ""
    number: str = ""
    other_ref: str = ""
    """What the shop calls it."""
    status: str
    """One letter, whatever form the account tells it in."""
    currency: str = ""
    lines: tuple[SalesOrderLine, ...] = ()
    ship_to: Address | None = None
    email: str = ""
    ship_method: str = ""
    placed_on: str = ""
    """A day, as the ERP dates it."""
    total: Minor | None = None
    shipping: Minor | None = None
    tax: Minor | None = None
    flags: dict[str, Any] = {}
    """The account's own fields (``custbody_*``)."""


class Invoice(Document):
    """What is to be paid, or was at once (``cash_sale``). ``source_id`` is its id in the ERP."""

    kind: Literal["invoice", "cash_sale"] = "invoice"
    external_id: str = ""
    number: str = ""
    order_id: str
    currency: str
    total: Minor
    remaining: Minor


class Payment(Document):
    """Money in the books: so much of it is applied to invoices, the rest is not. ``source_id`` is its id there."""

    external_id: str = ""
    currency: str
    amount: Minor
    applied: Minor
    unapplied: Minor


class Settlement(Document):
    """Money that a gateway took, or gave back (``refund``), to be booked. ``source_id`` is the charge's id."""

    order_id: str
    """The order's ``source_id``."""
    order_ref: str = ""
    gateway: str = ""
    amount: Annotated[int, Field(strict=True, gt=0)]
    currency: str
    at: AwareDatetime
    refund: bool = False

    @property
    def charge_id(self) -> str:
        return self.source_id


class ProductVariant(Canonical):
    """``bundle``: the platform derives its stock from components, nobody sets it."""

    source_id: str
    sku: str
    title: str = ""
    price: Minor
    inventory_item_id: str = ""
    bundle: bool = False
    image: str = ""
    options: dict[str, str] = {}


class Product(Document):
    """A product as a platform sells it."""

    title: str
    description: str = ""
    """Plain text."""
    images: tuple[str, ...] = ()
    active: bool = True
    currency: str
    variants: tuple[ProductVariant, ...]
    updated_at: AwareDatetime
