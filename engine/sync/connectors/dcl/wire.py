"""DCL's documents as they stand on the wire.

Orders, batches and RMAs are known from public clients; the names of amounts and of customers in a batch are derived
from the older SOAP interface. Announcements, receipts and items are **assumed**: nothing about them is published.
What is read is read leniently (other fields are passed over), what is written holds nothing but these fields.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Amount = Annotated[str, Field(pattern=r"^\d{1,12}(\.\d{1,4})?$")]
"""Money as text, without a currency: the account's own."""
Units = Annotated[int, Field(strict=True, gt=0, le=1_000_000)]
Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else str(value))]


class Written(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Read(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class BatchAddress(Written):
    """``address1``, ``city``, ``postal_code`` and ``country_code`` must be there."""

    company: str = ""
    attention: str = ""
    address1: Annotated[str, Field(min_length=1)]
    address2: str = ""
    email: str = ""
    phone: str = ""
    city: Annotated[str, Field(min_length=1)]
    state_province: str = ""
    postal_code: Annotated[str, Field(min_length=1)]
    country_code: Annotated[str, Field(min_length=2, max_length=3)]


class BatchLine(Written):
    line_number: Annotated[int, Field(strict=True, gt=0)]
    item_number: Annotated[str, Field(min_length=1)]
    description: str = ""
    quantity: Units
    price: Amount = "0.00"


class BatchOrder(Written):
    """One order of ``POST /batches``. The account's number is filled in where it is left out."""

    order_number: Annotated[str, Field(min_length=1, max_length=60)]
    account_number: str = ""
    ordered_date: date | None = None
    po_number: str = ""
    customer_number: str = ""
    acknowledgement_email: str = ""
    freight_account: str = ""
    shipping_carrier: str = ""
    shipping_service: str = ""
    system_id: str = ""
    shipping_address: BatchAddress
    billing_address: BatchAddress | None = None
    lines: Annotated[list[BatchLine], Field(min_length=1)]
    order_subtotal: Amount | None = None
    shipping_handling: Amount | None = None
    sales_tax: Amount | None = None
    total_due: Amount | None = None
    amount_paid: Amount | None = None


class ShippedItem(Read):
    item_number: str
    quantity: Annotated[int, Field(ge=0)]
    serial_numbers: list[str] = []


class Package(Read):
    carton_id: Text = ""
    tracking_number: Text = ""
    shipped_items: list[ShippedItem] = []


class ShippedLine(Read):
    line_number: int | None = None
    item_number: str
    quantity: Annotated[int, Field(ge=0)]


class Shipment(Read):
    ship_date: datetime
    carrier: Text = ""
    service: Text = ""
    packages: list[Package] = []
    shipped_lines: list[ShippedLine] = []


class OrderRow(Read):
    """An order of ``GET /orders``. ``order_status`` is not documented; where it is missing, the stage's words say."""

    account_number: Text = ""
    order_number: str
    po_number: Text = ""
    modified_at: datetime | None = None
    order_status: int | None = None
    stage_description: Text = ""
    shipments: list[Shipment] = []


class ReceiptLineRow(Read):
    line_number: int | None = None
    item_number: str
    quantity_received: Annotated[int, Field(ge=0)]


class ReceiptRow(Read):
    """Assumed."""

    receipt_id: str
    po_number: str
    received_date: datetime
    lines: list[ReceiptLineRow]


class ItemRow(Read):
    """Assumed."""

    item_number: str
    on_hand: int | None = None
    available: int


class AnnouncedLine(Written):
    line_number: Annotated[int, Field(gt=0)]
    item_number: str
    quantity: Units


class Announcement(Written):
    """Assumed: ``POST /purchase_orders``."""

    po_number: Annotated[str, Field(min_length=1)]
    account_number: str
    vendor: str = ""
    expected_date: str | None = None
    lines: Annotated[list[AnnouncedLine], Field(min_length=1)]


def document(model: BaseModel) -> dict[str, Any]:
    """As it is sent: without what was left out."""
    return model.model_dump(mode="json", exclude_none=True)
