"""A catalog file's products into a shop, in a handful of round trips however many there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import insert
from sqlalchemy.orm import Session

from engine.catalog import searchtext
from engine.catalog.models import ListedPrice, Product, Variant
from engine.catalog.shop_file import CatalogFile, ProductRow, VariantRow
from engine.inventory.models import BundleComponent, MovementKind, StockLevel, StockMovement
from engine.kit.ids import new_id
from engine.kit.outbox import CONSUMERS, OutboxRow

Rows = list[dict[str, Any]]
_ALWAYS: Final = {"features", "materials", "compatibility", "care", "attributes", "synonyms"}
_WHERE_SAID: Final = {"constraints", "safety", "units", "dimensions", "faqs"}


def import_products(
    session: Session, tenant_id: str, file: CatalogFile, location_ids: Mapping[str, str]
) -> dict[str, str]:
    """Insert the file's products, variants and stock (with its receipts) and tell the search index.

    ``location_ids`` maps location codes to ids. Returns SKU → variant id. A slug or SKU the shop already has raises
    SQLAlchemy's ``IntegrityError``.
    """
    products: Rows = []
    variants: Rows = []
    levels: Rows = []
    for position, row in enumerate(file.products):
        product = _product(tenant_id, row, position)
        products.append(product)
        for order, variant_row in enumerate(row.variants):
            variant = _variant(tenant_id, product["id"], row, variant_row, order)
            variants.append(variant)
            levels += _levels(tenant_id, variant["id"], variant_row, location_ids)
    _insert(session, Product, products)
    _insert(session, Variant, variants)
    _insert(session, ListedPrice, _prices(tenant_id, file, {variant["sku"]: variant["id"] for variant in variants}))
    ids = {variant["sku"]: variant["id"] for variant in variants}
    _insert(session, BundleComponent, _components(tenant_id, file, ids))
    _insert(session, StockLevel, levels)
    _insert(session, StockMovement, [_receipt(level) for level in levels if level["on_hand"]])
    _insert(session, OutboxRow, [told for product in products for told in _told(tenant_id, product["id"])])
    return ids


def _insert(session: Session, model: type[Any], rows: Rows) -> None:
    if rows:
        session.execute(insert(model), rows)


def _product(tenant_id: str, row: ProductRow, position: int) -> dict[str, Any]:
    facts = row.model_dump(mode="json", include=_ALWAYS) | {"option_names": list(row.options)}
    facts |= {name: value for name, value in row.model_dump(mode="json", include=_WHERE_SAID).items() if value}
    same = row.model_dump(
        mode="json",
        include={
            "slug",
            "title",
            "brand",
            "category",
            "description",
            "motif",
            "options",
            "collections",
            "tax_category",
            "restrictions",
            "warranty_months",
            "rating",
            "rating_count",
        },
    )
    return same | {
        "tenant_id": tenant_id,
        "id": new_id("product"),
        "facts": facts,
        "position": position,
        "search_strong": searchtext.strong(row.title, row.brand, row.category, row.synonyms, row.options),
        "search_weak": searchtext.weak(row.description, facts),
    }


def _variant(tenant_id: str, product_id: str, product: ProductRow, row: VariantRow, position: int) -> dict[str, Any]:
    length, width, height = row.size_mm
    return {
        "tenant_id": tenant_id,
        "id": new_id("variant"),
        "product_id": product_id,
        "sku": row.sku,
        "title": searchtext.variant_title(product.title, [row.options[name] for name in product.options]),
        "options": row.options,
        "price": row.price,
        "cost": row.cost,
        "weight_g": row.weight_g,
        "length_mm": length,
        "width_mm": width,
        "height_mm": height,
        "position": position,
        "stock_policy": row.stock_policy,
        "backorder_limit": row.backorder_limit,
        "available_on": row.available_on,
        "lead_days": row.lead_days,
        "digital": row.digital.model_dump() if row.digital else None,
    }


def _prices(tenant_id: str, file: CatalogFile, ids: Mapping[str, str]) -> Rows:
    """Prices in other currencies, then those with a time; every row with the same keys, as one statement wants them."""
    found: Rows = []
    for row in (row for product in file.products for row in product.variants):
        same = {"tenant_id": tenant_id, "variant_id": ids[row.sku], "source": "import"}
        always = {"compare_at": None, "starts_at": None, "ends_at": None}
        listed = {code: sheet[row.sku] for code, sheet in file.price_lists.items() if row.sku in sheet}
        everywhere = (listed | row.prices).items()
        found += [same | always | {"currency": code, "amount": amount} for code, amount in everywhere]
        found += [same | one.model_dump() for one in row.scheduled]
    return [one | {"id": new_id("price")} for one in found]


def _components(tenant_id: str, file: CatalogFile, ids: Mapping[str, str]) -> Rows:
    return [
        {
            "tenant_id": tenant_id,
            "bundle_variant_id": ids[row.sku],
            "component_variant_id": ids[part.sku],
            "quantity": part.quantity,
        }
        for product in file.products
        for row in product.variants
        for part in row.bundle
    ]


def _levels(tenant_id: str, variant_id: str, row: VariantRow, location_ids: Mapping[str, str]) -> Rows:
    return [
        {
            "tenant_id": tenant_id,
            "variant_id": variant_id,
            "location_id": location_ids[code],
            "on_hand": row.stock.get(code, 0),
            "safety_stock": row.safety_stock.get(code, 0),
            "low_stock_at": row.low_stock_at,
        }
        for code in {**row.stock, **row.safety_stock}
    ]


def _receipt(level: dict[str, Any]) -> dict[str, Any]:
    where = {key: level[key] for key in ("tenant_id", "variant_id", "location_id")}
    return where | {"kind": MovementKind.RECEIPT, "on_hand_delta": level["on_hand"], "subject": "import"}


def _told(tenant_id: str, product_id: str) -> Rows:
    topic = "catalog.product_changed"
    return [
        {
            "tenant_id": tenant_id,
            "consumer": consumer,
            "topic": topic,
            "subject_id": product_id,
            "payload": {},
        }
        for consumer in CONSUMERS[topic]
    ]
