"""What staff and merchants see of the work and the parcels (``GET /v1/fulfillments``, ``GET /v1/shipments``)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from engine.kit.views import View


class FulfillmentLineView(View):
    order_line_id: str
    sku: str
    title: str
    quantity: int
    shipped: int
    canceled: int
    cancel_requested: int


class FulfillmentView(View):
    id: str
    order_id: str
    order_number: str
    location: str
    """Its code."""
    partner: str
    status: str
    lines: list[FulfillmentLineView]
    cancel_change_id: str | None
    captures: list[str]
    routing: list[str]
    """Why this place, in sentences; all of it at ``GET /v1/orders/{id}/routing``."""
    released_at: datetime
    accepted_at: datetime | None
    version: int


class PackageItemView(View):
    order_line_id: str
    quantity: int


class PackageView(View):
    weight_g: int
    items: list[PackageItemView]


class ShipmentEventRow(View):
    id: str | None
    at: datetime
    status: str
    text: str


class ParcelView(View):
    """A shipment as staff see it."""

    id: str
    order_id: str
    order_number: str
    fulfillment_id: str | None
    location: str
    carrier: str
    service: str
    tracking_number: str
    status: str
    lines: list[PackageItemView]
    packages: list[PackageView]
    events: list[ShipmentEventRow]
    label_cost: int
    label: str | None
    """Where its label is; none for a parcel that another carrier labels."""
    expected_on: date | None
    shipped_at: datetime
    delivered_at: datetime | None
    lost_at: datetime | None
    returned_at: datetime | None
    remedy: str | None


class RoutingView(View):
    stage: str
    """``sale``: why units were reserved where they were; ``release``: why a fulfillment is where it is; ``now``: what
    routing would do with what is still to be released."""
    fulfillment_id: str | None
    location_id: str | None
    routing: dict[str, Any]


class ShortPickView(View):
    rerouted: list[str]
    backordered: dict[str, int]


class RemedyView(View):
    shipment_id: str
    remedy: str
    units: dict[str, int]
