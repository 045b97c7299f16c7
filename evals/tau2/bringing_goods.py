"""Products and variants of the file as rows of ours. What cannot be bought is not sellable; nothing is counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from engine.catalog import searchtext
from engine.catalog.models import Product, Variant
from engine.catalog.shop_file import StockPolicy
from engine.kit.ids import new_id
from evals.tau2.rows import Rows
from evals.tau2.shop import ProductRow, ShopFile, VariantRow


@dataclass(frozen=True, slots=True)
class Goods:
    """What an order line has to know of a variant."""

    product_id: str
    variant_id: str


def bring_goods(rows: Rows, shop: ShopFile) -> dict[str, Goods]:
    """Rows for the whole catalog; item id → what an order line needs."""
    found: dict[str, Goods] = {}
    for position, product in enumerate(shop.products.values()):
        product_id = new_id("product")
        names = _option_names(product.variants.values())
        rows.add(Product, id=product_id, position=position, **_product(product, names))
        for place, variant in enumerate(product.variants.values()):
            goods = Goods(product_id, new_id("variant"))
            found[variant.item_id] = goods
            rows.add(Variant, id=goods.variant_id, product_id=product_id, position=place, **_variant(product, variant))
    return found


def _option_names(variants: Iterable[VariantRow]) -> list[str]:
    """In the order in which the shop shows them."""
    return list(dict.fromkeys(name for variant in variants for name in variant.options))


def _product(product: ProductRow, names: list[str]) -> dict[str, Any]:
    values = {
        name: list(dict.fromkeys(v.options[name] for v in product.variants.values() if name in v.options))
        for name in names
    }
    return {
        "slug": f"{'-'.join(searchtext.words_of(product.name))}-{product.product_id}"[:80],
        "external_id": product.product_id,
        "title": product.name,
        "brand": "",
        "category": product.name.lower(),
        "description": "",
        "motif": "box",
        "facts": {"option_names": names},
        "options": values,
        "tax_category": "standard",
        "warranty_months": 0,
        "search_strong": searchtext.strong(product.name, "", product.name, (), values),
    }


def _variant(product: ProductRow, row: VariantRow) -> dict[str, Any]:
    return {
        "sku": row.item_id,
        "title": searchtext.variant_title(product.name, row.options.values()),
        "options": row.options,
        "price": row.price,
        "cost": 0,
        "weight_g": 0,
        "length_mm": 0,
        "width_mm": 0,
        "height_mm": 0,
        "sellable": row.available,
        "stock_policy": StockPolicy.UNTRACKED,
    }
