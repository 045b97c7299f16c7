"""What mappings fill in tests: an order as another system might take it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Reference(BaseModel):
    model_config = ConfigDict(extra="forbid")

    external_id: Annotated[str, Field(alias="externalId", min_length=1)]


class Line(BaseModel):
    model_config = ConfigDict(extra="allow")

    item: Reference
    quantity: Annotated[int, Field(ge=1)]
    rate: Decimal | None = None


class Lines(BaseModel):
    items: list[Line]


class Address(BaseModel):
    addr1: str
    city: str
    zip: str | None = None
    country: Annotated[str, Field(min_length=2, max_length=2)]


class SalesOrder(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    other_ref_num: Annotated[str, Field(alias="otherRefNum", max_length=45)]
    tran_date: Annotated[date, Field(alias="tranDate")]
    status: Literal["A", "B"] = "B"
    amount: int | None = None
    tags: list[str] = []
    urgent: bool = False
    ship: Annotated[Address | None, Field(alias="shippingAddress")] = None
    item: Lines


PLACE = "tests.engine.sync.targets:SalesOrder"
SPEC = {
    "fields": {
        "otherRefNum": {"path": "name"},
        "tranDate": {"path": "processed_at", "transform": [{"name": "date", "zone": "America/New_York"}]},
        "status": {"constant": "B"},
        "amount": {"path": "total_price", "transform": [{"name": "minor", "currency": "=currency"}]},
        "tags": {"path": "tags", "transform": [{"name": "split", "between": ","}], "default": []},
        "shippingAddress.addr1": {"path": "shipping_address.address1"},
        "shippingAddress.city": {"path": "shipping_address.city"},
        "shippingAddress.country": {"path": "shipping_address.country_code", "transform": ["upper"]},
        "item.items": {
            "each": "line_items[?current_quantity > `0`]",
            "fields": {
                "item.externalId": {"path": "sku", "lookup": "items"},
                "quantity": {"path": "current_quantity"},
                "rate": {"path": "price", "transform": ["decimal"]},
                "custcol_line_id": {"path": "id", "transform": ["text"]},
                "custcol_order": {"path": "name", "whole": True},
            },
        },
    },
    "lookups": {"items": {"values": {"TENT": "IT-1", "MUG": "IT-2"}}},
}
ORDER = {
    "name": "#1071",
    "processed_at": "2026-11-26T02:30:00+00:00",
    "currency": "USD",
    "total_price": "129.90",
    "tags": "vip, web",
    "shipping_address": {"address1": "12 Pine St", "city": "Portland", "country_code": "us"},
    "line_items": [
        {"id": 11, "sku": "TENT", "current_quantity": 1, "price": "99.90"},
        {"id": 12, "sku": "MUG", "current_quantity": 2, "price": 15.0},
        {"id": 13, "sku": "GONE", "current_quantity": 0, "price": "1.00"},
    ],
}
MADE = {
    "otherRefNum": "#1071",
    "tranDate": "2026-11-25",
    "status": "B",
    "amount": 12990,
    "tags": ["vip", "web"],
    "shippingAddress": {"addr1": "12 Pine St", "city": "Portland", "country": "US"},
    "item": {
        "items": [
            {
                "item": {"externalId": "IT-1"},
                "quantity": 1,
                "rate": "99.90",
                "custcol_line_id": "11",
                "custcol_order": "#1071",
            },
            {
                "item": {"externalId": "IT-2"},
                "quantity": 2,
                "rate": "15.0",
                "custcol_line_id": "12",
                "custcol_order": "#1071",
            },
        ]
    },
}
