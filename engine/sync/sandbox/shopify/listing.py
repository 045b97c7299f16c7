"""By what orders, products, variants and items are searched and sorted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from engine.sync.sandbox.shopify import pricing

ORDER_SEARCH: Final[dict[str, Callable[[Any], Any]]] = {
    "id": lambda one: one.id,
    "name": lambda one: [one.name, one.name.lstrip("#")],
    "created_at": lambda one: one.created_at,
    "updated_at": lambda one: one.updated_at,
    "processed_at": lambda one: one.processed_at,
    "email": lambda one: one.email,
    "tag": lambda one: one.tags,
    "test": lambda one: str(one.test).lower(),
    "status": lambda one: "cancelled" if one.cancelled_at else ("closed" if one.closed_at else "open"),
    "financial_status": pricing.financial_status,
    "fulfillment_status": pricing.fulfillment_status,
    "sku": lambda one: [line.sku for line in one.lines],
    "po_number": lambda one: one.po_number,
    "source_name": lambda one: one.source_name,
}
ORDER_KEYS: Final[dict[str, Callable[[Any], Any]]] = {
    "ID": lambda one: one.id,
    "ORDER_NUMBER": lambda one: one.number,
    "CREATED_AT": lambda one: one.created_at,
    "UPDATED_AT": lambda one: one.updated_at,
    "PROCESSED_AT": lambda one: one.processed_at,
}
PRODUCT_SEARCH: Final[dict[str, Callable[[Any], Any]]] = {
    "id": lambda one: one.id,
    "title": lambda one: one.title,
    "handle": lambda one: one.handle,
    "vendor": lambda one: one.vendor,
    "tag": lambda one: one.tags,
    "created_at": lambda one: one.created_at,
    "updated_at": lambda one: one.updated_at,
    "sku": lambda one: [variant.sku for variant in one.variants],
}
PRODUCT_KEYS: Final[dict[str, Callable[[Any], Any]]] = {
    "ID": lambda one: one.id,
    "TITLE": lambda one: one.title,
    "UPDATED_AT": lambda one: one.updated_at,
    "CREATED_AT": lambda one: one.created_at,
}
VARIANT_SEARCH: Final[dict[str, Callable[[Any], Any]]] = {
    "id": lambda one: one.id,
    "sku": lambda one: one.sku,
    "product_id": lambda one: one.product.id,
    "updated_at": lambda one: one.updated_at or one.product.updated_at,
}
ITEM_SEARCH: Final[dict[str, Callable[[Any], Any]]] = {"id": lambda one: one.item_id, "sku": lambda one: one.sku}
