"""What an order looks like from outside (public contract: ``GET /v1/orders``)."""

from __future__ import annotations

from datetime import datetime

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


class AdjustmentView(View):
    """Money that went back: ``type`` refund."""

    id: str
    type: str
    status: str
    amount: int
    reason: str
    occurred_at: datetime


class OrderView(View):
    id: str
    number: str
    status: str
    """open, on_hold, canceled or closed."""
    payment_status: str
    """unpaid, authorized, paid, partially_refunded, refunded or disputed."""
    fulfillment_status: str
    """unfulfilled, partially_shipped, shipped, delivered, partially_returned, returned or canceled."""
    lines: list[OrderLineView]
    totals: list[TotalView]
    total: Price
    shipments: list[ShipmentView]
    adjustments: list[AdjustmentView]
    ship_to: AddressView | None
    fulfillment: FulfillmentOptionView | None
    created_at: datetime
