"""What an order looks like from outside (public contract: ``GET /v1/orders``)."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import Field

from engine.checkout.schemas import AddressView, FulfillmentOptionView, TotalView
from engine.kit.views import Price, View


class OrderLineView(View):
    id: str
    product_id: str
    variant_id: str
    sku: str
    title: str
    options: dict[str, str]
    image: str
    unit_price: Price
    ordered: int
    canceled: int
    shipped: int
    delivered: int
    returned: int
    discount: int
    tax: int
    allocated: int = 0
    """Units that have stock; what is ordered and not canceled and not allocated waits for it."""
    released: int = 0
    """Units handed to a warehouse or partner."""
    replaces_line_id: str | None = None
    digital: bool = False
    """Whether it has no parcel."""
    way: str = ""
    """How it goes, in words, where that is not the order's own way."""


class ShipmentEventView(View):
    at: datetime
    status: str
    text: str


class ShipmentLineView(View):
    order_line_id: str
    title: str
    quantity: int


class ShipmentView(View):
    id: str
    status: str
    """shipped, delivered or returned."""
    carrier: str
    tracking_number: str
    lines: list[ShipmentLineView]
    events: list[ShipmentEventView]
    shipped_at: datetime
    delivered_at: datetime | None
    tracking_url: str | None = None
    """The carrier's own page of it, of carriers that are known."""
    expected_on: date | None = None
    """While it is under way."""


class AdjustmentView(View):
    """Money that went back: ``type`` refund."""

    id: str
    type: str
    status: str
    amount: int
    reason: str
    occurred_at: datetime


class NoteView(View):
    id: str
    author: str
    """``you``, ``shop`` or, for staff, who it was."""
    audience: str
    text: str
    created_at: datetime


class ChangeSummary(View):
    """A change of the order that is under way or has ended."""

    id: str
    kind: str
    """cancel, address, payment_method or items."""
    status: str
    """charging, requested, applied, refused or failed."""
    difference: int
    """What the order costs more (or less, negative) because of it, tax included."""
    message: str
    at: datetime


class OrderView(View):
    id: str
    number: str
    status: str
    """open, on_hold, canceled or closed."""
    payment_status: str
    """unpaid, authorized, paid, partially_refunded, refunded or disputed."""
    fulfillment_status: str
    """unfulfilled, backordered, processing, partially_shipped, shipped, partially_delivered, delivered,
    partially_returned, returned, exchanged or canceled.
    """
    lines: list[OrderLineView]
    totals: list[TotalView]
    total: Price
    shipments: list[ShipmentView]
    adjustments: list[AdjustmentView]
    ship_to: AddressView | None
    fulfillment: FulfillmentOptionView | None
    created_at: datetime
    due: Price | None = None
    """``total`` and every later change of it."""
    balance: Price | None = None
    """Still to be paid; negative: still to be given back."""
    cancel_reason: str | None = None
    hold_reason: str | None = None
    """For staff."""
    notes: list[NoteView] = Field(default_factory=list)
    changes: list[ChangeSummary] = Field(default_factory=list)
